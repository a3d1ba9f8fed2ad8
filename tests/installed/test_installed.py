"""The extension as an artist gets it: from its zip, as ``bl_ext.user_default.expnet``, without torch in Blender."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest


def part(extension: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{extension.__name__}.{name}")


def contents(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_it_lies_in_the_profile_and_holds_what_is_needed(extension: ModuleType) -> None:
    folder = Path(extension.__file__).parent
    assert {"blender_manifest.toml", "model", "expnet_addon", "operators", "panels", "LICENSE"} <= {
        path.name for path in folder.iterdir()
    }
    assert not {"tests", "training", "benchmarks", "docs", "dev.py"} & {path.name for path in folder.iterdir()}
    assert (folder / "model/data/open_head.npz").is_file()
    assert (folder / "model/data/open_weights.safetensors").is_file()


def test_add_face_puts_a_head_into_the_scene(extension: ModuleType) -> None:
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.ops.expnet.add_face() == {"FINISHED"}
    (head,) = part(extension, "expnet_addon.rig").rigs_in(bpy.context.scene)
    assert "jawOpen" in head.data.shape_keys.key_blocks


def test_footage_becomes_keys_and_files(extension: ModuleType, clip: Path, tmp_path: Path) -> None:
    """The whole way: the worker sees, Blender keys, in a folder that stays as it was installed."""
    import bpy

    folder = Path(extension.__file__).parent
    before = contents(folder)
    shot = tmp_path / "shot.blend"
    table = tmp_path / "shot.csv"
    command = ["animate", str(clip), "--out", str(shot), "--performance", str(table), "--last", "11"]
    assert part(extension, "expnet_addon.headless").main(command) == 0
    assert contents(folder) == before

    bpy.ops.wm.open_mainfile(filepath=str(shot))
    (head,) = part(extension, "expnet_addon.rig").rigs_in(bpy.context.scene)
    assert head.data.shape_keys.animation_data.action is not None
    with table.open() as file:
        assert len(list(csv.DictReader(file))) == 12


def test_bad_input_is_one_line_and_no_file(
    extension: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a movie")
    shot = tmp_path / "shot.blend"
    assert part(extension, "expnet_addon.headless").main(["animate", str(broken), "--out", str(shot)]) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("expnet:")]
    assert len(said) == 1
    assert list(tmp_path.iterdir()) == [broken]


def test_blender_imported_nothing_that_sees(extension: ModuleType) -> None:
    """Last, after everything above ran in this process."""
    assert not {"torch", "cv2", "scipy", "h5py", "safetensors"} & set(sys.modules)


def test_it_leaves_and_comes_back(extension: ModuleType) -> None:
    import bpy

    for _ in range(2):
        assert bpy.ops.preferences.addon_disable(module=extension.__name__) == {"FINISHED"}
        assert not hasattr(bpy.types.Scene, "expnet")
        assert not hasattr(bpy.types, "EXPNET_OT_add_face")
        assert bpy.ops.preferences.addon_enable(module=extension.__name__) == {"FINISHED"}
    assert hasattr(bpy.types.Scene, "expnet")

"""``expnet own-head``: a head in a file gets its keys; a file that has none is one line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from expnet.expnet_addon import headless
from expnet.expnet_addon.scene import gltf
from expnet.model.face.semantics import OPEN_KEYS


@pytest.mark.slow
def test_a_glb_becomes_a_character_that_retarget_knows(artist_head, make_performance, tmp_path: Path, capsys) -> None:
    from expnet.model.performance.performance_files import save_performance

    objects = artist_head(("Head", "Eye Left", "Eye Right"))
    gltf.export_glb(tmp_path / "head.glb", list(objects.values()))
    keyed, shot = tmp_path / "keys.blend", tmp_path / "shot.blend"
    assert headless.main(["own-head", str(tmp_path / "head.glb"), "--out", str(keyed)]) == 0
    assert "\n29 keys on Head, in " in f"\n{capsys.readouterr().out}"
    bpy.ops.wm.open_mainfile(filepath=str(keyed))
    head = bpy.data.objects["Head"]
    assert [block.name for block in head.data.shape_keys.key_blocks][1:] == list(OPEN_KEYS)

    assert headless.main(["own-head", str(keyed), "--out", str(tmp_path / "again.blend")]) == 2
    assert "there are shape keys of these names: choose to replace or to keep them" in capsys.readouterr().err
    save_performance(make_performance(), tmp_path / "take.npz")
    command = ["retarget", "--performance", str(tmp_path / "take.npz"), "--character", str(keyed), "--out", str(shot)]
    assert headless.main(command) == 0
    assert "29 shape keys of Head keyed, names: EXPNET" in capsys.readouterr().out
    assert shot.exists() and not (tmp_path / "again.blend").exists()


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--object", "Hat"], "has no object 'Hat' in its scene; it has Cube"),
        (["--object", "Cube"], "no face was found in the pictures of the head, from any side"),
    ],
)
def test_bad_heads_are_one_line_and_nothing_is_written(
    empty_scene: bpy.types.Scene, tmp_path: Path, capsys, more: list[str], line: str
) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.wm.obj_export(filepath=str(tmp_path / "cube.obj"))
    out = tmp_path / "keys.blend"
    assert headless.main(["own-head", str(tmp_path / "cube.obj"), "--out", str(out), *more]) == 2
    said = capsys.readouterr().err
    assert line in said and len(said.strip().splitlines()) == 1
    assert not out.exists()


def test_files_that_hold_no_head_are_one_line(tmp_path: Path, capsys) -> None:
    torn, text = tmp_path / "torn.glb", tmp_path / "head.txt"
    torn.write_bytes(b"glTF" + bytes(40))
    text.write_text("no head")
    for scene, line in (
        (torn, "is no scene that this Blender can open"),
        (text, "is no .blend, .obj"),
        (tmp_path / "no.obj", "no.obj"),
    ):
        assert headless.main(["own-head", str(scene), "--out", str(tmp_path / "keys.blend")]) == 2
        said = capsys.readouterr().err
        assert line in said and len(said.strip().splitlines()) == 1
    assert not (tmp_path / "keys.blend").exists()

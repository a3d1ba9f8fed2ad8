"""The scripting API: the examples of docs/scripting.md as they stand there, and what an import brings along."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

import expnet
from expnet.expnet_addon import scripting
from expnet.expnet_addon.scene.current_take import take_of
from expnet.expnet_addon.scene.heads import rigs_in
from expnet.model.performance.live_link import write_live_link

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "scripting.md").read_text(encoding="utf-8"), re.DOTALL)
READING, ANIMATING, RETARGETING = EXAMPLES


@pytest.fixture
def folder(tmp_path: Path, photo_and_clip, monkeypatch: pytest.MonkeyPatch, make_performance, empty_scene) -> Path:
    """Return the files that the examples name, in the current folder."""
    write_live_link(make_performance(frames=8, fps=30.0), tmp_path / "recording.csv")
    mesh = bpy.data.meshes.new("hero")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    hero = bpy.data.objects.new("hero", mesh)
    empty_scene.collection.objects.link(hero)
    for name in ("Basis", "jawOpen", "tongueOut"):
        hero.shape_key_add(name=name, from_mix=False)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_picture_is_read_outside_blender(folder: Path) -> None:
    code = "import sys\nsys.modules['bpy'] = None\n" + READING
    printed = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\w+ -?\d\.\d\d, \d+ mm from the camera", printed.strip()), printed


def test_a_clip_is_animated_and_its_take_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(ANIMATING, "docs/scripting.md", "exec"), {})
    assert "3 of 3 frames keyed" in capsys.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(folder / "shot.blend"))
    (head,) = rigs_in(bpy.context.scene)
    regions = take_of(head).expnet.regions
    assert regions["mouth"].gain == pytest.approx(1.2) and regions["jaw"].smoothing == pytest.approx(0.3)


def test_a_recording_drives_a_head_and_a_character(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(RETARGETING, "docs/scripting.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "8 of 8 frames keyed" in printed and "1 shape keys" in printed
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hero_shot.blend"))
    assert bpy.data.objects["hero"].data.shape_keys.animation_data.action is not None
    (head,) = rigs_in(bpy.context.scene)
    assert take_of(head) is not None


def test_a_picture_without_a_face_is_one_line(image: Path, sees_no_face: Path, tmp_path: Path) -> None:
    with pytest.raises(expnet.InputError) as caught:
        expnet.estimate(tmp_path / "none.jpg")
    assert "none.jpg" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(expnet.InputError, match="no face|No face"):
        expnet.estimate(image, expnet.EstimatorOptions(estimator=str(sees_no_face)))


def test_the_package_names_what_scripting_has() -> None:
    assert list(expnet.SCRIPTING) == sorted(scripting.__all__, key=lambda n: (n.islower(), n)) == scripting.__all__
    assert all(getattr(expnet, name) is getattr(scripting, name) for name in expnet.SCRIPTING)
    assert set(expnet.SCRIPTING) <= set(dir(expnet))
    with pytest.raises(AttributeError, match="no attribute 'estimat'"):
        expnet.estimat  # noqa: B018


def test_importing_the_package_imports_neither_blender_nor_numpy() -> None:
    code = "import sys, expnet; expnet.Keying; expnet.estimate; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert not {"numpy", "bpy", "torch", "cv2"} & set(done.stdout.split())

"""Files of earlier versions still open.

The files in ``before/`` were made before the worker's protocol and the options became dataclasses, the .blend by
Blender 5.0.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import compat, headless
from expnet.expnet_addon.batch.records import done_record
from expnet.expnet_addon.batch.settings import ShotSettings
from expnet.expnet_addon.batch.shots import Shot
from expnet.expnet_addon.capture import takes
from expnet.expnet_addon.scene import take_keys
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.performance.performance_files import load_performance
from expnet.model.performance.treatment import QUIETEST

BEFORE = Path(__file__).with_name("before")


@pytest.fixture
def opened(empty_scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    expnet.register()
    bpy.ops.wm.open_mainfile(filepath=str(BEFORE / "head_with_take.blend"))
    yield bpy.context.scene
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    expnet.unregister()


def keyed(head: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    """(keys, 2) frame and value of every curve."""
    curves = [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]
    return {(c.data_path, c.array_index): np.array([tuple(p.co) for p in c.keyframe_points]) for c in curves}


@pytest.mark.skipif(bpy.app.version < (4, 5), reason="older Blenders do not open files of 5.0")
def test_a_take_keeps_its_performance_and_its_settings(opened: bpy.types.Scene) -> None:
    head = bpy.data.objects["Old face"]
    take = take_of(head).expnet
    assert (take.regions["jaw"].gain, take.regions["brows"].smoothing, take.neutral) == (0.5, 0.25, QUIETEST)
    raw = takes.performance_of(head)
    assert len(raw.times) == 6 and list(np.flatnonzero(~raw.seen)) == [2] and raw.source == "old_clip.mp4"
    before = keyed(head)
    assert take_keys.apply_again(take_of(head)) == ""
    assert keyed(head).keys() == before.keys()
    for path, keys in keyed(head).items():
        np.testing.assert_allclose(keys, before[path], atol=1e-6, err_msg=str(path))
    take.regions["jaw"].gain = 1.0
    assert not np.array_equal(keyed(head)['key_blocks["jawOpen"].value', 0], before['key_blocks["jawOpen"].value', 0])


@pytest.mark.skipif(bpy.app.version < (4, 5), reason="older Blenders do not open files of 5.0")
def test_the_scenes_and_the_characters_settings_are_there(opened: bpy.types.Scene) -> None:
    settings = opened.expnet
    assert (settings.source, settings.use_box, tuple(settings.box)) == ("/footage/clip.mp4", True, (1, 2, 3, 4))
    assert settings.smoothing == 0.75 and settings.rig == bpy.data.objects["Old face"] and settings.result == "kept"
    rows = bpy.data.objects["hero"].expnet_character.table()
    assert [(row.channel, row.target) for row in rows] == [
        ("jawOpen", "jawOpen"),
        ("mouthSmileLeft", "mouthSmileLeft"),
    ]


@pytest.fixture
def batch_folder(tmp_path: Path) -> tuple[Path, Shot]:
    """Return the folder that the batch wrote, with the clip's present path; the .blend is never read and is a dummy."""
    shutil.copytree(BEFORE / "batch", tmp_path / "batch")
    shutil.copytree(BEFORE / "footage", tmp_path / "footage")
    clip = tmp_path / "footage" / "old_clip.mp4"
    path = tmp_path / "batch" / "records" / "old_clip.json"
    record = json.loads(path.read_text())
    assert record["clip_stamp"][0] == clip.stat().st_size
    os.utime(clip, ns=(record["clip_stamp"][1],) * 2)
    path.write_text(json.dumps({**record, "clip": str(clip)}))
    (tmp_path / "batch" / "old_clip.blend").touch()
    return tmp_path / "batch", Shot(str(clip), "old_clip")


def test_a_batch_goes_on_with_what_is_done(batch_folder: tuple[Path, Shot], capfd: pytest.CaptureFixture[str]) -> None:
    out, shot = batch_folder
    record = out / "records" / "old_clip.json"
    before = record.read_bytes()
    options = ["--device", "cpu", "--jobs", "1", "--csv", "--smoothing", "0.25"]
    assert headless.main(["batch", str(Path(shot.clip).parent), "--out", str(out), *options]) == 0
    said = capfd.readouterr().out
    assert "1 of 1 clips are done already" in said and "1 of 1 clips done" in said
    assert record.read_bytes() == before
    assert "5 of 5" in (out / "report.html").read_text()
    assert load_performance(out / "old_clip.npz").seen.all()


def test_a_batchs_clip_is_done_again_with_other_settings(batch_folder: tuple[Path, Shot]) -> None:
    out, shot = batch_folder
    settings = ShotSettings(device="cpu", smoothing=0.25, outputs=(".blend", ".npz", ".csv"))
    record = done_record(out, shot, settings)
    assert record is not None and record.frames == 5
    assert ShotSettings.of_record(record.settings) == settings
    assert done_record(out, shot, replace(settings, smoothing=0.5)) is None

"""The button that renders the head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import expnet


@pytest.fixture
def scene(empty_scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    expnet.register()
    render = empty_scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 32, 32
    empty_scene.cycles.samples, empty_scene.cycles.use_denoising = 1, False
    yield empty_scene
    expnet.unregister()


def test_it_is_grey_without_a_head_and_says_why(scene: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match="Add a face first"):
        bpy.ops.expnet.render_head()


def test_a_head_alone_in_a_scene_is_rendered_lit_and_in_frame(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.expnet.add_face()
    for obj in [obj for obj in scene.objects if obj.type in ("CAMERA", "LIGHT")]:
        bpy.data.objects.remove(obj)
    scene.frame_start = scene.frame_end = 1
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "shot_")
    assert bpy.ops.expnet.render_head(animation=True) == {"FINISHED"}
    picture = bpy.data.images.load(str(tmp_path / "shot_0001.png"))
    middle = picture.pixels[4 * (16 * 32 + 16) : 4 * (16 * 32 + 16) + 3]
    assert middle[0] > 0.15  # the cheek is not in the dark
    assert middle[0] > middle[2] + 0.05  # and it is skin, not the grey world


def test_an_output_that_cannot_be_written_is_one_line_in_the_panel(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.expnet.add_face()
    scene.frame_start = scene.frame_end = 1
    (tmp_path / "file").write_text("no folder")
    scene.render.filepath = str(tmp_path / "file" / "shot_")
    with pytest.raises(RuntimeError):
        bpy.ops.expnet.render_head(animation=True)
    assert scene.expnet.result and "\n" not in scene.expnet.result

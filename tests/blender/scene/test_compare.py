"""Footage and head are shown together: behind, over, wiped, as a difference, beside."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import compare, rig
from expnet.operators import shortcuts

DEMO = Path(__file__).resolve().parents[3] / "model/data/demo_clip.mp4"


@pytest.fixture
def shot(registered: None, empty_scene, little_face, make_performance: Callable, tmp_path: Path) -> bpy.types.Scene:
    """Return a head with its footage behind it."""
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    clip = shutil.copy(DEMO, tmp_path / "one.mp4")
    capture.key_performance(empty_scene, head, make_performance(frames=9, source=str(clip)), Keying(identity=False))
    return empty_scene


def look(scene: bpy.types.Scene) -> tuple[str, float]:
    (background,) = scene.camera.data.background_images
    return background.display_depth, round(background.alpha, 3)


def view_3d() -> dict:
    window = bpy.context.window_manager.windows[0]
    area = next(each for each in window.screen.areas if each.type == "VIEW_3D")
    return {"window": window, "screen": window.screen, "area": area, "region": area.regions[-1]}


def test_footage_lies_behind_or_over_the_head_with_an_opacity_for_each(shot: bpy.types.Scene) -> None:
    settings = shot.expnet.compare
    assert look(shot) == ("BACK", 1.0)
    settings.opacity = 0.25
    assert look(shot) == ("BACK", 0.25)
    settings.mode = "OVER"
    assert look(shot) == ("FRONT", 0.5)
    settings.over_opacity = 0.75
    assert look(shot) == ("FRONT", 0.75)
    settings.mode = "BEHIND"
    assert look(shot) == ("BACK", 0.25)


def test_the_difference_is_of_the_head_without_the_footage_behind_it(shot: bpy.types.Scene) -> None:
    settings = shot.expnet.compare
    settings.mode = "DIFFERENCE"
    assert look(shot) == ("BACK", 0.0)
    assert compare.drawn_picture(shot, shot.camera) is not None
    settings.footage_only = True
    assert look(shot) == ("FRONT", 1.0)
    settings.footage_only = False
    settings.mode = "WIPE"
    assert look(shot) == ("BACK", 1.0)


def test_one_key_toggles_head_and_footage(shot: bpy.types.Scene) -> None:
    shot.expnet.compare.mode, shot.expnet.compare.over_opacity = "OVER", 0.3
    assert bpy.ops.expnet.toggle_footage() == {"FINISHED"}
    assert look(shot) == ("FRONT", 1.0)
    bpy.ops.expnet.toggle_footage()
    assert look(shot) == ("FRONT", 0.3)
    keyed = {item.idname for _, item in shortcuts._added}
    assert bpy.context.window_manager.keyconfigs.addon is None or "expnet.toggle_footage" in keyed


def test_without_footage_the_buttons_are_grey(registered: None) -> None:
    assert not bpy.ops.expnet.toggle_footage.poll()
    with bpy.context.temp_override(**view_3d()):
        assert not bpy.ops.expnet.open_footage_beside.poll()


def test_the_next_clip_is_shown_as_the_last_one(
    shot: bpy.types.Scene, make_performance: Callable, tmp_path: Path
) -> None:
    shot.expnet.compare.mode = "WIPE"
    other = shutil.copy(DEMO, tmp_path / "two.mp4")
    head = bpy.context.view_layer.objects.active
    capture.key_performance(shot, head, make_performance(frames=5, source=str(other)), Keying(identity=False))
    assert look(shot) == ("BACK", 1.0)
    picture = compare.drawn_picture(shot, shot.camera)
    assert picture is not None and Path(picture.filepath).name == "two.mp4"
    assert [Path(each.filepath).name for each in bpy.data.images if each.filepath.endswith(".mp4")] == ["two.mp4"]


def test_the_wipe_keeps_its_picture_only_while_it_is_drawn(shot: bpy.types.Scene) -> None:
    settings = shot.expnet.compare
    images = set(bpy.data.images)
    for mode in compare.DRAWN:
        settings.mode = mode
        assert compare.drawn_picture(shot, shot.camera) is not None
    settings.footage_only = True
    assert compare.drawn_picture(shot, shot.camera) is None
    settings.footage_only = False
    settings.mode = "BEHIND"
    assert compare.drawn_picture(shot, shot.camera) is None
    assert set(bpy.data.images) == images


def test_the_wipes_picture_is_the_one_that_blender_shows(
    grey_movie: Path, grey_images: Callable, empty_scene: bpy.types.Scene
) -> None:
    clip = bpy.data.movieclips.load(str(grey_movie))
    clip.frame_start, clip.frame_offset = 11, 2
    assert [compare.picture_number(clip, frame) for frame in (5, 11, 12, 99)] == [1, 3, 4, 8]
    files = grey_images(range(7, 12))
    sequence = bpy.data.movieclips.load(str(files[0]))
    sequence.frame_start = 1
    assert [compare.picture_number(sequence, frame) for frame in (1, 3)] == [7, 9]


def test_a_wiped_picture_fits_the_cameras_frame() -> None:
    corners = compare.fitted((10, 20, 110, 220), (100, 100))
    assert corners == [(10, 70), (110, 70), (110, 170), (10, 170)]
    assert compare.wiped(corners, 0.25) == [(10, 70), (35, 70), (35, 170), (10, 170)]
    assert np.ptp(np.array(compare.wiped(corners, 0.0))[:, 0]) == 0


def test_open_footage_beside_shows_the_clip_in_step_and_only_once(shot: bpy.types.Scene) -> None:
    with bpy.context.temp_override(**view_3d()):
        assert bpy.ops.expnet.open_footage_beside() == {"FINISHED"}
    screen = bpy.context.window_manager.windows[0].screen
    (editor,) = [area for area in screen.areas if area.type == "CLIP_EDITOR"]
    assert editor.spaces.active.clip == shot.camera.data.background_images[0].clip
    assert [area.type for area in screen.areas].count("VIEW_3D") == 1
    with bpy.context.temp_override(**view_3d()):
        bpy.ops.expnet.open_footage_beside()
    assert [area.type for area in screen.areas].count("CLIP_EDITOR") == 1

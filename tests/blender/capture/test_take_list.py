"""The takes of a head are a list: each brings its keys, footage, sound and timing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture, takes
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import rig, take_keys, take_list
from expnet.expnet_addon.scene.current_take import take_of, takes_of
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.treatment import Treatment

pytestmark = pytest.mark.usefixtures("registered")

DEMO = Path(__file__).resolve().parents[3] / "model/data/demo_clip.mp4"
JAW = 'key_blocks["jawOpen"].value'
PLAIN = Keying(identity=False)


@pytest.fixture
def head(empty_scene: bpy.types.Scene, little_face) -> bpy.types.Object:
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    return head


@pytest.fixture
def first(make_performance: Callable, tmp_path: Path) -> FacePerformance:
    clip = Path(shutil.copy(DEMO, tmp_path / "disc.mp4"))
    return make_performance(frames=9, fps=25.0, source=str(clip))


@pytest.fixture
def second(make_performance: Callable, grey_images: Callable) -> FacePerformance:
    folder = grey_images(range(1, 8))[0].parent
    seen = make_performance(frames=7, fps=12.0, source=str(folder))
    return replace(seen, image_size=(320, 200), eta=seen.eta * 0.5)


def jaw(head: bpy.types.Object) -> list[float]:
    curve = compat.assigned_curves(head.data.shape_keys).find(JAW)
    return [point.co[1] for point in curve.keyframe_points]


def edit(head: bpy.types.Object) -> None:
    compat.assigned_curves(head.data.shape_keys).find(JAW).keyframe_points[2].co[1] = 0.77


def shot() -> tuple:
    """Return what a take brings to the scene."""
    scene = bpy.context.scene
    (background,) = scene.camera.data.background_images
    render = scene.render
    return (
        scene.frame_start, scene.frame_end, render.fps, render.resolution_x, render.resolution_y,
        background.clip.name, background.clip.frame_start, background.clip.frame_offset,
    )  # fmt: skip


def test_choosing_a_take_switches_everything_that_belongs_to_it(empty_scene, head, first, second) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    at_first, jaws, place = shot(), jaw(head), _place(head)
    capture.key_performance(empty_scene, head, second, PLAIN)
    at_second = shot()
    one, two = bpy.data.actions["disc"], take_of(head)
    assert takes_of(head) in ([one, two], [two, one])
    empty_scene.frame_set(3)
    settings = empty_scene.expnet
    settings.take_index = bpy.data.actions.find(one.name)
    assert take_of(head) == one and shot() == at_first
    assert jaw(head) == jaws and np.array_equal(_place(head), place)
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(jaws[2])
    told, changed = settings.result.splitlines()
    assert told == "Face shows the take 'disc'"
    assert changed == "Scene: 25 frames a second, frames 1 to 9, 640 x 360 pixels"
    settings.take_index = bpy.data.actions.find(two.name)
    assert take_of(head) == two and shot() == at_second
    settings.take_index = bpy.data.actions.find(two.name)
    assert settings.take_index == bpy.data.actions.find(two.name)


def _place(head: bpy.types.Object) -> np.ndarray:
    curves = compat.assigned_curves(head)
    return np.array([[p.co[1] for p in curves.find("location", index=i).keyframe_points] for i in range(3)])


def test_two_parts_of_one_clip_are_shown_where_they_belong(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    edit(head)
    later = replace(first, times=first.times + 4 / 25)
    told = capture.key_performance(empty_scene, head, later, PLAIN)
    assert "The take 'disc' has hand edits and is kept" in told
    assert shot()[-1] == 4
    take_list.show(empty_scene, head, bpy.data.actions["disc"])
    assert shot()[-1] == 0 and jaw(head)[2] == pytest.approx(0.77)


def test_animating_again_keeps_what_was_tuned(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    take = take_of(head).expnet
    take.regions["jaw"].gain = 0.25
    take.regions["mouth"].smoothing = 0.1
    take.neutral_frame = 2
    take.neutral = "FRAME"
    take.decimate = True
    tuned = jaw(head)
    capture.key_performance(empty_scene, head, first, PLAIN)
    take = take_of(head).expnet
    assert [action.name for action in takes_of(head)] == ["disc"]
    assert take.regions["jaw"].gain == 0.25 and take.regions["mouth"].smoothing == pytest.approx(0.1)
    assert (take.neutral, take.neutral_frame, take.decimate, take.live) == ("FRAME", 2, True, True)
    assert jaw(head) == tuned
    assert not take_keys.is_edited(head)


def test_the_panels_smoothing_counts_where_none_was_tuned(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    capture.key_performance(empty_scene, head, first, replace(PLAIN, smoothing=0.0))
    assert {region.smoothing for region in take_of(head).expnet.regions} == {0.0}


def test_an_edited_take_is_replaced_only_on_request(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    assert takes.edited_take(head, first.source) == ""
    edit(head)
    assert takes.edited_take(head, first.source) == "disc"
    capture.key_performance(empty_scene, head, first, PLAIN)
    assert [action.name for action in takes_of(head)] == ["disc", "disc.001"]
    edit(head)
    told = capture.key_performance(empty_scene, head, first, replace(PLAIN, replace_edited=True))
    assert "kept" not in told and 0.77 not in np.round(jaw(head), 3)


def test_a_copy_has_its_own_settings_and_edits(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    before = jaw(head)
    assert bpy.ops.expnet.take_duplicate() == {"FINISHED"}
    assert take_of(head).name == "disc.001"
    take_of(head).expnet.regions["jaw"].gain = 0.5
    edit(head)
    assert jaw(head)[2] == pytest.approx(0.77)
    bpy.data.actions["disc.001"].name = "louder"
    take_list.show(empty_scene, head, bpy.data.actions["disc"])
    assert jaw(head) == before
    assert {action.name for action in takes_of(head)} == {"disc", "louder"}


def test_deleting_shows_the_take_before_it(empty_scene, head, first, second) -> None:
    for performance in (first, second):
        capture.key_performance(empty_scene, head, performance, PLAIN)
    assert bpy.ops.expnet.take_delete() == {"FINISHED"}
    assert take_of(head).name == "disc" and len(takes_of(head)) == 1
    assert bpy.ops.expnet.take_delete() == {"FINISHED"}
    assert take_of(head) is None and not bpy.data.actions
    with pytest.raises(RuntimeError, match="Animate the face from footage first"):
        bpy.ops.expnet.take_delete()


def test_a_take_that_is_pushed_down_plays_on(empty_scene, head, first) -> None:
    capture.key_performance(empty_scene, head, first, PLAIN)
    jaws, place = jaw(head), _place(head)
    assert bpy.ops.expnet.take_push_down() == {"FINISHED"}
    assert take_of(head) is None and [action.name for action in takes_of(head)] == ["disc"]
    for block in (head, head.data.shape_keys):
        ((strip,),) = [track.strips for track in block.animation_data.nla_tracks]
        assert (strip.frame_start, strip.frame_end) == (1, 9)
    empty_scene.frame_set(3)
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(jaws[2])
    assert tuple(head.location) == pytest.approx(place[:, 2])


def test_each_click_in_the_list_is_an_undo_step_of_its_own(empty_scene, head, first, second) -> None:
    for performance in (first, second):
        capture.key_performance(empty_scene, head, performance, PLAIN)
    names = [action.name for action in takes_of(head)]
    bpy.ops.ed.undo_push(message="two takes")
    manager = bpy.context.window_manager  # Blender makes no undo steps for its properties, and merges others' clicks
    for name in (names[0], names[1]):
        manager.expnet_take = bpy.data.actions.find(name)
        assert take_of(bpy.context.object).name == name
    bpy.ops.ed.undo_push(message="what the artist does next")
    bpy.ops.ed.undo()
    assert take_of(bpy.context.object).name == names[1]


def test_takes_stay_with_a_head_that_is_renamed_and_saved(empty_scene, head, first, second, tmp_path: Path) -> None:
    for performance in (first, second):
        capture.key_performance(empty_scene, head, performance, PLAIN)
    head.name = "Ann"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "takes.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "takes.blend"))
    head = bpy.data.objects["Ann"]
    assert len(takes_of(head)) == 2
    take_list.show(bpy.context.scene, head, bpy.data.actions["disc"])
    assert len(jaw(head)) == 9


def test_takes_of_two_heads_do_not_mix(empty_scene, head, first, little_face) -> None:
    other = rig.create_rig(little_face)
    capture.key_performance(empty_scene, head, first, PLAIN)
    takes.write_take(empty_scene, other, first, Treatment())
    assert [action.name for action in takes_of(head)] == ["disc"]
    assert [action.name for action in takes_of(other)] == ["disc.001"]
    empty_scene.expnet.rig = other
    empty_scene.expnet.take_index = bpy.data.actions.find("disc")  # not one of its takes
    assert take_of(other).name == "disc.001"


def test_the_current_frame_is_inside_the_range_of_the_take(empty_scene, head, first) -> None:
    empty_scene.frame_set(200)
    capture.key_performance(empty_scene, head, first, PLAIN)
    assert (empty_scene.frame_start, empty_scene.frame_current, empty_scene.frame_end) == (1, 1, 9)

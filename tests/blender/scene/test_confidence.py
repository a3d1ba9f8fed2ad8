"""How sure the network was: the strip, markers, the curve, and going to doubtful frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import confidence, rig, take_keys, take_list
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.performance.face_performance import FacePerformance

PLAIN = Keying(identity=False, match_camera=False, sound=False, markers=True)


@pytest.fixture
def seen(make_performance: Callable) -> FacePerformance:
    """Frames 11 to 13 have no face, 21 to 22 are doubtful, and at 31 another shot begins. Counted from 1."""
    clip = make_performance(frames=48, missing=(10, 11, 12))
    sure = clip.confidence.copy()
    sure[20:22] = 0.3, 0.2
    return replace(clip, confidence=sure, cuts=(30 / 25,))


@pytest.fixture
def head(registered: None, empty_scene, little_face, seen: FacePerformance) -> bpy.types.Object:
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    capture.key_performance(empty_scene, head, seen, PLAIN)
    return head


def marks() -> list[tuple[str, int]]:
    return sorted(((m.name, m.frame) for m in bpy.context.scene.timeline_markers), key=lambda mark: mark[1])


def test_the_strip_shows_the_worst_of_each_part(head: bpy.types.Object, seen: FacePerformance) -> None:
    letters = take_of(head).expnet.strip
    assert len(letters) == confidence.PARTS
    assert letters == "2" * 5 + "00" + "2" * 3 + "1" + "2" * 13
    assert confidence.strip(np.array([1.0, 0.4, 0.0])) == "210"


def test_a_click_on_the_strip_goes_there(head: bpy.types.Object) -> None:
    assert bpy.ops.expnet.go_to_part(part=10) == {"FINISHED"}
    assert abs(bpy.context.scene.frame_current - 21) <= 1


def test_frames_without_a_face_and_cuts_are_marked(head: bpy.types.Object) -> None:
    name = head.name
    assert marks() == [(f"No face ({name})", 11), (f"Face ({name})", 14), (f"Cut ({name})", 31)]


def test_the_artists_markers_stay_when_a_take_is_switched_or_deleted(
    head: bpy.types.Object, make_performance: Callable
) -> None:
    scene = bpy.context.scene
    scene.timeline_markers.new("Mine", frame=11)
    first = take_of(head)
    capture.key_performance(scene, head, make_performance(frames=9, missing=(3,), source="b.mp4"), PLAIN)
    assert [frame for _, frame in marks()] == [4, 5, 11]
    take_list.show(scene, head, first)
    assert [frame for _, frame in marks()] == [11, 11, 14, 31]
    take_list.delete(scene, head)
    take_list.delete(scene, head)
    assert marks() == [("Mine", 11)]


def test_markers_of_a_renamed_head_go_with_the_take(head: bpy.types.Object) -> None:
    head.name = "Ada"
    take_of(head).expnet.markers = False
    assert marks() == []
    take_of(head).expnet.markers = True
    assert marks()[0] == ("No face (Ada)", 11)


def test_markers_can_be_switched_off_and_on(head: bpy.types.Object) -> None:
    take, before = take_of(head).expnet, marks()
    take.markers = False
    assert marks() == []
    take.markers = True
    assert marks() == before


def test_next_and_previous_go_from_one_doubtful_place_to_the_next(head: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_set(1)
    visited = []
    for _ in range(4):
        bpy.ops.expnet.next_doubtful()
        visited.append(scene.frame_current)
    assert visited == [11, 21, 31, 31]
    told = confidence.go_to_doubtful(scene, head, forward=True)
    assert told == "No frame after this one is doubtful"
    assert confidence.go_to_doubtful(scene, head, forward=False) == "Frame 21: doubtful to frame 22, confidence 0.20"
    assert confidence.go_to_doubtful(scene, head, forward=False) == "Frame 11: no face to frame 13"


def test_the_curve_is_the_confidence_and_no_hand_edit(head: bpy.types.Object, seen: FacePerformance) -> None:
    take, path = take_of(head).expnet, f'["{confidence.CONFIDENCE}"]'
    take.confidence_curve = True
    curve = compat.assigned_curves(head).find(path)
    assert [tuple(point.co) for point in curve.keyframe_points] == [
        pytest.approx((frame, sure)) for frame, sure in enumerate(seen.confidence, 1)
    ]
    bpy.context.scene.frame_set(22)
    assert head[confidence.CONFIDENCE] == pytest.approx(0.2)
    assert not take_keys.is_edited(head)
    take.regions["mouth"].gain = 1.5
    assert compat.assigned_curves(head).find(path) is not None
    take.confidence_curve = False
    assert compat.assigned_curves(head).find(path) is None and confidence.CONFIDENCE not in head


def test_a_take_of_an_earlier_version_gets_its_strip(head: bpy.types.Object) -> None:
    from expnet.operators import old_takes

    take = take_of(head).expnet
    letters, frames = take.strip, take.strip_frames
    take.strip, take.strip_frames = "", 0
    old_takes.recognise_after_load()
    assert (take.strip, take.strip_frames) == (letters, frames)

"""The head stays where the artist put it, moves as much as is wanted, and the footage stays behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import radians

import bpy
import numpy as np
import pytest
from mathutils import Vector

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import head_root, rig, take_list
from expnet.expnet_addon.scene.current_take import take_of

pytestmark = pytest.mark.usefixtures("registered")

STAY = Keying(identity=False, footage=False, sound=False, root=True)


@pytest.fixture
def head(empty_scene: bpy.types.Scene, little_face) -> bpy.types.Object:
    """Return a head that the artist put to the side, and turned."""
    head = rig.create_rig(little_face)
    head.location = (1.0, 2.0, 1.5)
    head.rotation_mode = "XYZ"
    head.rotation_euler = (0.0, 0.0, radians(90))
    bpy.context.view_layer.objects.active = head
    bpy.context.view_layer.update()
    return head


def world(obj: bpy.types.Object, frame: int) -> tuple[Vector, np.ndarray]:
    """Place and rotation of an object at a frame."""
    bpy.context.scene.frame_set(frame)
    matrix = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world
    return matrix.translation.copy(), np.array(matrix.to_3x3().normalized())


def seen_from(camera: bpy.types.Object, head: bpy.types.Object, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    return np.array(camera.evaluated_get(graph).matrix_world.inverted() @ head.evaluated_get(graph).matrix_world)


def test_the_head_stays_where_it_was_and_the_camera_comes_along(
    empty_scene, head, little_face, make_performance: Callable
) -> None:
    performance = make_performance(frames=8)
    capture.key_performance(empty_scene, head, performance, STAY)
    assert tuple(world(head, 1)[0]) == pytest.approx((1.0, 2.0, 1.5), abs=1e-5)
    other = rig.create_rig(little_face)
    views = [seen_from(empty_scene.camera, head, frame) for frame in (1, 5)]
    capture.key_performance(empty_scene, other, performance, replace(STAY, root=False))
    assert empty_scene.camera.parent is None and empty_scene.camera.location.length == 0
    for view, frame in zip(views, (1, 5), strict=True):
        np.testing.assert_allclose(seen_from(empty_scene.camera, other, frame), view, atol=1e-5)


def test_the_next_clip_starts_where_the_head_stands(empty_scene, head, make_performance: Callable) -> None:
    performance = make_performance(frames=8, source="one.mp4")
    capture.key_performance(empty_scene, head, performance, STAY)
    first = take_of(head)
    farther = replace(performance, source="two.mp4", translation=performance.translation + [40.0, 0.0, -300.0])
    capture.key_performance(empty_scene, head, farther, STAY)
    assert tuple(world(head, 1)[0]) == pytest.approx((1.0, 2.0, 1.5), abs=1e-5)
    take_list.show(empty_scene, head, first)
    assert tuple(world(head, 1)[0]) == pytest.approx((1.0, 2.0, 1.5), abs=1e-5)
    head_root.root_of(head).location.x += 3
    capture.key_performance(empty_scene, head, farther, STAY)
    assert tuple(world(head, 1)[0]) == pytest.approx((4.0, 2.0, 1.5), abs=1e-5)


@pytest.mark.parametrize(
    "motion, moves, turns", [("FULL", True, True), ("ROTATION", False, True), ("NONE", False, False)]
)
def test_the_head_moves_as_much_as_is_wanted(
    empty_scene, head, make_performance: Callable, motion: str, moves: bool, turns: bool
) -> None:
    capture.key_performance(empty_scene, head, make_performance(frames=8), replace(STAY, head_motion=motion))
    places, rotations = zip(*[world(head, frame) for frame in (1, 4, 7)], strict=True)
    assert ((places[1] - places[2]).length > 1e-4) == moves
    assert (np.abs(rotations[1] - rotations[2]).max() > 1e-4) == turns
    if not moves:
        assert tuple(places[1]) == pytest.approx((1.0, 2.0, 1.5), abs=1e-5)
    if not turns:
        np.testing.assert_allclose(rotations[1], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-5)
    assert {len(curve.keyframe_points) for curve in compat.assigned_curves(head)} == {8}, "keys stay"


def test_head_motion_is_changed_in_the_take(empty_scene, head, make_performance: Callable) -> None:
    capture.key_performance(empty_scene, head, make_performance(frames=8), STAY)
    before = [world(head, frame) for frame in (1, 7)]
    take_of(head).expnet.head_motion = "NONE"
    assert (world(head, 1)[0] - world(head, 7)[0]).length < 1e-6
    take_of(head).expnet.head_motion = "FULL"
    for (place, turn), frame in zip(before, (1, 7), strict=True):
        assert tuple(world(head, frame)[0]) == pytest.approx(tuple(place), abs=1e-6)
        np.testing.assert_allclose(world(head, frame)[1], turn, atol=1e-5)


def test_a_parent_of_the_artists_is_left_alone(empty_scene, head, make_performance: Callable) -> None:
    theirs = bpy.data.objects.new("theirs", None)
    empty_scene.collection.objects.link(theirs)
    head.parent = theirs
    head.location = (0, 0, 0)
    capture.key_performance(empty_scene, head, make_performance(frames=4), STAY)
    assert head.parent == theirs and theirs.matrix_world.translation.length == 0

"""A pose is mirrored, kept as an asset, and applied."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import pytest
from mathutils import Vector

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import first_view, pose_preview, poses, rig, take_keys
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.errors import InputError

PLAIN = Keying(identity=False, match_camera=False, sound=False)
POSE = {"mouthSmile_L": 0.75, "lid_R": 1.0, "jawOpen": 0.5, "jawSide": 0.25, "gaze_yaw": 0.2}


@pytest.fixture
def head(registered: None, little_face) -> bpy.types.Object:
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    return head


@pytest.fixture
def posed(head: bpy.types.Object) -> bpy.types.Object:
    poses.show_pose(head, POSE, 1)
    return head


def values(head: bpy.types.Object) -> dict[str, float]:
    return {name: pytest.approx(value, abs=1e-6) for name, value in poses.pose_of(head).items() if value}


def test_flip_exchanges_left_and_right_and_turns_what_moves_sideways(posed: bpy.types.Object) -> None:
    assert bpy.ops.expnet.mirror_pose(mode="FLIP") == {"FINISHED"}
    assert values(posed) == {"mouthSmile_R": 0.75, "lid_L": 1.0, "jawOpen": 0.5, "jawSide": -0.25, "gaze_yaw": -0.2}
    bpy.ops.expnet.mirror_pose(mode="FLIP")
    assert values(posed) == POSE


def test_one_side_can_do_what_the_other_does(posed: bpy.types.Object) -> None:
    bpy.ops.expnet.mirror_pose(mode="TO_RIGHT")
    assert values(posed) == {"mouthSmile_L": 0.75, "mouthSmile_R": 0.75, "jawOpen": 0.5, "gaze_yaw": 0.2}
    poses.show_pose(posed, {**poses.pose_of(posed), **POSE, "mouthSmile_R": 0.0}, 1)
    bpy.ops.expnet.mirror_pose(mode="TO_LEFT")
    assert values(posed) == {"lid_L": 1.0, "lid_R": 1.0, "jawOpen": 0.5, "gaze_yaw": 0.2}


def test_a_head_without_sides_cannot_be_mirrored() -> None:
    with pytest.raises(InputError, match="no left and right"):
        poses.mirrored({"expression_01": 1.0, "gaze_yaw": 0.0, "gaze_pitch": 0.0}, poses.FLIP)


def test_on_a_take_only_the_current_frame_is_keyed_as_a_hand_edit(
    head: bpy.types.Object, empty_scene: bpy.types.Scene, make_performance: Callable
) -> None:
    capture.key_performance(empty_scene, head, make_performance(frames=9), PLAIN)
    empty_scene.frame_set(4)
    wanted = poses.mirrored(poses.pose_of(head), poses.FLIP)
    curve = compat.assigned_curves(head.data.shape_keys).find('key_blocks["mouthSmile_L"].value')
    before = [tuple(point.co) for point in curve.keyframe_points]
    assert bpy.ops.expnet.mirror_pose(mode="FLIP") == {"FINISHED"}
    after = [tuple(point.co) for point in curve.keyframe_points]
    assert [a for a, b in zip(after, before) if a != b] == [(4.0, pytest.approx(wanted["mouthSmile_L"]))]
    assert len(after) == len(before) and take_keys.is_edited(head)
    take_of(head).expnet.regions["mouth"].gain = 0.5
    assert curve.evaluate(4) == pytest.approx(wanted["mouthSmile_L"])


def test_a_kept_pose_is_an_asset_and_leaves_the_animation(
    head: bpy.types.Object, empty_scene: bpy.types.Scene, make_performance: Callable
) -> None:
    capture.key_performance(empty_scene, head, make_performance(frames=9), PLAIN)
    take = take_of(head)
    empty_scene.frame_set(4)
    pose = poses.pose_of(head)
    assert bpy.ops.expnet.keep_pose(name="Surprise") == {"FINISHED"}
    action = bpy.data.actions["Surprise"]
    assert action.asset_data is not None and "ExpNet" in action.asset_data.tags
    assert take_of(head) == take and poses.pose_of(head) == pose
    empty_scene.frame_set(7)
    assert poses.pose_of(head) != pose
    assert bpy.ops.expnet.apply_pose(name="Surprise") == {"FINISHED"}
    assert poses.pose_of(head) == pytest.approx(pose, abs=1e-6)


def test_a_pose_goes_to_another_head_of_the_same_keys_only(posed: bpy.types.Object, little_face, bfm_like) -> None:
    bpy.ops.expnet.keep_pose(name="Grin")
    assert posed.data.shape_keys.animation_data.action is None and values(posed) == POSE
    other = rig.create_rig(little_face)
    poses.apply_pose(other, "Grin", 1)
    assert values(other) == POSE
    with pytest.raises(InputError, match="no pose 'Grin' for"):
        poses.apply_pose(rig.create_rig(bfm_like), "Grin", 1)


def test_the_picture_of_a_pose_shows_the_face_from_the_front(head: bpy.types.Object) -> None:
    head.location, head.rotation_euler = (2.0, 3.0, 1.0), (0.0, 0.0, 1.0)
    bpy.context.view_layer.update()
    view, projection = pose_preview.front_view(head)

    def shown(place: tuple[float, float, float]) -> Vector:
        return projection @ view @ head.matrix_world @ Vector((*place, 1.0))

    scale = max(head.dimensions) / first_view.HEAD_HEIGHT
    assert shown(Vector(first_view.MIDDLE) * scale).xy.length < 1e-5
    left, top = shown((0.05, 0.0, 0.0)), shown((0.0, 0.0, 0.05))
    assert left.x > 0.01 and top.y > 0.01, "the head's left is on the right, its top is up"
    for place in (head.bound_box[0], head.bound_box[6]):
        assert -1 < shown(tuple(place)).z < 1

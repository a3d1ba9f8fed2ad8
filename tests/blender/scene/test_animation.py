"""A take on the timeline: the clip's numbers at the clip's times, in an action of its own."""

from __future__ import annotations

import time
from dataclasses import replace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from expnet.expnet_addon import compat
from expnet.expnet_addon.scene import animation, rig
from expnet.expnet_addon.scene import camera_and_light as scene
from expnet.expnet_addon.scene.coordinates import to_blender
from expnet.model.camera import Camera, project
from expnet.model.errors import InputError
from expnet.model.face.face_model import KAPPA


@pytest.fixture
def head(empty_scene, little_face):
    return rig.create_rig(little_face)


def at_frame(scene_, frame):
    whole = int(np.floor(frame + 1e-4))
    scene_.frame_set(whole, subframe=min(max(frame - whole, 0.0), 1.0))


def shown_eta(head):
    blocks = head.data.shape_keys.key_blocks
    return np.array([blocks[key].value for key in rig.expression_keys(head)])


def key_frames(block, path):
    curve = compat.assigned_curves(block).find(path)
    return np.array([point.co[0] for point in curve.keyframe_points])


class TestTimes:
    @pytest.mark.parametrize("fps, fps_base, clip_fps", [(25, 1.0, 25.0), (24, 1.0, 29.97003), (30, 1.001, 50.0)])
    def test_every_frame_of_the_clip_shows_its_expression_where_blender_shows_the_frame(
        self, empty_scene, head, make_performance, fps, fps_base, clip_fps
    ):
        """A movie clip shows one picture on each frame of the scene, at whatever rate the scene plays."""
        empty_scene.render.fps, empty_scene.render.fps_base = fps, fps_base
        performance = make_performance(frames=12, fps=clip_fps)
        take = animation.key_performance(head, performance, empty_scene)
        for i, (eta, gaze) in enumerate(zip(performance.eta, performance.gaze)):
            at_frame(empty_scene, 1 + i)
            np.testing.assert_allclose(shown_eta(head), eta, atol=2e-4)
            assert (head["gaze_yaw"], head["gaze_pitch"]) == pytest.approx(gaze, abs=2e-4)
        assert take.frame_start == 1
        assert take.frame_end == 12
        assert bool(animation.rate_report(empty_scene, performance)) == (fps / fps_base != clip_fps)

    def test_between_frames_values_run_straight(self, empty_scene, head, make_performance):
        performance = make_performance(frames=5, fps=25.0)
        animation.set_scene_fps(empty_scene, 25.0)
        animation.key_performance(head, performance, empty_scene)
        at_frame(empty_scene, 2.5)
        np.testing.assert_allclose(shown_eta(head), performance.eta[1:3].mean(axis=0), atol=1e-6)

    def test_the_first_frame_goes_where_it_is_wanted(self, empty_scene, head, make_performance):
        performance = make_performance(frames=4, fps=24.0)
        later = replace(performance, times=performance.times + 2.0)  # read from the clip's third second on
        take = animation.key_performance(head, later, empty_scene, start_frame=101)
        assert (take.frame_start, take.frame_end) == pytest.approx((101, 104))

    @pytest.mark.parametrize(
        "fps, exact", [(25.0, 25), (29.97003, 30 / 1.001), (23.976, 24 / 1.001), (12.5, 12.5), (59.94, 60 / 1.001)]
    )
    def test_the_scene_can_take_the_clip_s_rate(self, empty_scene, fps, exact):
        animation.set_scene_fps(empty_scene, fps)
        assert animation.scene_fps(empty_scene) == pytest.approx(exact, rel=1e-6)

    @pytest.mark.parametrize("fps", [0.0, -1.0, 1e6, float("nan")])
    def test_but_no_rate_that_is_none(self, empty_scene, fps):
        before = animation.scene_fps(empty_scene)
        with pytest.raises(InputError):
            animation.set_scene_fps(empty_scene, fps)
        assert animation.scene_fps(empty_scene) == before

    def test_the_scene_can_play_exactly_the_take(self, empty_scene, head, make_performance):
        animation.set_scene_fps(empty_scene, 25.0)
        take = animation.key_performance(head, make_performance(frames=10, fps=25.0), empty_scene, start_frame=11)
        animation.set_frame_range(empty_scene, take)
        assert (empty_scene.frame_start, empty_scene.frame_end) == (11, 20)


class TestMissingFaces:
    def test_get_no_keys_and_are_reported(self, empty_scene, head, make_performance):
        animation.set_scene_fps(empty_scene, 25.0)
        performance = make_performance(frames=12, fps=25.0, missing=[0, 4, 5, 6, 11])
        take = animation.key_performance(head, performance, empty_scene)
        expected = np.flatnonzero(performance.seen) + 1
        np.testing.assert_allclose(key_frames(head.data.shape_keys, 'key_blocks["jawOpen"].value'), expected)
        np.testing.assert_allclose(key_frames(head, "location"), expected)
        assert take.keyed == 7
        assert take.missing == ((0, 0), (4, 6), (11, 11))

    def test_everywhere_is_an_error_and_writes_nothing(self, empty_scene, head, make_performance):
        with pytest.raises(InputError, match="no face"):
            animation.key_performance(head, make_performance(frames=3, missing=[0, 1, 2]), empty_scene)
        assert not bpy.data.actions


class TestPose:
    def test_puts_the_head_on_the_footage(self, empty_scene, head, little_face, make_performance):
        """Blender's own camera sees the head's vertices in the pixels where the model's camera does."""
        performance = make_performance(frames=6)
        animation.key_performance(head, performance, empty_scene)
        width, height = performance.image_size
        camera = scene.match_camera(empty_scene, performance.image_size, performance.lens_mm)
        lens = Camera.for_image(width, height, performance.lens_mm)
        for frame, rotation, translation in zip(
            animation.scene_frames(empty_scene, performance), performance.rotation, performance.translation
        ):
            at_frame(empty_scene, frame)
            bpy.context.view_layer.update()
            for vertex in (0, 57, 211):
                world = head.matrix_world @ Vector(to_blender(little_face.neutral[vertex]))
                seen = world_to_camera_view(empty_scene, camera, world)
                pixel = (seen[0] * width - 0.5, (1 - seen[1]) * height - 0.5)
                expected = project(rotation @ little_face.neutral[vertex] + translation, lens)
                np.testing.assert_allclose(pixel, expected, atol=0.05)

    def test_turns_the_short_way(self, empty_scene, head, make_performance):
        """A full turn: neighbouring quaternions never change sign, so nothing spins between two keys."""
        performance = make_performance(frames=40)
        angle = np.linspace(0, 2 * np.pi, 40)
        c, s, o = np.cos(angle), np.sin(angle), np.zeros(40)
        turn = np.moveaxis(np.array([[c, o, s], [o, o + 1, o], [-s, o, c]]), -1, 0)
        animation.key_performance(head, replace(performance, rotation=turn), empty_scene)
        curves = compat.assigned_curves(head)
        keys = [[p.co[1] for p in curves.find("rotation_quaternion", index=i).keyframe_points] for i in range(4)]
        q = np.array(keys).T
        assert (np.sum(q[1:] * q[:-1], axis=1) > 0.9).all()


class TestTakes:
    def test_are_named_after_the_clip(self, empty_scene, head, make_performance):
        take = animation.key_performance(head, make_performance(source="/shots/Scene 7.mov"), empty_scene)
        assert take.action == "Scene 7"
        assert head.data.shape_keys.animation_data.action.name == "Scene 7"

    def test_running_again_replaces_the_take(self, empty_scene, head, make_performance):
        first = animation.key_performance(head, make_performance(frames=8), empty_scene)
        count = len(bpy.data.actions)
        second = animation.key_performance(head, make_performance(frames=5), empty_scene)
        assert second.action == first.action
        assert len(bpy.data.actions) == count
        assert len(key_frames(head, "location")) == 5

    def test_of_other_clips_stay(self, empty_scene, head, make_performance):
        animation.key_performance(head, make_performance(source="one.mp4"), empty_scene)
        animation.key_performance(head, make_performance(source="two.mp4"), empty_scene)
        assert {"one", "two"} <= set(bpy.data.actions.keys())
        assert bpy.data.actions["one"].use_fake_user

    def test_never_touch_an_artist_s_action(self, empty_scene, head, make_performance):
        head.location = (1, 2, 3)
        head.keyframe_insert("location", frame=5)
        head.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=5)
        theirs = {head.animation_data.action, head.data.shape_keys.animation_data.action}
        before = {action: _keys_of(action) for action in theirs}
        animation.key_performance(head, make_performance(), empty_scene)
        animation.key_performance(head, make_performance(), empty_scene)
        assert head.animation_data.action not in theirs
        for action, keys in before.items():
            assert _keys_of(action) == keys
            assert action.use_fake_user

    def test_of_two_heads_are_two(self, empty_scene, little_face, head, make_performance):
        other = rig.create_rig(little_face)
        animation.key_performance(head, make_performance(frames=4), empty_scene)
        animation.key_performance(other, make_performance(frames=6), empty_scene)
        assert len(key_frames(head, "location")) == 4
        assert len(key_frames(other, "location")) == 6

    def test_play_after_saving_and_opening(self, empty_scene, head, make_performance, tmp_path):
        performance = make_performance(frames=6, fps=24.0)
        animation.key_performance(head, performance, empty_scene)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "take.blend"))
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "take.blend"))
        (head,) = rig.rigs_in(bpy.context.scene)
        bpy.context.scene.frame_set(4)
        np.testing.assert_allclose(shown_eta(head), performance.eta[3], atol=1e-5)

    def test_drive_eyes_too(self, empty_scene, head, make_performance):
        performance = make_performance(frames=4, fps=24.0)
        animation.key_performance(head, performance, empty_scene)
        empty_scene.frame_set(3)
        eye = rig.eyes_of(head)["L"].evaluated_get(bpy.context.evaluated_depsgraph_get())
        yaw, pitch = performance.gaze[2]
        assert (eye.rotation_euler.z, -eye.rotation_euler.x) == pytest.approx((yaw + KAPPA, pitch), abs=1e-5)

    def test_of_another_basis_are_refused(self, empty_scene, head, make_performance):
        with pytest.raises(InputError, match="3ddfa-29"):
            animation.key_performance(head, replace(make_performance(), basis="3ddfa-29"), empty_scene)
        assert not bpy.data.actions

    def test_of_3000_frames_are_written_at_once(self, empty_scene, head, make_performance):
        performance = make_performance(frames=3000)
        start = time.process_time()
        animation.key_performance(head, performance, empty_scene)
        assert time.process_time() - start < 2.0  # a loop of keyframe_insert takes 20


class TestOneExpression:
    def test_is_keyed_at_its_frame(self, empty_scene, head):
        animation.key_expression(head, {"jawOpen": 0.75}, np.array([0.2, -0.1]), 12)
        animation.key_expression(head, {"jawOpen": 0.25}, np.array([0.0, 0.1]), 20)
        assert key_frames(head.data.shape_keys, 'key_blocks["jawOpen"].value').tolist() == [12, 20]
        empty_scene.frame_set(12)
        assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.75)
        assert head["gaze_yaw"] == pytest.approx(0.2)
        empty_scene.frame_set(20)
        assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.25)

    def test_again_at_the_same_frame_replaces_it(self, empty_scene, head):
        animation.key_expression(head, {"jawOpen": 0.75}, None, 12)
        animation.key_expression(head, {"jawOpen": 0.5}, None, 12)
        assert key_frames(head.data.shape_keys, 'key_blocks["jawOpen"].value').tolist() == [12]

    def test_leaves_an_artist_s_action_alone(self, empty_scene, head):
        block = head.data.shape_keys.key_blocks["jawOpen"]
        block.value = 1.0
        block.keyframe_insert("value", frame=3)
        theirs = head.data.shape_keys.animation_data.action
        before = _keys_of(theirs)
        animation.key_expression(head, {"jawOpen": 0.5}, None, 12)
        assert _keys_of(theirs) == before


def _keys_of(action):
    curves = action.fcurves if hasattr(action, "fcurves") else [
        curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    ]  # fmt: skip
    return [(curve.data_path, [tuple(point.co) for point in curve.keyframe_points]) for curve in curves]

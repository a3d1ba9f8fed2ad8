"""Camera, footage, light, and the comparison video, which is looked at by rendering its frames again."""

from __future__ import annotations

import os
import subprocess
import sys

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from expnet.expnet_addon.scene import animation, comparison, rig
from expnet.expnet_addon.scene import camera_and_light as scene
from expnet.expnet_addon.scene.coordinates import to_blender
from expnet.expnet_addon.scene.emotion_text import Span
from expnet.expnet_addon.scene.quality import Quality
from expnet.model.camera import Camera, project
from expnet.model.errors import InputError


class TestCamera:
    @pytest.mark.parametrize("size", [(640, 360), (360, 640), (500, 500)])
    @pytest.mark.parametrize("lens_mm", [35.0, 85.0])
    def test_sees_what_the_model_s_camera_sees(self, empty_scene, size, lens_mm):
        camera = scene.match_camera(empty_scene, size, lens_mm)
        bpy.context.view_layer.update()
        for point in ([0, 0, -700], [120, 80, -900], [-60, -150, -500]):
            seen = world_to_camera_view(empty_scene, camera, Vector(to_blender(np.array(point, float))))
            pixel = (seen[0] * size[0] - 0.5, (1 - seen[1]) * size[1] - 0.5)
            expected = project(np.array(point, float), Camera.for_image(*size, lens_mm))
            np.testing.assert_allclose(pixel, expected, atol=0.01)

    def test_renders_the_clip_s_size(self, empty_scene):
        empty_scene.render.resolution_percentage = 50
        scene.match_camera(empty_scene, (1280, 720))
        render = empty_scene.render
        assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (1280, 720, 100)

    def test_is_made_once_and_leaves_the_artist_s_alone(self, empty_scene):
        theirs = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
        theirs.location = (1, 2, 3)
        empty_scene.collection.objects.link(theirs)
        empty_scene.camera = theirs
        first = scene.match_camera(empty_scene, (640, 360))
        assert scene.match_camera(empty_scene, (640, 360), 35.0) == first == empty_scene.camera
        assert tuple(theirs.location) == (1, 2, 3)
        assert theirs.data.lens == 50


class TestFootageBehind:
    def test_starts_with_the_scene(self, empty_scene, grey_movie):
        empty_scene.frame_start = 11
        camera = scene.match_camera(empty_scene, (64, 48))
        clip = scene.show_footage(empty_scene, camera, str(grey_movie))
        assert (clip.frame_start, clip.frame_offset) == (11, 0)
        assert camera.data.show_background_images
        assert [background.clip for background in camera.data.background_images] == [clip]

    def test_starts_with_the_frame_that_was_read_first(self, empty_scene, grey_movie):
        camera = scene.match_camera(empty_scene, (64, 48))
        clip = scene.show_footage(empty_scene, camera, str(grey_movie), start_frame=1, first=5)
        assert (clip.frame_start, clip.frame_offset) == (1, 5)

    def test_is_not_shown_twice(self, empty_scene, grey_movie):
        camera = scene.match_camera(empty_scene, (64, 48))
        scene.show_footage(empty_scene, camera, str(grey_movie))
        scene.show_footage(empty_scene, camera, str(grey_movie))
        assert len(camera.data.background_images) == 1
        assert len(bpy.data.movieclips) == 1

    def test_is_replaced_by_the_next_clip(self, empty_scene, grey_movie, grey_images):
        camera = scene.match_camera(empty_scene, (64, 48))
        theirs = camera.data.background_images.new()
        theirs.alpha = 0.5
        scene.show_footage(empty_scene, camera, str(grey_movie))
        portrait = scene.show_footage(empty_scene, camera, str(grey_images(range(1, 2))[0]))
        shown = [(background.clip, background.alpha) for background in camera.data.background_images]
        assert shown == [(None, 0.5), (portrait, 1.0)]

    def test_that_an_earlier_version_stacked_is_replaced(self, empty_scene, grey_movie, grey_images):
        camera = scene.match_camera(empty_scene, (64, 48))
        for file in grey_images(range(1, 3)):
            background = camera.data.background_images.new()
            background.source, background.clip = "MOVIE_CLIP", bpy.data.movieclips.load(str(file))
            background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
        clip = scene.show_footage(empty_scene, camera, str(grey_movie))
        assert [background.clip for background in camera.data.background_images] == [clip]

    def test_may_be_a_sequence(self, empty_scene, grey_images):
        files = grey_images(range(3, 9))
        camera = scene.match_camera(empty_scene, (64, 48))
        clip = scene.show_footage(empty_scene, camera, str(files[0]))
        assert (clip.source, clip.frame_duration) == ("SEQUENCE", 6)

    @pytest.mark.parametrize("content", [None, b"", b"no movie at all"])
    def test_that_cannot_be_read_is_one_line(self, empty_scene, tmp_path, content):
        path = tmp_path / "broken.mp4"
        if content is not None:
            path.write_bytes(content)
        camera = scene.match_camera(empty_scene, (64, 48))
        with pytest.raises(InputError, match="broken.mp4") as error:
            scene.show_footage(empty_scene, camera, str(path))
        assert "\n" not in str(error.value)
        assert not bpy.data.movieclips


class TestLight:
    def test_is_made_once(self, empty_scene):
        assert scene.light_head(empty_scene) == scene.light_head(empty_scene)
        assert len(bpy.data.lights) == 3

    def test_lamps_stand_around_the_head_and_shine_on_it(self, empty_scene):
        middle = Vector((1.0, 2.0, 3.0))
        lights = scene.light_head(empty_scene, middle)
        bpy.context.view_layer.update()
        for light in lights:
            shines = -light.matrix_world.col[2].to_3d().normalized()
            to_head = middle - light.location
            assert shines.angle(to_head) < 1e-3
            assert 0.5 < to_head.length < 1.0
            assert max(light.scale) < 0.01  # a sun's line is 20 m long at scale 1, and would cross the picture

    def test_keeps_the_artist_s_world(self, empty_scene):
        empty_scene.world = theirs = bpy.data.worlds.new("mine")
        scene.light_head(empty_scene)
        assert empty_scene.world == theirs


class TestComparison:
    """8 frames of grey 20, 45, 70 ... beside the head, with frames 3 and 4 without a face."""

    @pytest.fixture(scope="class")
    @staticmethod
    def seen(tmp_path_factory, grey_movie, little_face, make_performance, read_video):
        bpy.ops.wm.read_homefile(use_empty=True)
        artist = bpy.context.scene
        head = rig.create_rig(little_face)
        performance = make_performance(frames=8, missing=[3, 4], source=str(grey_movie), size=(64, 48))
        artist.render.fps = 24  # not the clip's 25: between whole frames
        animation.key_performance(head, performance, artist)
        artist.frame_set(3)
        before, steps = _state(artist, head), []
        out = tmp_path_factory.mktemp("out") / "shot.mp4"
        comparison.render_comparison(
            artist, str(grey_movie), out, head, performance, progress=lambda *step: steps.append(step)
        )
        after = _state(artist, head)
        files = os.listdir(out.parent)
        return {"frames": read_video(out), "before": before, "after": after, "steps": steps, "files": files}

    def test_has_every_frame_of_the_clip_twice_as_wide(self, seen):
        assert seen["frames"].shape == (8, 48, 128, 3)

    def test_shows_the_clip_s_own_frame_on_the_left(self, seen):
        shown = seen["frames"][:, 4:24, 4:60].mean(axis=(1, 2, 3)) * 255
        np.testing.assert_allclose(shown, 20 + 25 * np.arange(8), atol=5)

    def test_shows_the_head_on_the_right_while_there_is_a_face(self, seen):
        skin = seen["frames"][:, :, 64:, 0] - seen["frames"][:, :, 64:, 2] > 0.08  # redder than grey
        assert (skin.mean(axis=(1, 2)) > 0.05).tolist() == [True] * 3 + [False] * 2 + [True] * 3

    def test_the_head_moves(self, seen):
        right = seen["frames"][:, :, 64:]
        assert np.abs(right[0] - right[7]).mean() > 0.005

    def test_draws_the_number_on_both_halves(self, seen):
        number = (slice(40, 47), slice(0, 10))
        for half in (seen["frames"][:, :, :64], seen["frames"][:, :, 64:]):
            corner = half[(slice(0, 6), *number)]
            assert (corner.reshape(6, -1).max(axis=1) > half[:6, 40:47, 20:40].reshape(6, -1).mean(axis=1) + 0.1).all()

    def test_leaves_the_artist_s_scene_as_it_was(self, seen):
        assert seen["after"] == seen["before"]

    def test_leaves_one_file(self, seen):
        assert seen["files"] == ["shot.mp4"]

    def test_tells_how_far_it_is(self, seen):
        assert seen["steps"] == [(i, 8) for i in range(1, 9)]

    def test_of_an_image_sequence(self, empty_scene, tmp_path, grey_images, little_face, make_performance, read_video):
        files = grey_images(range(98, 104))
        head = rig.create_rig(little_face)
        performance = make_performance(frames=6, size=(64, 48))
        animation.key_performance(head, performance, empty_scene)
        out = comparison.render_comparison(empty_scene, str(files[0]), tmp_path / "shot.mp4", head, performance)
        shown = read_video(out)[:, 4:24, 4:60].mean(axis=(1, 2, 3)) * 255
        np.testing.assert_allclose(shown, 20 + 25 * np.arange(6), atol=5)

    def test_of_a_part_of_the_clip(self, empty_scene, tmp_path, grey_movie, little_face, make_performance, read_video):
        from dataclasses import replace

        head = rig.create_rig(little_face)
        whole = make_performance(frames=3, size=(64, 48))
        performance = replace(whole, times=whole.times + 4 / 25)
        animation.key_performance(head, performance, empty_scene)
        out = comparison.render_comparison(empty_scene, str(grey_movie), tmp_path / "shot.mp4", head, performance)
        shown = read_video(out)[:, 4:24, 4:60].mean(axis=(1, 2, 3)) * 255
        np.testing.assert_allclose(shown, 20 + 25 * np.arange(4, 7), atol=5)

    def test_with_cycles(self, empty_scene, tmp_path, grey_movie, little_face, make_performance, read_video):
        head = rig.create_rig(little_face)
        performance = make_performance(frames=2, size=(64, 48))
        animation.key_performance(head, performance, empty_scene)
        out = comparison.render_comparison(
            empty_scene, str(grey_movie), tmp_path / "shot.mp4", head, performance, quality=Quality("CYCLES", height=48)
        )
        assert len(read_video(out)) == 2
        assert len(bpy.data.lights) == 0

    def test_writes_lines_over_the_head_in_their_frames_only(
        self, empty_scene, tmp_path, grey_movie, little_face, make_performance, read_video
    ):
        head = rig.create_rig(little_face)
        performance = make_performance(frames=4, size=(64, 48))
        animation.key_performance(head, performance, empty_scene)
        plain, named = (
            read_video(
                comparison.render_comparison(
                    empty_scene, str(grey_movie), tmp_path / name, head, performance, lines=lines
                )
            )
            for name, lines in (("plain.mp4", ()), ("named.mp4", [Span(1, 2, "Happy 82%")]))
        )
        changed = np.abs(plain - named)[:, :, 64:].max(axis=(1, 2, 3)) > 0.3
        assert changed.tolist() == [False, True, True, False]
        assert np.abs(plain - named)[:, :, :64].max() < 0.1  # the footage's half has none

    @pytest.mark.parametrize("out", ["nowhere/shot.mp4", "."])
    def test_refuses_a_place_where_it_cannot_write(
        self, empty_scene, tmp_path, grey_movie, little_face, make_performance, out
    ):
        head = rig.create_rig(little_face)
        performance = make_performance(frames=2, size=(64, 48))
        with pytest.raises(InputError):
            comparison.render_comparison(empty_scene, str(grey_movie), tmp_path / out, head, performance)
        assert os.listdir(tmp_path) == []

    def test_refuses_a_clip_that_is_none_and_leaves_nothing(self, empty_scene, tmp_path, little_face, make_performance):
        (tmp_path / "broken.mp4").write_bytes(b"no movie")
        head = rig.create_rig(little_face)
        performance = make_performance(frames=2, size=(64, 48))
        with pytest.raises(InputError, match="broken.mp4"):
            broken, out = str(tmp_path / "broken.mp4"), tmp_path / "shot.mp4"
            comparison.render_comparison(empty_scene, broken, out, head, performance)
        assert os.listdir(tmp_path) == ["broken.mp4"]
        assert len(bpy.data.scenes) == 1


@pytest.mark.slow
def test_without_a_graphics_driver_it_says_so_and_lives(tmp_path):
    """Workbench would end the process there, so it is tried in another one."""
    code = (
        "import bpy; from expnet.expnet_addon.scene.rendering import gpu_engines_work; "
        "print('works', gpu_engines_work())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "works False" in done.stdout


def _state(artist, head):
    """Return what an artist would notice: data, values, frame, settings."""
    kinds = ("scenes", "objects", "meshes", "cameras", "lights", "worlds", "actions", "materials", "movieclips")
    blocks = head.data.shape_keys.key_blocks
    return {
        **{kind: sorted(getattr(bpy.data, kind).keys()) for kind in kinds},
        "values": [block.value for block in blocks] + [*head.location, *head.rotation_quaternion, head["gaze_yaw"]],
        "frame": (artist.frame_current, artist.frame_subframe, artist.frame_start, artist.frame_end),
        "render": (artist.render.engine, artist.render.resolution_x, artist.render.filepath, artist.render.fps),
        "window": bpy.context.window.scene.name if bpy.context.window else None,
        "handlers": len(bpy.app.handlers.frame_change_pre),
    }

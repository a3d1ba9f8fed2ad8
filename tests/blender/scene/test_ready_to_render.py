"""A render from the panel: light and a camera where there are none, the footage behind the head where it is wanted."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.scene import camera_and_light as staging
from expnet.expnet_addon.scene import current_take, first_view, ready_to_render, rig, take_list
from expnet.expnet_addon.scene.quality import Quality
from expnet.expnet_addon.scene.rendering import set_engine


@pytest.fixture
def head(empty_scene, little_face) -> bpy.types.Object:
    head = rig.create_rig(little_face)
    head.location = (5.0, 3.0, 1.0)
    return head


def rendered(scene: bpy.types.Scene, path) -> np.ndarray:
    """Render the current frame with Cycles; (H, W, 3), 0 to 1, rows from the bottom."""
    set_engine(scene, Quality("CYCLES", samples=4))
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path / "picture.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], -1)[..., :3]


def test_a_scene_without_light_and_camera_gets_both(empty_scene, head):
    told = ready_to_render.make_ready(empty_scene, head, footage=False)
    assert told == "Added: lights, a camera"
    bpy.context.view_layer.update()
    middle = empty_scene.camera.matrix_world.inverted() @ (head.matrix_world @ Vector(first_view.MIDDLE))
    assert middle.z < -0.1 and abs(middle.x) < 0.02 and abs(middle.y) < 0.02
    assert ready_to_render.make_ready(empty_scene, head, footage=False) == ""


def test_the_artist_s_light_and_camera_are_used(empty_scene, head):
    for kind, data in (("CAMERA", bpy.data.cameras.new("mine")), ("LIGHT", bpy.data.lights.new("mine", "POINT"))):
        empty_scene.collection.objects.link(bpy.data.objects.new(f"my {kind}", data))
    empty_scene.camera = theirs = empty_scene.objects["my CAMERA"]
    before = set(empty_scene.objects)
    assert ready_to_render.make_ready(empty_scene, head, footage=True) == ""
    assert set(empty_scene.objects) == before and empty_scene.camera == theirs


def test_the_footage_fills_the_render_at_every_frame(empty_scene, head, grey_movie, make_performance, tmp_path):
    performance = make_performance(frames=8, source=str(grey_movie), size=(64, 48))
    capture.key_performance(empty_scene, head, performance, capture.Keying(sound=False, identity=False, root=True))
    ready_to_render.make_ready(empty_scene, head, footage=True)
    head.hide_render = True
    for obj in [obj for obj in empty_scene.objects if obj.get("expnet_eye")]:
        obj.hide_render = True
    for frame in (1, 4):
        empty_scene.frame_set(frame)
        picture = rendered(empty_scene, tmp_path)
        assert picture.std() < 0.02
        assert abs(picture.mean() * 255 - (20 + 25 * (frame - 1))) < 8  # the movie's grey values


def test_the_plane_with_the_footage_is_made_anew_and_goes_when_it_is_not_wanted(
    empty_scene, head, grey_movie, make_performance
):
    performance = make_performance(frames=8, source=str(grey_movie), size=(64, 48))
    capture.key_performance(empty_scene, head, performance, capture.Keying(sound=False, identity=False, root=True))
    counts = [len(kind) for kind in (bpy.data.meshes, bpy.data.materials, bpy.data.images)]
    for _ in range(2):
        ready_to_render.make_ready(empty_scene, head, footage=True)
        assert len([obj for obj in empty_scene.objects if obj.get(staging.PLANE)]) == 1
    ready_to_render.make_ready(empty_scene, head, footage=False)
    assert [len(kind) for kind in (bpy.data.meshes, bpy.data.materials, bpy.data.images)] == counts


def test_another_take_brings_its_own_footage_to_the_plane(empty_scene, head, grey_movie, make_performance, tmp_path):
    def shown() -> str:
        (plane,) = (obj for obj in empty_scene.objects if obj.get(staging.PLANE))
        (picture,) = (node.image for node in plane.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
        return Path(bpy.path.abspath(picture.filepath)).name

    other = shutil.copy(grey_movie, tmp_path / "other.mp4")
    keying = capture.Keying(sound=False, identity=False, root=True)
    for file in (grey_movie, other):
        performance = make_performance(frames=8, source=str(file), size=(64, 48))
        capture.key_performance(empty_scene, head, performance, keying)
        if file is grey_movie:
            ready_to_render.make_ready(empty_scene, head, footage=True)
            first = current_take.take_of(head)
    assert shown() == "other.mp4"
    take_list.show(empty_scene, head, first)
    assert shown() == Path(grey_movie).name

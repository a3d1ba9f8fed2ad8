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


PATCHES = [
    (235, 200, 180), (190, 130, 100), (110, 70, 50), (60, 90, 130), (80, 120, 70),
    (128, 128, 128), (20, 20, 20), (200, 200, 200), (160, 90, 90), (90, 160, 160),
]  # fmt: skip


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """Return the first of two equal pictures, 80 x 16: ten patches of 8 x 16 from PATCHES, after each another."""
    pixels = np.ones((16, 80, 4), np.float32)
    pixels[..., :3] = np.repeat(np.array(PATCHES) / 255, 8, axis=0)
    image = bpy.data.images.new("patches", 80, 16)
    image.pixels.foreach_set(pixels.ravel())
    for number in (1, 2):
        image.file_format, image.filepath_raw = "PNG", str(tmp_path / f"patches_{number:04d}.png")
        image.save()
    bpy.data.images.remove(image)
    return tmp_path / "patches_0001.png"


@pytest.mark.parametrize(("view", "exposure"), [("Standard", 0.0), ("AgX", 0.0), ("AgX", 1.0), ("Filmic", -0.5)])
def test_the_footage_has_its_own_colours_under_every_view_transform(
    empty_scene, head, patches, make_performance, tmp_path, view, exposure
):
    performance = make_performance(frames=2, source=str(patches), size=(80, 16))
    capture.key_performance(empty_scene, head, performance, capture.Keying(sound=False, identity=False, root=True))
    empty_scene.collection.objects.link(bpy.data.objects.new("the artist's", bpy.data.meshes.new("own")))
    empty_scene.view_settings.view_transform, empty_scene.view_settings.exposure = view, exposure
    empty_scene.render.dither_intensity = 0.0
    told = ready_to_render.make_ready(empty_scene, head, footage=True)
    assert "Color Management" not in told and ("dulls" in told) == (view == "AgX")
    assert empty_scene.view_settings.view_transform == view
    for obj in empty_scene.objects:
        obj.hide_render = not obj.get(staging.PLANE) and obj.type == "MESH"
    picture = rendered(empty_scene, tmp_path)
    assert picture.shape[:2] == (16, 80)
    seen = picture[4:12, 4::8].mean(axis=0) * 255
    assert np.abs(seen - np.array(PATCHES)).max() < 3


def test_what_alters_the_footage_is_said_and_a_new_scene_gets_standard(empty_scene, head, grey_movie, make_performance):
    performance = make_performance(frames=8, source=str(grey_movie), size=(64, 48))
    capture.key_performance(empty_scene, head, performance, capture.Keying(sound=False, identity=False, root=True))
    empty_scene.view_settings.view_transform = "AgX"
    assert "'Standard'" in ready_to_render.make_ready(empty_scene, head, footage=True)
    assert empty_scene.view_settings.view_transform == "Standard"
    assert ready_to_render.make_ready(empty_scene, head, footage=True) == ""
    empty_scene.view_settings.gamma = 1.5
    told = ready_to_render.make_ready(empty_scene, head, footage=True)
    assert told.startswith("Color Management alters the footage")


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

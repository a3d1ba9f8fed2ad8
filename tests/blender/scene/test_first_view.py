"""The first picture: what Add Face and Try It show in Blender's startup scene, and what they leave alone elsewhere."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector

from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.scene import camera_and_light, first_view, rig


@pytest.fixture
def startup() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    return bpy.context.scene


def viewports() -> list[bpy.types.SpaceView3D]:
    screens = [window.screen for window in bpy.context.window_manager.windows]
    return [area.spaces.active for screen in screens for area in screen.areas if area.type == "VIEW_3D"]


def add_face(scene: bpy.types.Scene) -> bpy.types.Object:
    capture.add_face(scene).run()
    bpy.context.view_layer.update()
    (head,) = rig.rigs_in(scene)
    return head


def test_a_new_head_stands_at_the_3d_cursor(startup):
    startup.cursor.location = (1.0, 2.0, 3.0)
    assert tuple(add_face(startup).location) == (1.0, 2.0, 3.0)


def test_the_startup_cube_does_not_enclose_the_head(startup):
    add_face(startup)
    cube = startup.objects["Cube"]
    assert cube.hide_viewport and cube.hide_render


def test_the_viewport_looks_at_the_face_and_shows_its_pictures(startup):
    spaces = viewports()
    assert spaces
    head = add_face(startup)
    for space in spaces:
        view = space.region_3d
        assert view.view_perspective == "PERSP" and space.shading.color_type == "TEXTURE"
        assert (view.view_location - head.location).length < 0.1
        assert 0.3 < view.view_distance < 0.6
        looks = view.view_rotation @ Vector((0, 0, -1))
        assert looks.y > 0.9  # into the face, which looks along -Y


def test_a_first_render_has_the_face_in_sight_and_light_from_both_sides(startup):
    head = add_face(startup)
    camera = startup.camera
    assert camera.get(camera_and_light.CAMERA)
    bpy.context.view_layer.update()
    middle = camera.matrix_world.inverted() @ (head.matrix_world @ Vector(first_view.MIDDLE))
    assert -2.0 < middle.z < -0.5 and abs(middle.x) < 0.05 and abs(middle.y) < 0.05
    lights = [obj for obj in startup.objects if obj.type == "LIGHT" and not obj.hide_render]
    from_left = [(obj.matrix_world.to_3x3() @ Vector((0, 0, -1))).x for obj in lights]
    assert min(from_left) < 0 < max(from_left)


def test_after_a_performance_the_viewport_looks_through_the_matched_camera(startup, make_performance):
    head = add_face(startup)
    performance = make_performance()
    capture.key_performance(startup, head, performance, capture.Keying(footage=False, sound=False))
    assert all(space.region_3d.view_perspective == "CAMERA" for space in viewports())
    assert tuple(startup.camera.location) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("change", ["moved cube", "own object", "edited cube"])
def test_a_scene_with_an_artist_s_own_things_is_left_as_it_is(startup, change):
    cube = startup.objects["Cube"]
    if change == "moved cube":
        cube.location.x = 3.0
    elif change == "edited cube":
        cube.data.vertices[0].co.x = 2.0
    else:
        startup.collection.objects.link(bpy.data.objects.new("mine", None))
    camera, spaces = startup.camera, viewports()
    before = [(s.region_3d.view_location.copy(), s.shading.color_type) for s in spaces]
    add_face(startup)
    assert [(s.region_3d.view_location.copy(), s.shading.color_type) for s in spaces] == before
    assert not cube.hide_viewport and startup.camera == camera
    assert not [obj for obj in startup.objects if obj.get(camera_and_light.LIGHT)]


def test_solid_shading_tells_the_parts_of_the_face_apart(empty_scene, open_head):
    head = rig.create_rig(open_head)
    shown = {}
    for mesh in (head.data, *(eye.data for eye in rig.eyes_of(head).values())):
        slots = np.empty(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", slots)
        for i, material in enumerate(mesh.materials):
            assert (slots == i).any(), material.name
            shown[material.name.split(".")[0]] = np.array(material.diffuse_color[:3])
    for part in ("skin", "lips", "brows", "lashes", "teeth", "tongue", "sclera", "iris", "pupil"):
        assert f"ExpNet {part}" in shown
    assert shown["ExpNet brows"].max() < 0.3 * shown["ExpNet skin"].max()
    assert shown["ExpNet iris"].max() < 0.3 * shown["ExpNet sclera"].min()
    assert shown["ExpNet lips"][1] < 0.6 * shown["ExpNet skin"][1]

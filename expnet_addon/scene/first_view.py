"""Show a new head: hide the startup cube, add light and a camera, and turn the viewports to the head.

All of this happens only in an untouched scene: one that holds the objects of Blender's startup
file, as they were, and what ExpNet has made.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from mathutils import Euler, Quaternion, Vector

from .camera_and_light import CAMERA, LIGHT, PLANE, light_head, own_camera
from .head_root import ROOT
from .heads import is_rig

# Where Blender's startup file has its camera and its light, metres
STARTUP_PLACES = {"MESH": (0.0, 0.0, 0.0), "CAMERA": (7.3589, -6.9258, 4.9583), "LIGHT": (4.0762, 1.0055, 5.9039)}
MIDDLE = (0.0, -0.05, -0.005)  # of a face, from the head's origin, metres
VIEW_DISTANCE = 0.48
PORTRAIT_DISTANCE, PORTRAIT_LENS = 1.35, 85.0  # metres, mm
FROM_THE_SIDE = 0.2  # radians, towards the head's left
HEAD_HEIGHT = 0.3  # metres; what the view distances are made for


def nothing_at_stake(scene: bpy.types.Scene) -> bool:
    """Return whether ``scene`` holds only what Blender's startup file and ExpNet put there."""
    return all(_is_ours(obj) or _is_startup(obj) for obj in scene.objects)


def show_new_head(scene: bpy.types.Scene, head: bpy.types.Object) -> bool:
    """Light and frame ``head``, if ``scene`` is untouched. Returns whether it did."""
    if not nothing_at_stake(scene):
        return False
    clear_startup(scene)
    light_head(scene, head.location)
    bpy.context.view_layer.update()  # places the head
    middle = head.matrix_world @ Vector(MIDDLE)
    direction = Vector((0.0, -1.0, 0.0))
    direction.rotate(Euler((0.0, 0.0, FROM_THE_SIDE)))
    if scene.camera is None or _is_startup(scene.camera):
        portrait_camera(scene, head)
    for space in _viewports(scene):
        view = space.region_3d
        view.view_perspective = "PERSP"
        view.view_location = middle
        view.view_rotation = _looking_along(-direction)
        view.view_distance = VIEW_DISTANCE * _size_of(head)
        _show_pictures(space)
    return True


def look_through_camera(scene: bpy.types.Scene) -> bool:
    """Show what the scene's camera sees, if ``scene`` is untouched. Returns whether it did."""
    if scene.camera is None or not nothing_at_stake(scene):
        return False
    clear_startup(scene)
    light_head(scene)
    for space in _viewports(scene):
        space.region_3d.view_perspective = "CAMERA"
        _show_pictures(space)
    return True


def clear_startup(scene: bpy.types.Scene) -> None:
    """Hide the startup file's cube, which would enclose head and camera, and its lamp, which lights from one side."""
    for obj in scene.objects:
        if obj.type in ("MESH", "LIGHT") and not _is_ours(obj):
            obj.hide_render = obj.hide_viewport = True


def portrait_camera(scene: bpy.types.Scene, head: bpy.types.Object) -> bpy.types.Object:
    """Make ExpNet's camera the scene's, and point it at the face of ``head``, a little from the side."""
    camera = own_camera(scene)
    turn = head.matrix_world.to_quaternion() @ Euler((0.0, 0.0, FROM_THE_SIDE)).to_quaternion()
    direction = turn @ Vector((0.0, -1.0, 0.0))
    camera.parent = None
    camera.location = head.matrix_world @ Vector(MIDDLE) + direction * PORTRAIT_DISTANCE * _size_of(head)
    camera.rotation_mode = "XYZ"
    camera.rotation_euler = _looking_along(-direction).to_euler()
    camera.data.lens, camera.data.clip_start, camera.data.display_size = PORTRAIT_LENS, 0.01, 0.1
    scene.camera = camera
    return camera


def _size_of(head: bpy.types.Object) -> float:
    """Return the size of a head relative to the head that the distances are made for."""
    largest = max(head.dimensions)
    return min(max(largest / HEAD_HEIGHT, 0.1), 2.0) if largest > 0 else 1.0


def _looking_along(direction: Vector) -> Quaternion:
    return direction.to_track_quat("-Z", "Y")


def _viewports(scene: bpy.types.Scene) -> Iterator[bpy.types.SpaceView3D]:
    for window in bpy.context.window_manager.windows:
        if window.scene == scene:
            for area in window.screen.areas:
                if area.type == "VIEW_3D":
                    yield area.spaces.active


def _show_pictures(space: bpy.types.SpaceView3D) -> None:
    """Show skin and eyes with their pictures, where Solid shading is as Blender sets it up."""
    shading = space.shading
    if shading.type == "SOLID" and shading.color_type == "MATERIAL":
        shading.color_type = "TEXTURE"


def _is_ours(obj: bpy.types.Object) -> bool:
    return is_rig(obj) or "expnet_eye" in obj or any(obj.get(mark) for mark in (CAMERA, LIGHT, PLANE, ROOT))


def _is_startup(obj: bpy.types.Object) -> bool:
    """Return whether ``obj`` is the cube, the camera or the light of Blender's startup file, as it was."""
    place = STARTUP_PLACES.get(obj.type)
    if place is None or obj.animation_data or obj.modifiers or obj.constraints or obj.parent or obj.children:
        return False
    if (Vector(obj.location) - Vector(place)).length > 1e-3 or (Vector(obj.scale) - Vector((1, 1, 1))).length > 1e-6:
        return False
    if obj.type != "MESH":
        return True
    vertices = obj.data.vertices
    return len(vertices) == 8 and obj.data.shape_keys is None and all(abs(c) == 1.0 for v in vertices for c in v.co)

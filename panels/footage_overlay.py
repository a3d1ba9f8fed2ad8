"""Draws the footage over the camera view where *Compare* wipes or subtracts: Blender's backgrounds cannot do that."""

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon import compat
from ..expnet_addon.scene import compare
from ..expnet_addon.scene.camera_and_light import FOOTAGE

LINE = (1.0, 1.0, 1.0, 0.8)


class _Overlay:
    """The draw handler, the shader that it makes when it first draws, and the texture of the picture drawn last."""

    handle: Any = None
    shader: Any = None
    texture: Any = None
    drawn: tuple[int, int] | None = None  # image and picture of the texture


_overlay = _Overlay()


def _new_shader() -> Any:
    """Return a shader of the footage, without a view transform, as Blender shows backgrounds."""
    import gpu

    between = gpu.types.GPUStageInterfaceInfo("expnet_footage")
    between.smooth("VEC2", "place")
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "ModelViewProjectionMatrix")
    info.push_constant("FLOAT", "inverted")
    info.push_constant("FLOAT", "alpha")
    info.sampler(0, "FLOAT_2D", "picture")
    info.vertex_in(0, "VEC2", "pos")
    info.vertex_in(1, "VEC2", "uv")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "colour")
    info.vertex_source("void main() { place = uv; gl_Position = ModelViewProjectionMatrix * vec4(pos, 0.0, 1.0); }")
    # The viewport's buffer takes linear light. The inversion is of what is seen, of sRGB values.
    info.fragment_source(
        "void main() {"
        " vec3 light = clamp(texture(picture, place).rgb, 0.0, 1.0);"
        " vec3 seen = 1.0 - pow(light, vec3(1.0 / 2.2));"
        " colour = vec4(mix(light, pow(seen, vec3(2.2)), inverted), alpha); }"
    )
    return gpu.shader.create_from_info(info)


def _draw() -> None:
    context = bpy.context
    space, view = context.space_data, context.region_data
    if view is None or view.view_perspective != "CAMERA":
        return
    scene = context.scene
    camera = space.camera if space.use_local_camera else scene.camera
    picture = compare.drawn_picture(scene, camera)
    if picture is None:
        return
    corners = _frame(context, scene, camera, camera.data[FOOTAGE])
    if corners is not None:
        number = compare.picture_number(camera.data[FOOTAGE], scene.frame_current)
        _draw_picture(picture, number, corners, scene.expnet.compare)


def _frame(
    context: bpy.types.Context, scene: bpy.types.Scene, camera: bpy.types.Object, clip: bpy.types.MovieClip
) -> list[tuple[float, float]] | None:
    """Return the corners of the footage in the region, as Blender fits a background into the camera's frame."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    found = [
        location_3d_to_region_2d(context.region, context.region_data, camera.matrix_world @ corner)
        for corner in camera.data.view_frame(scene=scene)
    ]
    if None in found:
        return None
    xs, ys = [p.x for p in found], [p.y for p in found]
    return compare.fitted(
        (min(xs), min(ys), max(xs), max(ys)),
        (clip.size[0] * clip.display_aspect[0], clip.size[1] * clip.display_aspect[1]),
    )


def _draw_picture(
    picture: bpy.types.Image, number: int, corners: list[tuple[float, float]], look: bpy.types.PropertyGroup
) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    if _overlay.drawn != (picture.session_uid, number):  # the footage is not decoded at every redraw
        _overlay.texture = compat.texture_at(picture, number)
        _overlay.drawn = picture.session_uid, number
    if _overlay.shader is None:
        _overlay.shader = _new_shader()
    wipes = look.mode == "WIPE"
    share = look.wipe if wipes else 1.0
    shader = _overlay.shader
    places = compare.wiped(corners, share)
    uv = [(0.0, 0.0), (share, 0.0), (share, 1.0), (0.0, 1.0)]
    batch = batch_for_shader(shader, "TRIS", {"pos": places, "uv": uv}, indices=[(0, 1, 2), (0, 2, 3)])
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("picture", _overlay.texture)
    shader.uniform_float("inverted", 0.0 if wipes else 1.0)
    shader.uniform_float("alpha", 1.0 if wipes else 0.5)
    batch.draw(shader)
    if wipes:
        plain = gpu.shader.from_builtin("UNIFORM_COLOR")
        plain.uniform_float("color", LINE)
        batch_for_shader(plain, "LINES", {"pos": [(*places[1], 0.0), (*places[2], 0.0)]}).draw(plain)
    gpu.state.blend_set("NONE")


def register() -> None:
    _overlay.handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    bpy.types.SpaceView3D.draw_handler_remove(_overlay.handle, "WINDOW")
    _overlay.handle = _overlay.shader = _overlay.texture = _overlay.drawn = None

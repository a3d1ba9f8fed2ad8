"""Draws over the camera view where *Compare* wipes or subtracts: Blender's backgrounds cannot do that."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..expnet_addon import compat
from ..expnet_addon.scene import compare
from ..expnet_addon.scene.camera_and_light import FOOTAGE

LINE = (1.0, 1.0, 1.0, 0.8)
# The viewport's buffer takes linear light and keeps it as sRGB; differences are of what is seen, of sRGB values.
SRGB = """
vec3 to_srgb(vec3 c) { return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)); }
vec3 to_light(vec3 c) { return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
"""
FOOTAGE_ONLY = """
void main() { colour = vec4(clamp(texture(picture, place).rgb, 0.0, 1.0), 1.0); }
"""
# Where the view has no head, it shows the footage itself: the difference is black there.
DIFFERENCE = (
    SRGB
    + """
void main() {
  vec3 footage = to_srgb(clamp(texture(picture, place).rgb, 0.0, 1.0));
  vec4 head = texture(view, gl_FragCoord.xy / size);
  vec3 seen = head.rgb * step(0.002, head.a) + (1.0 - head.a) * footage;
  colour = vec4(to_light(abs(seen - footage)), 1.0);
}
"""
)


class _Overlay:
    """The draw handler, its shaders by mode, the texture of the picture drawn last, and each region's buffer."""

    handle: Any = None
    shaders: ClassVar[dict[str, Any]] = {}
    texture: Any = None
    drawn: tuple[int, int] | None = None  # image and picture of the texture
    views: ClassVar[dict[int, Any]] = {}


_overlay = _Overlay()


def _shader(mode: str) -> Any:
    """Return the shader of a mode: the footage as Blender shows backgrounds, without a view transform."""
    import gpu

    if mode not in _overlay.shaders:
        between = gpu.types.GPUStageInterfaceInfo(f"expnet_{mode.lower()}")
        between.smooth("VEC2", "place")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "ModelViewProjectionMatrix")
        info.sampler(0, "FLOAT_2D", "picture")
        if mode == "DIFFERENCE":
            info.push_constant("VEC2", "size")
            info.sampler(1, "FLOAT_2D", "view")
        info.vertex_in(0, "VEC2", "pos")
        info.vertex_in(1, "VEC2", "uv")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "colour")
        info.vertex_source("void main() { place = uv; gl_Position = ModelViewProjectionMatrix * vec4(pos, 0.0, 1.0); }")
        info.fragment_source(DIFFERENCE if mode == "DIFFERENCE" else FOOTAGE_ONLY)
        _overlay.shaders[mode] = gpu.shader.create_from_info(info)
    return _overlay.shaders[mode]


def _view(context: bpy.types.Context) -> Any | None:
    """Draw what the region sees, without the world and the footage, and return its texture: sRGB, and alpha.

    Returns None at the first draw in a region of this size, and has it drawn again.
    """
    import gpu

    region, space, seen = context.region, context.space_data, context.region_data
    size = region.width, region.height
    buffer = _overlay.views.get(region.as_pointer())
    if buffer is None or (buffer.width, buffer.height) != size:
        if buffer is not None:
            buffer.free()
        # A new buffer unbinds the viewport's, which Blender binds again at the next draw
        _overlay.views[region.as_pointer()] = gpu.types.GPUOffScreen(*size, format="RGBA8")
        region.tag_redraw()
        return None
    buffer.draw_view3d(
        context.scene, context.view_layer, space, region, seen.view_matrix, seen.window_matrix,
        do_color_management=True, draw_background=False,
    )  # fmt: skip
    return buffer.texture_color


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
    wipes = look.mode == "WIPE"
    share = look.wipe if wipes else 1.0
    view = None if wipes else _view(bpy.context)
    if view is None and not wipes:
        return
    shader = _shader(look.mode)
    places = compare.wiped(corners, share)
    uv = [(0.0, 0.0), (share, 0.0), (share, 1.0), (0.0, 1.0)]
    batch = batch_for_shader(shader, "TRIS", {"pos": places, "uv": uv}, indices=[(0, 1, 2), (0, 2, 3)])
    gpu.state.blend_set("NONE")
    shader.bind()
    shader.uniform_sampler("picture", _overlay.texture)
    if view is not None:
        shader.uniform_sampler("view", view)
        shader.uniform_float("size", (float(view.width), float(view.height)))
    batch.draw(shader)
    if wipes:
        gpu.state.blend_set("ALPHA")
        plain = gpu.shader.from_builtin("UNIFORM_COLOR")
        plain.uniform_float("color", LINE)
        batch_for_shader(plain, "LINES", {"pos": [(*places[1], 0.0), (*places[2], 0.0)]}).draw(plain)
        gpu.state.blend_set("NONE")


def register() -> None:
    _overlay.handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    bpy.types.SpaceView3D.draw_handler_remove(_overlay.handle, "WINDOW")
    _overlay.handle = _overlay.texture = _overlay.drawn = None
    _overlay.shaders.clear()
    _overlay.views.clear()

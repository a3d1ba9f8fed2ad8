"""The picture of a kept pose in the Asset Browser: the face from the front, as the 3D view shades it."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from .first_view import HEAD_HEIGHT, MIDDLE

PIXELS = 128
AWAY, DEPTH = 1.0, 4.0  # metres from the face for a head of usual size; how far the view reaches
HALF = 0.17  # metres of half the picture


def front_view(head: bpy.types.Object) -> tuple[Matrix, Matrix]:
    """Return the view and projection matrices of an orthographic look at the head's face."""
    scale = max(head.dimensions) / HEAD_HEIGHT if max(head.dimensions) > 0 else 1.0
    place, turn, _ = head.matrix_world.decompose()
    middle = place + turn @ (Vector(MIDDLE) * scale)
    towards = turn @ Vector((0.0, -1.0, 0.0))
    camera = Matrix.LocRotScale(middle + towards * AWAY * scale, towards.to_track_quat("Z", "Y"), None)
    half, depth = HALF * scale, DEPTH * scale
    projection = Matrix(((1 / half, 0, 0, 0), (0, 1 / half, 0, 0), (0, 0, -2 / depth, -1), (0, 0, 0, 1)))
    return camera.inverted(), projection


def add_preview(
    action: bpy.types.Action,
    head: bpy.types.Object,
    scene: bpy.types.Scene,
    space: bpy.types.SpaceView3D,
    region: bpy.types.Region,
) -> None:
    """Give the pose ``action`` a picture of the head as it is, drawn as the 3D view ``space`` shades it."""
    import gpu

    overlay = space.overlay.show_overlays
    space.overlay.show_overlays = False
    view, projection = front_view(head)
    screen = gpu.types.GPUOffScreen(PIXELS, PIXELS)
    try:
        screen.draw_view3d(scene, bpy.context.view_layer, space, region, view, projection, do_color_management=True)
        with screen.bind():
            drawn = gpu.state.active_framebuffer_get().read_color(0, 0, PIXELS, PIXELS, 4, 0, "FLOAT")
    finally:
        screen.free()
        space.overlay.show_overlays = overlay
    drawn.dimensions = PIXELS * PIXELS * 4
    preview = action.preview_ensure()
    preview.image_size = (PIXELS, PIXELS)
    preview.image_pixels_float.foreach_set(np.array(drawn, np.float32))

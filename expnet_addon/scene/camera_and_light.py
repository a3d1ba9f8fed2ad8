"""The camera that matches the clip's, the footage as its background, and lights for the head."""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

from ...model.errors import InputError
from .. import compat

SENSOR_MM = 36.0
CAMERA = "expnet_camera"  # custom property that marks ExpNet's camera, so that it is reused
FOOTAGE = "expnet_footage"  # custom property of a camera: the movie clip that ExpNet shows behind it
LIGHT = "expnet_light"
PLANE = "expnet_footage_plane"  # custom property of the plane that shows the footage in a render
LIGHT_DISTANCE = 0.6  # metres; far enough from a head that no lamp's symbol is on it
LIGHT_SIZE = 0.004  # scale: Blender draws a sun's direction as a line of 20 m, which would cross the picture
BACKGROUND = (0.16, 0.16, 0.17)


def own_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """Return ExpNet's camera in ``scene``; make it if there is none."""
    camera = next((obj for obj in scene.objects if obj.type == "CAMERA" and obj.get(CAMERA)), None)
    if camera is None:
        camera = bpy.data.objects.new("ExpNet camera", bpy.data.cameras.new("ExpNet camera"))
        camera[CAMERA] = True
        scene.collection.objects.link(camera)
    return camera


def match_camera(scene: bpy.types.Scene, image_size: tuple[int, int], lens_mm: float = 50.0) -> bpy.types.Object:
    """Set up the camera that head poses assume: at the world's origin, looking along +Y, rendering at the clip's size.

    ExpNet's own camera is reused if the scene has one. An artist's camera is not changed; it only stops being the
    active camera.
    """
    camera = own_camera(scene)
    camera.parent = None
    camera.location = (0.0, 0.0, 0.0)
    camera.rotation_mode = "XYZ"
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    camera.scale = (1.0, 1.0, 1.0)
    data = camera.data
    data.type, data.lens_unit = "PERSP", "MILLIMETERS"
    data.lens, data.sensor_width, data.sensor_fit = lens_mm, SENSOR_MM, "AUTO"
    data.shift_x = data.shift_y = 0.0
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.1
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y = image_size
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    return camera


def show_footage(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    clip: str,
    start_frame: int | None = None,
    first: int = 0,
    size: tuple[int, int] | None = None,
) -> bpy.types.MovieClip:
    """Show the clip (a movie, or the first image of a sequence) as the camera's background.

    first        frame of the clip (0-based) that shows at ``start_frame``
    start_frame  scene frame (default: the scene's first frame)
    size         (width, height) of the clip with square pixels, if known; Blender assumes square pixels for all clips

    Blender shows one frame of the clip per frame of the scene. If the rates differ, set the scene to the clip's rate
    (``animation.set_scene_fps``). Raises InputError if Blender cannot read the clip.
    """
    try:
        block = bpy.data.movieclips.load(str(clip), check_existing=True)
    except RuntimeError as error:
        raise InputError(f"Blender cannot open {clip}: {_last_line(error)}") from None
    if block.frame_duration < 1:
        bpy.data.movieclips.remove(block)
        raise InputError(f"Blender cannot read {clip}: its format is unknown, or it is incomplete")
    block.frame_start = scene.frame_start if start_frame is None else start_frame
    block.frame_offset = first
    if size is not None and block.size[0] and block.size[1]:
        aspect = (size[0] * block.size[1]) / (size[1] * block.size[0])
        if abs(aspect - 1) > 0.01:
            block.display_aspect = (aspect, 1.0) if aspect > 1 else (1.0, 1 / aspect)
    show_clip(camera, block)
    return block


def show_clip(camera: bpy.types.Object, block: bpy.types.MovieClip) -> None:
    """Show a clip as the camera's background, with the block's own timing.

    It replaces the clip that ExpNet has shown before. The artist's own backgrounds stay.
    """
    hide_footage(camera)
    data = camera.data
    background = data.background_images.new()
    data.show_background_images = True
    background.source = "MOVIE_CLIP"
    background.clip = block
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    data[FOOTAGE] = block


def hide_footage(camera: bpy.types.Object) -> None:
    """Remove the clips that ExpNet shows behind the camera."""
    data = camera.data
    for shown in [each for each in data.background_images if _is_ours(data, each)]:
        data.background_images.remove(shown)


def _is_ours(data: bpy.types.Camera, background: bpy.types.CameraBackgroundImage) -> bool:
    """Return whether ExpNet made the background.

    Earlier versions kept no pointer to the clip, and stacked clips. On ExpNet's own camera, their backgrounds are those
    with the settings that ``show_clip`` gives.
    """
    if background.source != "MOVIE_CLIP":
        return False
    if FOOTAGE in data:
        return bool(background.clip == data[FOOTAGE])
    usual = background.alpha == 1.0 and background.display_depth == "BACK" and background.frame_method == "FIT"
    return background.clip is None or usual


def light_head(scene: bpy.types.Scene, around: Vector | None = None) -> list[bpy.types.Object]:
    """Add a soft key light, a fill light and a rim light, and a grey world if the scene has no world.

    The lights are suns, so they light the head at any location. They stand around ``around``, the head's location, or
    the world's origin. ExpNet's own lights are reused if the scene has them.
    """
    lights = [obj for obj in scene.objects if obj.type == "LIGHT" and obj.get(LIGHT)]
    if not lights:
        for name, strength, angle, turn, colour in (
            ("key", 2.6, 25.0, (48.0, 0.0, -38.0), (1.0, 0.96, 0.90)),
            ("fill", 0.9, 60.0, (62.0, 0.0, 55.0), (0.88, 0.94, 1.0)),
            ("rim", 2.2, 15.0, (-55.0, 0.0, 25.0), (1.0, 1.0, 1.0)),
        ):
            sun = bpy.data.lights.new(f"ExpNet {name}", "SUN")
            sun.energy, sun.angle, sun.color = strength, math.radians(angle), colour
            light = bpy.data.objects.new(f"ExpNet {name}", sun)
            light.rotation_euler = [math.radians(each) for each in turn]
            light.location = (around or Vector()) + light.rotation_euler.to_matrix().col[2] * LIGHT_DISTANCE
            light.scale = (LIGHT_SIZE,) * 3
            light[LIGHT] = True
            scene.collection.objects.link(light)
            lights.append(light)
    if scene.world is None:
        scene.world = grey_world()
    return lights


def grey_world() -> bpy.types.World:
    """Create a world with a grey background."""
    world = bpy.data.worlds.new("ExpNet grey")
    world.color = BACKGROUND
    tree = compat.node_tree(world)
    background = next((node for node in tree.nodes if node.type == "BACKGROUND"), None)
    if background is not None:
        background.inputs["Color"].default_value = (*BACKGROUND, 1.0)
    return world


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__

"""The scene round a head for Cycles: lamps, sky, a room out of focus, the camera, the render.

Places are metres in the world's axes as the head's camera has them: x right, y away from the camera, z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..expnet_addon import compat
from ..expnet_addon.scene import camera_and_light as scenery
from ..model.array_types import FloatArray
from ..model.camera import Camera
from ..model.files import atomic_path
from .shading import Shader, linear

Colour = tuple[float, float, float]
Numbers = Sequence[float] | FloatArray


def add_area(
    scene: bpy.types.Scene,
    aim: Numbers,
    place: Numbers,
    energy: float,
    size: float,
    colour: Numbers,
) -> None:
    """Add an area lamp at ``place`` from ``aim``, pointing there: watts, metres, linear light."""
    light = bpy.data.lights.new("area", "AREA")
    light.energy, light.size, light.color = energy, size, tuple(colour)
    _put(scene, light, Vector(aim) + Vector(place), Vector(place))


def add_sun(scene: bpy.types.Scene, place: Numbers, strength: float, colour: Numbers, angle: float = 0.5) -> None:
    """Add a sun in the direction ``place``, ``angle`` degrees wide (0.5: hard shadows)."""
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.angle, light.color = strength, float(np.radians(angle)), tuple(colour)
    _put(scene, light, Vector(place), Vector(place))


def _put(scene: bpy.types.Scene, light: bpy.types.Light, where: Vector, back: Vector) -> None:
    lamp = bpy.data.objects.new(light.name, light)
    lamp.location = where
    lamp.rotation_mode = "QUATERNION"
    lamp.rotation_quaternion = back.to_track_quat("Z", "Y")
    scene.collection.objects.link(lamp)


def set_gradient(scene: bpy.types.Scene, low: Colour, high: Colour, strength: float) -> None:
    """Set a world that shades from ``low`` under the horizon to ``high`` above."""
    s = _world(scene)
    _, _, z = s.split(s.node("ShaderNodeTexCoord").outputs["Generated"])
    share = s.spread(z, -0.4, 0.7, 0.0, 1.0)
    colour = s.mix(share, (*linear(low), 1.0), (*linear(high), 1.0))
    s.surface(s.node("ShaderNodeBackground", {"Color": colour, "Strength": strength}).outputs[0])


def set_sky(scene: bpy.types.Scene, elevation: float, bearing: float, strength: float) -> None:
    """Set a physical sky without its sun's disc (``add_sun`` makes it), degrees."""
    s = _world(scene)
    sky = s.node("ShaderNodeTexSky")
    kinds = sky.bl_rna.properties["sky_type"].enum_items.keys()
    sky.sky_type = "NISHITA" if "NISHITA" in kinds else "MULTIPLE_SCATTERING"  # renamed in 5.0
    sky.sun_disc = False
    sky.sun_elevation, sky.sun_rotation = np.radians([elevation, bearing])
    s.surface(s.node("ShaderNodeBackground", {"Color": sky.outputs[0], "Strength": strength}).outputs[0])


def _world(scene: bpy.types.Scene) -> Shader:
    scene.world = bpy.data.worlds.new("world")
    return Shader(scene.world)


def add_room(
    scene: bpy.types.Scene, rng: np.random.Generator, at: Numbers, depth: float, width: float,
    wall: Colour, pattern: str, things: int, glowing: int = 0,
) -> None:  # fmt: skip
    """Add a patterned wall ``depth`` behind ``at``, over a ``width`` in view, and objects in front of it.

    ``things`` of them have a random shape and colour, some ``glowing``. ``pattern``: BRICK, CHECKER, WAVE or NOISE.
    """
    middle = Vector(at) + Vector((0, depth, 0))
    bpy.ops.mesh.primitive_plane_add(size=12 * width, location=middle, rotation=(np.pi / 2, 0, 0))
    plane = bpy.context.object
    plane.data.materials.append(_patterned(wall, pattern, width))
    for i in range(things):
        size = width * rng.uniform(0.06, 0.28)
        x, z = rng.uniform(-0.75, 0.75, 2) * width
        place = middle + Vector((x, -size - rng.uniform(0, 0.4) * depth, z))
        add = (bpy.ops.mesh.primitive_cube_add, bpy.ops.mesh.primitive_uv_sphere_add, bpy.ops.mesh.primitive_cone_add)
        add[rng.integers(3)](location=place, rotation=rng.uniform(0, 3, 3))
        thing = bpy.context.object
        thing.scale = size * rng.uniform(0.3, 1.2, 3)
        material = bpy.data.materials.new("thing")
        s = Shader(material)
        colour = (*linear(rng.uniform(0.05, 0.95, 3)), 1.0)
        look = {"Base Color": colour, "Roughness": rng.uniform(0.2, 0.8)}
        if i < glowing:
            look |= {"Emission Color": colour, "Emission Strength": rng.uniform(2, 6)}
        s.surface(s.node("ShaderNodeBsdfPrincipled", look).outputs[0])
        thing.data.materials.append(material)


def _patterned(wall: Colour, pattern: str, width: float) -> bpy.types.Material:
    material = bpy.data.materials.new("wall")
    s = Shader(material)
    where = s.node("ShaderNodeTexCoord").outputs["Object"]
    light, dark = (*linear(wall), 1.0), (*(0.45 * linear(wall)), 1.0)
    if pattern == "BRICK":
        inputs = {"Vector": where, "Color1": light, "Color2": dark, "Mortar": (0.5, 0.48, 0.45, 1), "Scale": 5 / width}
        colour = s.node("ShaderNodeTexBrick", inputs).outputs["Color"]
    elif pattern == "CHECKER":
        colour = s.node("ShaderNodeTexChecker", {0: where, 1: light, 2: dark, 3: 4 / width}).outputs["Color"]
    elif pattern == "WAVE":
        share = s.node("ShaderNodeTexWave", {"Vector": where, "Scale": 1.2 / width, "Distortion": 1.5}).outputs[1]
        colour = s.mix(share, light, dark)
    else:
        colour = s.mix(s.noise(where, 3 / width, 5.0), dark, light)
    s.surface(s.node("ShaderNodeBsdfPrincipled", {"Base Color": colour, "Roughness": 0.7}).outputs[0])
    return material


def use_cycles(scene: bpy.types.Scene, samples: int, threads: int = 1, seed: int = 0) -> None:
    """Set up Cycles on the CPU, cheap and reproducible. Use OpenImageDenoise if available."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.threads_mode, render.threads = "FIXED", threads
    render.use_persistent_data = True
    cycles.device, cycles.seed, cycles.use_animated_seed = "CPU", seed, False
    cycles.samples, cycles.use_adaptive_sampling = samples, False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
    cycles.transparent_max_bounces, cycles.transmission_bounces = 8, 2
    cycles.sample_clamp_indirect = 4.0
    cycles.use_denoising, cycles.denoising_prefilter = True, "FAST"
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1
    compat.write_images(scene, "PNG")


def use_camera(scene: bpy.types.Scene, camera: Camera, size: int, focus: float, fstop: float) -> None:
    """Render the square of ``size`` px that ``camera`` (principal point and all) sees, focused at ``focus`` metres."""
    data = scenery.match_camera(scene, (size, size), camera.focal * scenery.SENSOR_MM / size).data
    data.shift_x = ((size - 1) / 2 - camera.cx) / size
    data.shift_y = (camera.cy - (size - 1) / 2) / size
    data.dof.use_dof, data.dof.focus_distance, data.dof.aperture_fstop = True, focus, fstop


def take(scene: bpy.types.Scene, path: Path) -> None:
    """Render to a PNG, written completely or not at all."""
    with atomic_path(path) as partial:
        scene.render.filepath = str(partial)
        bpy.ops.render.render(write_still=True)


def brightness(path: Path) -> float:
    """Mean of the middle of a picture, where the face is, sRGB 0..1."""
    image = bpy.data.images.load(str(path))
    rgba = np.empty((image.size[1], image.size[0], 4), np.float32)
    image.pixels.foreach_get(rgba.ravel())
    bpy.data.images.remove(image)
    height, width = rgba.shape[:2]
    return float(rgba[int(0.3 * height) : int(0.7 * height), int(0.3 * width) : int(0.7 * width), :3].mean())

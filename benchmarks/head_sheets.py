"""Make picture sheets of the open head for docs/: ``python -m expnet.benchmarks.head_sheets [--sheet NAME]``.

``keys``: neutral and every key at its upper bound, signed keys also at their lower bound. ``identities``: 12 random
people, alpha ~ N(average, 1). ``mesh``: the topology. ``skins``: the photographed skins in three lights. ``emotions``:
combinations of several keys, from the front and rotated. ``details``: eye, mouth and nose from near.
All are rendered by Cycles on the rig, smooth shaded, for visual inspection.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
from mathutils import Vector

from ..expnet_addon import compat
from ..expnet_addon.scene import camera_and_light as scenery
from ..expnet_addon.scene import materials, rig, skins
from ..model.array_types import UInt8Array
from ..model.builtin import OPEN
from ..model.face.semantics import OPEN_KEYS
from ..model.formats import open_face_model

DOCS = Path(__file__).parent.parent / "docs"
FACE = (0.0, -0.08, 0.0)  # what the camera looks at, metres
SEED = 5
# The face at rest, single brow keys, and combinations as an artist makes them; "x" is both x_L and x_R.
EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "browDown": {"browDown": 1},
    "browInnerUp": {"browInnerUp": 1},
    "browOuterUp": {"browOuterUp": 1},
    "furious": {"browDown": 1, "lid": -0.15, "eyeSquint": 0.3, "noseSneer": 0.4, "mouthLowerDown": 0.6,
                "mouthUpperUp": 0.4, "mouthStretch": 0.3},
    "sad": {"browInnerUp": 0.9, "browDown": 0.2, "lid": 0.2, "mouthFrown": 0.8, "mouthShrugLower": 0.3},
    "frightened": {"browInnerUp": 1, "browOuterUp": 0.5, "browDown": 0.4, "lid": -0.35, "mouthStretch": 0.8,
                   "jawOpen": 0.15},
    "surprised": {"browInnerUp": 1, "browOuterUp": 1, "lid": -0.3, "jawOpen": 0.5},
}  # fmt: skip
# Name -> keys, gaze (yaw and pitch in radians), and where the camera looks, with the width that it sees, in metres
EYE, MOUTH, NOSE = (0.032, -0.09, 0.036), (0.0, -0.105, -0.042), (0.0, -0.115, -0.003)
DETAILS: dict[str, tuple[dict[str, float], tuple[float, float], dict[str, Any]]] = {
    "eye": ({}, (0.0, 0.0), {"target": EYE, "width": 0.05}),
    "from the side": ({}, (0.0, 0.0), {"target": EYE, "width": 0.05, "yaw": 40}),
    "shut": ({"lid": 1}, (0.0, 0.0), {"target": EYE, "width": 0.05}),
    "wide": ({"lid": -0.35}, (0.0, 0.0), {"target": EYE, "width": 0.05}),
    "gaze to the left": ({}, (0.5, 0.0), {"target": EYE, "width": 0.05}),
    "gaze to the right": ({}, (-0.5, 0.0), {"target": EYE, "width": 0.05}),
    "gaze up": ({}, (0.0, 0.4), {"target": EYE, "width": 0.05}),
    "squint": ({"eyeSquint": 1, "cheekSquint": 1}, (0.0, 0.0), {"target": EYE, "width": 0.05}),
    "mouth": ({}, (0.0, 0.0), {"target": MOUTH, "width": 0.08}),
    "jawOpen": ({"jawOpen": 0.8}, (0.0, 0.0), {"target": MOUTH, "width": 0.11}),
    "smile": ({"mouthSmile": 1, "mouthUpperUp": 0.7, "jawOpen": 0.12}, (0.0, 0.0),
              {"target": MOUTH, "width": 0.09, "yaw": -25}),
    "from below": ({}, (0.0, 0.0), {"target": NOSE, "width": 0.06, "pitch": -35}),
}  # fmt: skip
# Area lights: place in metres, power in watts, size in metres. Those of the panel are the scene's own.
LIGHTS: dict[str, list[tuple[tuple[float, float, float], float, float]]] = {
    "light of the panel": [],
    "soft": [((-0.8, -1.2, 0.8), 20.0, 1.0), ((1.0, -1.0, 0.1), 7.0, 1.2)],
    "from the side": [((-1.2, -0.5, 0.3), 24.0, 0.4), ((0.8, 0.9, 0.6), 14.0, 0.4)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", choices=list(SHEETS), action="append", help="default: all")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--samples", type=int, default=6, help="of Cycles, per pixel")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    studio = _Studio(options.samples)
    for name in options.sheet or SHEETS:
        pictures, columns = SHEETS[name](studio)
        path = options.out / f"open_head_{name}.jpg"
        cv2.imwrite(str(path), _sheet(list(pictures), columns), [cv2.IMWRITE_JPEG_QUALITY, 88])
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


class _Studio:
    """A scene with the rig, lights and a camera about a metre away."""

    def __init__(self, samples: int) -> None:
        bpy.ops.wm.read_homefile(use_empty=True)
        self.scene = bpy.context.scene
        self.model = open_face_model(OPEN)
        self.head = rig.create_rig(self.model)
        scenery.light_head(self.scene)
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        camera.data.lens = 85
        camera.data.clip_start = 0.01  # a nose is before the camera where it looks at an eye from near
        self.scene.collection.objects.link(camera)
        self.scene.camera = self.camera = camera
        render = self.scene.render
        render.engine = "CYCLES"
        self.scene.cycles.samples = samples
        self.scene.cycles.use_denoising = True
        self.scene.cycles.max_bounces = 4
        render.use_persistent_data = True
        self.scene.view_settings.view_transform = "Standard"

    def picture(
        self,
        size: int,
        label: str = "",
        yaw: float = 0.0,
        pitch: float = 0.0,
        width: float = 0.23,
        target: tuple[float, float, float] = FACE,
    ) -> UInt8Array:
        """Render (size, size, 3) BGR of ``width`` metres about ``target``, ``yaw`` degrees from the subject's left."""
        distance = width * self.camera.data.lens / self.camera.data.sensor_width
        a, b = np.radians([yaw, pitch])
        direction = np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
        self.camera.location = np.array(target) + distance * direction
        self.camera.rotation_euler = (np.pi / 2 - b, 0.0, a)
        self.scene.render.resolution_x = self.scene.render.resolution_y = size
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "picture.png")
            self.scene.render.filepath = str(file)
            bpy.ops.render.render(write_still=True)
            image: UInt8Array = cv2.imread(str(file))
        cv2.putText(image, label, (7, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        return image


def _keys(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    def pictures() -> Iterator[UInt8Array]:
        yield studio.picture(250, "neutral")
        for key, bounds in zip(studio.model.expression_keys, studio.model.expression_bounds):
            for value in (bounds[1], bounds[0]):
                if value:
                    rig.set_expression(studio.head, {key: float(value)})
                    yield studio.picture(250, f"{key} {value:+.2f}".replace("+1.00", "").replace("-1.00", "-1"))
            rig.set_expression(studio.head, {key: 0.0})

    return pictures(), 6


def _emotions(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    def pictures() -> Iterator[UInt8Array]:
        faces = list(EMOTIONS.items())
        for row in (faces[:4], faces[4:]):
            for yaw in (0, 35):
                for name, keys in row:
                    rig.set_expression(studio.head, _both_sides(keys))
                    yield studio.picture(400, name, yaw=yaw)
        rig.set_expression(studio.head, _both_sides({}))

    return pictures(), 4


def _details(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    def pictures() -> Iterator[UInt8Array]:
        for name, (keys, gaze, view) in DETAILS.items():
            rig.set_expression(studio.head, _both_sides(keys), np.array(gaze))
            yield studio.picture(300, name, **view)
        rig.set_expression(studio.head, _both_sides({}), np.zeros(2))

    return pictures(), 4


def _skins(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    """Each photographed skin in three lights: of the panel, a soft one, and one from the side, as it speaks."""
    talking = {"jawOpen": 0.35, "mouthUpperUp": 0.5, "mouthSmile": 0.4, "browInnerUp": 0.3}

    def pictures() -> Iterator[UInt8Array]:
        shapes: tuple[dict[str, float], ...] = ({}, talking, {})
        for name in skins.PHOTOGRAPHS:
            materials.change_skin(studio.head, studio.model, name)
            for (light, lamps), shape in zip(LIGHTS.items(), shapes, strict=True):
                rig.set_expression(studio.head, _both_sides(shape))
                with _lit(studio.scene, lamps):
                    yield studio.picture(
                        360, f"{name.lower()}, {light}", yaw=(12, 0, -30)[list(LIGHTS).index(light)], width=0.30,
                        target=(0, -0.06, 0.0),
                    )  # fmt: skip
        materials.change_skin(studio.head, studio.model, skins.DEFAULT)
        rig.set_expression(studio.head, _both_sides({}))

    return pictures(), 3


@contextmanager
def _lit(scene: bpy.types.Scene, lamps: list[tuple[tuple[float, float, float], float, float]]) -> Iterator[None]:
    """Light the scene by ``lamps``, area lights at a place (metres) with power (W) and size (m), instead of its own."""
    if not lamps:
        yield
        return
    own = [thing for thing in scene.objects if thing.type == "LIGHT"]
    made = []
    for place, power, size in lamps:
        lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "AREA"))
        lamp.data.energy, lamp.data.size = power, size
        lamp.location = place
        lamp.rotation_euler = (Vector(FACE) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)
        made.append(lamp)
    for thing in own:
        thing.hide_render = True
    yield
    for thing in own:
        thing.hide_render = False
    for lamp in made:
        bpy.data.lights.remove(lamp.data)


def _both_sides(keys: dict[str, float]) -> dict[str, float]:
    """Return a value for every key of the open basis; 0 where ``keys`` has neither the key nor its pair."""
    return {key: float(keys.get(key, keys.get(key.removesuffix("_L").removesuffix("_R"), 0.0))) for key in OPEN_KEYS}


def _identities(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    rng = np.random.default_rng(SEED)
    average = np.array(studio.head["alpha"], np.float32)

    def pictures() -> Iterator[UInt8Array]:
        for k in range(12):
            rig.apply_alpha(studio.head, studio.model, average + rng.standard_normal(len(average)))
            yield studio.picture(320, yaw=(-28, 0, 28, 0)[k % 4], width=0.31, target=(0, -0.05, 0.01))
        rig.apply_alpha(studio.head, studio.model, average)

    return pictures(), 4


def _mesh(studio: _Studio) -> tuple[Iterator[UInt8Array], int]:
    eye = (0.06, (0.032, -0.09, 0.036))
    line = bpy.data.materials.new("line")
    shader = compat.node_tree(line).nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.01, 0.03, 0.2, 1)

    def wired(width: float, target: tuple[float, float, float], yaw: float = 0.0, pitch: float = 0.0) -> UInt8Array:
        copies = [_wire_copy(part, line, width / 900) for part in (studio.head, *studio.head.children)]
        image = studio.picture(420, yaw=yaw, pitch=pitch, width=width, target=target)
        for copy in copies:
            bpy.data.meshes.remove(copy.data)
        return image

    def pictures() -> Iterator[UInt8Array]:
        yield wired(width=0.26, target=(0.0, -0.05, 0.01))
        yield wired(yaw=65, width=0.30, target=(0.0, 0.0, 0.01))
        yield wired(*eye)
        yield wired(pitch=-35, width=0.06, target=(0.0, -0.115, -0.003))
        rig.set_expression(studio.head, {"jawOpen": 0.35, "mouthUpperUp": 0.8, "mouthLowerDown": 0.5})
        yield wired(yaw=15, width=0.10, target=(0.0, -0.11, -0.03))
        rig.set_expression(studio.head, {"jawOpen": 0.0, "mouthUpperUp": 0.0, "mouthLowerDown": 0.0, "lid_L": 1.0})
        yield wired(*eye)
        rig.set_expression(studio.head, {"lid_L": 0.0})

    return pictures(), 3


def _wire_copy(thing: bpy.types.Object, material: bpy.types.Material, thickness: float) -> bpy.types.Object:
    """Return the edges of ``thing`` in its current shape as thin bars (the renderer's own wires show triangles)."""
    mesh = bpy.data.meshes.new_from_object(thing.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    mesh.materials.clear()
    mesh.materials.append(material)
    copy = bpy.data.objects.new("wires", mesh)
    copy.matrix_world = thing.matrix_world
    bpy.context.scene.collection.objects.link(copy)
    bars = copy.modifiers.new("bars", "WIREFRAME")
    bars.thickness = thickness
    return copy


def _sheet(pictures: list[UInt8Array], columns: int) -> UInt8Array:
    blank = np.full_like(pictures[0], 80)
    pictures += [blank] * (-len(pictures) % columns)
    return np.vstack([np.hstack(pictures[k : k + columns]) for k in range(0, len(pictures), columns)])


SHEETS = {
    "keys": _keys, "emotions": _emotions, "identities": _identities,
    "mesh": _mesh, "skins": _skins, "details": _details,
}  # fmt: skip


if __name__ == "__main__":
    main()

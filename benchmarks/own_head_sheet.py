"""An artist's head, its points and some of its keys: the guide's picture of them, and how far the points are off.

    python -m expnet.benchmarks.own_head_sheet --out docs/guide/own_head.jpg

The heads are the open head with two persons' faces and another topology: one remeshed, one with large eyes, a large
skull and few faces. Each keeps its eyes and its teeth as objects. The pictures are drawn in software.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import bpy
import cv2
import numpy as np

from .. import register
from ..expnet_addon.own_head import make, meshes, points
from ..expnet_addon.scene.coordinates import to_blender
from ..model.array_types import FloatArray, IntArray, UInt8Array
from ..model.builtin import OPEN
from ..model.face.face_model import FaceModel
from ..model.formats import open_face_model
from ..model.own_head.landmarks import open_points
from ..model.own_head.pictures import Pinhole, Scene, draw

PARTS = {
    "Head": ("skin", "mouth_socket", "scalp", "lips", "nostrils"),
    "Eye Left": ("eyeball_L",),
    "Eye Right": ("eyeball_R",),
    "Teeth Upper": ("teeth_upper", "gums_upper"),
    "Teeth Lower": ("teeth_lower", "gums_lower"),
    "Tongue": ("tongue",),
}
COLOURS = {"Head": (150, 170, 205), "Eye": (232, 234, 235), "Teeth": (205, 215, 222), "Tongue": (120, 120, 190)}  # BGR
FACES = {"a remeshed head": 40_000, "a stylised head": 9_000}
SHOWN: tuple[dict[str, float], ...] = (
    {},
    {"lid_L": 1.0, "lid_R": 1.0},
    {"jawOpen": 1.0},
    {"mouthSmile_L": 1.0, "mouthSmile_R": 1.0, "cheekSquint": 0.6},
    {"browInnerUp": 1.0, "browOuterUp_L": 1.0, "browOuterUp_R": 1.0, "mouthFunnel": 0.8},
)
SIZE = 260  # pixels of a picture, square
AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # of a camera before a face that looks to -y
EYES_MM, EYES_LARGER, SKULL_LARGER = 26.0, 0.4, 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    register()
    rows = [_row(title, faces, seed) for seed, (title, faces) in enumerate(FACES.items(), 3)]
    cv2.imwrite(str(options.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


def _row(title: str, faces: int, seed: int) -> UInt8Array:
    """Make a head and its keys, and return its pictures side by side."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    model = open_face_model(OPEN)
    at = model.vertices(np.random.default_rng(seed).normal(0, 0.8, 99)).astype(np.float64)
    if "stylised" in title:
        at = _stylised(model, at)
    objects = _objects(model, to_blender(at), faces)
    said = make.keys_of_meshes(objects, make.Keys(), "")
    truth = {name: to_blender(place) for name, place in open_points(at).items()}
    found = points.places_of(objects[0])
    away = {name: 1000 * float(np.linalg.norm(np.array(place) - truth[name])) for name, place in found.items()}
    worst = max(away, key=lambda name: away[name])
    corners = [away[name] for name in away if name.startswith(("eye", "nose_tip", "mouth_corner"))]
    off = (
        f"{np.mean(list(away.values())):.1f} mm off, the worst {worst} {away[worst]:.1f} mm, eyes, nose and mouth "
        + (f"{np.mean(corners):.1f} mm, the worst {max(corners):.1f} mm")
    )
    print(f"{title}: {len(objects[0].data.vertices)} vertices; {len(found)} points, {off}; {said.splitlines()[0]}")
    pictures = [_picture(objects, {}, found)] + [_picture(objects, values, {}) for values in SHOWN[1:]]
    bar = np.full((26, SIZE * len(pictures), 3), 235, np.uint8)
    cv2.putText(bar, title, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([bar, np.hstack(pictures)])


def _stylised(model: FaceModel, at: FloatArray) -> FloatArray:
    """Return the head with larger eyes and a larger skull; what belongs together moves together."""
    out = at.copy()
    for side in "LR":
        centre = at[model.regions[f"eyeball_{side}"]].mean(0)
        near = np.exp(-(((at - centre) / EYES_MM) ** 2).sum(1))
        out += (EYES_LARGER * near)[:, None] * (at - centre)
    up = 1 / (1 + np.exp(-(at[:, 1] - 55) / 15))
    out += (SKULL_LARGER * up)[:, None] * (at - [0, 55, 0]) * [1, 0.6, 1]
    return out


def _objects(model: FaceModel, at: FloatArray, faces: int) -> list[bpy.types.Object]:
    """Add the head's parts to the scene, the skin with another topology of about that many faces."""
    objects = []
    for name, regions in PARTS.items():
        wanted = np.zeros(len(at), bool)
        for region in regions:
            wanted[model.regions[region]] = True
        chosen: IntArray = model.faces[wanted[model.faces].all(1)]
        used = np.unique(chosen)
        place = np.full(len(at), -1)
        place[used] = np.arange(len(used))
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(at[used].tolist(), [], place[chosen].tolist())
        obj = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(obj)
        objects.append(obj)
    _retopologise(objects[0], faces)
    return objects


def _retopologise(head: bpy.types.Object, faces: int) -> None:
    """Subdivide and decimate the head's mesh: no vertex stays where it was in the order."""
    smooth = head.modifiers.new("Finer", "SUBSURF")
    smooth.levels = 1
    fewer = head.modifiers.new("Fewer", "DECIMATE")
    fewer.ratio = min(1.0, faces / (8 * len(head.data.polygons)))
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = bpy.data.meshes.new_from_object(evaluated)
    head.modifiers.clear()
    head.data = mesh


def _picture(
    objects: list[bpy.types.Object], values: dict[str, float], found: Mapping[str, Sequence[float]]
) -> UInt8Array:
    """Draw the head with keys at ``values``, and dots at the points that were found."""
    vertices, triangles, colours, start = [], [], [], 0
    for obj in objects:
        mesh = meshes.world_mesh(obj)
        at = mesh.vertices.copy()
        for name, value in values.items():
            block = obj.data.shape_keys.key_blocks.get(name) if obj.data.shape_keys else None
            if block is not None:
                flat = np.empty(3 * len(at), np.float32)
                block.data.foreach_get("co", flat)
                at += value * (flat.reshape(-1, 3) - meshes.points(obj))
        colour = np.tile(np.array(COLOURS[obj.name.split()[0]], np.float64), (len(at), 1))
        if obj.name.startswith("Eye"):
            away = at - (at.min(0) + at.max(0)) / 2
            angle = np.arccos(np.clip(-away[:, 1] / np.linalg.norm(away, axis=1), -1, 1))
            colour[angle < 0.47], colour[angle < 0.2] = (90, 70, 50), (18, 18, 18)
        vertices.append(at)
        triangles.append(mesh.triangles + start)
        colours.append(colour)
        start += len(at)
    scene = Scene(np.concatenate(vertices), np.concatenate(triangles).astype(np.int64), np.concatenate(colours))
    turn = np.radians(18)
    around = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    face = vertices[0]
    centre = np.array([0.0, face[:, 1].min() + 0.08, 0.0])
    camera = Pinhole.around(centre, AXES @ around, 0.27, 2 * SIZE)
    image = draw(scene, camera).image
    for place in camera.screen(np.array(list(found.values())).reshape(-1, 3)):
        middle = (round(float(place[0])), round(float(place[1])))
        cv2.circle(image, middle, 6, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(image, middle, 4, (60, 140, 40), -1, cv2.LINE_AA)
    small: UInt8Array = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return small


if __name__ == "__main__":
    main()

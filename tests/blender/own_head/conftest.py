"""A static head as an artist has it: skin, eyes and teeth as objects, rotated, scaled, in a collection of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy
import numpy as np
import pytest
from mathutils import Matrix

import expnet
from expnet.expnet_addon.scene.coordinates import to_blender
from expnet.model.face.face_model import FaceModel

PARTS = {
    "Eye Left": ("eyeball_L",),
    "Eye Right": ("eyeball_R",),
    "Teeth Upper": ("teeth_upper", "gums_upper"),
    "Teeth Lower": ("teeth_lower", "gums_lower"),
}
# Local frames as artists leave them: y up in centimetres, turned, mirrored by a negative scale.
FRAMES = {
    "Head": Matrix.LocRotScale((0.3, 0.1, 1.5), Matrix.Rotation(np.pi / 2, 3, "X").to_quaternion(), (0.01,) * 3),
    "Eye Left": Matrix.LocRotScale((0, 1, 0), Matrix.Rotation(0.4, 3, "Z").to_quaternion(), (-2, 2, 2)),
    "Teeth Lower": Matrix.LocRotScale((5, 0, 0), None, (1, 3, 1)),
}
SHIFT = np.array([0.3, 0.1, 1.5])  # of the head in the world, metres


def split_head(model: FaceModel, seed: int = 4) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return for each object its vertices (V, 3) in the world, its faces, and its vertices' numbers in the model."""
    alpha = np.random.default_rng(seed).normal(0, 0.7, 99)
    at = to_blender(model.vertices(alpha)).astype(np.float64) + SHIFT
    owner = np.zeros(len(at), np.int64)
    for number, regions in enumerate(PARTS.values(), 1):
        for region in regions:
            owner[model.regions[region]] = number
    out = {}
    for number, name in enumerate(("Head", *PARTS)):
        faces = model.faces[(owner[model.faces] == number).all(1)]
        used = np.unique(faces)
        place = np.full(len(at), -1)
        place[used] = np.arange(len(used))
        out[name] = at[used], place[faces], used
    return out


@pytest.fixture
def artist_head(
    empty_scene: bpy.types.Scene, open_head: FaceModel
) -> Iterator[Callable[..., dict[str, bpy.types.Object]]]:
    """Return a function that adds the head's objects to the scene, by name; the skin is active and alone selected."""
    expnet.register()

    def add(parts: tuple[str, ...] = ("Head", *PARTS)) -> dict[str, bpy.types.Object]:
        collection = bpy.data.collections.new("Hero")
        empty_scene.collection.children.link(collection)
        objects = {}
        for name, (at, faces, _) in split_head(open_head).items():
            if name not in parts:
                continue
            frame = FRAMES.get(name, Matrix())
            local = np.c_[at, np.ones(len(at))] @ np.array(frame.inverted()).T
            if frame.determinant() < 0:
                faces = faces[:, ::-1]  # they face outward in the object's own frame
            mesh = bpy.data.meshes.new(name)
            mesh.from_pydata(local[:, :3].tolist(), [], faces.tolist())
            objects[name] = bpy.data.objects.new(name, mesh)
            objects[name].matrix_world = frame
            collection.objects.link(objects[name])
        bpy.context.view_layer.objects.active = objects[parts[0]]
        objects[parts[0]].select_set(True)
        bpy.context.view_layer.update()
        return objects

    yield add
    expnet.unregister()

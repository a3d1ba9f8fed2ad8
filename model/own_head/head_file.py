"""The file in which the meshes of an artist's head go to the worker. Needs numpy only, since Blender writes it.

counts     (M, 2) int64: vertices and triangles of each mesh; the arrays hold the meshes one after another
vertices   (sum V, 3) float64, in one frame and unit for all meshes
triangles  (sum T, 3) int32, counted from each mesh's own first vertex
colours    (sum V, 3) uint8 BGR
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray, UInt8Array
from ..files import atomic_path
from ..npz_arrays import NpzArrays
from ..reading import reading


@dataclass(frozen=True, eq=False)
class Mesh:
    """A mesh: ``vertices`` (V, 3), ``triangles`` (T, 3), ``colours`` (V, 3) BGR."""

    vertices: FloatArray
    triangles: IntArray
    colours: UInt8Array


def write_meshes(meshes: Sequence[Mesh], path: str | Path) -> None:
    """Write the meshes atomically. Raises InputError where that is not possible."""
    counts = np.array([(len(mesh.vertices), len(mesh.triangles)) for mesh in meshes], np.int64).reshape(-1, 2)
    with atomic_path(path) as part:
        np.savez(
            part,
            counts=counts,
            vertices=np.concatenate([np.asarray(mesh.vertices, np.float64) for mesh in meshes]),
            triangles=np.concatenate([np.asarray(mesh.triangles, np.int32) for mesh in meshes]),
            colours=np.concatenate([np.asarray(mesh.colours, np.uint8) for mesh in meshes]),
        )


def read_meshes(path: str | Path) -> list[Mesh]:
    """Read the meshes. Raises InputError for a file that is not whole."""
    with reading(path, "file of a head's meshes", "make it again"), NpzArrays(Path(path)) as arrays:
        counts, vertices = arrays.read("counts"), arrays.read("vertices")
        triangles, colours = arrays.read("triangles").astype(np.int64), arrays.read("colours")
        if counts.ndim != 2 or counts.shape[1] != 2 or (counts < 0).any() or not np.isfinite(vertices).all():
            raise ValueError("its numbers do not fit together")
        if vertices.shape != (counts[:, 0].sum(), 3) or triangles.shape != (counts[:, 1].sum(), 3):
            raise ValueError("its arrays do not have the sizes that it declares")
        if colours.shape != vertices.shape:
            raise ValueError("its colours do not fit its vertices")
        meshes, at = [], np.zeros(2, np.int64)
        for count in counts:
            end = at + count
            mesh = Mesh(vertices[at[0] : end[0]], triangles[at[1] : end[1]], colours[at[0] : end[0]])
            if len(mesh.triangles) and not (0 <= mesh.triangles.min() and mesh.triangles.max() < count[0]):
                raise ValueError("its triangles have corners that do not exist")
            meshes.append(mesh)
            at = end
    return meshes

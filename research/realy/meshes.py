"""Triangle meshes: reading of OBJ and PLY files, and the nearest point of a surface."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...model.errors import InputError
from ...model.face.meshes import nearest_in_triangles
from ...model.reading import reading

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SUFFIXES = (".obj", ".ply")
REMEDY = "export it again as an OBJ or PLY of triangles or quads"
MOST_VERTICES = 5_000_000
NEAR_TRIANGLES = 16  # by their centres, and those about the nearest vertex: candidates for a nearest point
ABOUT = 12  # triangles about a vertex that are candidates
AT_ONCE = 20_000  # points
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface: points (V, 3), triangles (T, 3) from 0. A set of key points has no triangles."""

    points: Floats
    triangles: Indices


def read_mesh(path: Path) -> Mesh:
    """Read an OBJ or PLY file; polygons become fans of triangles. Raises InputError."""
    readers = {".obj": _obj, ".ply": _ply}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: meshes are read from OBJ and PLY files")
    with reading(path, "mesh", REMEDY):
        mesh = readers[path.suffix.lower()](path.read_bytes())
        if not 0 < len(mesh.points) <= MOST_VERTICES:
            raise ValueError(f"it has {len(mesh.points)} vertices")
        if not np.isfinite(mesh.points).all():
            raise ValueError("a vertex is no number")
        if len(mesh.triangles) and not 0 <= mesh.triangles.min() <= mesh.triangles.max() < len(mesh.points):
            raise ValueError("a face has a corner that is no vertex")
        return mesh


def _obj(data: bytes) -> Mesh:
    lines = data.splitlines()
    points = np.array([line.split()[1:4] for line in lines if line.startswith((b"v ", b"v\t"))], np.float64)
    polygons = [re.sub(rb"/\S*", b"", line).split()[1:] for line in lines if line.startswith((b"f ", b"f\t"))]
    corners = np.array([int(c) for polygon in polygons for c in polygon], np.int64)
    if (corners < 1).any():
        raise ValueError("a face counts from the end of the file")
    return Mesh(points.reshape(-1, 3), _fans(corners - 1, np.array([len(p) for p in polygons], np.int64)))


def _fans(corners: Indices, sizes: Indices) -> Indices:
    """Return the triangles (T, 3) of polygons with ``sizes`` (P,) corners each, one after another in ``corners``."""
    starts = np.cumsum(sizes) - sizes
    fans: list[Indices] = []
    for size in np.unique(sizes):
        if size < 3:
            raise ValueError("a face has fewer than three corners")
        rows = corners[starts[sizes == size, None] + np.arange(size)]
        fans += [rows[:, [0, i, i + 1]] for i in range(1, size - 1)]
    return np.concatenate(fans) if fans else np.empty((0, 3), np.int64)


def _ply(data: bytes) -> Mesh:
    end = data.index(b"end_header")
    header = [line.split() for line in data[:end].decode("ascii").splitlines()]
    body = data[data.index(b"\n", end) + 1 :]
    form = next(words[1] for words in header if words[:1] == ["format"])
    counts: dict[str, int] = {}
    fields: dict[str, list[list[str]]] = {}
    for words in header:
        if words[:1] == ["element"]:
            counts[words[1]], fields[words[1]] = int(words[2]), []
        elif words[:1] == ["property"]:
            fields[list(counts)[-1]].append(words[1:])
    if list(counts)[:1] != ["vertex"] or not 0 <= counts["vertex"] <= MOST_VERTICES:
        raise ValueError("its first element is no list of vertices")
    names = [words[-1] for words in fields["vertex"]]
    xyz = [names.index(axis) for axis in "xyz"]
    faces = counts.get("face", 0)
    if not 0 <= faces <= 4 * MOST_VERTICES:
        raise ValueError(f"it has {faces} faces")
    if form == "ascii":
        lines = body.split(b"\n", counts["vertex"] + faces)
        points = np.array([line.split() for line in lines[: counts["vertex"]]], np.float64)[:, xyz]
        polygons = [line.split() for line in lines[counts["vertex"] : counts["vertex"] + faces]]
        sizes = np.array([int(p[0]) for p in polygons], np.int64)
        corners = np.array([int(c) for p, n in zip(polygons, sizes) for c in p[1 : n + 1]], np.int64)
        return Mesh(points, _fans(corners, sizes))
    order = {"binary_little_endian": "<", "binary_big_endian": ">"}[form]
    row = np.dtype([(name, order + _PLY_TYPES[words[0]]) for name, words in zip(names, fields["vertex"])])
    vertices = np.frombuffer(body, row, counts["vertex"])
    points = np.stack([vertices[axis].astype(np.float64) for axis in "xyz"], 1)
    if not faces:
        return Mesh(points, np.empty((0, 3), np.int64))
    if len(fields["face"]) != 1 or fields["face"][0][0] != "list":
        raise ValueError("its binary faces have more than their corners")
    _, size_type, corner_type, _ = fields["face"][0]
    first = counts["vertex"] * row.itemsize
    size = int(np.frombuffer(body, order + _PLY_TYPES[size_type], 1, first)[0])
    face = np.dtype([("size", order + _PLY_TYPES[size_type]), ("corners", order + _PLY_TYPES[corner_type], (size,))])
    table = np.frombuffer(body, face, faces, first)
    if (table["size"] != size).any():
        raise ValueError("its binary faces have different numbers of corners")
    return Mesh(points, _fans(table["corners"].astype(np.int64).ravel(), np.full(faces, size, np.int64)))


class Surface:
    """A mesh prepared for nearest points. Raises InputError for a mesh without triangles."""

    def __init__(self, mesh: Mesh, what: str) -> None:
        if not len(mesh.triangles):
            raise InputError(f"{what}: has no faces, so it has no surface: {REMEDY}")
        self._corners = mesh.points[mesh.triangles]
        self._centres = cKDTree(self._corners.mean(1))
        self._vertices = cKDTree(mesh.points)
        self._about = _triangles_about(mesh)

    def nearest(self, points: Floats) -> Floats:
        """Return the points of the surface (N, 3) that are nearest to ``points`` (N, 3).

        The candidates are the triangles with the nearest centres and those about the nearest vertex.
        """
        found = [self._nearest(points[i : i + AT_ONCE]) for i in range(0, len(points), AT_ONCE)]
        return np.concatenate(found) if found else points

    def _nearest(self, points: Floats) -> Floats:
        count = min(NEAR_TRIANGLES, len(self._corners))
        by_centre = self._centres.query(points, count)[1].reshape(len(points), count)
        candidates = np.concatenate([by_centre, self._about[self._vertices.query(points)[1]]], 1)
        rows, columns = candidates.shape
        corners = self._corners[candidates.ravel()]
        shares = nearest_in_triangles(np.repeat(points, columns, 0), corners)
        at = np.einsum("nk,nkc->nc", shares, corners).reshape(rows, columns, 3)
        best = ((at - points[:, None]) ** 2).sum(-1).argmin(1)
        chosen: Floats = at[np.arange(rows), best]
        return chosen


def _triangles_about(mesh: Mesh) -> Indices:
    """Return up to ABOUT triangles of each vertex (V, ABOUT); a vertex with fewer repeats one, or has triangle 0."""
    vertex = mesh.triangles.ravel()
    order = np.argsort(vertex, kind="stable")
    counts = np.bincount(vertex, minlength=len(mesh.points))
    starts = np.cumsum(counts) - counts
    place = np.minimum(np.arange(ABOUT), np.maximum(counts[:, None] - 1, 0))
    rows = np.minimum(starts[:, None] + place, len(order) - 1)
    about: Indices = order[rows] // 3
    return about

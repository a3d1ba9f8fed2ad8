"""A triangle mesh that answers which of its points is nearest. It may have holes, several pieces and any triangles."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial import cKDTree

from ..array_types import BoolArray, FloatArray, IntArray
from ..face.meshes import nearest_in_triangles, vertex_normals

CANDIDATES = 8
MAX_PARTS = 24  # an edge of a triangle is cut into at most this many parts
AT_ONCE = 60_000  # queries


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest points of a surface: (n, 3) points, unit normals, corners, shares; (n,) distance."""

    points: FloatArray
    normals: FloatArray
    corners: IntArray
    shares: FloatArray
    distance: FloatArray

    def replace(self, rows: IntArray, other: Nearest) -> None:
        """Replace ``rows`` (m,), in place, by the m points of ``other``."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def sampled(self, field: FloatArray) -> FloatArray:
        """Sample a field of the surface's vertices (V, c), (n, c)."""
        samples: FloatArray = np.einsum("nkc,nk->nc", field[self.corners], self.shares)
        return samples


class Surface:
    """``points`` (V, 3), ``faces`` (T, 3). Triangles longer than ``spacing`` are found by several points on each."""

    def __init__(self, points: FloatArray, faces: IntArray, spacing: float, normals: FloatArray | None = None) -> None:
        self.points, self.faces, self.spacing = points, faces, spacing
        self.normals = vertex_normals(points, faces) if normals is None else normals
        places, self._owner = _spread(points, faces, spacing)
        self._tree = cKDTree(places, balanced_tree=False, compact_nodes=False)

    def without(self, vertices: BoolArray, near: FloatArray, reach: float) -> Surface:
        """Return the part of the surface near points (n, 3) whose triangles have none of ``vertices`` (V,)."""
        low, high = near.min(axis=0) - reach, near.max(axis=0) + reach
        inside = ((self.points > low) & (self.points < high)).all(axis=1)
        kept = self.faces[~vertices[self.faces].any(axis=1) & inside[self.faces].any(axis=1)]
        return Surface(self.points, kept if len(kept) else self.faces, self.spacing, self.normals)

    def nearest(self, queries: FloatArray, normals: FloatArray | None = None) -> Nearest:
        """Find the nearest point for each query (n, 3); with ``normals`` (n, 3), preferably one that faces its way."""
        parts = [
            self._nearest(queries[at : at + AT_ONCE], None if normals is None else normals[at : at + AT_ONCE])
            for at in range(0, max(len(queries), 1), AT_ONCE)
        ]
        return Nearest(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Nearest)))

    def _nearest(self, queries: FloatArray, normals: FloatArray | None) -> Nearest:
        count = min(CANDIDATES, len(self._owner))
        _, near = self._tree.query(queries, k=count)
        candidates = self._owner[near.reshape(len(queries), count)]
        flat = candidates.ravel()
        corners = self.points[self.faces[flat]]
        shares = nearest_in_triangles(np.repeat(queries, count, axis=0), corners)
        places = np.einsum("nk,nkc->nc", shares, corners).reshape(len(queries), count, 3)
        squared = ((places - queries[:, None]) ** 2).sum(axis=2)
        cost = squared
        if normals is not None:
            facing = np.einsum("nk,nkc->nc", shares, self.normals[self.faces[flat]]).reshape(places.shape)
            turned = np.einsum("ikc,ic->ik", facing, normals) < 0
            cost = squared + np.where(turned, 1e6 + squared, 0)
        best = cost.argmin(axis=1)
        row = np.arange(len(queries))
        chosen, shares = candidates[row, best], shares.reshape(len(queries), count, 3)[row, best]
        vertices = self.faces[chosen]
        facing = np.einsum("nk,nkc->nc", shares, self.normals[vertices])
        facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
        return Nearest(places[row, best], facing, vertices, shares, np.sqrt(squared[row, best]))


def _spread(points: FloatArray, faces: IntArray, spacing: float) -> tuple[FloatArray, IntArray]:
    """Return points spread over the triangles, about ``spacing`` apart, and the triangle of each."""
    corners = points[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.clip(np.ceil(longest / spacing), 1, MAX_PARTS).astype(int)
    places, owners = [], []
    for count in np.unique(parts):
        these = np.flatnonzero(parts == count)
        i, j = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        up, down = i + j < count, i + j < count - 1
        u = np.concatenate([(i + 1 / 3)[up], (i + 2 / 3)[down]]) / count
        v = np.concatenate([(j + 1 / 3)[up], (j + 2 / 3)[down]]) / count
        weights = np.column_stack([1 - u - v, u, v])
        places.append(np.einsum("wk,tkc->twc", weights, corners[these]).reshape(-1, 3))
        owners.append(np.repeat(these, len(weights)))
    return np.concatenate(places), np.concatenate(owners)

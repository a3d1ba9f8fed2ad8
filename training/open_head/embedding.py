"""Points embedded in the source's triangles, which define every vertex of our topology.

An embedded point is a weighted mean of three source vertices, so every shape of the source carries over linearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import FloatArray, IntArray
from ...model.face.meshes import nearest_in_triangles


@dataclass(frozen=True)
class Embedding:
    """Embedded points: ``corners`` (n, 3) source vertices and ``weights`` (n, 3) that sum to one."""

    corners: IntArray
    weights: FloatArray

    def __call__(self, field: FloatArray) -> FloatArray:
        """Values (..., N, 3) at the source's vertices to (..., n, 3) at the embedded points."""
        values: FloatArray = np.einsum("...ijk,ij->...ik", field[..., self.corners, :], self.weights)
        return values

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, which: IntArray | slice) -> Embedding:
        return Embedding(self.corners[which], self.weights[which])


def join(*parts: Embedding) -> Embedding:
    return Embedding(np.concatenate([p.corners for p in parts]), np.concatenate([p.weights for p in parts]))


def on_segments(start: IntArray, end: IntArray, t: FloatArray) -> Embedding:
    """Points ``t`` of the way from vertex ``start`` to ``end`` (arrays of length n)."""
    return Embedding(np.stack([start, end, start], 1), np.stack([1 - t, t, np.zeros(len(t))], 1))


def nearest_on_triangles(points: FloatArray, vertices: FloatArray, triangles: IntArray) -> Embedding:
    """Return the nearest point of a triangle mesh for each of ``points`` (n, 3)."""
    tree = cKDTree(vertices[triangles].mean(axis=1))
    candidates = tree.query(points, k=min(40, len(triangles)))[1].reshape(len(points), -1)
    best = np.full(len(points), np.inf)
    chosen = np.zeros((len(points), 3), int)
    weights = np.zeros((len(points), 3))
    for column in candidates.T:
        corners = triangles[column]
        w = nearest_in_triangles(points, vertices[corners])
        d = ((np.einsum("ij,ijk->ik", w, vertices[corners]) - points) ** 2).sum(axis=1)
        closer = d < best
        best[closer], chosen[closer], weights[closer] = d[closer], corners[closer], w[closer]
    return Embedding(chosen, weights)


def nearest_on_polyline(points: FloatArray, line: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the nearest point of the open polyline ``line`` (m, k) for each of ``points`` (n, k).

    The result is its position, counted in segments from the start, and its distance.
    """
    a, ab = line[:-1], np.diff(line, axis=0)
    t = ((points[:, None] - a) * ab).sum(-1) / np.maximum((ab * ab).sum(-1), 1e-18)
    t = t.clip(0, 1)
    d = np.linalg.norm(points[:, None] - (a + t[..., None] * ab), axis=-1)
    i = d.argmin(axis=1)
    row = np.arange(len(points))
    return i + t[row, i], d[row, i]

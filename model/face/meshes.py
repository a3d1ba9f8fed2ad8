"""Geometry of polygon meshes: edges, unit vectors, vertex normals, and the nearest point of a triangle."""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray, IntArray


def half_edges(triangles: IntArray) -> IntArray:
    """Return the directed edges (3 T, 2) of triangles (T, 3): all first ones, then all second ones, then all third."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def vertex_normals(points: FloatArray, faces: IntArray) -> FloatArray:
    """Compute area-weighted unit normals (V, 3) of a mesh; zero where a vertex has no face. As ``area_normals``."""
    return unit_vectors(area_normals(points, faces))


def area_normals(points: FloatArray, faces: IntArray) -> FloatArray:
    """Compute the sum (V, 3) of the normals of each vertex's faces, each twice as long as the face's area.

    points (V, 3); faces (F, 3) or (F, 4), whose triangles repeat their first corner as the fourth. Corners run
    counter-clockwise seen from outside.
    """
    # Half the cross product of the diagonals is the area of a quad, and of a triangle with its first corner repeated.
    a, b, c, d = (points[faces[:, corner]] for corner in (0, 1, 2, 3 if faces.shape[1] == 4 else 0))
    area = np.cross(c - a, d - b)
    normals = np.zeros_like(points)
    for i, corner in enumerate(faces.T):
        share = area if i < 3 else area * (corner != faces[:, 0])[:, None]  # a repeated corner counts once
        for axis in range(3):
            normals[:, axis] += np.bincount(corner, share[:, axis], len(points))
    return normals


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Return ``vectors`` (..., 3) scaled to length 1; zero vectors stay zero."""
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit


def nearest_in_triangles(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Compute barycentric coordinates (n, 3) of the point of each triangle (n, 3, 3) that is nearest to a point (n, 3).

    A triangle without an area counts as its edges.
    """
    a, b, c = np.moveaxis(corners, 1, 0)
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab**2).sum(1), (ab * ac).sum(1), (ac**2).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    area = d00 * d11 - d01**2
    safe = np.maximum(area, 1e-20)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    shares: FloatArray = np.stack([1 - v - w, v, w], axis=1)
    outside = (shares.min(axis=1) < 0) | (area <= 1e-20)
    # A point whose projection lies outside the triangle is nearest to one of the three edges.
    shares[outside] = _nearest_on_edges(points[outside], corners[outside])
    return shares


def _nearest_on_edges(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Compute barycentric coordinates (n, 3) of the nearest point on the edges of each triangle."""
    best, nearest = np.full(len(points), np.inf), np.zeros((len(points), 3))
    for start, end in ((0, 1), (1, 2), (2, 0)):
        first, edge = corners[:, start], corners[:, end] - corners[:, start]
        t = np.clip(((points - first) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-20), 0, 1)
        squared = ((first + t[:, None] * edge - points) ** 2).sum(1)
        closer = squared < best
        best[closer] = squared[closer]
        nearest[closer] = 0
        nearest[closer, start], nearest[closer, end] = 1 - t[closer], t[closer]
    return nearest

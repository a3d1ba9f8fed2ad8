"""The 192 dense points: fixed vertices of the face's skin, close together where expressions show.

First those of the subject's left half, then their counterparts on the right in the same order, so that a mirror is a
fixed permutation that needs no face model. The middle of the face is what the 68 landmarks cover.
"""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray, IntArray
from .face_model import FaceModel
from .meshes import vertex_normals

PER_SIDE = {"lips": 28, "lid_upper_L": 12, "lid_lower_L": 12, "brow_L": 12, "skin": 32}
SIDE = sum(PER_SIDE.values())
DENSE = 2 * SIDE
DENSE_MIRROR = np.r_[SIDE:DENSE, :SIDE]


def dense_points(model: FaceModel, normals: FloatArray | None = None) -> IntArray:
    """Return their vertex indices, (192,) int32, by farthest-point sampling within each region of the mean head.

    ``normals`` (V, 3) of the mean head are computed if they are not given.
    """
    if normals is None:
        normals = vertex_normals(model.neutral, np.where(model.faces < 0, model.faces[:, :1], model.faces))
    mean, landmarks = model.neutral, model.neutral[model.landmarks]
    x, y, z = mean.T
    left = (x > 0.5) & (normals[:, 2] > 0)  # points visible to a camera in front
    face = (y > landmarks[8, 1] - 4) & (y < landmarks[17:27, 1].max() + 47) & (z > landmarks[0, 2] + 8)
    chosen: list[int] = []
    for region, count in PER_SIDE.items():
        inside = np.intersect1d(model.regions[region], np.flatnonzero(left & face))
        chosen += _farthest(mean, inside, count, chosen if region == "skin" else [])
    mirrored = [int(np.argmin(((mean - mean[i] * [-1, 1, 1]) ** 2).sum(1))) for i in chosen]
    return np.array(chosen + mirrored, np.int32)


def _farthest(mean: FloatArray, candidates: IntArray, count: int, taken: list[int]) -> list[int]:
    """Return ``count`` of the candidates by farthest-point sampling, starting from those ``taken``."""
    points = mean[candidates].astype(np.float64)
    nearest = np.full(len(points), np.inf)
    for i in taken or [int(candidates[np.argmax(points[:, 0])])]:
        nearest = np.minimum(nearest, np.linalg.norm(points - mean[i], axis=1))
    out: list[int] = []
    for _ in range(count):
        best = int(np.argmax(nearest))
        out.append(int(candidates[best]))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[best], axis=1))
    return out

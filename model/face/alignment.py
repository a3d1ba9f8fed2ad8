"""Alignment of one set of points with another."""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray


def similarity(
    source: FloatArray, target: FloatArray, weights: FloatArray | None = None, scaled: bool = True
) -> tuple[float, FloatArray, FloatArray]:
    """Return scale, rotation (3, 3), translation (3,) of the least-squares similarity (Umeyama 1991).

    target ~ scale rotation source + translation, weighted if ``weights`` are given. Never a reflection.

    source, target  (N, 3), not on a line;  weights (N,);  without ``scaled`` the scale is 1
    """
    share = np.ones(len(source)) if weights is None else np.asarray(weights, float)
    share = (share / share.sum())[:, None]
    a, b = (share * source).sum(axis=0), (share * target).sum(axis=0)
    x, y = source - a, target - b
    u, spread, vt = np.linalg.svd((share * y).T @ x)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u * sign @ vt
    scale = float((spread * sign).sum() / (share * x**2).sum()) if scaled else 1.0
    return scale, rotation, b - scale * rotation @ a

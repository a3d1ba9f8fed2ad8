"""The light of a picture as spherical harmonics, from how bright the skin is, and its removal."""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray

RIDGE = 0.02  # of the light's terms beyond the mean, relative to the number of texels
DARKEST, BRIGHTEST = 0.45, 1.7  # of the mean light: what is removed at most
REMOVED = 0.85  # of the estimated light, in powers: some shading is the skin's own
ROUNDS = 3


def harmonics(normals: FloatArray) -> FloatArray:
    """Return the nine terms (N, 9) of second order for unit normals (N, 3) in the camera's frame."""
    x, y, z = normals.T
    terms = [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    stacked: FloatArray = np.stack(terms, 1).astype(np.float32)
    return stacked


def light_of(colours: FloatArray, albedo: FloatArray, normals: FloatArray, weights: FloatArray) -> FloatArray:
    """Estimate the light (9, 3) under which ``albedo`` (N, 3) has these linear ``colours`` (N, 3).

    What fits badly (hair, beard, a shadow) counts less after each round.
    """
    terms = harmonics(normals)
    light = np.zeros((9, 3), np.float32)
    for channel in range(3):
        rows = terms * albedo[:, channel : channel + 1]
        counts = weights.astype(np.float64)
        for _ in range(ROUNDS):
            normal = (rows * counts[:, None]).T @ rows
            damping = RIDGE * np.trace(normal) / 9 * np.diag([0.0] + [1.0] * 8)
            light[:, channel] = np.linalg.solve(normal + damping, (rows * counts[:, None]).T @ colours[:, channel])
            off = np.abs(colours[:, channel] - rows @ light[:, channel])
            counts = weights / (1 + (off / (1.5 * np.median(off) + 1e-4)) ** 2)
    return light


def shading(light: FloatArray, normals: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the light (N, 3) on surfaces with these normals, relative to the weighted mean, within bounds."""
    level = harmonics(normals) @ light
    mean = (level * weights[:, None]).sum(0) / max(float(weights.sum()), 1e-6)
    relative: FloatArray = np.clip(level / np.maximum(mean, 1e-4), DARKEST, BRIGHTEST) ** REMOVED
    return relative

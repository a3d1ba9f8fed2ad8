"""Lips that touch at rest, on every head.

The source's neutral leaves them some 0.7 mm apart, and its identity modes part or cross them by 0.9 mm (standard
deviation between heads). People's resting lips touch: 102 hand-set faces have 0.1 mm between them, spread 0.15 mm but
for three people.
"""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray, IntArray

TOUCH_ROWS = 1  # rings on each side of the line of contact that move all the way
FADE = (0.7, 0.3)  # how much the next rings move
# Lips are soft: resting ones are pressed into each other. Rigid ones that only touch show single pixels of the teeth.
OVERLAP_MM, TAPER_MM = 0.15, 6.0  # at the middle; to the corner it falls to 0


def resting_correction(mean: FloatArray, rings: IntArray, contact: int) -> FloatArray:
    """Compute offsets of the mean (V, 3), left half only, that close the lips and press them together.

    ``rings`` (rows, K) run from below the middle to above it from the outside in; ``contact`` is the row where the lips
    should touch.
    """
    points = mean[rings]
    corner = int(points[contact, :, 0].argmax())
    x = points[contact - TOUCH_ROWS : contact + TOUCH_ROWS + 1, :, 0]
    y = points[contact - TOUCH_ROWS : contact + TOUCH_ROWS + 1, :, 1]
    grid = np.linspace(0, points[contact, corner, 0], 60)
    highest = np.max([np.interp(grid, a[: corner + 1], b[: corner + 1]) for a, b in zip(x, y)], axis=0)
    lowest = np.min([np.interp(grid, a[corner:][::-1], b[corner:][::-1]) for a, b in zip(x, y)], axis=0)
    overlap = OVERLAP_MM * ((grid[-1] - grid) / TAPER_MM).clip(0, 1)
    half_gap = (lowest - highest + overlap).clip(0, None) / 2
    out = np.zeros_like(mean)
    out[rings, 1] = _weights(rings, contact, corner) * np.interp(points[..., 0], grid, half_gap)
    return out


def hold_contact(fields: FloatArray, mean: FloatArray, rings: IntArray, contact: int) -> None:
    """Move both lips of ``fields`` (K, V, 3) up and down together at their contact, in place.

    ``rings`` and ``contact`` are those of ``resting_correction``, of either half of the ``mean``.
    """
    points = mean[rings]
    away = np.abs(points[..., 0])
    corner = int(away[contact].argmax())
    lower, upper = slice(0, corner + 1), slice(corner, None)
    of_lower, of_upper = (_interpolation(away, away[contact, part]) for part in (lower, upper))
    height = fields[:, rings[contact], 1]
    half_gap = (height[:, upper] @ of_upper - height[:, lower] @ of_lower) / 2
    fields[:, rings, 1] += _weights(rings, contact, corner) * half_gap.reshape(len(fields), *rings.shape)


def _weights(rings: IntArray, contact: int, corner: int) -> FloatArray:
    """Return by how much of half the gap each vertex (rows, K) of the rings moves up to close it."""
    rows = np.zeros(len(rings))
    rows[contact - TOUCH_ROWS : contact + TOUCH_ROWS + 1] = 1
    for k, weight in enumerate(FADE):
        rows[[contact - TOUCH_ROWS - 1 - k, contact + TOUCH_ROWS + 1 + k]] = weight
    side = np.where(np.arange(rings.shape[1]) < corner, 1.0, -1.0)
    side[corner] = 0
    weights: FloatArray = rows[:, None] * side
    return weights


def _interpolation(at: FloatArray, known: FloatArray) -> FloatArray:
    """Return the matrix (N, M) of linear interpolation from ``known`` (N,) places on a line to M places ``at``.

    Beyond the ends the nearer end counts.
    """
    order = np.argsort(known)
    of_sorted = np.stack([np.interp(at.ravel(), known[order], unit) for unit in np.eye(len(known))])
    matrix: FloatArray = of_sorted[np.argsort(order)]
    return matrix

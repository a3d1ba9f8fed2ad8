"""Lips that touch at rest: the source's neutral leaves them some 0.7 mm apart, which shows teeth where none should."""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray, IntArray

TOUCH_ROWS = 1  # rings on each side of the line of contact that move all the way
FADE = (0.7, 0.3)  # how much the next rings move


def resting_correction(mean: FloatArray, rings: IntArray, contact: int) -> FloatArray:
    """Compute offsets of the mean (V, 3), left half only, that close the lips.

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
    half_gap = (lowest - highest).clip(0, None) / 2
    weights = np.zeros(len(rings))
    weights[contact - TOUCH_ROWS : contact + TOUCH_ROWS + 1] = 1
    for k, weight in enumerate(FADE):
        weights[[contact - TOUCH_ROWS - 1 - k, contact + TOUCH_ROWS + 1 + k]] = weight
    side = np.where(np.arange(rings.shape[1]) < corner, 1.0, -1.0)
    side[corner] = 0
    out = np.zeros_like(mean)
    out[rings, 1] = weights[:, None] * side * np.interp(points[..., 0], grid, half_gap)
    return out

"""Fewer keys for a curve, with an error that is never larger than asked for. numpy only."""

from __future__ import annotations

import numpy as np


def kept_keys(frames: np.ndarray, values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Which of the keys of C curves to keep, (C, N) bool, so that straight lines between them stay within each curve's
    bound of the straight lines between all.

    frames (N,) increasing; values (C, N), bounds (C,). Ramer's and Douglas and Peucker's way, measured along the value
    axis, for all stretches of all curves at once: each is divided where it errs most until none errs too much.
    """
    curves, count = values.shape
    if count <= 2:
        return np.ones((curves, count), bool)
    kept = np.zeros((curves, count), bool)
    kept[:, [0, -1]] = True
    flat, x = values.ravel(), np.tile(frames, curves)
    limit = np.repeat(bounds, count)
    chosen = kept.ravel()  # the same memory
    while True:
        starts = np.flatnonzero(chosen)
        stretch = np.cumsum(chosen) - 1  # of each key, the number of the kept one at or before it
        a = starts[stretch]
        b = starts[np.minimum(stretch + 1, len(starts) - 1)]
        last = np.arange(1, curves + 1) * count - 1
        b[last] = last  # a curve's last key begins no stretch
        span = x[b] - x[a]
        share = np.divide(x - x[a], span, out=np.zeros_like(span), where=span > 0)
        error = np.abs(flat - (flat[a] + share * (flat[b] - flat[a]))) - limit
        error[chosen] = -1.0
        worst = np.maximum.reduceat(error, starts)
        if not (worst > 0).any():
            return kept
        candidates = np.flatnonzero((error == worst[stretch]) & (error > 0))
        _, first = np.unique(stretch[candidates], return_index=True)
        chosen[candidates[first]] = True

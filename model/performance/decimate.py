"""Keyframe decimation within an error bound. numpy only."""

from __future__ import annotations

import numpy as np

from ..array_types import BoolArray, FloatArray


def kept_keys(frames: FloatArray, values: FloatArray, bounds: FloatArray) -> BoolArray:
    """Choose the keys of C curves to keep, (C, N) bool, for linear interpolation within each curve's error bound.

    frames (N,) increasing; values (C, N), bounds (C,). Ramer-Douglas-Peucker, with the error measured along the value
    axis. All segments of all curves are processed at once. A segment is split at its largest error until no error
    exceeds the bound.
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
        stretch = np.cumsum(chosen) - 1  # for each key, the index of the kept key at or before it
        a = starts[stretch]
        b = starts[np.minimum(stretch + 1, len(starts) - 1)]
        last = np.arange(1, curves + 1) * count - 1
        b[last] = last  # a curve's last key starts no segment
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

"""Keyframe decimation within an error bound. numpy only."""

from __future__ import annotations

import numpy as np

from ..array_types import BoolArray, FloatArray

OUTER = 1 / 3  # frames; length of handles that shape nothing


def kept_keys(frames: FloatArray, values: FloatArray, bounds: FloatArray, smooth: bool = False) -> BoolArray:
    """Choose the keys of C curves to keep, (C, N) bool, for interpolation within each curve's error bound.

    frames (N,) increasing; values (C, N), bounds (C,). Ramer-Douglas-Peucker, with the error measured along the value
    axis. All segments of all curves are processed at once. A segment is split at its largest error until no error
    exceeds the bound. Interpolation is linear, or with ``smooth`` by the curves of ``bezier_handles``.
    """
    curves, count = values.shape
    if count <= 2:
        return np.ones((curves, count), bool)
    kept = np.zeros((curves, count), bool)
    kept[:, [0, -1]] = True
    flat, x = values.ravel(), np.tile(frames, curves)
    slopes = np.gradient(values, frames, axis=1).ravel() if smooth else None
    limit = np.repeat(bounds, count)
    chosen = kept.ravel()  # the same memory
    left = np.flatnonzero(~chosen)  # the keys of segments that may still exceed their bound
    while len(left):
        starts = np.flatnonzero(chosen)
        stretch = (np.cumsum(chosen) - 1)[left]  # for each key, the index of the kept key before it
        a, b = starts[stretch], starts[stretch + 1]
        span = x[b] - x[a]
        share = (x[left] - x[a]) / span
        if slopes is None:
            between = flat[a] + share * (flat[b] - flat[a])
        else:
            between = _bezier(flat[a], slopes[a], flat[b], slopes[b], span, share)
        error = np.abs(flat[left] - between) - limit[left]
        first = np.flatnonzero(np.diff(stretch, prepend=-1))  # of each segment
        keys = np.diff(first, append=len(left))
        worst = np.repeat(np.maximum.reduceat(error, first), keys)
        candidates = np.flatnonzero((error == worst) & (error > 0))
        _, one = np.unique(stretch[candidates], return_index=True)
        chosen[left[candidates[one]]] = True
        left = left[(worst > 0) & ~chosen[left]]
    return kept


def bezier_handles(frames: FloatArray, values: FloatArray, kept: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the left and right handles (N, 2) of one curve's ``kept`` keys (N,), as frame and value.

    A handle lies a third of the way to the next key, in the direction of the full curve, ``values`` (N,). It never
    leaves the range of the two keys, so the curve does not overshoot. Between neighbouring frames the curve is
    straight, as the full one is. Before the first kept key and after the last, handles are level.
    """
    left = np.stack([frames, values], axis=1).astype(np.float64)
    right = left.copy()
    left[:, 0] -= OUTER
    right[:, 0] += OUTER
    at = np.flatnonzero(kept)
    if len(at) < 2:
        return left, right
    slopes = np.gradient(values.astype(np.float64), frames.astype(np.float64))
    a, b = at[:-1], at[1:]
    span = (frames[b] - frames[a]).astype(np.float64)
    right[a, 0] = frames[a] + span / 3
    left[b, 0] = frames[b] - span / 3
    right[a, 1], left[b, 1] = _inner_points(
        values[a].astype(np.float64), slopes[a], values[b].astype(np.float64), slopes[b], span, b - a == 1
    )
    return left, right


def _inner_points(
    first: FloatArray,
    first_slope: FloatArray,
    last: FloatArray,
    last_slope: FloatArray,
    span: FloatArray,
    straight: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the values of the two inner control points of segments, within the range of their ends."""
    low, high, third = np.minimum(first, last), np.maximum(first, last), (last - first) / 3
    after, before = first + first_slope * span / 3, last - last_slope * span / 3
    return (
        np.where(straight, first + third, np.clip(after, low, high)),
        np.where(straight, last - third, np.clip(before, low, high)),
    )


def _bezier(
    first: FloatArray,
    first_slope: FloatArray,
    last: FloatArray,
    last_slope: FloatArray,
    span: FloatArray,
    share: FloatArray,
) -> FloatArray:
    """Return the values of segments at ``share`` of their span; their frames are linear in the curve's parameter."""
    after, before = _inner_points(first, first_slope, last, last_slope, span, np.zeros(len(span), bool))
    rest = 1 - share
    value: FloatArray = rest**3 * first + 3 * rest * share * (rest * after + share * before) + share**3 * last
    return value

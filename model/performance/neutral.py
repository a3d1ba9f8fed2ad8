"""Calibration to the actor's resting face: its estimation from a performance, and its removal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..face.semantics import OPEN_BASIS, open_bounds
from .face_performance import FacePerformance, runs
from .smoothing import region_of, smoothing_weights

QUIET_SECONDS = 0.2  # minimum duration of a still face


def quietest_neutral(performance: FacePerformance) -> FloatArray:
    """Estimate the actor's resting face, (Ke,), from the quietest frames.

    It is the median over a tenth of the frames with a face, at least 5. Those frames have the least motion, the
    smallest distance from the rest position, the smallest head rotation and the highest confidence.

    In the open basis the rest position is zero, because zero is a face at rest. In another basis zero may not be a
    resting face (ExpNet's rests at -0.8 and -0.65 sigma in two components). There it is the mode of each key. Raises
    InputError if no face was detected.
    """
    p = performance
    if not p.seen.any():
        raise InputError("no face was seen in this performance: there is no neutral to calibrate with")
    eta = p.eta[p.seen]
    usual = np.zeros(eta.shape[1]) if p.basis == OPEN_BASIS else np.array([_mode(column) for column in eta.T])
    # The units are changes above the noise: the changes that smoothing keeps, and 0.2 of confidence. A face turned by
    # 15 degrees is estimated as well as a frontal one, but not a face turned by 40.
    unit = np.array([smoothing_weights(key).change for key in p.expression_keys])
    unrest = np.sqrt((((eta - usual) / unit) ** 2).mean(axis=1)) + _motion(p, unit)[p.seen]
    unrest += (np.degrees(np.arccos(np.clip(p.rotation[p.seen, 2, 2], -1, 1))) / 30) ** 2
    unrest += (1 - p.confidence[p.seen] / p.confidence.max()) / 0.2
    count = min(len(eta), max(5, len(eta) // 10))
    neutral: FloatArray = np.median(eta[np.argsort(unrest, kind="stable")[:count]], axis=0)
    return neutral


def calibrated(
    performance: FacePerformance, neutral_eta: FloatArray, bounds: FloatArray, rest: FloatArray | None = None
) -> FacePerformance:
    """Calibrate the performance to the actor's neutral: ``neutral_eta`` becomes ``rest``. The result has ``neutral``.

    neutral_eta (Ke,); bounds (Ke, 2), e.g. ``semantics.open_bounds()``; rest (Ke,) the head's own resting face
    (``FaceModel.rest``), zero where none is given.

    The bounds of a named key have a meaning (closed is closed). Such a key is scaled on both sides of the neutral, so
    that its bounds stay fixed. Components in units of sigma have no such bounds, and geometry is linear in them. They
    are only offset.
    """
    given = np.asarray(neutral_eta, np.float64)
    low, high = np.asarray(bounds, np.float64).T
    # A key that rests near a bound has little range to scale. The limit is half the range.
    neutral = np.clip(given, low / 2, high / 2)
    away = performance.eta - neutral
    reach = np.where(away > 0, high / np.maximum(high - neutral, 1e-6), 1.0)
    below = low < 0
    reach = np.where(below & (away < 0), low / np.minimum(low - neutral, -1e-6), reach)
    sigmas = np.array([region_of(key) == "expression" for key in performance.expression_keys])
    eta = np.where(sigmas, performance.eta - given, away * reach)
    return replace(performance, eta=eta if rest is None else eta + rest, neutral=given)


def usual_bounds(performance: FacePerformance) -> FloatArray:
    """Return default bounds (Ke, 2) where there is no head: the open basis's own, or -3..3 sigma."""
    if performance.basis == OPEN_BASIS:
        return open_bounds()
    return np.tile([-3.0, 3.0], (performance.eta.shape[1], 1))


def _motion(p: FacePerformance, unit: FloatArray) -> FloatArray:
    """Return the change of expression in 0.1 s, in units, around each frame, (F,); NaN without a face.

    A frame without neighbours gets the largest value.
    """
    out = np.full(len(p.times), np.nan)
    for first, last in runs(p.seen):
        times = p.times[first : last + 1]
        steps = np.sqrt(((np.diff(p.eta[first : last + 1], axis=0) / unit) ** 2).mean(axis=1))
        way = np.concatenate([[0.0], np.cumsum(steps)])
        before = np.interp(times - QUIET_SECONDS / 2, times, way)
        after = np.interp(times + QUIET_SECONDS / 2, times, way)
        inside = np.minimum(times + QUIET_SECONDS / 2, times[-1]) - np.maximum(times - QUIET_SECONDS / 2, times[0])
        if last > first:
            out[first : last + 1] = 0.1 * (after - before) / inside
    alone = p.seen & np.isnan(out)
    out[alone] = np.nanmax(out) if np.isfinite(out).any() else 0.0
    return out


def _mode(values: FloatArray) -> float:
    """Return the half-sample mode of the values (Robertson and Cryer 1974)."""
    values = np.sort(values)
    while len(values) > 2:
        half = (len(values) + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[start : start + half]
    return float(values.mean())

"""The actor's own resting face: found in a performance, and taken out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..face.semantics import OPEN_BASIS, open_bounds
from .face_performance import FacePerformance, runs
from .smoothing import calm_of, region_of

QUIET_SECONDS = 0.2  # over how long a face has to be still


def quietest_neutral(performance: FacePerformance) -> np.ndarray:
    """The actor's resting face, (Ke,): the median over the tenth of the seen frames (5 at least) in which the face
    moves the least, is nearest to its resting place, looks into the camera and is most surely a face.

    The resting place is zero in the open basis, whose zero is a face at rest; in another, whose zero may be no face at
    all (ExpNet's rests at -0.8 and -0.65 sigma in two components), it is what each key most often is. Raises InputError
    when no face was seen.
    """
    p = performance
    if not p.seen.any():
        raise InputError("no face was seen in this performance: there is no neutral to calibrate with")
    eta = p.eta[p.seen]
    usual = np.zeros(eta.shape[1]) if p.basis == OPEN_BASIS else np.array([_mode(column) for column in eta.T])
    # In units of what is no noise: the changes that smoothing keeps, a fifth of the confidence. Turned by 15 degrees a
    # face is read as well as from the front, by 40 it is not.
    unit = np.array([calm_of(key).change for key in p.expression_keys])
    unrest = np.sqrt((((eta - usual) / unit) ** 2).mean(axis=1)) + _motion(p, unit)[p.seen]
    unrest += (np.degrees(np.arccos(np.clip(p.rotation[p.seen, 2, 2], -1, 1))) / 30) ** 2
    unrest += (1 - p.confidence[p.seen] / p.confidence.max()) / 0.2
    count = min(len(eta), max(5, len(eta) // 10))
    return np.median(eta[np.argsort(unrest, kind="stable")[:count]], axis=0)


def calibrated(
    performance: FacePerformance, neutral_eta: np.ndarray, bounds: np.ndarray, rest: np.ndarray | None = None
) -> FacePerformance:
    """The performance as seen from the actor's own neutral: ``neutral_eta`` becomes ``rest``. It keeps ``neutral``.

    neutral_eta (Ke,); bounds (Ke, 2), e.g. ``semantics.open_bounds()``; rest (Ke,) the head's own resting face
    (``FaceModel.rest``), zero where none is given.

    A key with a name of its own has ends that mean something (closed is closed): what lies between is stretched, so
    that the bounds stay where they are. Components in units of sigma are only moved: geometry is linear in them, and an
    actor's resting face is a place from where all others are equally far.
    """
    given = np.asarray(neutral_eta, np.float64)
    low, high = np.asarray(bounds, np.float64).T
    # A key that rests near its end has nothing left to stretch: half the range is the limit.
    neutral = np.clip(given, low / 2, high / 2)
    away = performance.eta - neutral
    reach = np.where(away > 0, high / np.maximum(high - neutral, 1e-6), 1.0)
    below = low < 0
    reach = np.where(below & (away < 0), low / np.minimum(low - neutral, -1e-6), reach)
    sigmas = np.array([region_of(key) == "expression" for key in performance.expression_keys])
    eta = np.where(sigmas, performance.eta - given, away * reach)
    return replace(performance, eta=eta if rest is None else eta + rest, neutral=given)


def usual_bounds(performance: FacePerformance) -> np.ndarray:
    """(Ke, 2): the open basis's own, or three sigmas either way, for where there is no head that says."""
    if performance.basis == OPEN_BASIS:
        return open_bounds()
    return np.tile([-3.0, 3.0], (performance.eta.shape[1], 1))


def _motion(p: FacePerformance, unit: np.ndarray) -> np.ndarray:
    """(F,) how far the expression travels in 0.1 s, in units, over the time around each frame; NaN without a face.
    A frame without neighbours says nothing: it moves as much as the most restless one."""
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


def _mode(values: np.ndarray) -> float:
    """Where values are densest: the half-sample mode (Robertson and Cryer 1974)."""
    values = np.sort(values)
    while len(values) > 2:
        half = (len(values) + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[start : start + half]
    return float(values.mean())

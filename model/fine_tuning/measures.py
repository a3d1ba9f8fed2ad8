"""Whether fine-tuned weights are better on frames that they were not trained on.

The labels come from the network itself, so agreement with them alone says little. Measures that need no label stand
beside it: the mirror image and moved views of a frame must read alike, and the head must follow the points that the
network locates, which fine-tuning does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray, IntArray

BETTER = 0.99  # of the agreement before: less gain is no reason for other weights
LESS_MOTION = 0.05
RUN = 5  # frames whose errors are alike: they count as one when the noise of a difference is estimated

# What gets worse, in the words of the report.
NAMES = {
    "agreement": "no nearer to the whole clip's curves",
    "mirror": "the mirror image reads less alike",
    "shift": "moved views read less alike",
    "points": "the head follows the located points less",
    "jitter": "more jitter",
    "motion": "less motion",
}


@dataclass(frozen=True)
class Measures:
    """On held-out frames; all but ``motion`` are better where they are lower. Units of the keys where none is named.

    agreement    root mean square distance of the plain view's eta from the label, which the whole clip gives
    consistency  root mean square distance of the views' eta from their mean
    jitter       root mean square second difference from frame to frame
    motion       the slope of eta on the label: 1 keeps all of the motion
    mirror       root mean square difference between a frame and its mirror image, in deviations of eta over the frames
    shift        the same between a frame and its moved views
    points       root mean square distance of the head's points from those located, in sides of the crop
    """

    agreement: float
    consistency: float
    jitter: float
    motion: float
    mirror: float = 0.0
    shift: float = 0.0
    points: float = 0.0


@dataclass(frozen=True, eq=False)
class Judged:
    """The measures, and the squared errors (F,) of each frame behind them, by the names of ``Measures``; NaN: none."""

    measures: Measures
    squared: Mapping[str, FloatArray]


def judge(eta: FloatArray, label: FloatArray, block: IntArray, points: FloatArray) -> Judged:
    """Measure eta (F, VIEWS, Ke) of F frames. ``block`` (F,) numbers the runs of frames.

    ``points`` (F,) are the squared distances of ``reprojection.squared_distances``. The mirror image and moved views
    are compared in deviations of eta, so that reading less motion is no gain.
    """
    plain = eta[:, 0]
    spread = max(float(plain.var(0).mean()), 1e-12)
    second = np.full(len(plain), np.nan)
    within = block[2:] == block[:-2]
    second[1:-1][within] = np.square(plain[2:] - 2 * plain[1:-1] + plain[:-2]).mean(1)[within]
    squared = {
        "agreement": np.square(plain - label).mean(1),
        "mirror": np.square(eta[:, 1] - plain).mean(1) / spread,
        "shift": np.square(eta[:, 2:] - plain[:, None]).mean((1, 2)) / spread,
        "points": points,
        "jitter": second,
    }
    moves, given = plain - plain.mean(0), label - label.mean(0)
    measures = Measures(
        **{name: _root_mean(values) for name, values in squared.items()},
        consistency=_root_mean(np.square(eta - eta.mean(1, keepdims=True))),
        motion=float((moves * given).sum() / max((given * given).sum(), 1e-12)),
    )
    return Judged(measures, squared)


def worse_in(after: Judged, before: Judged, block: IntArray) -> tuple[str, ...]:
    """Return the names of the measures in which the new weights are worse by more than the measure's noise.

    ``agreement`` is among them if it is not better. The noise of a difference is its standard error over runs of RUN
    frames.
    """
    worse = []
    if after.measures.agreement >= BETTER * before.measures.agreement:
        worse.append("agreement")
    run = _runs(block)
    for name in ("mirror", "shift", "points", "jitter"):
        difference = after.squared[name] - before.squared[name]
        there = np.isfinite(difference)
        if there.any() and difference[there].mean() > _standard_error(difference[there], run[there]):
            worse.append(name)
    if after.measures.motion < min(before.measures.motion, 1.0) - LESS_MOTION:
        worse.append("motion")
    return tuple(worse)


def _runs(block: IntArray) -> IntArray:
    """Return the number of each frame's run of RUN frames within its block, (F,)."""
    first = np.concatenate([[True], block[1:] != block[:-1]])
    at = np.arange(len(block)) - np.maximum.accumulate(np.where(first, np.arange(len(block)), 0))
    return np.cumsum(at % RUN == 0)


def _standard_error(values: FloatArray, run: IntArray) -> float:
    """Return the standard error of the mean of ``values`` (F,), whose runs are alike."""
    _, of = np.unique(run, return_inverse=True)
    means = np.bincount(of, values) / np.bincount(of)
    return float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("inf")


def _root_mean(squared: FloatArray) -> float:
    there = squared[np.isfinite(squared)]
    return float(np.sqrt(there.mean())) if there.size else 0.0

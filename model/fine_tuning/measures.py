"""Whether fine-tuned weights are better on frames that they were not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray, IntArray

BETTER = 0.99  # of the agreement before: less gain is no reason for other weights
NOT_WORSE = 1.02
LESS_MOTION = 0.05


@dataclass(frozen=True)
class Measures:
    """On held-out frames, in units of the keys; all but the last are better where they are lower.

    agreement    root mean square distance of the plain view's eta from the label, which the whole clip gives
    consistency  root mean square distance of the views' eta from their mean
    jitter       root mean square second difference from frame to frame
    motion       the slope of eta on the label: 1 keeps all of the motion
    """

    agreement: float
    consistency: float
    jitter: float
    motion: float


def measures_of(eta: FloatArray, label: FloatArray, block: IntArray) -> Measures:
    """Measure eta (F, VIEWS, Ke) of F frames; ``block`` (F,) numbers the runs of frames."""
    plain = eta[:, 0]
    second = plain[2:] - 2 * plain[1:-1] + plain[:-2]
    within = (block[2:] == block[:-2])[:, None]
    moves, given = plain - plain.mean(0), label - label.mean(0)
    return Measures(
        _rms(plain - label),
        _rms(eta - eta.mean(1, keepdims=True)),
        _rms(np.where(within, second, 0)) / max(float(within.mean()), 1e-9) ** 0.5,
        float((moves * given).sum() / max((given * given).sum(), 1e-12)),
    )


def is_better(after: Measures, before: Measures) -> bool:
    """Return whether the new weights agree more, and are no worse in anything else."""
    return (
        after.agreement < BETTER * before.agreement
        and after.consistency <= NOT_WORSE * before.consistency
        and after.jitter <= NOT_WORSE * before.jitter
        and after.motion >= min(before.motion, 1.0) - LESS_MOTION
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.square(values).mean()))

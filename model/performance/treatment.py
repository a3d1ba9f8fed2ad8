"""How an artist wants a raw performance: calmer, stronger by region, from the actor's own neutral. numpy only.

The raw performance is kept, so every treatment starts from it: nothing is lost by trying another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError
from .face_performance import FacePerformance, clamped
from .neutral import calibrated, quietest_neutral
from .smoothing import REGIONS, region_of, smooth

SEEN, QUIETEST, FRAME = "SEEN", "QUIETEST", "FRAME"  # where neutral comes from


@dataclass(frozen=True)
class Treatment:
    """What is done to a raw performance, in this order.

    smoothing  strength by region (``smoothing.REGIONS``), as ``smoothing.smooth`` takes it
    neutral    SEEN: as the network says; QUIETEST: the clip's most restful frames; FRAME: ``neutral_frame``, 0-based
    gains      factor by region, 1 where none is given; the head has none
    """

    smoothing: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0.5))
    neutral: str = SEEN
    neutral_frame: int = 0
    gains: Mapping[str, float] = field(default_factory=dict)


def treated(
    performance: FacePerformance, treatment: Treatment, bounds: np.ndarray, rest: np.ndarray | None = None
) -> FacePerformance:
    """The raw ``performance`` as the treatment wants it, every coefficient inside ``bounds`` (Ke, 2).

    rest  (Ke,) the head's own resting face, which the actor's neutral becomes (``FaceModel.rest``); zero where none is
          given. Raises InputError when there is no face in the frame that is to be neutral.
    """
    calm = calm_from_neutral(performance, treatment, bounds, rest)
    gain = np.array([treatment.gains.get(region_of(key), 1.0) for key in calm.expression_keys])
    gazing = treatment.gains.get("gaze", 1.0)
    if (gain != 1).any() or gazing != 1:
        calm = replace(calm, eta=calm.eta * gain, gaze=calm.gaze * gazing)
    return clamped(calm, bounds)


def calm_from_neutral(
    performance: FacePerformance, treatment: Treatment, bounds: np.ndarray, rest: np.ndarray | None = None
) -> FacePerformance:
    """What ``treated`` does first: smoothing and neutral, without gains, and nothing is clamped."""
    calm = smooth(performance, treatment.smoothing)
    if treatment.neutral == SEEN:
        return calm
    return calibrated(calm, _neutral(calm, treatment), bounds, rest)


def _neutral(performance: FacePerformance, treatment: Treatment) -> np.ndarray:
    if treatment.neutral == QUIETEST:
        return quietest_neutral(performance)
    frame = treatment.neutral_frame
    if not 0 <= frame < len(performance.times) or not performance.seen[frame]:
        raise InputError(f"There is no face in frame {frame} of the clip: choose another one as neutral")
    return performance.eta[frame]


def named_neutral(performance: FacePerformance, choice: str) -> tuple[str, int]:
    """``Treatment.neutral`` and ``neutral_frame`` for what a user writes: ``none``, ``auto`` or a frame of the clip,
    from 0, where the performance may begin later. Raises InputError for anything else."""
    if choice in ("none", "auto"):
        return (SEEN if choice == "none" else QUIETEST), 0
    if not choice.isdecimal():
        raise InputError(f"neutral '{choice}' is not none, auto or a frame of the clip, such as 120")
    numbers = np.round(performance.times * performance.fps).astype(int)
    found = np.flatnonzero(numbers == int(choice))
    if not len(found):
        raise InputError(f"frame {choice} was not read: neutral is a frame from {numbers[0]} to {numbers[-1]}")
    return FRAME, int(found[0])

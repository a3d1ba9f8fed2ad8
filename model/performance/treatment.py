"""The artist's settings for a raw performance: smoothing, gain by region, and the actor's neutral. numpy only.

The raw performance is kept, and every treatment starts from it. So a change of settings loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from .face_performance import FacePerformance, clamped
from .neutral import calibrated, quietest_neutral
from .smoothing import REGIONS, region_of, smooth

SEEN, QUIETEST, FRAME = "SEEN", "QUIETEST", "FRAME"  # the source of the neutral face


@dataclass(frozen=True)
class Treatment:
    """The processing steps of a raw performance, in this order.

    smoothing  strength by region (``smoothing.REGIONS``), as ``smoothing.smooth`` takes it
    neutral    SEEN: the network's zero; QUIETEST: the clip's quietest frames; FRAME: ``neutral_frame``, 0-based
    gains      factor by region, default 1; head pose has none
    """

    smoothing: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0.5))
    neutral: str = SEEN
    neutral_frame: int = 0
    gains: Mapping[str, float] = field(default_factory=dict)


def treated(
    performance: FacePerformance, treatment: Treatment, bounds: FloatArray, rest: FloatArray | None = None
) -> FacePerformance:
    """Apply the treatment to the raw ``performance``, with every coefficient clamped to ``bounds`` (Ke, 2).

    rest  (Ke,) the head's own resting face, which the actor's neutral becomes (``FaceModel.rest``); default zero

    Raises InputError if the neutral frame has no face.
    """
    smoothed = smoothed_from_neutral(performance, treatment, bounds, rest)
    gain = np.array([treatment.gains.get(region_of(key), 1.0) for key in smoothed.expression_keys])
    gazing = treatment.gains.get("gaze", 1.0)
    if (gain != 1).any() or gazing != 1:
        smoothed = replace(smoothed, eta=smoothed.eta * gain, gaze=smoothed.gaze * gazing)
    return clamped(smoothed, bounds)


def smoothed_from_neutral(
    performance: FacePerformance, treatment: Treatment, bounds: FloatArray, rest: FloatArray | None = None
) -> FacePerformance:
    """Apply smoothing and neutral only, without gains and clamping."""
    smoothed = smooth(performance, treatment.smoothing)
    if treatment.neutral == SEEN:
        return smoothed
    return calibrated(smoothed, _neutral(smoothed, treatment), bounds, rest)


def _neutral(performance: FacePerformance, treatment: Treatment) -> FloatArray:
    if treatment.neutral == QUIETEST:
        return quietest_neutral(performance)
    frame = treatment.neutral_frame
    if not 0 <= frame < len(performance.times) or not performance.seen[frame]:
        raise InputError(f"There is no face in frame {frame} of the clip: choose another one as neutral")
    neutral: FloatArray = performance.eta[frame]
    return neutral


def named_neutral(performance: FacePerformance, choice: str) -> tuple[str, int]:
    """Parse a user's choice into ``Treatment.neutral`` and ``neutral_frame``.

    ``choice`` is ``none``, ``auto`` or a frame of the clip, from 0. The performance may start later in the clip. Raises
    InputError for anything else.
    """
    if choice in ("none", "auto"):
        return (SEEN if choice == "none" else QUIETEST), 0
    if not choice.isdecimal():
        raise InputError(f"neutral '{choice}' is not none, auto or a frame of the clip, such as 120")
    numbers = np.round(performance.times * performance.fps).astype(int)
    found = np.flatnonzero(numbers == int(choice))
    if not len(found):
        raise InputError(f"frame {choice} was not read: neutral is a frame from {numbers[0]} to {numbers[-1]}")
    return FRAME, int(found[0])

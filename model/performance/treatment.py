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
from .hidden_mouth import with_mouth_held
from .neutral import calibrated, quietest_neutral
from .smoothing import REGIONS, region_of, smooth

SEEN, QUIETEST, FRAME, RANGE = "SEEN", "QUIETEST", "FRAME", "RANGE"  # the source of the neutral face


@dataclass(frozen=True)
class KeyTreatment:
    """The treatment of one expression key: whether it moves, its factor, and its limits."""

    on: bool = True
    gain: float = 1.0
    low: float = -np.inf
    high: float = np.inf


USUAL = KeyTreatment()


@dataclass(frozen=True)
class Treatment:
    """The processing steps of a raw performance, in this order.

    hold_mouth  whether the mouth and the jaw keep their last known values while something hides them
    smoothing  strength by region (``smoothing.REGIONS``), as ``smoothing.smooth`` takes it
    neutral    SEEN: the network's zero; QUIETEST: the clip's quietest frames; FRAME: ``neutral_frame``, 0-based;
               RANGE: the median of ``neutral_frame`` to ``neutral_last``, both included
    gains      factor by region, default 1; head pose has none
    keys       treatment by key, after that of its region
    """

    smoothing: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0.5))
    neutral: str = SEEN
    neutral_frame: int = 0
    gains: Mapping[str, float] = field(default_factory=dict)
    neutral_last: int = 0
    keys: Mapping[str, KeyTreatment] = field(default_factory=dict)
    hold_mouth: bool = True


def treated(
    performance: FacePerformance, treatment: Treatment, bounds: FloatArray, rest: FloatArray | None = None
) -> FacePerformance:
    """Apply the treatment to the raw ``performance``, with every coefficient clamped to ``bounds`` (Ke, 2).

    rest  (Ke,) the head's own resting face, which the actor's neutral becomes (``FaceModel.rest``); default zero

    A key that is off rests. Raises InputError if the neutral frame, or all of the neutral range, has no face.
    """
    smoothed = smoothed_from_neutral(performance, treatment, bounds, rest)
    keys = [treatment.keys.get(key, USUAL) for key in smoothed.expression_keys]
    regions = [treatment.gains.get(region_of(key), 1.0) for key in smoothed.expression_keys]
    gain = np.array([region * key.gain for region, key in zip(regions, keys)])
    gazing = treatment.gains.get("gaze", 1.0)
    if (gain != 1).any() or gazing != 1:
        smoothed = replace(smoothed, eta=smoothed.eta * gain, gaze=smoothed.gaze * gazing)
    off = np.array([not key.on for key in keys])
    if off.any():
        still = np.where(smoothed.seen[:, None], 0.0 if rest is None else rest, np.nan)
        smoothed = replace(smoothed, eta=np.where(off, still, smoothed.eta))
    limits = np.array([[key.low, key.high] for key in keys]).reshape(-1, 2)
    within = np.clip(limits, bounds[:, :1], bounds[:, 1:])
    return clamped(smoothed, np.sort(np.where(off[:, None], bounds, within), axis=1))


def held_and_smoothed(performance: FacePerformance, treatment: Treatment) -> FacePerformance:
    """Apply the treatment's first two steps."""
    known = with_mouth_held(performance) if treatment.hold_mouth else performance
    return smooth(known, treatment.smoothing)


def smoothed_from_neutral(
    performance: FacePerformance, treatment: Treatment, bounds: FloatArray, rest: FloatArray | None = None
) -> FacePerformance:
    """Apply the hold of a hidden mouth, smoothing and neutral only, without gains and clamping."""
    smoothed = held_and_smoothed(performance, treatment)
    if treatment.neutral == SEEN:
        return smoothed
    return calibrated(smoothed, _neutral(smoothed, treatment), bounds, rest)


def _neutral(performance: FacePerformance, treatment: Treatment) -> FloatArray:
    if treatment.neutral == QUIETEST:
        return quietest_neutral(performance)
    if treatment.neutral == RANGE:
        return range_neutral(performance, treatment.neutral_frame, treatment.neutral_last)
    frame = treatment.neutral_frame
    if not 0 <= frame < len(performance.times) or not performance.seen[frame]:
        raise InputError("There is no face in the frame chosen as neutral: choose another one")
    neutral: FloatArray = performance.eta[frame]
    return neutral


def range_neutral(performance: FacePerformance, first: int, last: int) -> FloatArray:
    """Return the median expression (Ke,) of frames ``first`` to ``last``, both included. Raises InputError."""
    there = np.flatnonzero(performance.seen)
    inside = there[(there >= min(first, last)) & (there <= max(first, last))]
    if not len(inside):
        raise InputError(
            f"There is no face in frames {first + 1} to {last + 1} of the clip: choose other ones as neutral"
        )
    neutral: FloatArray = np.median(performance.eta[inside], axis=0)
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

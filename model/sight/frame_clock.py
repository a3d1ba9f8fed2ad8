"""Which picture of a movie shows on which frame, from the pictures' time stamps and the movie's frame rate.

A movie's frame rate is the nominal one, which Blender uses too (FFmpeg's ``av_guess_frame_rate``); 29.97 is 30000/1001.
Blender's movie clip shows on frame n the last picture whose stamp is not after n / rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import InputError

STANDARD_RATES = tuple(
    Fraction(n) / d
    for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
    for d in (1, Fraction(1001, 1000))
)
JITTER = 0.45  # frames by which a picture of a constant-rate clip may lie beside its frame
CONSTANT = 0.9  # share of steps between pictures that are one frame, from which on a clip has a constant rate
MOST_FRAMES = 2_000_000  # nine hours at 60 frames/s
HIGHEST_RATE = 130.0  # a higher nominal rate is believed only where the pictures keep it


@dataclass(frozen=True, eq=False)
class Placement:
    """Where pictures lie.

    frames    (F,) int frames, from 0, strictly increasing; a constant-rate clip has holes where pictures are missing
    pictures  (F,) int which picture each of them shows
    rate      frames per second
    constant  whether each picture has one frame of its own; else pictures are held as Blender holds them
    """

    frames: np.ndarray
    pictures: np.ndarray
    rate: Fraction
    constant: bool

    @property
    def holes(self) -> int:
        """Frames between the first and the last that show no picture of their own."""
        return int(self.frames[-1] - self.frames[0] + 1 - len(self.frames)) if len(self.frames) else 0


def placed(stamps: np.ndarray, rate: Fraction, tick: float = 0.0) -> Placement:
    """Place pictures with time stamps (P,) in seconds from the clip's start, increasing, on frames.

    ``tick`` is the unit of the stamps in seconds. A constant-rate clip gets whole frames, also where its stamps are
    coarse or a few pictures are missing; in any other clip each frame has the picture that Blender shows there.
    Raises InputError where the stamps span more frames than a clip can have.
    """
    stamps = np.asarray(stamps, np.float64)
    if not len(stamps):
        return Placement(np.zeros(0, int), np.zeros(0, int), rate, True)
    rate = _believed(stamps, rate)
    moments = stamps * float(rate)
    nearest = np.rint(moments).astype(int)
    if nearest[-1] - nearest[0] > MOST_FRAMES:
        raise InputError(f"its time stamps span {nearest[-1] - nearest[0]} frames: convert it to a constant frame rate")
    steps = np.diff(nearest)
    beside = np.abs(moments - nearest).max()
    if (steps >= 1).all() and beside <= JITTER and (not len(steps) or (steps == 1).mean() >= CONSTANT):
        return Placement(nearest, np.arange(len(stamps)), rate, True)
    slack = 0.5 * tick * float(rate) + 1e-6  # stamps are rounded to their unit
    frames = np.arange(int(np.ceil(moments[0] - slack)), int(np.floor(moments[-1] + slack)) + 1)
    pictures = np.searchsorted(moments - slack, frames, side="right") - 1
    return Placement(frames, pictures, rate, False)


def standard_rate(rate: float) -> Fraction:
    """A rate as a fraction: the nearest of the usual ones where it is one, such as 30000/1001 for 29.97."""
    for standard in STANDARD_RATES:
        if abs(float(standard) - rate) < 2e-4 * rate:
            return standard
    return Fraction(rate).limit_denominator(1001)


def _believed(stamps: np.ndarray, rate: Fraction) -> Fraction:
    """The nominal rate; where it is the unit of the time stamps (1000, 90000) the usual rate of most steps."""
    if rate <= HIGHEST_RATE or len(stamps) < 3:
        return rate
    median = float(np.median(np.diff(stamps)))
    if median <= 0 or float(rate) * median < 1.5:
        return rate
    return min(STANDARD_RATES, key=lambda standard: abs(float(standard) * median - 1))

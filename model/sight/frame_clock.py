"""Assignment of a movie's pictures to frames, from their time stamps and the movie's frame rate.

A movie's frame rate is the nominal one, which Blender uses too (FFmpeg's ``av_guess_frame_rate``); 29.97 is
30000/1001. On frame n, Blender's movie clip shows the last picture whose stamp is not after n / rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import InputError

STANDARD_RATES = tuple(
    Fraction(n) / d
    for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
    for d in (1, Fraction(1001, 1000))
)
JITTER = 0.45  # frames; the largest distance of a constant-rate clip's picture from its frame
CONSTANT = 0.9  # minimum share of picture steps of one frame in a constant-rate clip
MOST_FRAMES = 2_000_000  # nine hours at 60 frames/s
HIGHEST_RATE = 130.0  # a higher nominal rate is accepted only where the pictures keep it


@dataclass(frozen=True, eq=False)
class Placement:
    """The frames on which pictures show.

    frames    (F,) int frames, from 0, strictly increasing; a constant-rate clip has holes where pictures are missing
    pictures  (F,) int index of the picture on each of them
    rate      frames per second
    constant  whether each picture has one frame of its own; else pictures are held as Blender holds them
    """

    frames: IntArray
    pictures: IntArray
    rate: Fraction
    constant: bool

    @property
    def holes(self) -> int:
        """Return the frames between the first and the last that show no picture of their own."""
        return int(self.frames[-1] - self.frames[0] + 1 - len(self.frames)) if len(self.frames) else 0


def placed(stamps: FloatArray, rate: Fraction, tick: float = 0.0) -> Placement:
    """Place pictures with time stamps (P,) in seconds from the clip's start, increasing, on frames.

    ``tick`` is the unit of the stamps in seconds. A constant-rate clip gets whole frames, even if its stamps are
    coarse or a few pictures are missing. In any other clip each frame has the picture that Blender shows there.
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
    offset = np.abs(moments - nearest).max()
    if (steps >= 1).all() and offset <= JITTER and (not len(steps) or (steps == 1).mean() >= CONSTANT):
        return Placement(nearest, np.arange(len(stamps)), rate, True)
    slack = 0.5 * tick * float(rate) + 1e-6  # stamps are rounded to their unit
    frames = np.arange(int(np.ceil(moments[0] - slack)), int(np.floor(moments[-1] + slack)) + 1)
    pictures = np.searchsorted(moments - slack, frames, side="right") - 1
    return Placement(frames, pictures, rate, False)


def standard_rate(rate: float) -> Fraction:
    """Return a rate as a fraction: the nearest standard rate where one matches, such as 30000/1001 for 29.97."""
    for standard in STANDARD_RATES:
        if abs(float(standard) - rate) < 2e-4 * rate:
            return standard
    return Fraction(rate).limit_denominator(1001)


def _believed(stamps: FloatArray, rate: Fraction) -> Fraction:
    """Return the nominal rate, or the usual rate of most steps where it is the time stamps' unit (1000, 90000)."""
    if rate <= HIGHEST_RATE or len(stamps) < 3:
        return rate
    median = float(np.median(np.diff(stamps)))
    if median <= 0 or float(rate) * median < 1.5:
        return rate
    return min(STANDARD_RATES, key=lambda standard: abs(float(standard) * median - 1))

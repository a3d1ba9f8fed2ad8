"""The interface of the movie readers: pictures, headers and limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from ..array_types import UInt8Array
from ..errors import InputError

FALLBACK_RATE = Fraction(24)  # for a movie without a rate
MAX_PIXELS = 100_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """``stamp`` in seconds from the clip's start, ``image`` (H, W, 3) uint8 BGR, upright, with square pixels."""

    stamp: float
    image: UInt8Array


@dataclass(frozen=True)
class MovieHeader:
    """The header of a movie.

    size         (width, height) in pixels as shown: turned by its rotation, with square pixels
    rate         nominal frames per second
    tick         the unit of the time stamps in seconds
    frames       declared number of frames; None where the file declares none
    sound_start  seconds from the first picture to the first sound, negative where the sound starts earlier
    """

    size: tuple[int, int]
    rate: Fraction
    tick: float
    frames: int | None
    sound_start: float = 0.0


class Movie(Protocol):
    """An open movie. ``unread``, ``notes`` and ``cut`` are final after ``pictures`` has ended.

    unread  pictures that could not be decoded; cut  seconds that are missing at its end
    notes   a line for each remark, such as that it is deinterlaced
    """

    header: MovieHeader
    unread: int
    cut: float
    notes: list[str]

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures that can be decoded, in order of time, with strictly increasing stamps."""
        ...

    def close(self) -> None: ...


def check_size(source: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{source}: {width} x {height} pixels are more than {limit} million: scale it down")


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size with square pixels for a pixel aspect (width to height) of ``aspect``; no side gets smaller."""
    if not Fraction(1, 10) < aspect < 10:
        aspect = Fraction(1)
    if aspect >= 1:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def increasing(stamp: float, previous: float | None, rate: Fraction) -> float:
    """Return the stamp, or one frame after the previous one where stamps are missing or do not increase."""
    if previous is None:
        return stamp
    return stamp if stamp > previous + 1e-5 else previous + 1 / float(rate)

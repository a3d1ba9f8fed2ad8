"""Movies read by OpenCV, where PyAV is not installed.

OpenCV reports the mean frame rate, so the nominal one is found from the time stamps. It reads the first video stream
only, reports neither where the sound starts nor whether the pictures are interlaced, and skips broken packets without
an error. A note says so for the clips where it matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..errors import InputError
from ..opencv import cv2
from .frame_clock import STANDARD_RATES, standard_rate
from .movies import FALLBACK_RATE, MovieHeader, Picture, check_size, increasing, square_size

MOST_ERRORS = 64  # consecutive pictures that cannot be decoded, after which the clip ends
COUNTED = (
    ".mp4",
    ".mov",
    ".m4v",
    ".avi",
)  # formats that store the number of their pictures, not only their duration
STILL_CODECS = ("MJPG", "png ", "MPNG", "JPEG", "bmp ", "GIF ")  # codecs of cover images
SAME_STEP = 0.02  # share of a frame by which a step between pictures may differ from the frame's length
SOUND = re.compile(rb"hdlr.{8}soun|strh.{4}auds|A_(?:AAC|AC3|EAC3|FLAC|MPEG|OPUS|PCM|VORBIS)", re.DOTALL)
SEARCHED = 2**20  # bytes at both ends of a file that are searched for a sound stream
WOVEN = 1.1  # neighbouring rows differ so much more than every second row where fields are woven
COMPARED = 5  # the distance of the pictures that are looked at
FREQUENT = 0.2  # share of the steps that a rate of a joined clip has at least


class OpenCvMovie:
    """A movie's pictures; see ``movies.Movie``."""

    def __init__(self, source: str, path: Path) -> None:
        self.notes: list[str] = []
        self.unread = 0
        self.cut = 0.0
        self._source, self._path = source, path
        self._capture = self._opened()
        try:
            self._check_pictures()
            self.header = self._header()
            if _holds_sound(path):
                self.notes.append(
                    "Only the full engine knows where the sound starts: it is taken to start with the pictures"
                )
        except BaseException:
            self._capture.release()
            raise

    def close(self) -> None:
        self._capture.release()

    def pictures(self) -> Iterator[Picture]:
        capture, header = self._capture, self.header
        interlaced = False
        stamps: list[float] = []
        origin = 0.0
        shape = None
        failed = 0
        while failed < MOST_ERRORS:
            image = None
            if capture.grab():
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
                image = capture.retrieve()[1]
            if image is None:
                failed += 1
                continue
            failed = 0
            shape = shape or image.shape
            if image.shape != shape:
                raise InputError(f"{self._source}: changes its size on the way: convert it to one size")
            if not interlaced and len(stamps) % COMPARED == 0 and is_woven(image):
                interlaced = True
                self.notes.append(
                    "The clip looks interlaced, and only the full engine deinterlaces: install the runtime, or "
                    "deinterlace the clip"
                )
            if (image.shape[1], image.shape[0]) != header.size:
                image = cv2.resize(image, header.size, interpolation=cv2.INTER_LINEAR)
            origin = origin if stamps else stamp
            stamps.append(increasing(max(stamp - origin, 0.0), stamps[-1] if stamps else None, header.rate))
            yield Picture(stamps[-1], image)
        self._count_missing(np.array(stamps))

    def _count_missing(self, stamps: FloatArray) -> None:
        """Count missing pictures from the number that the file declares, which is not exact in every format."""
        rate = float(self.header.rate)
        missing = (self.header.frames or 0) - len(stamps)
        frames = np.rint(stamps * rate)
        holes = int(np.sum(np.diff(frames) - 1))
        if self._path.suffix.lower() in COUNTED and 0 < holes <= 1.25 * missing:
            self.unread = holes
        missing -= holes
        if missing > max(1.5, 0.1 * rate):
            self.cut = missing / rate

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise InputError(f"{self._source}: not a movie or an image that can be read: give another file")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture

    def _check_pictures(self) -> None:
        """Refuse a movie without a picture, and one where OpenCV would read the cover instead of the film."""
        probe = self._opened()
        try:
            width, height = (int(probe.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_size(self._source, width, height)
            if not any(probe.grab() for _ in range(MOST_ERRORS)):
                raise InputError(f"{self._source}: holds no picture: it is empty, cut short, or of an unknown kind")
            still = int(probe.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1") in STILL_CODECS
            if still and probe.get(cv2.CAP_PROP_FRAME_COUNT) > 1 and not probe.grab():
                raise InputError(
                    f"{self._source}: its first video stream is a cover picture, and only the full engine reads the "
                    "film behind it: install the runtime, or remove the cover"
                )
        finally:
            probe.release()

    def _header(self) -> MovieHeader:
        capture = self._capture
        width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        numerator, denominator = (int(capture.get(p)) for p in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        aspect = Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else Fraction(1)
        if round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90:
            aspect = 1 / aspect  # width and height are those of the turned picture
        size = square_size(width, height, aspect)
        check_size(self._source, *size)
        declared = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # OpenCV does not report the unit of the stamps; milliseconds are the coarsest usual unit.
        return MovieHeader(size, self._nominal_rate(), 1e-3, declared if declared > 0 else None)

    def _nominal_rate(self) -> Fraction:
        """Return the mean rate if it is a usual one; else the usual one that fits all stamps, or many or most steps."""
        mean = self._capture.get(cv2.CAP_PROP_FPS)
        if not 0 < mean < 100_000:
            return FALLBACK_RATE
        rate = standard_rate(mean)
        if rate in STANDARD_RATES:
            return rate
        stamps = self._stamps()
        steps = np.diff(stamps)
        if len(steps) < 3 or not (steps > 0).all():
            return rate
        step = float(np.quantile(steps, 0.05))

        def deviation(usual: Fraction) -> float:
            moments = (stamps - stamps[0]) * float(usual)
            return float(np.abs(moments - np.rint(moments)).max())

        for usual in sorted(STANDARD_RATES):
            if float(usual) * step > 0.9 and deviation(usual) < 0.1:
                return min((u for u in STANDARD_RATES if abs(float(u / usual) - 1) < 2e-3), key=deviation)
        # A joined clip has steps of several rates. The nominal one is the highest, as FFmpeg has it.
        off = np.abs(np.outer([float(usual) for usual in STANDARD_RATES], steps) - 1)
        frequent = [usual for usual, row in zip(STANDARD_RATES, off) if (row < SAME_STEP).mean() >= FREQUENT]
        if frequent:
            fitting = steps[np.abs(float(max(frequent)) * steps - 1) < SAME_STEP]
            return min(frequent, key=lambda usual: abs(float(usual) * float(np.median(fitting)) - 1))
        return min(STANDARD_RATES, key=lambda usual: abs(float(usual) * float(np.median(steps)) - 1))

    def _stamps(self) -> FloatArray:
        """Return all time stamps in seconds; this decodes the movie once more."""
        probe = self._opened()
        stamps, failed = [], 0
        while failed < MOST_ERRORS:
            if probe.grab():
                stamps.append(probe.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
                failed = 0
            else:
                failed += 1
        probe.release()
        return np.array(stamps)


def is_woven(image: UInt8Array) -> bool:
    """Return whether a picture (H, W, 3) looks like two fields of different moments.

    In a picture of one moment, neighbouring rows are more alike than every second row.
    """
    green = image[:, ::8, 1].astype(np.int16)
    if len(green) < 8:
        return False
    neighbours = float(np.abs(green[1:-1] - green[:-2]).mean())
    return neighbours > 1 and neighbours > WOVEN * float(np.abs(green[2:] - green[:-2]).mean())


def _holds_sound(path: Path) -> bool:
    """Return whether the headers of an MP4, a MOV, an AVI or a Matroska file name a sound stream."""
    with path.open("rb") as file:
        start = file.read(SEARCHED)
        file.seek(max(len(start), path.stat().st_size - SEARCHED))
        return SOUND.search(start) is not None or SOUND.search(file.read(SEARCHED)) is not None

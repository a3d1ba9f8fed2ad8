"""Clips made with PyAV whose pictures hold their own number: seven squares at the upper left, white for a one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

SIDE = 16  # pixels of a square
WIDTH, HEIGHT = 160, 96


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return a grey picture (H, W, 3) uint8 with ``number``, 0 to 127, burnt in."""
    image = np.full((height, width, 3), 128, np.uint8)
    for bit in range(7):
        image[:SIDE, bit * SIDE : (bit + 1) * SIDE] = 255 * (number >> bit & 1)
    return image


def number_in(image: np.ndarray, scale: float = 1.0) -> int:
    """Return the number burnt into a picture, which may be ``scale`` times as wide and high."""
    row = round(SIDE * scale / 2)
    return sum(1 << bit for bit in range(7) if image[row, round((bit + 0.5) * SIDE * scale), 1] > 128)


def numbered_clip(
    path: Path,
    numbers: Sequence[int] = range(40),
    rate: Fraction = Fraction(30),
    stamps: Iterable[Fraction] | None = None,
    start: Fraction = Fraction(0),
    aspect: Fraction | None = None,
    gop: int = 12,
    codec: str = "libx264",
    sound_from: Fraction | None = None,
    fast_start: bool = False,
) -> Path:
    """Write a clip of pictures with ``numbers``, at number / ``rate`` seconds or at ``stamps``, after ``start``."""
    av = pytest.importorskip("av")
    moments = [start + (Fraction(n) / rate) for n in numbers] if stamps is None else [start + s for s in stamps]
    unit = 1 / rate if path.suffix == ".avi" else Fraction(1, 90_000)  # an AVI's frames are as long as its unit
    options = {"movflags": "faststart"} if fast_start and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt, video.time_base = WIDTH, HEIGHT, "yuv420p", unit
        video.codec_context.gop_size = gop
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        sound = None
        if sound_from is not None:
            sound = container.add_stream("aac", rate=48_000)
        for number, moment in zip(numbers, moments, strict=True):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = round(moment / unit), unit
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            samples = np.zeros((1, 1024), np.float32)
            for block in range(40):
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
                frame.pts = round(sound_from * 48_000) + 1024 * block
                container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def with_bytes_damaged(path: Path, first: float, count: int) -> Path:
    """Zeros in place of ``count`` bytes, from the share ``first`` of the file on."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * first)
    data[start : start + count] = bytes(count)
    path.write_bytes(data)
    return path

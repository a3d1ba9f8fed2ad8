"""The pixel aspect of still images, width to height, as FFmpeg reads it: players show such images as broad as that.

PNG (pHYs) and JPEG (JFIF) hold two numbers that FFmpeg takes for the aspect itself, whatever their unit. TIFF holds
resolutions, whose ratio is the other way round. EXR has an attribute. Other formats have none that FFmpeg reads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction

from .image_header import exr_attributes, tiff_entries

MOST = Fraction(4)
_X_RESOLUTION, _Y_RESOLUTION = 282, 283  # TIFF 6.0


def pixel_aspect(data: bytes, kind: str) -> Fraction:
    """Return the pixel aspect of an image file; 1 where it declares none. ``kind`` as in ``ImageHeader``.

    No camera has pixels of more than MOST to 1: such a declaration counts as none.
    """
    try:
        aspect = _READERS[kind](data)
        return aspect if 1 / MOST <= aspect <= MOST else Fraction(1)
    except (KeyError, struct.error, IndexError, ValueError, OverflowError, ZeroDivisionError):
        return Fraction(1)


def _png(data: bytes) -> Fraction:
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"pHYs" and length == 9:
            return _ratio(*struct.unpack_from(">II", data, at + 8))
        if kind == b"IDAT":
            return Fraction(1)
        at += 12 + length


def _jpeg(data: bytes) -> Fraction:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:  # up to the scan
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xE0 and data[at + 4 : at + 9] == b"JFIF\0":
            return _ratio(*struct.unpack_from(">HH", data, at + 12))
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
    return Fraction(1)


def _tiff(data: bytes) -> Fraction:
    entries = tiff_entries(data)
    (x, per_x), (y, per_y) = entries[_X_RESOLUTION][:2], entries[_Y_RESOLUTION][:2]
    return _ratio(y * per_x, x * per_y)


def _exr(data: bytes) -> Fraction:
    attributes, _ = exr_attributes(data)
    (aspect,) = struct.unpack("<f", attributes["pixelAspectRatio"])
    return Fraction(aspect).limit_denominator(255)


def _ratio(width: int, height: int) -> Fraction:
    return Fraction(width, height) if width > 0 and height > 0 else Fraction(1)


_READERS: dict[str, Callable[[bytes], Fraction]] = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "EXR": _exr}

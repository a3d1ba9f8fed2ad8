"""The EXIF orientation of images, which JPEG, PNG, WebP and TIFF files share."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..array_types import AnyArray

ORIENTATION = 0x0112  # Exif 2.3, 4.6.4
MOST_ENTRIES = 1000  # of a TIFF directory
_EXIF = b"Exif\0\0"


def orientation(data: bytes, kind: str) -> int:
    """Return the EXIF orientation of an image file, 1 to 8; 1 (upright) by default. ``kind`` as in ``ImageHeader``."""
    try:
        if kind == "TIFF":
            return _in_tiff(data)
        blocks = {"JPEG": _jpeg_blocks, "PNG": _png_blocks, "WebP": _webp_blocks}.get(kind)
        for block in blocks(data) if blocks else ():
            return _in_tiff(block.removeprefix(_EXIF))
    except (struct.error, IndexError, ValueError):
        pass
    return 1


def as_stored(data: bytes, kind: str) -> bytes:
    """Return the file without its orientation where OpenCV applies it in part: TIFF, where it fails on 5 to 8."""
    at = _entry(data) if kind == "TIFF" else None
    if at is None:
        return data
    order = "<" if data[:2] == b"II" else ">"
    entry = struct.pack(order + "HHIHH", ORIENTATION, 3, 1, 1, 0)
    return data[:at] + entry + data[at + len(entry) :]


def upright(image: AnyArray, orientation: int) -> AnyArray:
    """Turn and mirror the image (H, W, ...) by its EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def _in_tiff(data: bytes) -> int:
    at = _entry(data)
    if at is None:
        return 1
    order = "<" if data[:2] == b"II" else ">"
    (kind,) = struct.unpack_from(order + "H", data, at + 2)
    (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)
    return value if 1 <= value <= 8 else 1


def _entry(data: bytes) -> int | None:
    """Return the offset of the orientation in a TIFF's first directory."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * min(count, MOST_ENTRIES), 12):
            (tag,) = struct.unpack_from(order + "H", data, entry)
            if tag == ORIENTATION and entry + 12 <= len(data):
                return entry
    except struct.error:
        pass
    return None


def _jpeg_blocks(data: bytes) -> Iterator[bytes]:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:  # up to the scan
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == 0xE1 and data[at + 4 : at + 10] == _EXIF:
            yield data[at + 4 : at + 2 + length]
        at += 2 + length


def _png_blocks(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            yield data[at + 8 : at + 8 + length]
        at += 12 + length


def _webp_blocks(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            yield data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2

"""Image headers, read before unpacking: format, size and whether the file is complete."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageHeader:
    """``whole`` is False where the file's end is missing (known for PNG, JPEG, WebP and BMP)."""

    format: str
    width: int
    height: int
    whole: bool = True


def image_header(data: bytes) -> ImageHeader | None:
    """Read the header of an image; None when it is no image, or too short to have a header.

    The first 64 kB decide the format. A size stored farther in counts as 0 x 0.
    """
    for magic, read in _READERS:
        if data.startswith(magic):
            try:
                return read(data)
            except (struct.error, LookupError, ValueError):
                return ImageHeader(_NAMES[read], 0, 0, whole=False)
    return None


def _png(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader("PNG", width, height, data.rfind(b"IEND") > 0)


def _jpeg(data: bytes) -> ImageHeader:
    width = height = 0
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        elif marker == 0xDA:  # the scan: inside it, an end marker can only be the end
            return ImageHeader("JPEG", width, height, data.find(b"\xff\xd9", at) > 0)
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                height, width = struct.unpack_from(">HH", data, at + 5)
            at += 2 + length


def _bmp(data: bytes) -> ImageHeader:
    size, _, _, _, kind = struct.unpack_from("<IHHII", data, 2)
    width, height = struct.unpack_from("<HH" if kind == 12 else "<ii", data, 18)
    return ImageHeader("BMP", abs(width), abs(height), len(data) >= size)


def _webp(data: bytes) -> ImageHeader | None:
    if data[8:12] != b"WEBP":
        return None  # RIFF also holds AVI and WAV
    whole = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (n & 0x3FFF for n in struct.unpack_from("<HH", data, 26))
    return ImageHeader("WebP", width, height, whole)


def _tiff(data: bytes) -> ImageHeader:
    entries = tiff_entries(data)
    return ImageHeader("TIFF", entries[256][0], entries[257][0])


def tiff_entries(data: bytes) -> dict[int, tuple[int, ...]]:
    """Return the whole numbers of the first directory, by tag; at most 2^16 of each. Raises ValueError, struct.error.

    The two resolutions are fractions: numerator and denominator. Of two entries with one tag, some readers take the
    first and others the last. Such a file is refused.
    """
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    entries: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
        if tag in entries:
            raise ValueError(f"tag {tag} is in it twice")
        is_resolution = kind == 5 and length == 1 and tag in (282, 283)
        if not length or (kind not in (3, 4) and not is_resolution):  # SHORT, LONG
            continue
        sign, size = ("H", 2) if kind == 3 else ("I", 4)
        length = 2 * length if is_resolution else length
        place = entry + 8
        if length * size > 4:
            (place,) = struct.unpack_from(order + "I", data, entry + 8)
            if place + length * size > len(data):
                continue  # beyond the bytes that were read
        entries[tag] = struct.unpack_from(f"{order}{min(length, 2**16)}{sign}", data, place)
    return entries


def _exr(data: bytes) -> ImageHeader:
    attributes, _ = exr_attributes(data)
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"])
    return ImageHeader("EXR", x1 - x0 + 1, y1 - y0 + 1)


def exr_attributes(data: bytes) -> tuple[dict[str, bytes], int]:
    """Return the attributes of the header by name, and where it ends. Raises ValueError, struct.error, IndexError."""
    attributes: dict[str, bytes] = {}
    at = 8
    while data[at]:
        name = data[at : data.index(b"\0", at, at + 256)].decode("latin-1")
        at += len(name) + 1
        at = data.index(b"\0", at, at + 256) + 1  # the type
        (size,) = struct.unpack_from("<i", data, at)
        if name in attributes or size < 0 or at + 4 + size > len(data):
            raise ValueError(f"the attribute {name} is in it twice or cut short")
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return attributes, at + 1


def _radiance(data: bytes) -> ImageHeader:
    found = re.match(rb"-Y (\d{1,6}) \+X (\d{1,6})\n", data[data.index(b"\n\n") + 2 :][:40])
    if found is None:
        raise ValueError("no size")
    return ImageHeader("HDR", int(found[2]), int(found[1]))


def _netpbm(data: bytes) -> ImageHeader:
    words, _ = netpbm_words(data, 3)
    return ImageHeader("PNM", int(words[1]), int(words[2]))


def netpbm_words(data: bytes, count: int) -> tuple[list[bytes], int]:
    """Return the first ``count`` words without comments, and the offset after them. Raises ValueError."""
    found = re.match(rb"(?:(?:\s|#[^\n]*\n)*([^\s#]{1,12})){%d}\s" % count, data[:4096])
    if found is None:
        raise ValueError("no size")
    return re.sub(rb"#[^\n]*", b"", found[0]).split()[:count], found.end()


def _jpeg2000(data: bytes) -> ImageHeader:
    at = data.index(b"ihdr") + 4
    height, width = struct.unpack_from(">II", data, at)
    return ImageHeader("JPEG 2000", width, height)


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"\x76\x2f\x31\x01", _exr),
    (b"#?RADIANCE", _radiance),
    (b"#?RGBE", _radiance),
    *((b"P%d" % n, _netpbm) for n in range(1, 7)),
    (b"\0\0\0\x0cjP  ", _jpeg2000),
)
_NAMES = {
    _png: "PNG", _jpeg: "JPEG", _bmp: "BMP", _webp: "WebP", _tiff: "TIFF", _exr: "EXR", _radiance: "HDR",
    _netpbm: "PNM", _jpeg2000: "JPEG 2000",
}  # fmt: skip

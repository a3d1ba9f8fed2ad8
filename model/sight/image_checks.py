"""Checks of an image file before OpenCV decodes it: its sizes, block by block, agree with its header.

OpenCV and its libraries trust the first sizes they read. A PNG chunk's length, a TIFF tile's size or an EXR channel
list decides how much they allocate, and some damage ends the process. So every size is checked here against the
file's length and the picture's. Data that no decoder needs are removed.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from ..reading import parsing
from .image_header import ImageHeader, exr_attributes, netpbm_words, tiff_entries

MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each costs one decoding
_BLOCK_SLACK = 2**26  # bytes by which one tile or block of lines may exceed the picture

_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_SIZES = {b"IHDR": 13, b"acTL": 8, b"fcTL": 26, b"gAMA": 4, b"pHYs": 9}
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_EXR_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}  # in a block, by compression
_EXR_BYTES = {0: 4, 1: 2, 2: 4}  # of a number, by its type


def decodable(path: Path, data: bytes, header: ImageHeader) -> bytes:
    """Return the bytes to decode; for a PNG, without the chunks that no decoder needs.

    Raises InputError where a size inside the file does not agree with the others, and for formats that are not
    decoded.
    """
    if header.format not in _CHECKS:
        raise InputError(f"{path}: {header.format} images are not read: save it as PNG")
    with parsing(path, f"{header.format} image", "save it again as PNG"):
        if header.width < 1 or header.height < 1:
            raise ValueError("its header has no size")
        return _CHECKS[header.format](data, header)


def _png(data: bytes, header: ImageHeader) -> bytes:
    """Return the image alone, without animation chunks, metadata and colour profiles, which OpenCV does not apply."""
    kept, at, kind = [data[:8]], 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk is longer than the file")
        if (kind == b"IHDR") != (at == 8):
            raise ValueError("its header is missing or in it twice")
        if length != _PNG_SIZES.get(kind, length):
            raise ValueError(f"the chunk {kind.decode()} has {length} bytes")
        if kind in _PNG_KEPT:
            (checksum,) = struct.unpack_from(">I", data, end - 4)
            if zlib.crc32(data[at + 4 : end - 4]) != checksum:
                raise ValueError(f"the chunk {kind.decode()} is damaged")
            kept.append(data[at:end])
        elif kind[0:1].isupper():
            raise ValueError("it has an unknown critical chunk")
        at = end
    depth, colour = data[24], data[25]
    if depth not in _PNG_DEPTHS.get(colour, ()):
        raise ValueError("its header has an unknown colour type")
    return b"".join(kept)


def _jpeg(data: bytes, header: ImageHeader) -> bytes:
    # In the coded picture 0xFF is followed by 0 or a restart marker, so every such marker begins a scan.
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError(f"it has more than {MAX_SCANS} scans")
    return data


def _bmp(data: bytes, header: ImageHeader) -> bytes:
    start, size = struct.unpack_from("<II", data, 10)
    depth, packed = struct.unpack_from("<H", data, 24)[0] if size == 12 else struct.unpack_from("<H", data, 28)[0], 0
    if size > 12:
        (packed,) = struct.unpack_from("<I", data, 30)
    if depth not in (1, 4, 8, 16, 24, 32):
        raise ValueError(f"{depth} bits a pixel")
    if packed in (0, 3) and start + (header.width * depth + 31) // 32 * 4 * header.height > len(data):
        raise ValueError("it is cut short")
    return data


def _webp(data: bytes, header: ImageHeader) -> bytes:
    at, pictures = 12, 0
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise ValueError("a chunk is longer than the file")
        if kind in (b"ANIM", b"ANMF"):
            raise ValueError("an animation")
        if kind in (b"VP8 ", b"VP8L"):
            pictures += 1
            if kind == b"VP8 ":
                width, height = (n & 0x3FFF for n in struct.unpack_from("<HH", data, at + 14))
            else:
                bits = struct.unpack_from("<I", data, at + 9)[0]
                width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            if (width, height) != (header.width, header.height):
                raise ValueError("its two sizes differ")
        at += 8 + length + length % 2
    if pictures != 1:
        raise ValueError(f"{pictures} pictures in it")
    return data


def _tiff(data: bytes, header: ImageHeader) -> bytes:
    entries = tiff_entries(data)
    samples, bits = entries.get(277, (1,))[0], max(entries.get(258, (1,)))
    if not 1 <= samples <= 4 or not 1 <= bits <= 64:
        raise ValueError(f"{samples} samples of {bits} bits a pixel")
    pixel = samples * bits / 8
    width, height = entries.get(322, (0,))[0], entries.get(323, (0,))[0]
    if width * height * pixel > header.width * header.height * pixel + _BLOCK_SLACK:
        raise ValueError("its tiles are larger than the picture")
    if max((*entries.get(279, ()), *entries.get(325, ())), default=0) > len(data):
        raise ValueError("a strip is longer than the file")
    return data


def _exr(data: bytes, header: ImageHeader) -> bytes:
    # Tiles and long names are supported; parts and deep data are not.
    if struct.unpack_from("<I", data, 4)[0] & ~0x600 != 2:
        raise ValueError("it has several parts or deep data")
    attributes, end = exr_attributes(data)
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["displayWindow"])
    if not (0 < x1 - x0 + 1 <= 2**17 and 0 < y1 - y0 + 1 <= 2**17):
        raise ValueError("its display window has no size")
    pixel = sum(_channel_bytes(attributes["channels"]))
    lines = _EXR_LINES[attributes["compression"][0]]
    if "tiles" in attributes:
        across, lines = struct.unpack_from("<II", attributes["tiles"])
    else:
        across = header.width
    if not across or not lines:
        raise ValueError("its blocks have no size")
    if across * min(lines, 2**17) * pixel > header.width * header.height * 16 + _BLOCK_SLACK:
        raise ValueError("its blocks are larger than the picture")
    blocks = math.ceil(header.height / lines) * math.ceil(header.width / across)
    if end + 8 * blocks > len(data):
        raise ValueError("it is cut short")
    return data


def _channel_bytes(channels: bytes) -> list[int]:
    """Return the bytes of a pixel, channel by channel."""
    sizes, at = [], 0
    while channels[at]:
        name = channels.index(b"\0", at) + 1
        kind, _, across, down = struct.unpack_from("<iIii", channels, name)
        if across < 1 or down < 1:
            raise ValueError("a channel has no sampling")
        sizes.append(_EXR_BYTES[kind])
        at = name + 16
    return sizes


def _netpbm(data: bytes, header: ImageHeader) -> bytes:
    words, start = netpbm_words(data, 3 if data[1:2] in b"14" else 4)
    most = 1 if len(words) == 3 else int(words[3])
    if not 1 <= most <= 65535:
        raise ValueError("its greatest value is none")
    numbers = header.width * header.height * (3 if data[1:2] in b"36" else 1)
    if data[1:2] == b"4":
        needed = (header.width + 7) // 8 * header.height
    else:  # as text a number takes a digit and a blank, except the last; bits need no blanks
        needed = numbers * (2 if most > 255 or data[1:2] in b"23" else 1) - (data[1:2] in b"23")
    if start + needed > len(data):
        raise ValueError("it is cut short")
    return data


def _as_it_is(data: bytes, header: ImageHeader) -> bytes:
    return data


_CHECKS: dict[str, Callable[[bytes, ImageHeader], bytes]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "BMP": _bmp,
    "WebP": _webp,
    "TIFF": _tiff,
    "EXR": _exr,
    "HDR": _as_it_is,
    "PNM": _netpbm,
}

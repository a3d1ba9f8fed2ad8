"""Decoder of Snappy blocks. TensorFlow writes its tables uncompressed, but may read and write them compressed.

It is in Python: the weights themselves do not compress and are stored as long literals, so a library would gain no
speed.
"""

from __future__ import annotations

from .damage import Damaged
from .wire import varint

MAX_RATIO = 22  # a copy of 64 bytes takes 3


def decompress(packed: bytes | memoryview) -> bytes:
    """Decompress a raw Snappy block (no frames). Raises Damaged; the result is at most 22 times the input."""
    packed = bytes(packed)
    length, at = varint(packed, 0)
    if length > MAX_RATIO * len(packed):
        raise Damaged(f"a packed block of {len(packed)} bytes declares {length}")
    out = bytearray()
    while at < len(packed):
        tag = packed[at]
        at += 1
        kind = tag & 3
        if kind == 0:  # literal
            size = tag >> 2
            if size >= 60:
                extra = size - 59
                size = int.from_bytes(packed[at : at + extra], "little")
                at += extra
            size += 1
            if size > len(packed) - at:
                raise Damaged("a packed block is cut short")
            out += packed[at : at + size]
            at += size
        else:
            width = (0, 1, 2, 4)[kind]
            if width > len(packed) - at:
                raise Damaged("a packed block is cut short")
            offset = int.from_bytes(packed[at : at + width], "little")
            at += width
            size = (tag >> 2) + 1
            if kind == 1:
                size = (tag >> 2 & 7) + 4
                offset |= tag >> 5 << 8
            if not 0 < offset <= len(out):
                raise Damaged("a packed block refers to bytes before its start")
            piece = out[-offset:][:size] if offset > size else out[-offset:]
            out += (piece * (size // offset + 1))[:size]
        if len(out) > length:
            raise Damaged("a packed block holds more than it declares")
    if len(out) != length:
        raise Damaged("a packed block holds less than it declares")
    return bytes(out)

"""Sorted tables as in LevelDB, which hold TensorFlow's checkpoints: sorted keys, each with a value, in checked blocks.

[data block] … [meta block] … [index block] [footer: two handles, padding, magic; 48 bytes]
block   entries (length shared with the last key, length of the rest, length of the value: varints; rest; value),
        restart offsets (uint32 each), their number;  then 1 byte compression type, 4 bytes masked CRC-32C
handle  offset and size: varints.  The index has one entry for each data block: a key not before its last, a handle
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .crc32c import crc32c, masked
from .damage import Damaged
from .snappy import decompress
from .wire import varint

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
FOOTER = 48
TRAILER = 5
MAX_KEY = 4096
MAX_INDEX = 1 << 26  # bytes; the largest network's index has a few thousand


def is_table(path: Path) -> bool:
    """Return whether the file ends as such a table does."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < FOOTER:
            return False
        file.seek(size - len(MAGIC))
        return file.read(len(MAGIC)) == MAGIC


class Table:
    """One file with its index in memory. Blocks are read on demand; the last one is kept."""

    def __init__(self, path: Path) -> None:
        """Read the index. Raises Damaged or OSError."""
        self.path = path
        with path.open("rb") as file:
            self.size = file.seek(0, os.SEEK_END)
            if self.size < FOOTER:
                raise Damaged("the file is cut short")
            file.seek(self.size - FOOTER)
            footer = file.read(FOOTER)
        if footer[-len(MAGIC) :] != MAGIC:
            raise Damaged("the file's end is not a checkpoint's (cut short, or another format)")
        _, at = _handle(footer, 0)
        (offset, size), at = _handle(footer, at)
        if size > MAX_INDEX:
            raise Damaged("its index is larger than any network needs")
        self._kept: tuple[int, bytes] | None = None
        self._blocks: list[tuple[bytes, int, int]] = []  # (upper bound of its keys, offset, size)
        end = 0
        for key, value in _entries(self._read(offset, size)):
            (begin, length), _ = _handle(value, 0)
            if begin < end:
                raise Damaged("its blocks overlap")
            end = begin + length + TRAILER
            if end > self.size:
                raise Damaged("its index points outside the file")
            self._blocks.append((bytes(key), begin, length))

    def __iter__(self) -> Iterator[tuple[bytes, memoryview]]:
        """Yield all entries in the order of their keys, which never repeat."""
        last: bytes | None = None
        for _, offset, size in self._blocks:
            for key, value in _entries(self._block(offset, size)):
                if last is not None and key <= last:
                    raise Damaged("its keys are not in order, or there twice")
                last = key
                yield key, value

    def get(self, key: bytes) -> memoryview | None:
        """Return the value of ``key``; only its own block is read."""
        low, high = 0, len(self._blocks)
        while low < high:
            middle = (low + high) // 2
            if self._blocks[middle][0] < key:
                low = middle + 1
            else:
                high = middle
        if low == len(self._blocks):
            return None
        _, offset, size = self._blocks[low]
        return next((value for found, value in _entries(self._block(offset, size)) if found == key), None)

    def _block(self, offset: int, size: int) -> bytes:
        if self._kept is None or self._kept[0] != offset:
            self._kept = None  # at most one block in memory
            self._kept = (offset, self._read(offset, size))
        return self._kept[1]

    def _read(self, offset: int, size: int) -> bytes:
        """Read a block, checked and decompressed."""
        if offset + size + TRAILER > self.size - FOOTER:
            raise Damaged("a block lies outside the file")
        with self.path.open("rb") as file:
            file.seek(offset)
            stored = file.read(size + TRAILER)
        if len(stored) != size + TRAILER:
            raise Damaged("the file is cut short")
        view = memoryview(stored)
        if masked(crc32c(view[: size + 1])) != int.from_bytes(view[size + 1 :], "little"):
            raise Damaged(f"the block at byte {offset} does not have its checksum")
        packing = stored[size]
        if packing == 0:
            return stored[:size]
        if packing == 1:
            return decompress(view[:size])
        raise Damaged(f"a block is packed in an unknown way ({packing})")


def _handle(data: bytes | memoryview, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _entries(block: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield keys and values of a block in order."""
    if len(block) < 4:
        raise Damaged("a block is cut short")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise Damaged("a block is cut short")
    view = memoryview(block)[:end]
    at, key = 0, b""
    while at < end:
        shared, at = varint(view, at)
        rest, at = varint(view, at)
        size, at = varint(view, at)
        if shared > len(key) or rest + size > end - at:
            raise Damaged("an entry lies outside its block")
        if shared + rest > MAX_KEY:
            raise Damaged(f"a tensor's name is longer than {MAX_KEY} bytes")
        key = key[:shared] + bytes(view[at : at + rest])
        at += rest
        yield key, view[at : at + size]
        at += size

"""V2 checkpoints: ``PREFIX.index`` is a table with each tensor's place in ``PREFIX.data-?????-of-?????``."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ...array_types import AnyArray
from . import wire
from .crc32c import crc32c, masked
from .damage import Damaged, naming
from .slices import assemble, slice_key
from .sstable import Table
from .wire import BundleEntry, Slice

READER_VERSION = 1
MAX_INDEX = 1 << 26  # bytes; the largest network's index has a tenth of a million


class Bundle:
    """An opened V2 checkpoint: its index, and reading of single tensors."""

    def __init__(self, prefix: Path) -> None:
        """Open the index. Raises InputError."""
        self.path = prefix
        index = prefix.with_name(prefix.name + ".index")
        with naming(index):
            table = Table(index)
            if table.size > MAX_INDEX:
                raise Damaged("the index is larger than any network needs")
            entries, header = _scan(table)
        self.entries: dict[str, BundleEntry] = {}
        self._parts: dict[bytes, BundleEntry] = {}
        for key, value in entries.items():
            with naming(index, key.decode(errors="replace")):
                entry = wire.bundle_entry(value)
                if key[0]:
                    self.entries[wire.name_of(key)] = entry
                elif entry.slices:
                    raise Damaged("a slice is itself cut into slices")
                else:
                    self._parts[key] = entry
        self._shards = self._existing_shards(header, index)
        self.files = (index, *self._shards.values())
        self._check_places()

    def read(self, name: str) -> AnyArray:
        """Read the tensor's array, new and writable. Raises InputError."""
        entry = self.entries[name]
        if not entry.slices:
            return self._array(name, entry)

        def part(extents: Slice, shape: tuple[int, ...]) -> AnyArray:
            found = self._parts.get(slice_key(name, extents))
            if found is None or found.shape != shape or found.dtype != entry.dtype:
                raise Damaged("one of its slices is missing, or has another shape")
            return self._array(name, found)

        with naming(self.files[0], name):
            assert entry.dtype is not None
            total = sum(path.stat().st_size for path in self._shards.values())
            return assemble(entry.shape, entry.dtype, entry.slices, part, total)

    def _array(self, name: str, entry: BundleEntry) -> AnyArray:
        path = self._shards[entry.shard]
        with naming(path, name):
            assert entry.dtype is not None
            with path.open("rb") as file:
                if entry.offset + entry.size > path.stat().st_size:
                    raise Damaged("the file is cut short")
                array = np.empty(entry.shape, entry.dtype)
                file.seek(entry.offset)
                octets = array.reshape(-1).view(np.uint8).data
                if file.readinto(octets) != entry.size:
                    raise Damaged("the file is cut short")
            if masked(crc32c(array)) != entry.crc:
                raise Damaged("it does not have its checksum")
            if array.dtype == bool and (array.view(np.uint8) > 1).any():
                raise Damaged("it has values that are neither true nor false")
        return array

    def _existing_shards(self, header: wire.BundleHeader, index: Path) -> dict[int, Path]:
        """Return the data files that the entries use; all of them exist."""
        used = {entry.shard for entry in (*self.entries.values(), *self._parts.values()) if not entry.slices}
        shards = {}
        for number in sorted(used):
            with naming(index):
                if not 0 <= number < header.shards:
                    raise Damaged(f"a tensor lies in data file {number} of {header.shards}")
            path = self.path.with_name(f"{self.path.name}.data-{number:05d}-of-{header.shards:05d}")
            with naming(path):
                path.stat()
            shards[number] = path
        return shards

    def _check_places(self) -> None:
        """Check that every tensor lies inside its file, has the length of its shape, and overlaps no other."""
        sizes = {number: path.stat().st_size for number, path in self._shards.items()}
        ends: dict[int, int] = {}
        places = [(name, entry) for name, entry in self.entries.items() if not entry.slices]
        places += [(key[1:].partition(b"\x00")[0].decode(errors="replace"), e) for key, e in self._parts.items()]
        for name, entry in sorted(places, key=lambda place: (place[1].shard, place[1].offset, place[1].size)):
            with naming(self._shards[entry.shard], name):
                if entry.dtype is not None and entry.size != prod(entry.shape) * entry.dtype.itemsize:
                    raise Damaged(f"its {entry.size} bytes do not have the shape {entry.shape}")
                if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > sizes[entry.shard]:
                    raise Damaged("it lies beyond the end: the file is cut short")
                if entry.offset < ends.get(entry.shard, 0) and entry.size:
                    raise Damaged("it overlaps another tensor")
                ends[entry.shard] = max(ends.get(entry.shard, 0), entry.offset + entry.size)


def _scan(table: Table) -> tuple[dict[bytes, memoryview], wire.BundleHeader]:
    """Return everything in the index by key, and its header."""
    found: dict[bytes, memoryview] = {}
    names = 0
    for key, value in table:
        names += len(key)
        if names > 16 * table.size:  # names with shared prefixes could otherwise fill the memory
            raise Damaged("its names are longer than such a file can hold")
        found[key] = value
    if b"" not in found:
        raise Damaged("the header is missing")
    header = wire.bundle_header(found.pop(b""))
    if header.big_endian:
        raise Damaged("written on a big-endian machine, which is not read")
    if header.needs_version > READER_VERSION:
        raise Damaged(f"written for readers of version {header.needs_version}, this is {READER_VERSION}")
    return found, header

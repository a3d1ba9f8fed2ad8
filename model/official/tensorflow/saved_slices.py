"""V1 checkpoints: one table (or one for each shard) that holds the tensors themselves, as slices in messages."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from ...array_types import AnyArray
from . import wire
from .damage import Damaged, naming
from .slices import assemble, slice_key
from .sstable import MAX_INDEX, Table
from .wire import SavedTensor, Slice

READER_VERSION = 1


class SavedSlices:
    """An opened V1 checkpoint: its tensor list, and reading of single tensors."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Open the tables. Raises InputError."""
        self.path = files[0]
        self.files = tuple(files)
        self.entries: dict[str, SavedTensor] = {}
        self._tables: list[Table] = []
        self._where: dict[tuple[str, Slice], Table] = {}
        for path in files:
            with naming(path):
                table = Table(path)
                for tensor in _meta(table):
                    self._add(tensor, table)
                self._tables.append(table)

    def read(self, name: str) -> AnyArray:
        """Read the tensor's array, new and writable. Raises InputError."""
        entry = self.entries[name]

        def part(extents: Slice, shape: tuple[int, ...]) -> AnyArray:
            table = self._where[name, extents]
            with naming(table.path, name):
                return _values(table, entry, extents, shape)

        with naming(self.path, name):
            assert entry.dtype is not None
            # A number takes at least one byte, and those of up to 8 bytes have a variable length.
            limit = sum(table.size for table in self._tables) * (entry.dtype.itemsize if entry.dtype.kind != "f" else 1)
            return assemble(entry.shape, entry.dtype, entry.slices, part, limit)

    def _add(self, tensor: SavedTensor, table: Table) -> None:
        known = self.entries.get(tensor.name)
        if known is not None:
            if any(known_table is table for (name, _), known_table in self._where.items() if name == tensor.name):
                raise Damaged(f"tensor {tensor.name!r} is there twice")
            if (known.shape, known.dtype) != (tensor.shape, tensor.dtype):
                raise Damaged(f"tensor {tensor.name!r} has another shape or type in another shard")
            self.entries[tensor.name] = SavedTensor(
                tensor.name, tensor.dtype, tensor.shape, known.slices + tensor.slices
            )
        else:
            self.entries[tensor.name] = tensor
        for extents in tensor.slices:
            if (tensor.name, extents) in self._where:
                raise Damaged(f"a slice of tensor {tensor.name!r} is there twice")
            self._where[tensor.name, extents] = table


def _meta(table: Table) -> list[SavedTensor]:
    message = table.get(b"")
    if message is None:
        raise Damaged("the list of tensors is missing")
    if len(message) > MAX_INDEX:
        raise Damaged("the list of tensors is longer than any network needs")
    tensors, needed = wire.saved_meta(message)
    if needed > READER_VERSION:
        raise Damaged(f"written for readers of version {needed}, this is {READER_VERSION}")
    return tensors


def _values(table: Table, entry: SavedTensor, extents: Slice, shape: tuple[int, ...]) -> AnyArray:
    """Return the values of one slice, checked against its key."""
    message = table.get(slice_key(entry.name, extents))
    if message is None:
        raise Damaged("one of its slices is missing")
    name, stored, proto = wire.saved_data(message)
    if name != entry.name or stored != extents:
        raise Damaged("one of its slices is another's")
    assert entry.dtype is not None
    return wire.tensor_values(proto, entry.dtype, prod(shape)).reshape(shape)

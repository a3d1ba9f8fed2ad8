"""TensorFlow's checkpoints without TensorFlow, V1 and V2: ``open_checkpoint`` opens both.

    sstable.py        the sorted tables of both versions;       snappy.py, crc32c.py  their compression and checksums
    wire.py           the protocol-buffer messages in them;     slices.py             tensors stored in parts
    bundle.py         V2: PREFIX.index and PREFIX.data-?????-of-?????
    saved_slices.py   V1: PREFIX, or PREFIX-?????-of-?????

Opening reads names, shapes and types; ``read`` reads one tensor. Files may be broken or hostile. Every declared size
is compared with the file's size before memory is allocated. Every fault becomes an InputError, one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...array_types import AnyArray
from ...errors import InputError
from ...files import is_file
from .bundle import Bundle
from .damage import naming, shown
from .saved_slices import SavedSlices
from .sstable import is_table

__all__ = ["Checkpoint", "TensorInfo", "checkpoint_prefix", "open_checkpoint"]

_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")


@dataclass(frozen=True)
class TensorInfo:
    """Shape and type of a stored tensor; ``dtype`` is None for other types than plain numbers (text, for example)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened checkpoint: its prefix ``path``, the ``files`` it consists of, ``tensors`` by name."""

    path: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, TensorInfo]
    _source: Bundle | SavedSlices

    def read(self, name: str) -> AnyArray:
        """Read the tensor ``name``, new and writable, checked against its checksum. Raises InputError."""
        info = self.tensors.get(name)
        if info is None:
            raise InputError(f"{self.path}: tensor {shown(name)} is missing: this is another network's checkpoint")
        if info.dtype is None:
            raise InputError(f"{self.path}: tensor {shown(name)} is no plain array of numbers")
        return self._source.read(name)


def checkpoint_prefix(path: str | Path) -> Path:
    """Return the common prefix of a checkpoint's files, from any one of them (V1 in one file: its own)."""
    path = Path(path)
    return path.with_name(_SHARD.sub("", _SUFFIX.sub("", path.name)))


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open the checkpoint with this prefix, or that this file is part of. Raises InputError."""
    path, prefix = Path(path), checkpoint_prefix(path)
    source: Bundle | SavedSlices
    if is_file(prefix.with_name(prefix.name + ".index")):
        source = Bundle(prefix)
    else:
        files = _v1_files(path, prefix)
        source = SavedSlices(files)
    tensors = {name: TensorInfo(entry.shape, entry.dtype) for name, entry in source.entries.items()}
    return Checkpoint(prefix, source.files, tensors, source)


def _v1_files(path: Path, prefix: Path) -> list[Path]:
    if is_file(prefix):
        files = [prefix]
    else:
        files = sorted(p for p in prefix.parent.glob("*") if is_file(p) and checkpoint_prefix(p) == prefix)
        parts = [_SHARD.search(p.name) for p in files]
        if not files:
            raise InputError(f"{path}: there is no such checkpoint; give its prefix or one of its files")
        if any(p.name.startswith(prefix.name + ".") for p in files):
            raise InputError(f"{prefix}.index: is missing; it belongs beside {files[0].name}")
        counts = {int(part[2]) for part in parts if part}
        if len(counts) != 1 or len(files) != counts.pop():
            raise InputError(f"{path}: not all parts of the checkpoint are there; copy all {prefix.name}-* files")
    for file in files:
        with naming(file):
            if not is_table(file):
                raise InputError(f"{file}: not a TensorFlow checkpoint, or cut short")
    return files

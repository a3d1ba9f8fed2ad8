"""Numeric datasets of HDF5 files, including MATLAB 7.3."""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from ..array_types import AnyArray
from ..errors import InputError
from ..reading import reading
from .arrays import REMEDY, Budget, StoredArray

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 10_000


def is_hdf5(path: Path) -> bool:
    """Return whether the HDF5 signature is at 0, 512 (MATLAB), 1024 or 2048."""
    with open(path, "rb") as file:
        for at in (0, 512, 1024, 2048):
            file.seek(at)
            if file.read(8) == SIGNATURE:
                return True
    return False


def stored_arrays(path: Path) -> dict[str, StoredArray]:
    """Return all real numeric datasets, ``group/name``; MATLAB's in MATLAB's order of axes.

    Links into other files, virtual and externally stored datasets are left out: a model is one file. Datasets whose
    numbers are not all in the file are left out too, since HDF5 fills them in at any declared size.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: this is an HDF5 file; `pip install h5py` to read it") from None
    found: dict[str, StoredArray] = {}
    seen = 0
    with reading(path, "HDF5 file", REMEDY):
        budget = Budget(path)
        with open(path, "rb") as plain:
            matlab = plain.read(10) == b"MATLAB 7.3"

        def collect(name: str, item: Any) -> bool | None:
            nonlocal seen
            seen += 1
            if seen > _MAX_OBJECTS:
                return True
            if isinstance(name, str) and isinstance(item, h5py.Dataset) and _is_plain(item, budget):
                shape = item.shape[::-1] if matlab else item.shape
                found[name] = StoredArray(shape, item.dtype.itemsize, partial(_read, path, name, matlab), budget)
            return None

        with h5py.File(path, "r") as file:
            file.visititems(collect)
    return found


def _is_plain(dataset: Any, budget: Budget) -> bool:
    """Return whether all of the numbers are stored in this file."""
    if dataset.dtype.kind not in "fiu" or dataset.shape is None or dataset.is_virtual or dataset.external:
        return False
    if dataset.chunks is None:
        return bool(dataset.id.get_storage_size() == dataset.size * dataset.dtype.itemsize)
    if prod(dataset.chunks) * dataset.dtype.itemsize > budget.left:  # HDF5 unpacks a chunk at once
        return False
    whole = prod(-(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    return bool(dataset.id.get_num_chunks() == whole)


def _read(path: Path, name: str, matlab: bool) -> AnyArray:
    import h5py

    with h5py.File(path, "r") as file:
        values = file[name][()]
    array: AnyArray = values.T if matlab else values
    return array

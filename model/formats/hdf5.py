"""HDF5 files, MATLAB's 7.3 included: their numeric datasets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .arrays import StoredArray

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 10_000


def is_hdf5(path: Path) -> bool:
    """Whether the HDF5 signature is where it may be: at 0, 512 (MATLAB), 1024 or 2048."""
    with open(path, "rb") as file:
        for at in (0, 512, 1024, 2048):
            file.seek(at)
            if file.read(8) == SIGNATURE:
                return True
    return False


def stored_arrays(path: Path) -> dict[str, StoredArray]:
    """All real numeric datasets, ``group/name``; MATLAB's with its own order of axes.

    Links into other files, virtual and externally stored datasets are left out: a model is one file.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: this is an HDF5 file; `pip install h5py` to read it") from None
    with open(path, "rb") as file:
        matlab = file.read(10) == b"MATLAB 7.3"
    found: dict[str, StoredArray] = {}
    names: list[str] = []

    def collect(name: str, item: Any) -> bool | None:
        names.append(name)
        if len(names) > _MAX_OBJECTS:
            return True
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or item.shape is None:
            return None
        if item.is_virtual or item.external:
            return None
        shape = item.shape[::-1] if matlab else item.shape
        found[name] = StoredArray(shape, partial(_read, path, name, matlab))
        return None

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _refusal(path, error) from None
    return found


def _read(path: Path, name: str, matlab: bool) -> np.ndarray:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            values = file[name][()]
    except (OSError, RuntimeError, ValueError, KeyError, MemoryError) as error:
        raise _refusal(path, error) from None
    return values.T if matlab else values


def _refusal(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path}: broken HDF5 file ({' '.join(str(error).split())}); get an intact file")

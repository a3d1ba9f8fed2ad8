"""Files that belong together: a second MAT or HDF5 file in the same folder, recognised by its content."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..files import is_file
from ..reading import reading
from . import hdf5, mat5
from .arrays import REMEDY, Arrays, StoredArray, group_with

_MAX_FILES = 64


def stored_arrays(path: Path) -> dict[str, StoredArray] | None:
    """Return the numeric arrays of a MAT or HDF5 file; None for other files. Raises InputError for a broken one."""
    with reading(path, "file", REMEDY):
        with open(path, "rb") as file:
            head = file.read(128)
        if mat5.is_mat5(head):
            return mat5.stored_arrays(path)
        return hdf5.stored_arrays(path) if hdf5.is_hdf5(path) else None


def find_sidecar(path: Path, usual_name: str, fields: tuple[str, ...]) -> tuple[Path, Arrays] | None:
    """Find the file in ``path``'s folder that has all ``fields``: ``usual_name`` first, then any other .mat or .h5.

    An unreadable file with the usual name raises InputError. Other unreadable files are skipped.
    """
    usual = path.parent / usual_name
    others = sorted(p for p in path.parent.glob("*") if p.suffix.lower() in (".mat", ".h5") and p not in (path, usual))
    for candidate in [usual, *others[:_MAX_FILES]]:
        if not is_file(candidate):
            continue
        try:
            arrays = stored_arrays(candidate)
        except InputError:
            if candidate == usual:
                raise
            continue
        group = group_with(arrays, *fields) if arrays else None
        if group is not None:
            return candidate, group
    return None

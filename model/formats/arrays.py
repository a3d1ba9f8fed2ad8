"""Named arrays in a file, whose shapes are known before they are read, and the checks that readers share.

``StoredArray.read`` is called only after its shape was checked. Every array counts against the file's ``Budget``, so
a file that declares wrong sizes is refused before memory is allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ..array_types import AnyArray, FloatArray, IntArray
from ..errors import InputError
from ..reading import memory_limit, reading

REMEDY = "get an intact file"


class Budget:
    """The memory that all arrays of one file together may take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = memory_limit(path.stat().st_size)

    def spend(self, count: int, what: str) -> None:
        """Count ``count`` bytes. Raises InputError where that is more than is left."""
        self.left -= count
        if self.left < 0:
            raise InputError(f"{self.path}: {what} takes far more memory than the file is large; {REMEDY}")


@dataclass(frozen=True)
class StoredArray:
    """One numeric array in a file.

    shape     in the file's own axis order (MATLAB's for MAT files)
    itemsize  bytes that reading takes for each number (0 where the data are in memory already)
    read      returns the array;  budget  of its file
    """

    shape: tuple[int, ...]
    itemsize: int
    read: Callable[[], AnyArray]
    budget: Budget


Arrays = Mapping[str, StoredArray]


def group_with(arrays: Arrays, *fields: str) -> dict[str, StoredArray] | None:
    """Return the fields of the top level or of the struct that has all ``fields``; None when there is none."""
    prefixes = {name.rpartition("/")[0] for name in arrays}
    for prefix in sorted(prefixes):
        start = f"{prefix}/" if prefix else ""
        group = {n[len(start) :]: a for n, a in arrays.items() if n.startswith(start)}
        if all(field in group for field in fields):
            return group
    return None


def vertex_count(path: Path, arrays: Arrays, name: str) -> int:
    """Return V from the mean ``name`` of 3V numbers."""
    size = prod(arrays[name].shape)
    if size % 3 or not 0 < size <= 3_000_000:
        raise InputError(f"{path}: {name} has {size} numbers, not 3 for each vertex; get an intact file")
    return size // 3


def read_vector(path: Path, arrays: Arrays, name: str, count: int | None = None) -> FloatArray:
    """Read ``name`` as float64 (count,), stored as a row or as a column."""
    stored = _stored(path, arrays, name)
    size = prod(stored.shape)
    if size != max(stored.shape, default=0) or (count is not None and size != count):
        want = "a vector" if count is None else f"{count} numbers"
        raise InputError(f"{path}: {name} is {_text(stored.shape)}, not {want}; get an intact file")
    values = np.asarray(_read(path, name, stored, 8), np.float64).ravel()
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32)).all()
    if not finite:
        raise InputError(f"{path}: {name} has values that are not numbers; get an intact file")
    return values


def read_sigmas(path: Path, arrays: Arrays, name: str, count: int) -> FloatArray:
    """Read ``count`` standard deviations or variances: a vector without negative numbers."""
    values = read_vector(path, arrays, name, count)
    if (values < 0).any():
        raise InputError(f"{path}: {name} has negative numbers; get an intact file")
    return values


def component_count(path: Path, arrays: Arrays, name: str, vertices: int) -> int:
    """Return K of a basis stored as (3V, K)."""
    shape = _stored(path, arrays, name).shape
    if len(shape) == 1:  # a single component
        shape = (*shape, 1)
    if len(shape) != 2 or shape[0] != 3 * vertices or not 0 < shape[1] <= 1000:
        raise InputError(
            f"{path}: {name} is {_text(shape)}, but the mean has {vertices} vertices, so it needs"
            f" {3 * vertices} rows; use files that belong together"
        )
    return shape[1]


def read_basis(path: Path, arrays: Arrays, name: str, vertices: int, scale: FloatArray) -> FloatArray:
    """Read the first ``len(scale)`` components of a (3V, K) basis, each times its scale, as (k, V, 3) float32."""
    component_count(path, arrays, name, vertices)
    columns = _read(path, name, arrays[name], 4).reshape(3 * vertices, -1)[:, : len(scale)]
    out = np.empty((len(scale), 3 * vertices), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # check_face_model names the array that is not finite
        np.multiply(columns.T, scale[:, None], out=out, casting="unsafe")
    return out.reshape(len(scale), vertices, 3)


def read_points(path: Path, arrays: Arrays, name: str, vertices: int, scale: float = 1.0) -> FloatArray:
    """Read 3V interleaved numbers as (V, 3) float64, times ``scale``."""
    return read_vector(path, arrays, name, 3 * vertices).reshape(vertices, 3) * scale


def read_triangles(path: Path, arrays: Arrays, name: str, vertices: int, first: int) -> IntArray:
    """Read triangles as (F, 3) int32, 0-based, from (F, 3) or (3, F) that counts from ``first``."""
    stored = _stored(path, arrays, name)
    if len(stored.shape) != 2 or 3 not in stored.shape or prod(stored.shape) > 9_000_000:
        raise InputError(f"{path}: {name} is {_text(stored.shape)}, not triangles; get an intact file")
    values = _read(path, name, stored, 16)
    return as_indices(path, name, values if values.shape[1] == 3 else values.T, vertices, first)


def read_indices(path: Path, arrays: Arrays, name: str, count: int, vertices: int, first: int) -> IntArray:
    """Read ``count`` vertex indices as int32, 0-based, from a file that counts from ``first``."""
    return as_indices(path, name, read_vector(path, arrays, name, count), vertices, first)


def as_indices(path: Path, name: str, values: AnyArray, vertices: int, first: int) -> IntArray:
    """Convert whole numbers first..first+vertices-1 (doubles in MATLAB) to int32, 0-based."""
    values = np.asarray(values)
    with np.errstate(invalid="ignore"):  # the comparison rejects NaN
        indices = values.astype(np.int64)
    if not np.array_equal(indices, values):
        raise InputError(f"{path}: {name} are not whole numbers; get an intact file")
    if indices.size and (indices.min() < first or indices.max() >= first + vertices):
        raise InputError(
            f"{path}: {name} point at vertices outside {first}..{first + vertices - 1}; use files that belong together"
        )
    return np.ascontiguousarray(indices - first, np.int32)


def wound_outward(vertices: FloatArray, triangles: IntArray) -> IntArray:
    """Return ``triangles`` (F, 3), reversed if the surface (V, 3), z out of the face, encloses a negative volume.

    A face mask is open at the back. The volume is measured about a point there, so the opening adds nothing to it. A
    volume near zero reverses nothing.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    behind = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    a, b, c = np.moveaxis((vertices - behind)[triangles], 1, 0)
    volumes = np.einsum("ij,ij->i", np.cross(a, b), c)
    inward = volumes.sum() < -0.2 * np.abs(volumes).sum()
    return np.ascontiguousarray(triangles[:, ::-1]) if inward else triangles


def _stored(path: Path, arrays: Arrays, name: str) -> StoredArray:
    if name not in arrays:
        raise InputError(f"{path}: {name} is missing, or is no plain numeric array; get an intact file")
    return arrays[name]


def _read(path: Path, name: str, stored: StoredArray, growth: int) -> AnyArray:
    """Return the array. ``growth`` is the bytes for each number that the caller makes of it."""
    stored.budget.spend(prod(stored.shape) * (stored.itemsize + growth), f"{name}, {_text(stored.shape)},")
    with reading(path, "file", REMEDY):
        return stored.read()


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))

"""Numeric arrays of MATLAB's MAT-file, level 5 (MATLAB 5 to 7.2, and SciPy): top level and structs.

SciPy is not used because it builds everything that a file declares (cells, objects, any size). This reader walks the
tags, checks each size against the file, and skips everything except numeric arrays. Layout after MathWorks, "MAT-File
Format".
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from ..array_types import AnyArray
from ..errors import InputError
from ..reading import reading
from .arrays import REMEDY, Budget, StoredArray

_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT = 2
_NUMERIC = range(6, 16)  # double, single, int8 ... uint64
_COMPLEX = 0x800
_MAX_VARIABLES = 10_000
_HEAD_BYTES = 4096  # enough for the flags, dimensions and name of a variable


def is_mat5(head: bytes) -> bool:
    """Return whether a file that begins with these 128 bytes is a level 5 MAT-file."""
    return len(head) >= 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def stored_arrays(path: Path) -> dict[str, StoredArray]:
    """Return all real numeric arrays: ``name``, or ``struct/field`` for those in 1x1 structs."""
    with reading(path, "MAT-file", REMEDY), open(path, "rb") as file:
        head = file.read(128)
        if not is_mat5(head):
            raise InputError(f"{path}: no MAT-file; give the file as it was released")
        budget = Budget(path)
        order = "<" if head[126:128] == b"IM" else ">"
        size = file.seek(0, 2)
        found: dict[str, StoredArray] = {}
        at, variables = 128, 0
        while at + 8 <= size:
            file.seek(at)
            kind, count = np.frombuffer(file.read(8), f"{order}u4").tolist()
            variables += 1
            if kind not in (_MATRIX, _COMPRESSED) or at + 8 + count > size or variables > _MAX_VARIABLES:
                raise _Broken("it is incomplete, or its header is wrong")
            found |= _variable(path, budget, order, kind, at + 8, count)
            at += 8 + count
        return found


class _Broken(Exception):
    pass


@dataclass(frozen=True)
class _Element:
    kind: int
    start: int
    count: int
    end: int  # where the next element begins


@dataclass(frozen=True)
class _Matrix:
    """The header of a matrix element; its data begin at ``data``."""

    array_class: int
    complex: bool
    shape: tuple[int, ...]
    name: str
    data: int


def _variable(path: Path, budget: Budget, order: str, kind: int, at: int, count: int) -> dict[str, StoredArray]:
    head = _content(path, kind, at, count, _HEAD_BYTES)
    body = 8 if kind == _COMPRESSED else 0  # a compressed variable has its own tag inside
    matrix = _matrix(head, order, body, len(head))
    if matrix.array_class == _STRUCT and prod(matrix.shape) == 1:
        budget.spend(count, matrix.name)  # the compressed bytes, while they are unpacked
        content = _content(path, kind, at, count, budget.left + 1)
        budget.spend(len(content) - count, matrix.name)
        return {f"{matrix.name}/{k}": v for k, v in _fields(budget, content, order, matrix).items()}
    if matrix.array_class not in _NUMERIC or matrix.complex or not matrix.name:
        return {}

    def read() -> AnyArray:
        limit = prod(matrix.shape) * 8 + _HEAD_BYTES
        return _numbers(_content(path, kind, at, count, limit), order, matrix)

    return {matrix.name: StoredArray(matrix.shape, 8, read, budget)}


def _content(path: Path, kind: int, at: int, count: int, limit: int) -> memoryview:
    """Return at most ``limit`` bytes of a variable, unpacked."""
    with open(path, "rb") as file:
        file.seek(at)
        if kind == _MATRIX:
            return memoryview(file.read(min(count, limit)))
        return memoryview(zlib.decompressobj().decompress(file.read(count), limit))


def _element(data: memoryview, order: str, at: int) -> _Element:
    if at + 8 > len(data):
        raise _Broken("it is cut off")
    kind, count = np.frombuffer(data, f"{order}u4", 2, at).tolist()
    if kind >> 16:  # up to four bytes, packed into the tag
        small = kind >> 16
        if small > 4:
            raise _Broken("a tag makes no sense")
        return _Element(kind & 0xFFFF, at + 4, small, at + 8)
    return _Element(kind, at + 8, count, at + 8 + (count + 7) // 8 * 8)


def _matrix(data: memoryview, order: str, at: int, end: int) -> _Matrix:
    flags = _element(data, order, at)
    if flags.count != 8 or flags.end + 8 > end:
        raise _Broken("a variable has no flags")
    word = int(np.frombuffer(data, f"{order}u4", 1, flags.start)[0])
    dims = _element(data, order, flags.end)
    if dims.kind != 5 or dims.count % 4 or not 8 <= dims.count <= 64 or dims.end > end:
        raise _Broken("a variable has no dimensions")
    shape = tuple(np.frombuffer(data, f"{order}i4", dims.count // 4, dims.start).tolist())
    if min(shape) < 0:
        raise _Broken("a variable has negative dimensions")
    name = _element(data, order, dims.end)
    if name.count > 63 or name.end > end:
        raise _Broken("a variable has no name")
    text = bytes(data[name.start : name.start + name.count]).decode("ascii")
    return _Matrix(word & 0xFF, bool(word & _COMPLEX), shape, text, name.end)


def _fields(budget: Budget, data: memoryview, order: str, struct: _Matrix) -> dict[str, StoredArray]:
    length = _element(data, order, struct.data)
    if length.count != 4:
        raise _Broken("a struct has no field names")
    width = int(np.frombuffer(data, f"{order}i4", 1, length.start)[0])
    names = _element(data, order, length.end)
    if not 0 < width <= 64 or names.end > len(data) or names.count > 64 * 256:
        raise _Broken("a struct has no field names")
    block = bytes(data[names.start : names.start + names.count])
    found = {}
    at = names.end
    for i in range(0, len(block), width):
        field = _element(data, order, at)
        if field.kind != _MATRIX or field.end > len(data):
            raise _Broken("a struct is cut off")
        at = field.end
        if field.count == 0:
            continue
        matrix = _matrix(data, order, field.start, field.end)
        if matrix.array_class in _NUMERIC and not matrix.complex:
            name = block[i : i + width].split(b"\0")[0].decode("ascii")
            found[name] = StoredArray(matrix.shape, 0, partial(_numbers, data, order, matrix), budget)
    return found


def _numbers(data: memoryview, order: str, matrix: _Matrix) -> AnyArray:
    """Read the real part, in MATLAB's order of axes. Its stored type is often smaller than the array's class."""
    part = _element(data, order, matrix.data)
    if part.kind not in _DTYPES:
        raise _Broken(f"{matrix.name or 'a field'} has no numbers")
    dtype = np.dtype(f"{order}{_DTYPES[part.kind]}")
    count = prod(matrix.shape)
    if part.count != count * dtype.itemsize or part.start + part.count > len(data):
        raise _Broken(f"{matrix.name or 'a field'} does not have the size it declares")
    return np.frombuffer(data, dtype, count, part.start).reshape(matrix.shape, order="F")

"""The protocol-buffer messages of checkpoints, read field by field.

A dozen fields do not need the protobuf library and its generated code. Unknown fields are skipped, not parsed, so
nothing recurses. Field numbers: tensorflow/core/framework and core/protobuf, ``tensor_shape``, ``tensor_slice``,
``tensor``, ``tensor_bundle``, ``saved_tensor_slice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...array_types import AnyArray
from .damage import Damaged

# DataType -> numpy type of the array. Others (text, resources, quantised numbers) are listed, but not read.
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    4: np.dtype("u1"),
    5: np.dtype("<i2"),
    6: np.dtype("i1"),
    9: np.dtype("<i8"),
    10: np.dtype("?"),
    19: np.dtype("<f2"),
}
MAX_RANK = 32
MAX_ELEMENTS = 1 << 50  # keeps numpy's own arithmetic below overflow; the file's size is checked separately

Field = int | memoryview


@dataclass(frozen=True)
class Extent:
    """One dimension of a slice in the file; ``length`` -1 is all of it."""

    start: int
    length: int


Slice = tuple[Extent, ...]


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Decode an unsigned 64-bit number at ``at``; return it and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damaged("a number is cut short")
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """Yield (field number, value): a number, or the bytes of a string, a nested message or a packed list."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise Damaged("a message has a field 0")
        if kind == 0:
            value, at = varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise Damaged(f"a message has a field of kind {kind}")
        if size > len(message) - at:
            raise Damaged("a message is cut short")
        piece = message[at : at + size]
        at += size
        yield number, piece if kind == 2 else int.from_bytes(piece, "little")


def number_of(value: Field) -> int:
    """Return a field that must be a signed number."""
    if not isinstance(value, int):
        raise Damaged("a message has bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def bytes_of(value: Field) -> memoryview:
    """Return a field that must be bytes."""
    if isinstance(value, int):
        raise Damaged("a message has a number where bytes belong")
    return value


def name_of(value: Field | bytes) -> str:
    """Decode a field, or a key, that must be a name."""
    try:
        return bytes(bytes_of(value) if not isinstance(value, bytes) else value).decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("a tensor's name is not UTF-8") from None


def shape_of(message: memoryview) -> tuple[int, ...]:
    """Decode a TensorShapeProto."""
    shape = []
    for number, value in fields(message):
        if number == 2:
            size = 0
            for inner, dimension in fields(bytes_of(value)):
                if inner == 1:
                    size = number_of(dimension)
            shape.append(size)
        elif number == 3 and value:
            raise Damaged("its shape is unknown")
    if len(shape) > MAX_RANK or min(shape, default=0) < 0 or prod(max(size, 1) for size in shape) > MAX_ELEMENTS:
        text = "x".join(map(str, shape[:MAX_RANK]))
        raise Damaged(f"its shape {text[:80]} is impossible")
    return tuple(shape)


def slice_of(message: memoryview) -> Slice:
    """Decode a TensorSliceProto."""
    extents = []
    for number, value in fields(message):
        if number != 1:
            continue
        start, length = 0, -1
        for inner, part in fields(bytes_of(value)):
            if inner == 1:
                start = number_of(part)
            elif inner == 2:
                length = number_of(part)
        extents.append(Extent(start, length))
        if len(extents) > MAX_RANK:
            raise Damaged("a slice has too many dimensions")
    return tuple(extents)


@dataclass(frozen=True)
class BundleHeader:
    """The header of a V2 index."""

    shards: int
    big_endian: bool
    needs_version: int


def bundle_header(message: memoryview) -> BundleHeader:
    """Decode a BundleHeaderProto."""
    shards = endianness = needs = 0
    for number, value in fields(message):
        if number == 1:
            shards = number_of(value)
        elif number == 2:
            endianness = number_of(value)
        elif number == 3:
            needs = needs_version(bytes_of(value))
    return BundleHeader(shards, endianness != 0, needs)


def needs_version(message: memoryview) -> int:
    """Decode a VersionDef: the oldest reader that may read this."""
    needed = 0
    for number, value in fields(message):
        if number == 2:
            needed = number_of(value)
    return needed


@dataclass(frozen=True)
class BundleEntry:
    """One tensor of a V2 checkpoint: the place of its bytes, or its parts (``slices``)."""

    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Slice, ...]


def bundle_entry(message: memoryview) -> BundleEntry:
    """Decode a BundleEntryProto."""
    dtype = shard = offset = size = crc = 0
    shape: tuple[int, ...] = ()
    slices = []
    for number, value in fields(message):
        if number == 1:
            dtype = number_of(value)
        elif number == 2:
            shape = shape_of(bytes_of(value))
        elif number == 3:
            shard = number_of(value)
        elif number == 4:
            offset = number_of(value)
        elif number == 5:
            size = number_of(value)
        elif number == 6:
            crc = number_of(value)
        elif number == 7:
            slices.append(slice_of(bytes_of(value)))
    return BundleEntry(DTYPES.get(dtype), shape, shard, offset, size, crc, tuple(slices))


@dataclass(frozen=True)
class SavedTensor:
    """One tensor of a V1 checkpoint: the slices that hold it."""

    name: str
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    slices: tuple[Slice, ...]


def saved_meta(message: memoryview) -> tuple[list[SavedTensor], int]:
    """Decode SavedTensorSlices.meta: all tensors, and the oldest reader that may read them."""
    tensors: list[SavedTensor] = []
    needed = 0
    for number, value in fields(message):
        if number != 1:
            continue
        for inner, part in fields(bytes_of(value)):
            if inner == 1:
                tensors.append(_saved_tensor(bytes_of(part)))
            elif inner == 2:
                needed = needs_version(bytes_of(part))
    return tensors, needed


def _saved_tensor(message: memoryview) -> SavedTensor:
    name, dtype = "", 0
    shape: tuple[int, ...] = ()
    slices = []
    for number, value in fields(message):
        if number == 1:
            name = name_of(value)
        elif number == 2:
            shape = shape_of(bytes_of(value))
        elif number == 3:
            dtype = number_of(value)
        elif number == 4:
            slices.append(slice_of(bytes_of(value)))
    return SavedTensor(name, DTYPES.get(dtype), shape, tuple(slices))


def saved_data(message: memoryview) -> tuple[str, Slice, memoryview]:
    """Decode SavedTensorSlices.data: tensor's name, slice, and its TensorProto."""
    for number, value in fields(message):
        if number == 2:
            name, proto = "", memoryview(b"")
            extents: Slice = ()
            for inner, part in fields(bytes_of(value)):
                if inner == 1:
                    name = name_of(part)
                elif inner == 2:
                    extents = slice_of(bytes_of(part))
                elif inner == 3:
                    proto = bytes_of(part)
            return name, extents, proto
    raise Damaged("an entry holds no data")


# TensorProto's field for the numbers of each type: a packed list, of fixed width or of varints.
_FIXED = {"<f4": (5, 4), "<f8": (6, 8)}
_VARINTS = {"<i4": 7, "|u1": 7, "<i2": 7, "|i1": 7, "<i8": 10, "|b1": 11, "<f2": 13}


def tensor_values(proto: memoryview, dtype: np.dtype[Any], count: int) -> AnyArray:
    """Decode the ``count`` numbers of a TensorProto, (count,). Raises Damaged for a wrong length before allocating."""
    code = dtype.newbyteorder("<").str
    number, width = _FIXED.get(code) or (_VARINTS[code], 0)
    packed = [bytes_of(value) for found, value in fields(proto) if found == number]
    stored = sum(map(len, packed))
    if width:
        if stored != count * width:
            raise Damaged(f"{stored // width} numbers are stored, not {count}")
        return np.frombuffer(bytearray().join(packed), dtype)
    data = np.frombuffer(b"".join(packed), np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if len(ends) != count or (stored and data[-1] >= 0x80):
        raise Damaged(f"{len(ends)} numbers are stored, not {count}")
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.intp)[:count]
    lengths = ends - starts + 1
    if lengths.size and lengths.max() > 10:
        raise Damaged("a number is too long")
    values = np.zeros(count, np.uint64)
    for place in range(int(lengths.max(initial=0))):
        there = lengths > place
        octets = data[starts[there] + place].astype(np.uint64) & np.uint64(0x7F)
        values[there] |= octets << np.uint64(7 * place)
    if dtype.kind == "f":  # half-precision numbers are stored as their bits
        return values.astype(np.uint16).view(dtype)
    return (values.view(np.int64)).astype(dtype)

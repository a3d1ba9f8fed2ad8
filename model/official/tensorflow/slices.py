"""Parts of a tensor: their keys in a table, and their assembly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

from ...array_types import AnyArray
from .damage import Damaged
from .wire import Extent, Slice


def slice_key(name: str, extents: Slice) -> bytes:
    """Return the key of a slice: a zero, the name, the rank, each start and length, in an encoding with their order."""
    escaped = name.encode().replace(b"\x00", b"\x00\xff")
    rank = bytes([1, len(extents)]) if extents else b"\x00"
    numbers = b"".join(_ordered(extent.start) + _ordered(extent.length) for extent in extents)
    return b"\x00" + escaped + b"\x00\x01" + rank + numbers


def _ordered(value: int) -> bytes:
    """Encode a signed number with its length in the leading bits, so that byte strings sort as numbers do."""
    length = (~value if value < 0 else value).bit_length() // 7 + 1
    ones = ((1 << length) - 1) << 7 * length
    return (value & (1 << 8 * length) - 1 ^ ones).to_bytes(length, "big")


def region(extents: Slice, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the slice as numpy indices. Raises Damaged when it is not inside ``shape``."""
    if len(extents) != len(shape):
        raise Damaged(f"a slice has {len(extents)} dimensions, the tensor {len(shape)}")
    inside = []
    for extent, size in zip(extents, shape, strict=True):
        if extent == Extent(0, -1):
            inside.append(slice(0, size))
        elif 0 <= extent.start and 0 < extent.length <= size - extent.start:
            inside.append(slice(extent.start, extent.start + extent.length))
        else:
            raise Damaged("a slice lies outside the tensor")
    return tuple(inside)


def assemble(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    slices: Iterable[Slice],
    read: Callable[[Slice, tuple[int, ...]], AnyArray],
    limit: int,
) -> AnyArray:
    """Assemble a tensor from its slices; ``read(slice, its shape)`` gets one.

    Raises Damaged unless they fill it, each element once, and before taking more than ``limit`` bytes.
    """
    regions = [(extents, region(extents, shape)) for extents in slices]
    sizes = [tuple(part.stop - part.start for part in inside) for _, inside in regions]
    if sum(map(prod, sizes)) != prod(shape):
        raise Damaged("its slices do not make up the whole")
    if len(regions) == 1:
        return read(regions[0][0], shape)
    if prod(shape) * dtype.itemsize > limit:
        raise Damaged("it is larger than the file")
    whole, filled = np.empty(shape, dtype), np.zeros(shape, bool)
    for (extents, inside), size in zip(regions, sizes, strict=True):
        if filled[inside].any():
            raise Damaged("its slices overlap")
        filled[inside] = True
        whole[inside] = read(extents, size)
    return whole

"""Reading of safetensors with numpy alone, so that the light engine needs no package for it.

The file is a length (8 bytes, little-endian), that many bytes of JSON, {name: {"dtype", "shape", "data_offsets"}}
with strings under "__metadata__", and the tensors' bytes, C order, little-endian
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ...array_types import AnyArray
from ...reading import json_object

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


MAX_HEADER = 2**22  # bytes; a thousand tensors take a hundred kilobytes


class BrokenFile(ValueError):
    """Invalid safetensors; the message says what is wrong."""


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, AnyArray]]:
    """Return the metadata and the tensors by name, each with memory of its own. Raises BrokenFile, OSError and others.

    Call it inside ``reading``. As the format demands, the tensors fill the file without holes and do not overlap, so
    they never take more memory than the file has bytes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MAX_HEADER):
            raise BrokenFile("its header is cut short or too long")
        header = json_object(file.read(length), MAX_HEADER)
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise BrokenFile("its metadata are not strings")
        places = sorted((_place(name, entry) for name, entry in header.items()), key=lambda place: place.begin)
        end = 0
        for place in places:
            if place.begin != end:
                raise BrokenFile(f"tensor {place.name[:60]} overlaps another one or leaves a hole")
            end = place.end
        if end != size - 8 - length:
            raise BrokenFile("it has not the size that its tensors have")
        return metadata, {place.name: _tensor(file, place) for place in places}


@dataclass(frozen=True)
class _Place:
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def _place(name: str, entry: Any) -> _Place:
    kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if kind not in DTYPES:
        raise BrokenFile(f"tensor {name[:60]} has the unknown type {str(kind)[:20]}")
    if len(shape) > 8 or not all(type(n) is int and 0 <= n < 2**40 for n in (*shape, begin, end)):
        raise BrokenFile(f"tensor {name[:60]} is not described")
    dtype = np.dtype(DTYPES[kind])
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise BrokenFile(f"tensor {name[:60]} does not have the size it declares")
    return _Place(name, dtype, shape, begin, end)


def _tensor(file: BufferedReader, place: _Place) -> AnyArray:
    data = bytearray(place.end - place.begin)
    if file.readinto(data) != len(data):
        raise BrokenFile(f"tensor {place.name[:60]} is cut short")
    return np.frombuffer(data, place.dtype).reshape(place.shape)

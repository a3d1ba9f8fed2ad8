"""Reading safetensors with numpy alone, so that the light engine needs no package for it.

The file is a length (8 bytes, little-endian), that many bytes of JSON, {name: {"dtype", "shape", "data_offsets"}} with
strings under "__metadata__", and the tensors' bytes, C order, little-endian
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


class BrokenFile(ValueError):
    """Not a safetensors file as the format has it; says what is wrong."""


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the tensors by name (of their own). Raises BrokenFile and OSError."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8:
        raise BrokenFile("its header is cut short")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenFile("its header is no JSON object") from error
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BrokenFile("its metadata are not strings")
    return metadata, {name: _tensor(name, entry, data, 8 + length) for name, entry in header.items()}


def _tensor(name: str, entry: Any, data: bytes, start: int) -> np.ndarray:
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFile(f"tensor {name} is not described") from error
    if kind not in DTYPES:
        raise BrokenFile(f"tensor {name} has the unknown type {kind}")
    dtype = np.dtype(DTYPES[kind])
    if not whole or end - begin != math.prod(shape) * dtype.itemsize or start + end > len(data):
        raise BrokenFile(f"tensor {name} is cut short")
    return np.frombuffer(data, dtype, math.prod(shape), start + begin).reshape(shape).copy()

"""Named arrays in an .npz: shapes and types are checked before an array is unpacked. Needs numpy only.

``numpy.load`` evaluates the header of a member as Python and allocates the declared size; it returns a member without
the suffix .npy as bytes. This reader accepts only what ``numpy.savez`` writes.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from .array_types import AnyArray

MAX_MEMBERS = 1000
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{'descr': '(?P<type>[<>|=]?[fiub][1248])', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\), ?\} *\n?",
    re.ASCII,
)


@dataclass(frozen=True)
class Declared:
    """The declared ``shape`` and ``dtype`` of a member."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


class NpzArrays:
    """An opened .npz; use it in a ``with``. Raises ValueError, zipfile.BadZipFile, OSError … (see ``reading``)."""

    def __init__(self, source: Path | BinaryIO) -> None:
        self._archive = zipfile.ZipFile(source)
        try:
            self.declared = self._declared()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> NpzArrays:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    @property
    def bytes(self) -> int:
        """Return the size in bytes of all arrays unpacked."""
        return sum(d.count * d.dtype.itemsize for d in self.declared.values())

    def read(self, name: str) -> AnyArray:
        """Return an array, new and writable."""
        declared = self.declared[name]
        data = bytearray(declared.count * declared.dtype.itemsize)
        with self._archive.open(f"{name}.npy") as member:
            _, fortran = _header(member)
            if _fill(member, memoryview(data)) or member.read(1):
                raise ValueError(f"{name} does not have the size it declares")
        return np.frombuffer(data, declared.dtype).reshape(declared.shape, order="F" if fortran else "C")

    def _declared(self) -> dict[str, Declared]:
        declared: dict[str, Declared] = {}
        infos = self._archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise ValueError(f"{len(infos)} members are more than {MAX_MEMBERS}")
        for info in infos:
            name = info.filename.removesuffix(".npy")
            if name == info.filename or name in declared:
                raise ValueError(f"{info.filename[:40]} is no numpy array, or is in it twice")
            # zipfile allocates an LZMA member's declared dictionary, of any size
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{info.filename[:40]} is packed in another way than numpy packs")
            with self._archive.open(info) as member:
                found, _ = _header(member)
                if member.tell() + found.count * found.dtype.itemsize != info.file_size:
                    raise ValueError(f"{name[:40]} does not have the size it declares")
            declared[name] = found
        return declared


def _header(member: IO[bytes]) -> tuple[Declared, bool]:
    """Return shape, type and whether the first axis varies fastest; ``member`` is then at the start of the data."""
    start = member.read(8)
    if start[:6] != _MAGIC or start[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError("a member is no numpy array")
    size = struct.calcsize("<H" if start[6] == 1 else "<I")
    length = int.from_bytes(member.read(size), "little")
    if length > 4096:
        raise ValueError("the header of a member is too long")
    found = _HEADER.fullmatch(member.read(length).decode("latin-1"))
    if found is None:
        raise ValueError("a member is no plain array of numbers")
    shape = tuple(int(n) for n in found["shape"].replace(" ", "").split(",") if n)
    if len(shape) > 8:
        raise ValueError("a member has too many axes")
    return Declared(shape, np.dtype(found["type"])), found["fortran"] == "True"


def _fill(member: IO[bytes], view: memoryview) -> int:
    """Read into ``view``; return how many bytes are missing."""
    while view:
        got = member.read(min(len(view), 2**20))
        if not got:
            break
        view[: len(got)] = got
        view = view[len(got) :]
    return len(view)

"""Checkpoints put together byte by byte, with right checksums: to say what TensorFlow itself would never say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from expnet.model.official.tensorflow.crc32c import crc32c, masked

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
FLOAT = 1


def varint(number: int) -> bytes:
    out = bytearray()
    number &= 2**64 - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    """Return a field of a message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    return body + bytes(4) + (1).to_bytes(4, "little")


def table(entries: Sequence[tuple[bytes, bytes]], packing: int = 0) -> bytes:
    """Return a table of one block, or of as many as there are entries with an empty key that are not the first."""
    out = bytearray()

    def add(content: bytes) -> bytes:
        handle = varint(len(out)) + varint(len(content))
        content += bytes([packing])
        out.extend(content + masked(crc32c(content)).to_bytes(4, "little"))
        return handle

    data = add(block(entries))
    meta = add(block([]))
    index = add(block([(entries[-1][0] + b"\xff", data)]))
    return bytes(out) + (meta + index).ljust(40, b"\0") + MAGIC


def shape_message(shape: Sequence[int]) -> bytes:
    return b"".join(field(2, field(1, size)) for size in shape)


def slice_message(extents: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(field(1, field(1, start) + field(2, length)) for start, length in extents)


def entry(
    shape: Sequence[int],
    offset: int = 0,
    size: int = 0,
    crc: int = 0,
    shard: int = 0,
    dtype: int = FLOAT,
    slices: Sequence[Sequence[tuple[int, int]]] = (),
) -> bytes:
    """Return what the index of a V2 checkpoint says of one tensor."""
    message = field(1, dtype) + field(2, shape_message(shape)) + field(3, shard) + field(4, offset) + field(5, size)
    message += varint(6 << 3 | 5) + crc.to_bytes(4, "little")
    return message + b"".join(field(7, slice_message(s)) for s in slices)


def header(shards: int = 1, endianness: int = 0, needs: int = 0) -> bytes:
    return field(1, shards) + field(2, endianness) + field(3, field(1, 1) + field(2, needs))


def write_index(prefix: Path, entries: Sequence[tuple[bytes, bytes]], data: bytes = b"", **changes: int) -> Path:
    """Write a V2 checkpoint with one data file and the given entries."""
    prefix.with_name(prefix.name + ".index").write_bytes(table([(b"", header(**changes)), *entries]))
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    return prefix


def write_bundle(prefix: Path, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, np.ndarray]) -> Path:
    """Write a V2 checkpoint of float32 tensors: zeros, which take no room on disk, except those in ``values``."""
    entries, offset, zeros = [], 0, {}
    with prefix.with_name(prefix.name + ".data-00000-of-00001").open("wb") as file:
        for name, shape in sorted(shapes.items(), key=lambda item: item[0].encode()):
            size = 4 * int(np.prod(shape))
            if name in values:
                array = np.ascontiguousarray(values[name], np.float32)
                assert array.shape == shape
                crc = crc32c(array)
                file.seek(offset)
                file.write(array.tobytes())
            else:
                if size not in zeros:
                    zeros[size] = crc32c(np.zeros(size, np.uint8))
                crc = zeros[size]
            entries.append((name.encode(), entry(shape, offset, size, masked(crc))))
            offset += size
        file.truncate(offset)
    prefix.with_name(prefix.name + ".index").write_bytes(table([(b"", header()), *entries]))
    return prefix

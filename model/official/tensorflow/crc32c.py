"""CRC-32C (Castagnoli) of large arrays in numpy, the checksum of TensorFlow's files.

Good libraries exist, but every user would have to install one for a check that runs once per file. numpy reaches
several hundred MB/s.

The checksum of words w_0 … w_(n-1) is the sum over GF(2) of w_k · x^(32 (n-k)) modulo the polynomial, so many lanes
can be summed side by side: lane j takes every N-th word, and at last the N lanes are folded in half until one is
left. Zeros in front change nothing (the customary start value is put on the first word instead), so any length is
filled up.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from ...array_types import IntArray, UInt8Array

_POLYNOMIAL = 0x82F63B78  # reflected
_MAX_LANES = 1 << 14  # 64 kB of state stay in the cache


def crc32c(data: bytes | bytearray | memoryview | UInt8Array) -> int:
    """Return the checksum of ``data``, which is read as bytes in memory order."""
    octets = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.reshape(-1).view(np.uint8)
    if octets.size < 1024:
        return _bytewise(octets.tobytes())
    lanes = min(_MAX_LANES, 1 << max(octets.size // 64, 1).bit_length() - 1)
    row = 4 * lanes
    head = -(-octets.size % row) % row or row  # the part beyond whole rows goes first, behind zeros
    first = np.zeros(row, np.uint8)
    first[row - head :] = octets[:head]
    start = np.full(4, 0xFF, np.uint8)
    in_first = min(head, 4)
    first[row - head : row - head + in_first] ^= start[:in_first]
    body = octets[head:]
    if in_first < 4:  # the start value reaches into the next row
        body = body.copy()
        body[: 4 - in_first] ^= start[in_first:]
    low, high = _shift_tables(lanes.bit_length() - 1)
    state = first.view("<u4").astype(np.uint32)
    for begin in range(0, body.size, row):
        words = np.frombuffer(body[begin : begin + row].tobytes(), "<u4")
        state = low[state & 0xFFFF] ^ high[state >> 16] ^ words
    while state.size > 1:
        half = state.size // 2
        low, high = _shift_tables(half.bit_length() - 1)
        front = state[:half]
        state = low[front & 0xFFFF] ^ high[front >> 16] ^ state[half:]
    low, high = _shift_tables(0)
    last = int(state[0])
    return int(low[last & 0xFFFF] ^ high[last >> 16]) ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Return the checksum as it is stored: rotated and offset, so that data may contain checksums."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def _byte_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def _bytewise(data: bytes) -> int:
    table, crc = _byte_table(), 0xFFFFFFFF
    for octet in data:
        crc = table[(crc ^ octet) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _shift_columns(power: int) -> tuple[int, ...]:
    """Return the images of the 32 bits under 2**power zero words."""
    if power == 0:
        table = _byte_table()
        columns = []
        for bit in range(32):
            value = 1 << bit
            for _ in range(4):
                value = table[value & 0xFF] ^ value >> 8
            columns.append(value)
        return tuple(columns)
    half = _shift_columns(power - 1)
    return tuple(_apply(half, column) for column in half)


def _apply(columns: tuple[int, ...], value: int) -> int:
    result = 0
    for bit, column in enumerate(columns):
        if value >> bit & 1:
            result ^= column
    return result


@cache
def _shift_tables(power: int) -> tuple[IntArray, IntArray]:
    """Return ``_shift_columns`` for every lower and every upper half of a word: (65536,) uint32 each."""
    columns = _shift_columns(power)
    halves = []
    for start in (0, 16):
        table = np.zeros(65536, np.uint32)
        for bit in range(16):
            table[1 << bit : 2 << bit] = table[: 1 << bit] ^ np.uint32(columns[start + bit])
        halves.append(table)
    return halves[0], halves[1]

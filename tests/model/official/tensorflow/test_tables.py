"""The layers under TensorFlow's checkpoints, one by one: checksums, snappy, numbers that sort."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.official.tensorflow import wire
from expnet.model.official.tensorflow.crc32c import _bytewise, crc32c, masked
from expnet.model.official.tensorflow.damage import Damaged
from expnet.model.official.tensorflow.slices import assemble, region, slice_key
from expnet.model.official.tensorflow.snappy import decompress
from expnet.model.official.tensorflow.wire import Extent


@pytest.mark.parametrize(
    ("data", "crc"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_published_checksums(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


@pytest.mark.parametrize(
    "size", [1023, 1024, 1025, 1026, 1027, 1028, 4096, 4099, 65537, 262147, 1 << 20, (1 << 20) + 1]
)
def test_many_lanes_agree_with_one_byte_after_the_other(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    assert crc32c(data) == _bytewise(data.tobytes())


def test_a_checksum_is_masked_as_leveldb_does() -> None:
    assert masked(crc32c(b"foo")) == ((0xCFC4AE1D >> 15 | 0xCFC4AE1D << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("packed", "content"),
    [
        (b"\x00", b""),
        (b"\x05\x10hello", b"hello"),
        (b"\x46\xf0\x45" + b"x" * 70, b"x" * 70),  # a literal with its length in a byte of its own
        (b"\x0a\x04ab\x09\x02\x04cd", b"abababab" + b"cd"),  # a copy that runs into what it has just written
        (b"\x0b\x08abc\x1e\x03\x00", b"abcabcabcab"),
        (b"\x0a\x08abc\x1b\x03\x00\x00\x00", b"abcabcabca"),
    ],
)
def test_snappy_blocks(packed: bytes, content: bytes) -> None:
    assert decompress(packed) == content


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x05\x10hell",
        b"\x06\x10hello",
        b"\x04\x10hello",
        b"\x0a\x04ab\x11\x03",  # before the start
        b"\x0a\x04ab\x11\x00",
        b"\x0a\x04ab\x12\x01",
        b"\xff\xff\xff\xff\x0f\x00a",  # four gigabytes
        b"\x05\xfc\xff\xff\xff\xffhello",
    ],
)
def test_broken_snappy_blocks(packed: bytes) -> None:
    with pytest.raises(Damaged):
        decompress(packed)


@given(st.binary(max_size=200))
def test_snappy_never_gives_more_than_such_a_block_can_hold(packed: bytes) -> None:
    with suppress(Damaged):
        assert len(decompress(packed)) <= 22 * len(packed)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_damaged(message: bytes) -> None:
    for read in (wire.bundle_entry, wire.bundle_header, wire.saved_meta, wire.saved_data, wire.shape_of, wire.slice_of):
        with suppress(Damaged):
            read(memoryview(message))


INT64 = st.integers(-(2**63), 2**63 - 1)


@given(INT64, INT64)
def test_slice_keys_sort_as_their_numbers_do(a: int, b: int) -> None:
    keys = [slice_key("w", (Extent(value, -1),)) for value in (a, b)]
    assert (keys[0] < keys[1]) == (a < b) and (keys[0] == keys[1]) == (a == b)


def test_slice_keys() -> None:
    assert slice_key("w", ()) == b"\x00w\x00\x01\x00"
    assert slice_key("w", (Extent(0, -1),)) == b"\x00w\x00\x01\x01\x01\x80\x7f"
    assert slice_key("w", (Extent(64, 3),)) == b"\x00w\x00\x01\x01\x01\xc0\x40\x83"


@pytest.mark.parametrize("extent", [(-1, 2), (0, 0), (3, 2), (1, -1), (5, 1), (0, 5), (2**62, 2**62)])
def test_a_slice_outside_its_tensor(extent: tuple[int, int]) -> None:
    with pytest.raises(Damaged):
        region((Extent(*extent),), (4,))


def test_slices_fill_a_tensor_once() -> None:
    def ones(extents: tuple[Extent, ...], shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, extents[0].start, np.float32)

    def whole(*extents: tuple[int, int], limit: int = 100) -> np.ndarray:
        return assemble((4,), np.dtype("<f4"), [(Extent(*e),) for e in extents], ones, limit)

    assert whole((0, 1), (1, 3)).tolist() == [0, 1, 1, 1]
    for extents in ([(0, 2), (1, 2)], [(0, 1), (2, 2)], [(0, -1), (0, 1)], [(0, 3), (1, 1)]):
        with pytest.raises(Damaged, match="slices"):
            whole(*extents)
    with pytest.raises(Damaged, match="larger"):
        whole((0, 2), (2, 2), limit=15)


def varints(*numbers: int) -> bytes:
    out = bytearray()
    for number in numbers:
        number &= 2**64 - 1
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


@given(st.lists(INT64, max_size=20))
def test_packed_numbers(numbers: list[int]) -> None:
    packed = varints(*numbers)
    proto = memoryview(b"\x52" + varints(len(packed)) + packed)  # field 10: int64_val
    assert wire.tensor_values(proto, np.dtype("<i8"), len(numbers)).tolist() == numbers
    with pytest.raises(Damaged):
        wire.tensor_values(proto, np.dtype("<i8"), len(numbers) + 1)

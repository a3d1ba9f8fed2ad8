"""Checkpoints that TensorFlow wrote (tests/official/write_checkpoints.py made those in tests/data), and broken ones."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.official.tensorflow import Checkpoint, open_checkpoint
from expnet.model.official.tensorflow.crc32c import crc32c, masked
from expnet.model.official.tensorflow.slices import slice_key
from expnet.model.official.tensorflow.wire import Extent

from ....official.variables import KIND_DTYPES, KINDS, PARTS, SMALL, content
from .forged import entry, field, header, shape_message, slice_message, table, write_index

DATA = Path(__file__).parents[3] / "data" / "tensorflow"
BOTH = ("v1", "v2")


def refusal(path: Path, *names: str) -> str:
    """Return the one line that refuses a checkpoint, when it is opened or when one of ``names`` is read."""
    with pytest.raises(InputError) as caught:
        checkpoint = open_checkpoint(path)
        for name in names or checkpoint.tensors:
            checkpoint.read(name)
    message = str(caught.value)
    assert "\n" not in message and str(path.parent) in message
    return message


def holds(checkpoint: Checkpoint, shapes: dict[str, tuple[int, ...]], dtypes: dict[str, type] | None = None) -> None:
    assert {name: info.shape for name, info in checkpoint.tensors.items()} == shapes
    for name, shape in shapes.items():
        wanted = content(name, shape, (dtypes or {}).get(name, np.float32))
        assert checkpoint.tensors[name].dtype == wanted.dtype
        array = checkpoint.read(name)
        np.testing.assert_array_equal(array, wanted)
        assert array.dtype == wanted.dtype and array.flags.writeable


# ------------------------------------------------------------------------------------------- as TensorFlow writes them


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("layout", ["one", "shards", "packed"])
def test_the_releases_variables(layout: str, version: str) -> None:
    holds(open_checkpoint(DATA / f"{layout}_{version}.ckpt"), SMALL)


@pytest.mark.parametrize("version", BOTH)
def test_other_types(version: str) -> None:
    holds(open_checkpoint(DATA / f"kinds_{version}.ckpt"), KINDS, KIND_DTYPES)


@pytest.mark.parametrize("version", BOTH)
def test_variables_kept_in_parts(version: str) -> None:
    holds(open_checkpoint(DATA / f"parts_{version}.ckpt"), PARTS)


@pytest.mark.parametrize("path", sorted(DATA.glob("*")), ids=lambda path: path.name)
def test_any_of_its_files_names_a_checkpoint(path: Path) -> None:
    assert path in open_checkpoint(path).files


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    """Damage elsewhere is not even seen."""
    for version in BOTH:
        copy(f"one_{version}", tmp_path)
    data = tmp_path / "one_v2.ckpt.data-00000-of-00001"
    content_of_file = bytearray(data.read_bytes())
    content_of_file[0] ^= 1
    data.write_bytes(content_of_file)
    names = sorted(SMALL)
    checkpoint = open_checkpoint(tmp_path / "one_v2.ckpt")
    checkpoint.read(names[-1])
    with pytest.raises(InputError, match=f"tensor {names[0]}: it does not have its checksum"):
        checkpoint.read(names[0])


# --------------------------------------------------------------------------------------------------- missing and broken


def copy(stem: str, folder: Path) -> Path:
    for path in DATA.glob(f"{stem}.ckpt*"):
        shutil.copy(path, folder)
    return folder / f"{stem}.ckpt"


def test_a_tensor_that_is_not_there() -> None:
    assert "tensor exprCNN/absent is missing" in refusal(DATA / "one_v2.ckpt", "exprCNN/absent")


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    assert "no such checkpoint" in refusal(tmp_path / "model.ckpt")
    (tmp_path / "text.ckpt").write_text("hello" * 100)
    assert "not a TensorFlow checkpoint" in refusal(tmp_path / "text.ckpt")
    (tmp_path / "empty.index").touch()
    assert "cut short" in refusal(tmp_path / "empty")


@pytest.mark.parametrize(
    ("stem", "gone"),
    [
        ("one_v2", "one_v2.ckpt.index"),
        ("one_v2", "one_v2.ckpt.data-00000-of-00001"),
        ("shards_v2", "shards_v2.ckpt.data-00001-of-00003"),
        ("shards_v1", "shards_v1.ckpt-00001-of-00003"),
    ],
)
def test_a_file_of_it_is_missing(tmp_path: Path, stem: str, gone: str) -> None:
    prefix = copy(stem, tmp_path)
    (tmp_path / gone).unlink()
    message = refusal(prefix)
    assert gone in message or "not all parts" in message


@pytest.mark.parametrize(
    "path", sorted(p for p in DATA.glob("*") if not p.name.startswith("kinds")), ids=lambda p: p.name
)
def test_a_file_cut_short(tmp_path: Path, path: Path) -> None:
    copy(path.name.partition(".")[0], tmp_path)
    cut, whole = tmp_path / path.name, path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:length])
        assert path.name in refusal(cut)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_either_harmless_or_one_line(tmp_path: Path, data: st.DataObject) -> None:
    stem = data.draw(st.sampled_from(sorted({path.name.partition(".")[0] for path in DATA.glob("*")})))
    prefix = copy(stem, tmp_path)
    path = data.draw(st.sampled_from(sorted(tmp_path.glob(f"{stem}.ckpt*"))))
    damaged = bytearray(path.read_bytes())
    places = st.one_of(st.integers(0, len(damaged) - 1), st.integers(1, min(60, len(damaged))).map(lambda n: -n))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        checkpoint = open_checkpoint(prefix)
        arrays = {name: checkpoint.read(name) for name in checkpoint.tensors}
    except InputError as error:
        assert "\n" not in str(error) and str(tmp_path) in str(error)
        return
    shapes = {"one": SMALL, "shards": SMALL, "packed": SMALL, "kinds": KINDS, "parts": PARTS}[stem[:-3]]
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, content(name, shapes[name], KIND_DTYPES.get(name, np.float32)))


# ------------------------------------------------------------------------------- files that mean harm, checksums right

FOUR = np.arange(4, dtype=np.float32)
GOOD = {"shape": (4,), "size": 16, "crc": masked(crc32c(FOUR))}


def test_what_the_forger_writes_is_right_where_it_does_not_lie(tmp_path: Path) -> None:
    prefix = write_index(tmp_path / "m.ckpt", [(b"a", entry(**GOOD))], FOUR.tobytes())
    assert open_checkpoint(prefix).read("a").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("lie", "complaint"),
    [
        ({"shape": (5,)}, "do not have the shape"),
        ({"shape": (10**9, 10**6)}, "do not have the shape"),
        ({"shape": (2**40,), "size": 2**42}, "cut short"),
        ({"shape": (0, 2**62)}, "is impossible"),
        ({"shape": (-1,)}, "is impossible"),
        ({"shape": (1,) * 33}, "is impossible"),
        ({"offset": 4}, "cut short"),
        ({"offset": -4}, "cut short"),
        ({"offset": 2**62}, "cut short"),
        ({"size": -16}, "do not have the shape"),
        ({"crc": 0}, "checksum"),
        ({"shard": 1}, "data file 1 of 1"),
        ({"shard": -1}, "data file -1 of 1"),
        ({"dtype": 7}, "no plain array of numbers"),
        ({"dtype": 99}, "no plain array of numbers"),
        ({"slices": [[(0, 4)]]}, "slices is missing"),
        ({"slices": [[(0, 4)]] * 2}, "do not make up the whole"),
        ({"slices": [[(0, 5)]]}, "outside the tensor"),
        ({"slices": [[(0, 4), (0, 4)]]}, "2 dimensions"),
    ],
)
def test_an_entry_that_lies(tmp_path: Path, lie: dict, complaint: str) -> None:
    prefix = write_index(tmp_path / "m.ckpt", [(b"exprCNN/a", entry(**(GOOD | lie)))], FOUR.tobytes())
    message = refusal(prefix)
    assert complaint in message
    assert "exprCNN/a" in message or "data file" in message


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([(b"a", entry(**GOOD)), (b"a", entry(**GOOD))], "there twice"),
        ([(b"b", entry(**GOOD)), (b"a", entry(**GOOD))], "not in order"),
        ([(b"a", entry(**GOOD)), (b"b", entry(**GOOD))], "overlaps another tensor"),
        ([(b"\xff\xfe", entry(**GOOD))], "not UTF-8"),
        ([(b"a" * 5000, entry(**GOOD))], "longer than 4096"),
        ([(b"a", b"\x0a\xff")], "cut short"),
        ([(b"a", field(2, shape_message((4,))) + b"\x0b" * 5000)], "field of kind 3"),  # groups within groups
        ([(b"a", entry(**GOOD) + b"\x08" + b"\xff" * 12)], "cut short"),
        ([(b"a", field(2, 4))], "a number where bytes belong"),
        ([(b"\x00a", entry(**(GOOD | {"slices": [[(0, 4)]]})))], "itself cut"),
    ],
    ids=str,
)
def test_an_index_that_lies(tmp_path: Path, entries: list, complaint: str) -> None:
    assert complaint in refusal(write_index(tmp_path / "m.ckpt", entries, FOUR.tobytes()))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"endianness": 1}, "big-endian"), ({"needs": 2}, "version 2"), ({"shards": 0}, "data file 0 of 0")],
)
def test_a_header_that_cannot_be_served(tmp_path: Path, changes: dict, complaint: str) -> None:
    prefix = write_index(tmp_path / "m.ckpt", [(b"a", entry(**GOOD))], FOUR.tobytes(), **changes)
    assert complaint in refusal(prefix)


def test_slices_that_overlap(tmp_path: Path) -> None:
    parts = [((Extent(0, 2),), (2,), 0), ((Extent(1, 2),), (2,), 8)]
    entries = [
        (slice_key("a", extents), entry(shape, offset, 8, masked(crc32c(FOUR[offset // 4 :][:2]))))
        for extents, shape, offset in parts
    ]
    entries.append((b"a", entry((4,), slices=[[(0, 2)], [(1, 2)]])))
    assert "tensor a: its slices overlap" in refusal(write_index(tmp_path / "m.ckpt", entries, FOUR.tobytes()))


def saved(name: bytes, shape: tuple[int, ...], *slices: list[tuple[int, int]], dtype: int = 1) -> bytes:
    """Return what the list in a V1 checkpoint says of one tensor."""
    message = field(1, name) + field(2, shape_message(shape)) + field(3, dtype)
    return field(1, message + b"".join(field(4, slice_message(s)) for s in slices))


def write_v1(path: Path, meta: bytes, *values: tuple[bytes, bytes]) -> Path:
    path.write_bytes(table([(b"", field(1, meta)), *values]))
    return path


def value(name: str, extents: list[tuple[int, int]], numbers: bytes, key_name: str = "") -> tuple[bytes, bytes]:
    key = slice_key(key_name or name, tuple(Extent(*e) for e in extents))
    data = field(1, name.encode()) + field(2, slice_message(extents)) + field(3, field(5, numbers))
    return key, field(2, data)


ALL = [(0, 4)]
FINE = value("a", ALL, FOUR.tobytes())


def test_a_forged_v1_file(tmp_path: Path) -> None:
    path = write_v1(tmp_path / "m.ckpt", saved(b"a", (4,), ALL), FINE)
    assert open_checkpoint(path).read("a").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("meta", "values", "complaint"),
    [
        (saved(b"a", (5,), [(0, 5)]), [value("a", [(0, 5)], FOUR.tobytes())], "4 numbers are stored, not 5"),
        (saved(b"a", (2**40,), [(0, 2**40)]), [value("a", [(0, 2**40)], b"")], "0 numbers are stored"),
        (saved(b"a", (2**40,), [(0, 1)], [(1, 2**40 - 1)]), [], "larger than the file"),
        (saved(b"a", (4,), ALL), [], "slices is missing"),
        (saved(b"a", (4,)), [FINE], "do not make up the whole"),
        (saved(b"a", (4,), ALL) * 2, [FINE], "there twice"),
        (saved(b"a", (4,), ALL, ALL), [FINE], "there twice"),
        (saved(b"\xff", (4,), ALL), [FINE], "not UTF-8"),
        (saved(b"a", (4,), ALL), [value("b", ALL, FOUR.tobytes(), key_name="a")], "another's"),
        (saved(b"a", (4,), ALL), [(FINE[0], b"")], "no data"),
        (saved(b"a", (4,), ALL), [(FINE[0], b"\x12\xff\xff\xff\xff\x7f")], "cut short"),
        (saved(b"a", (4,), ALL, dtype=7), [FINE], "no plain array"),
    ],
)
def test_a_v1_file_that_lies(tmp_path: Path, meta: bytes, values: list, complaint: str) -> None:
    assert complaint in refusal(write_v1(tmp_path / "m.ckpt", meta, *values))


def test_unknown_packing(tmp_path: Path) -> None:
    (tmp_path / "m.ckpt.index").write_bytes(table([(b"", header())], packing=4))
    assert "unknown way" in refusal(tmp_path / "m.ckpt")


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    """Names that share their beginnings, and shapes far beyond the file."""
    entries = [(b"n" * 4000 + i.to_bytes(3, "big"), entry((2**30,), size=2**32)) for i in range(1000)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(write_index(tmp_path / "m.ckpt", entries, FOUR.tobytes()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB

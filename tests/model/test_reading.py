"""Hostile files: each reader answers any content with one short line and uses little memory."""

import io
import json
import os
import struct
import tokenize
import zipfile
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.networks.weights.safetensors_file import BrokenFile, read_safetensors
from expnet.model.npz_arrays import NpzArrays
from expnet.model.reading import json_object, parsing, reading


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("two\nlines"),
        KeyError("x"),
        TypeError(),
        RecursionError(),
        OverflowError(),
        MemoryError(),
        struct.error(),
        tokenize.TokenError("EOF", (1, 0)),
        zipfile.BadZipFile(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        OSError("a library's"),
        AttributeError("x" * 5000),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_every_failure_is_one_line(failure: Exception) -> None:
    with pytest.raises(InputError) as refusal, parsing("shot.npz", "performance", "animate the clip again"):
        raise failure
    line = str(refusal.value)
    assert line.startswith("shot.npz: broken performance (") and line.endswith("; animate the clip again")
    assert line.isprintable() and len(line) <= 300


@pytest.mark.parametrize("fault", [NameError("x"), AssertionError(), ImportError("scipy"), KeyboardInterrupt()])
def test_faults_of_ours_stay_what_they_are(fault: BaseException) -> None:
    with pytest.raises(type(fault)), parsing("shot.npz", "performance", "animate the clip again"):
        raise fault


def test_messages_hold_no_control_characters_and_stay_short() -> None:
    line = str(InputError("a\x1b[31m\nb\udcff\u202e" + "x" * 1000 + "end"))
    assert line.isprintable() and len(line) == 300 and line.endswith("end") and "\\x1b[31m b\\udcff\\u202e" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shot.npz")
    with (
        pytest.raises(InputError, match="a device or a pipe"),
        reading(tmp_path / "shot.npz", "performance", "animate the clip again"),
    ):
        (tmp_path / "shot.npz").read_bytes()


@pytest.mark.parametrize("text", ["[]", '"x"', '{"a": "\\ud800"}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\xff"])
def test_json_that_is_no_object_of_ours(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_object(text.encode("latin-1"))


# --- .npz -------------------------------------------------------------------------------------------------------------


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(order: str) -> None:
    file, wanted = io.BytesIO(), np.arange(24, dtype=np.float32).reshape((2, 3, 4), order=order)  # type: ignore[call-overload]
    np.savez_compressed(file, a=wanted, empty=np.zeros((0, 3)), scalar=np.float64(3))
    with NpzArrays(file) as stored:
        assert stored.declared["a"].shape == (2, 3, 4) and stored.bytes == 4 * 24 + 8
        assert np.array_equal(stored.read("a"), wanted)
        assert stored.read("empty").shape == (0, 3) and stored.read("scalar") == 3
        stored.read("a")[0] = 1  # writable


@pytest.mark.parametrize(
    "members",
    [
        {"header": b"no array"},
        {"a.npy": b"no array"},
        {"a.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (250000000000,), }")},
        {"a.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }")},
        {"a.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"12345678")},
        {"a.npy": npy("{'descr': ['<f4'], 'fortran_order': False, 'shape': (1,), }", b"1234")},
        {"a.npy": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", b"1234")},
        {"a.npy": npy("__import__('os').abort()")},
    ],
)
def test_members_that_are_no_plain_arrays_are_refused(members: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):
        NpzArrays(zipped(members))


def test_a_packing_that_zipfile_would_give_any_memory_is_refused() -> None:
    good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"1234")
    with pytest.raises(ValueError, match="packed in another way"):
        NpzArrays(zipped({"a.npy": good}, zipfile.ZIP_LZMA))


# --- safetensors ------------------------------------------------------------------------------------------------------


def tensors(path: Path, data: int, **entries: object) -> Path:
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(data))
    return path


def entry(begin: int, end: int, shape: object = None, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def test_tensors_fill_the_file(tmp_path: Path) -> None:
    _, found = read_safetensors(tensors(tmp_path / "w", 24, a=entry(0, 16, [2, 2]), b=entry(16, 24)))
    assert found["a"].shape == (2, 2) and found["b"].shape == (2,)


@pytest.mark.parametrize(
    "entries",
    [
        {f"t{i}": entry(0, 24) for i in range(3)},  # a hundred of them would be a hundred times the file
        {"a": entry(0, 16), "b": entry(20, 24)},
        {"a": entry(0, 20)},
        {"a": entry(0, 28)},
        {"a": entry(0, 0, [0, 10**30]), "b": entry(0, 24)},
        {"a": entry(0, 24, [1] * 70 + [6])},
    ],
    ids=["overlap", "hole", "rest", "cut", "zero times huge", "70 axes"],
)
def test_tensors_that_do_not_fill_the_file_are_refused(tmp_path: Path, entries: dict[str, object]) -> None:
    with pytest.raises(BrokenFile):
        read_safetensors(tensors(tmp_path / "w", 24, **entries))

"""Weights are safetensors with a header; every other file is refused with one line."""

import json
import pickle  # noqa: TID251 - to show that it is refused
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expnet.model.camera import ANCHOR, SIDE_MM
from expnet.model.errors import InputError
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import (
    PERSON,
    WeightsHeader,
    check_shapes,
    fingerprint,
    load_all,
    load_weights,
    save_weights,
)

HEADER = WeightsHeader(
    architecture="compact",
    config={"channels": [8, 8, 16, 16, 32]},
    input_size=96,
    crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
    basis="open-29",
    license="GPL-3.0-or-later",
    training_data="synthetic",
    seed=7,
    evaluation={"lips_mm": 1.25},
)
TENSORS: dict[str, np.ndarray] = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "count": np.array(3, np.int64),
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "wéights 権.safetensors"
    save_weights(path, HEADER, TENSORS)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_weights(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def rewrite_metadata(path: Path, **changes: str | None) -> None:
    """Edit the strings in a safetensors header in place."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = {k: v for k, v in {**header["__metadata__"], **changes}.items() if v is not None}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def test_header_and_tensors_come_back(weights: Path) -> None:
    header, tensors = load_weights(weights)
    assert header == HEADER
    assert {k: v.shape for k, v in tensors.items()} == {"a.weight": (2, 3), "count": ()}
    np.testing.assert_array_equal(tensors["a.weight"], TENSORS["a.weight"])


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_weights(path, HEADER, {"a": np.array([0.5], np.float16)})
    assert load_weights(path)[1]["a"].dtype == np.float32


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(Exception):  # noqa: B017 - any error of safetensors for an unknown dtype
        save_weights(tmp_path / "w.safetensors", HEADER, {"a": np.array(["text"])})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "innocent.safetensors"
    path.write_bytes(pickle.dumps({"weight": [1.0] * 100}, protocol))
    refused(path)


def test_a_torch_checkpoint_is_called_a_pickle(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    assert "pickle" in refused(path)


def test_missing_empty_and_cut_short(tmp_path: Path, weights: Path) -> None:
    assert "no such file" in refused(tmp_path / "nowhere.safetensors")
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    refused(empty)
    weights.write_bytes(weights.read_bytes()[:-5])
    refused(weights)


def test_a_header_that_is_no_json(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[20:24] = b"\xff\xfe\xfd\xfc"
    weights.write_bytes(data)
    refused(weights)


@pytest.mark.parametrize("key", list(HEADER.metadata()))
def test_every_line_of_the_header_is_needed(weights: Path, key: str) -> None:
    rewrite_metadata(weights, **{key: None})
    refused(weights)


@pytest.mark.parametrize(
    "key, value",
    [
        ("format", "expnet-weights-9"),
        ("config", "{"),
        ("config", "[]"),
        ("input_size", "0"),
        ("input_size", "ninety"),
        ("input_size", "100000"),
        ("normalisation", "rgb/255"),
        ("crop", "null"),
        ("seed", "1.5"),
        ("evaluation", "7"),
    ],
)
def test_a_wrong_line_in_the_header_is_named(weights: Path, key: str, value: str) -> None:
    rewrite_metadata(weights, **{key: value})
    assert key in refused(weights)


def test_a_tensor_with_nan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nan.safetensors"
    save_weights(path, HEADER, {"good": np.zeros(2, np.float32), "stem.bad": np.array([1, np.nan], np.float32)})
    assert "stem.bad" in refused(path)


@pytest.mark.parametrize(
    "expected",
    [{"a.weight": (2, 3)}, {"a.weight": (3, 2), "count": ()}, {"a.weight": (2, 3), "count": (), "b": (1,)}],
    ids=["one too many", "wrong shape", "one missing"],
)
def test_tensors_must_be_those_of_the_network(weights: Path, expected: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="tensor (a.weight|count|b)"):
        check_shapes(weights, TENSORS, expected)


def test_the_header_is_a_value() -> None:
    assert replace(HEADER, seed=8) != HEADER


def test_a_fingerprint_tells_networks_apart_and_not_what_is_learned_beside_them(tmp_path: Path) -> None:
    header, network, person = load_all(OPEN_WEIGHTS)
    beside = {PERSON + name: 2 * tensor for name, tensor in person.items()}
    same, other, shaped = (tmp_path / f"{name}.safetensors" for name in ("same", "other", "shaped"))
    save_weights(same, header, network | beside)
    save_weights(other, header, {name: 2 * tensor for name, tensor in network.items()})
    save_weights(shaped, replace(header, responses={}), network)
    assert fingerprint(same) == fingerprint(OPEN_WEIGHTS)
    assert len({fingerprint(path) for path in (OPEN_WEIGHTS, other, shaped)}) == 3

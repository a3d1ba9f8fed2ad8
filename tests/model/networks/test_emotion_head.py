"""The emotion head's file: read without torch, refused where it is broken or of another network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS
from expnet.model.networks.emotion_head import (
    ETA,
    FULL,
    SHIPPED,
    EmotionHead,
    Reading,
    load_emotion_head,
)
from expnet.model.networks.weights.open_pack import OPEN_FINDER, OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import fingerprint, load_weights, save_weights
from expnet.model.performance.emotion_prototypes import NEUTRAL, PROTOTYPES, prototypes


def test_the_shipped_head_belongs_to_the_shipped_network_and_is_small() -> None:
    head = load_emotion_head()
    assert head.network == fingerprint(OPEN_WEIGHTS)
    assert SHIPPED.stat().st_size < 2**20
    assert set(head.emotions) == {*PROTOTYPES, NEUTRAL}
    assert "synthetic" in head.training_data


def test_the_shipped_head_tells_the_prototypes_and_a_resting_face_from_their_coefficients() -> None:
    head = load_emotion_head()
    faces = np.concatenate([0.8 * prototypes(), np.zeros((1, len(OPEN_KEYS)))])
    strengths = head.strengths(faces)
    assert np.allclose(strengths.sum(1), 1)
    assert [head.emotions[i] for i in strengths.argmax(1)] == [*PROTOTYPES, NEUTRAL]
    assert head.strengths(faces[:0]).shape == (0, 8)


def test_the_hidden_layer_is_that_of_torch() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3), nn.Softmax(1)).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    numbers = [layers[i].get_parameter(name).detach().numpy() for i in (0, 2) for name in ("weight", "bias")]
    names = ("hidden.weight", "hidden.bias", "out.weight", "out.bias")
    reading = Reading({"mean": np.zeros(5), "deviation": np.ones(5), **dict(zip(names, numbers))})
    assert np.allclose(reading.probabilities(x.numpy()), layers(x).detach().numpy())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("eta.mean", lambda array: array[1:]),
        ("full.hidden.bias", lambda array: np.full_like(array, np.nan)),
        ("eta.deviation", lambda array: 0 * array),
        ("full.out.weight", lambda array: array[:, :, None]),
        ("eta.out.bias", None),
    ],
)
def test_a_damaged_head_is_one_line(tmp_path: Path, name: str, change) -> None:
    from safetensors.numpy import save_file

    from expnet.model.networks.weights.safetensors_file import read_safetensors

    metadata, tensors = read_safetensors(SHIPPED)
    if change:
        tensors[name] = np.ascontiguousarray(change(tensors[name]))
    else:
        del tensors[name]
    save_file(tensors, tmp_path / "h.safetensors", metadata)
    with pytest.raises(InputError, match="emotion head") as raised:
        load_emotion_head(tmp_path / "h.safetensors")
    assert "\n" not in str(raised.value)


def test_other_weights_and_other_files_are_no_emotion_head(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no head")
    for path in (OPEN_FINDER, tmp_path / "text", tmp_path / "none", tmp_path):
        with pytest.raises(InputError):
            load_emotion_head(path)


def test_a_head_is_no_open_network(tmp_path: Path) -> None:
    header, tensors = load_weights(SHIPPED)
    save_weights(tmp_path / "again.safetensors", header, tensors)
    again = load_emotion_head(tmp_path / "again.safetensors")
    eta = np.random.default_rng(0).normal(size=(3, len(OPEN_KEYS)))
    assert np.allclose(again.strengths(eta), load_emotion_head().strengths(eta))
    assert isinstance(again, EmotionHead)
    assert again.basis == OPEN_BASIS
    assert set(again.readings) == {ETA, FULL}

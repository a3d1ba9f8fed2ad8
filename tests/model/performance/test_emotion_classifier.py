"""A classifier's file: what was saved is read, and damage is one line."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.performance.emotion_classifier import EmotionClassifier, load_classifier, save_classifier
from expnet.model.performance.emotion_prototypes import heuristic_strengths, prototypes


def classifier(gamma: float = 0.3) -> EmotionClassifier:
    rng = np.random.default_rng(0)
    return EmotionClassifier(
        ("calm", "not calm"), ("a", "b", "c"), "own", rng.normal(size=3), np.full(3, 0.5), rng.normal(size=(5, 3)),
        np.array([0.0, 0, 0, 1, 1]), rng.normal(size=5), rng.normal(size=2), gamma,
    )  # fmt: skip


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_what_is_saved_is_read_with_the_same_margins(gamma: float, tmp_path: Path) -> None:
    save_classifier(classifier(gamma), tmp_path / "c.npz")
    found = load_classifier(tmp_path / "c.npz")
    eta = np.random.default_rng(1).normal(size=(7, 3))
    assert (found.emotions, found.keys, found.basis) == (("calm", "not calm"), ("a", "b", "c"), "own")
    assert np.allclose(found.margins(eta), classifier(gamma).margins(eta))
    assert found.margins(eta[:0]).shape == (0, 2)
    assert ((found.strengths(eta) > 0.5) == (found.margins(eta) > 0)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"mean": np.array([np.nan, 0, 0])},
        {"scale": np.zeros(3)},
        {"gamma": -1.0},
        {"weights": np.zeros(4)},
        {"intercepts": np.zeros(3)},
        {"emotions": ("calm", "calm")},
        {"keys": ("a", "b", "")},
    ],
)
def test_arrays_that_do_not_fit_are_one_line(change: dict, tmp_path: Path) -> None:
    save_classifier(replace(classifier(), **change), tmp_path / "c.npz")
    with pytest.raises(InputError, match="broken classifier"):
        load_classifier(tmp_path / "c.npz")


def test_files_of_other_kinds_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no file of ours")
    arrays = {f.name: np.zeros(2) for f in fields(EmotionClassifier)[3:]}
    for name, header in (("b", {"format": "another"}), ("c", {"format": "expnet-emotions-1", "emotions": 3})):
        np.savez(tmp_path / f"{name}.npz", header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    for name in "abcd":
        with pytest.raises(InputError) as raised:
            load_classifier(tmp_path / f"{name}.npz")
        assert "\n" not in str(raised.value)


def test_a_resting_face_has_no_strength_and_each_prototype_its_own() -> None:
    strengths = heuristic_strengths(np.concatenate([np.zeros((1, 29)), prototypes(), 0.4 * prototypes()]))
    assert (strengths[0] == 0).all()
    assert np.allclose(np.diag(strengths[1:8]), 1)
    assert np.allclose(np.diag(strengths[8:]), 0.4)

"""ARKit's 52 on the open head: together they are the open keys."""

from __future__ import annotations

import numpy as np
import pytest

from expnet.model.array_types import FloatArray
from expnet.model.own_head.arkit import FILE, PAIRED, arkit_keys, mirror_of
from expnet.model.own_head.sources import source
from expnet.model.own_head.template import open_head
from expnet.model.performance.channels import ARKIT


@pytest.fixture(scope="module")
def shapes() -> dict[str, FloatArray]:
    names, offsets = arkit_keys()
    assert names == ARKIT
    return dict(zip(names, offsets))


def key(name: str) -> FloatArray:
    return open_head().expression[open_head().expression_keys.index(name)]


def test_both_sides_of_a_key_that_arkit_splits_are_the_open_key(shapes: dict[str, FloatArray]) -> None:
    for name in PAIRED:
        assert np.allclose(shapes[f"{name}Left"] + shapes[f"{name}Right"], key(name), atol=1e-4), name
        left_half = open_head().mean[:, 0] > 20
        moved = np.linalg.norm(shapes[f"{name}Left"], axis=1)
        assert moved[left_half].sum() > 5 * moved[open_head().mean[:, 0] < -20].sum(), name
    assert np.allclose(shapes["mouthRollUpper"] + shapes["mouthRollLower"], key("mouthRoll"), atol=1e-4)
    assert np.allclose(shapes["mouthLeft"] - shapes["mouthRight"], 2 * key("mouthSide"), atol=1e-4)


def test_right_shapes_are_mirror_images_of_left_ones(shapes: dict[str, FloatArray]) -> None:
    mirror = mirror_of(open_head().mean)
    for k, (other, sign) in enumerate(source("arkit").mirror):
        image = sign * shapes[ARKIT[other]][mirror] * [-1, 1, 1]
        assert np.abs(image - shapes[ARKIT[k]]).max() < 0.01, ARKIT[k]


def test_only_the_tongue_has_no_shape_and_the_file_is_small(shapes: dict[str, FloatArray]) -> None:
    assert [name for name, offsets in shapes.items() if np.abs(offsets).max() < 0.5] == ["tongueOut"]
    assert FILE.stat().st_size < 400_000
    chin = open_head().landmarks[8]
    assert shapes["jawForward"][chin, 2] > 5 and shapes["jawLeft"][chin, 0] > 5

"""A head of another topology, person, size and place: where its points lie on the open head is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from expnet.model.bases.registration import Registration, register
from expnet.model.errors import InputError
from expnet.model.face.alignment import similarity

from .other_head import EARS_Z, OPEN, a_registration, an_other_head, as_model


@pytest.fixture(scope="module")
def registration() -> Registration:
    return a_registration()


@pytest.fixture(scope="module")
def errors_mm(registration: Registration) -> np.ndarray:
    """How far from each vertex, along the open head's skin, the point lies that it was matched with."""
    from_open = an_other_head().origin @ OPEN.mean.astype(float)
    matched = np.einsum("nkc,nk->nc", from_open[registration.corners], registration.shares)
    return np.linalg.norm(matched - OPEN.mean[registration.vertices], axis=1)


def test_a_similarity_is_found_exactly() -> None:
    points = np.random.default_rng(0).normal(size=(68, 3))
    turn, shift = Rotation.from_euler("xyz", [20, -30, 5], degrees=True).as_matrix(), np.array([3.0, -1, 7])
    scale, rotation, translation = similarity(points, 1.7 * points @ turn.T + shift)
    assert np.allclose(rotation, turn) and np.allclose(translation, shift) and scale == pytest.approx(1.7)


def test_a_mirror_image_is_not_reached_by_a_reflection() -> None:
    points = np.random.default_rng(0).normal(size=(68, 3))
    _, rotation, _ = similarity(points, points * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_surfaces_lie_on_each_other(registration: Registration) -> None:
    assert registration.gap_mm.mean() < 0.05
    assert registration.shares.min() >= 0
    assert np.allclose(registration.shares.sum(axis=1), 1)


def test_the_right_points_meet(registration: Registration, errors_mm: np.ndarray) -> None:
    """Within a millimetre or so; on smooth skin only knowledge of faces says where along it a point belongs."""

    def mean_error(*regions: str) -> float:
        chosen = np.isin(registration.vertices, np.concatenate([OPEN.regions[r] for r in regions]))
        return float(errors_mm[chosen].mean())

    assert mean_error("lips") < 1.7
    assert mean_error("lid_upper_L", "lid_upper_R", "lid_lower_L", "lid_lower_R") < 1.2
    assert errors_mm.mean() < 1.6


def test_all_that_the_other_head_has_is_matched(registration: Registration) -> None:
    matched = np.isin(np.arange(OPEN.vertex_count), registration.vertices)
    for region, share in (("brow_L", 1.0), ("lid_lower_R", 0.9), ("lips", 0.8), ("nostrils", 0.9)):
        assert matched[OPEN.regions[region]].mean() >= share, region
    assert not matched[OPEN.mean[:, 2] < EARS_Z - 10].any()  # the other head ends before


def test_a_head_without_landmarks_is_refused() -> None:
    with pytest.raises(InputError, match="no 68 landmarks"):
        register(OPEN, replace(as_model(an_other_head()), landmarks=None))


def test_landmarks_that_are_no_faces_are_refused() -> None:
    other = as_model(an_other_head())
    scattered = np.random.default_rng(0).integers(0, other.vertex_count, 68)
    with pytest.raises(InputError, match="do not belong together"):
        register(OPEN, replace(other, landmarks=scattered))

"""Eq. (2): bounded least squares over 29 keys, against scipy and known truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares, lsq_linear

from expnet.model.builtin import OPEN
from expnet.model.formats import open_face_model
from expnet.research.label.bounded_newton import minimise
from expnet.research.label.contour import SIDES, contour_candidates, fit_with_contour
from expnet.research.label.eq2 import fit_expressions, landmark_basis, pose_from_landmarks
from expnet.research.label.noise import in_sigmas, sample_faces

HEAD = open_face_model(OPEN)
BASIS = landmark_basis(HEAD)


@pytest.fixture(scope="module")
def faces():
    return sample_faces(BASIS, 12, seed=0)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((np.einsum("nij,nij->n", a, b) - 1) / 2, -1, 1)))


def distances(eta, rest, rotation, translation, camera, points) -> np.ndarray:
    """Return the distances between one face's projected and observed landmarks, x and y in turn."""
    placed = (rest + np.einsum("k,klc->lc", eta, BASIS.expression)) @ rotation.T + translation
    scaled = camera.focal * placed[:, :2] / -placed[:, 2:]
    return (np.stack([camera.cx + scaled[:, 0], camera.cy - scaled[:, 1]], -1) - points).ravel()


def test_expressions_are_recovered_from_exact_landmarks(faces) -> None:
    labels = fit_expressions(BASIS, faces.points, faces.alpha, faces.rotation, faces.translation, faces.cameras)
    assert labels.converged.all()
    assert np.abs(labels.eta - faces.eta).max() < 1e-6
    assert labels.error.max() < 1e-6


def test_pose_and_expressions_are_recovered_together(faces) -> None:
    start = pose_from_landmarks(BASIS.at_rest(faces.alpha), faces.points, faces.cameras)
    labels = fit_expressions(BASIS, faces.points, faces.alpha, *start, faces.cameras, solve_pose=True)
    assert np.abs(labels.eta - faces.eta).max() < 1e-5
    assert degrees_between(labels.rotation, faces.rotation).max() < 1e-3


def test_scaled_orthographic_pose_is_a_fair_start(faces) -> None:
    rest = BASIS.at_rest(faces.alpha)
    rotation, translation = pose_from_landmarks(rest, faces.points, faces.cameras)
    assert degrees_between(rotation, faces.rotation).max() < 12
    assert np.abs(translation[:, 2] / faces.translation[:, 2] - 1).max() < 0.12
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_noisy_landmarks_have_the_same_minimum_as_scipys(faces) -> None:
    noisy = faces.points + np.random.default_rng(1).normal(size=faces.points.shape)
    labels = fit_expressions(BASIS, noisy, faces.alpha, faces.rotation, faces.translation, faces.cameras)
    for i in range(3):
        rest = BASIS.at_rest(faces.alpha)[i]
        posed = (rest, faces.rotation[i], faces.translation[i], faces.cameras[i], noisy[i])
        start = np.clip(labels.eta[i], BASIS.low + 1e-9, BASIS.high - 1e-9)
        exact = {"jac": "cs", "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 2000}
        judge = least_squares(distances, start, args=posed, bounds=(BASIS.low, BASIS.high), method="trf", **exact)
        cost = 0.5 * (distances(labels.eta[i], *posed) ** 2).sum()
        assert cost == pytest.approx(judge.cost, rel=1e-8)
        assert np.abs(labels.eta[i] - judge.x).max() < 1e-6
        held = labels.at_bound[i]
        assert (np.isin(labels.eta[i][held], np.concatenate([BASIS.low, BASIS.high]))).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_linear_problems_have_the_minimum_of_a_bounded_least_squares_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, rows, unknowns = 3, 24, 7
    matrix, target = rng.normal(size=(count, rows, unknowns)), rng.normal(size=(count, rows)) * 3
    low, high = -rng.uniform(0, 0.5, unknowns), rng.uniform(0, 0.5, unknowns)
    a, b = torch.as_tensor(matrix), torch.as_tensor(target)

    def residuals(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return (a[which] @ x[..., None])[..., 0] - b[which]

    def linearised(x: torch.Tensor, which: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return residuals(x, which), a[which]

    zero = torch.zeros(count, unknowns, dtype=torch.float64)
    found = minimise(linearised, residuals, zero, torch.as_tensor(low), torch.as_tensor(high))
    assert found.converged.all()
    for i in range(count):
        judge = lsq_linear(matrix[i], target[i], (low, high), method="bvls", tol=1e-14)
        assert np.abs(found.x[i].numpy() - judge.x).max() < 1e-6


def test_no_expression_leaves_its_bounds(faces) -> None:
    wild = faces.points + np.random.default_rng(2).normal(size=faces.points.shape) * 30
    labels = fit_expressions(BASIS, wild, faces.alpha, faces.rotation, faces.translation, faces.cameras)
    assert (labels.eta >= BASIS.low).all() and (labels.eta <= BASIS.high).all()
    assert labels.at_bound.any()
    sigmas = landmark_basis(in_sigmas(HEAD))
    assert (sigmas.low == -3).all() and (sigmas.high == 3).all()


def test_hidden_landmarks_take_no_part(faces) -> None:
    known = faces.points.copy()
    known[:, 36:42] = np.nan
    weights = np.ones(known.shape[:2])
    weights[:, :17] = 0
    wrong = known.copy()
    wrong[:, :17] += 50
    same = [
        fit_expressions(
            BASIS, points, faces.alpha, faces.rotation, faces.translation, faces.cameras, weights=weights
        ).eta
        for points in (known, wrong)
    ]
    assert np.array_equal(*same)


def test_contour_landmarks_of_a_turned_head_move_to_its_silhouette() -> None:
    """The far side's contour is marked where the cheek ends in the picture, not where the jaw's landmark is."""
    faces = sample_faces(BASIS, 6, seed=3)
    turned = np.array([[np.cos(a), 0, np.sin(a)] for a in np.radians([35, 40, 45, -35, -40, -45])])
    rotation = np.stack([turned, np.tile([0.0, 1, 0], (6, 1)), turned[:, [2, 1, 0]] * [-1, 1, 1]], 1)
    translation = np.tile([0.0, 0, -900], (6, 1))
    camera = faces.cameras[0]
    shape = HEAD.neutral + np.einsum("nk,kvc->nvc", faces.eta, HEAD.expression)
    placed = shape @ rotation.transpose(0, 2, 1) + translation[:, None]
    scaled = camera.focal * placed[..., :2] / -placed[..., 2:]
    pixels = np.stack([camera.cx + scaled[..., 0], camera.cy - scaled[..., 1]], -1)
    points = pixels[:, HEAD.landmarks]
    candidates = pixels[:, contour_candidates(HEAD)]  # (6, 12, C, 2)
    side = np.array([-1] * 6 + [1] * 6)[None, :, None]
    outermost = (candidates[..., 0] * side).argmax(2)
    points[:, SIDES] = np.take_along_axis(candidates, outermost[..., None, None], 2)[:, :, 0]
    assert (outermost > 0).any()
    alpha = np.zeros((6, 99))
    given = (points, alpha, rotation, translation, faces.cameras)
    fixed = np.abs(fit_expressions(BASIS, *given).eta - faces.eta).mean()
    moved = np.abs(fit_with_contour(HEAD, *given).eta - faces.eta).mean()
    assert moved < 0.2 * fixed

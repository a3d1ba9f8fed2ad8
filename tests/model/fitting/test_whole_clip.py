"""One identity, expressions and poses from points over a whole clip, with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.builtin import OPEN
from expnet.model.camera import ANCHOR, Camera
from expnet.model.errors import InputError
from expnet.model.face.alignment import similarity
from expnet.model.fitting import block_tridiagonal
from expnet.model.fitting.looks import look_again
from expnet.model.fitting.point_basis import PointBasis, network_vertices
from expnet.model.fitting.refine import refined
from expnet.model.fitting.whole_clip import Energy, Frames, Observed, fit_frames, project_frames
from expnet.model.formats import open_face_model
from expnet.model.networks import engines
from expnet.model.networks.weights.open_pack import DATA
from expnet.model.performance.performance_files import load_performance, packed, unpacked
from expnet.model.rotations import euler_degrees, rotation_of_euler
from expnet.model.sight.tracking import perform
from expnet.model.sight.video import open_clip

HEAD = open_face_model(OPEN)
BASIS = PointBasis.at(HEAD, network_vertices(HEAD)[network_vertices(HEAD) >= 0])
CAMERA = Camera.for_image(640, 480)
KEYS, COMPONENTS, FRAMES = len(HEAD.expression), len(HEAD.identity), 24


def acting(orthographic: bool = False) -> tuple[Frames, np.ndarray]:
    """Return the truth of a clip, and its points in pixels."""
    rng = np.random.default_rng(0)
    way = np.linspace(0, 1, FRAMES)[:, None]
    eta = np.clip(way * rng.uniform(0, 0.8, KEYS), BASIS.low, BASIS.high)
    angles = np.sin(6 * way + rng.uniform(0, 6, 3)) * [0.3, 0.15, 0.1]
    rotation = np.array([rotation_of_euler(*row) for row in angles])
    anchor = np.array([0, 0, -900.0]) + 20 * np.sin(4 * way + rng.uniform(0, 6, 3))
    truth = Frames(np.clip(rng.normal(size=COMPONENTS), -2, 2), eta, rotation, anchor)
    return truth, project_frames(BASIS, truth, CAMERA, orthographic)


def start_of(truth: Frames) -> Frames:
    ahead = np.tile(np.eye(3), (FRAMES, 1, 1))
    return Frames(np.zeros(COMPONENTS), np.zeros_like(truth.eta), ahead, np.tile([0.0, 0.0, -800.0], (FRAMES, 1)))


def observed(points: np.ndarray, deviation: float = 0.5) -> Observed:
    expected = np.zeros((FRAMES, KEYS))
    near = np.full(points.shape[:2], deviation)
    return Observed(points, near, expected, np.full_like(expected, 3.0), np.ones(FRAMES - 1, bool))


def energy(**settings: object) -> Energy:
    wide = Energy(
        np.full(KEYS, 0.5), np.zeros(COMPONENTS), np.ones(COMPONENTS), turn_change=0.5, shift_change=50.0, looks=1e3
    )
    return replace(wide, **settings)


@pytest.mark.parametrize("orthographic", [False, True])
def test_exact_points_of_a_known_person_give_expression_and_pose_back(orthographic: bool) -> None:
    truth, points = acting(orthographic)
    known = replace(start_of(truth), alpha=truth.alpha)
    settings = energy(orthographic=orthographic, identity=False, eta_change=np.full(KEYS, 50.0))
    found = fit_frames(BASIS, observed(points, 0.02), CAMERA, settings, known, rounds=20)
    assert np.abs(found.eta - truth.eta).mean() < 0.01
    assert np.abs(euler_degrees(found.rotation) - euler_degrees(truth.rotation)).mean() < 0.1
    assert found.anchor == pytest.approx(truth.anchor, abs=1)


@pytest.mark.parametrize("orthographic", [False, True])
def test_an_unknown_person_is_solved_with_the_frames(orthographic: bool) -> None:
    truth, points = acting(orthographic)
    found = fit_frames(BASIS, observed(points), CAMERA, energy(orthographic=orthographic), start_of(truth), rounds=12)
    assert np.abs(found.eta - truth.eta).mean() < 0.6 * np.abs(truth.eta).mean()
    assert np.abs(euler_degrees(found.rotation) - euler_degrees(truth.rotation)).mean() < 1.0
    rest, true = (BASIS.shapes(f.alpha, np.zeros((1, KEYS)))[0] for f in (found, truth))
    scale, turn, shift = similarity(rest, true)  # a camera sees no size
    distance = np.linalg.norm(scale * rest @ turn.T + shift - true, axis=1).mean()
    _, turn, shift = similarity(BASIS.mean, true)
    assert distance < 0.7 * np.linalg.norm(BASIS.mean @ turn.T + shift - true, axis=1).mean()


def test_the_energy_falls_and_eta_stays_in_its_bounds() -> None:
    truth, points = acting()
    points += np.random.default_rng(1).normal(0, 1, points.shape)
    found = fit_frames(BASIS, observed(points), CAMERA, energy(), start_of(truth), rounds=8)
    assert np.all(np.diff(found.energies) < 0.01 * found.energies[0])
    assert (found.eta >= BASIS.low).all()
    assert (found.eta <= BASIS.high).all()


def test_neighbouring_frames_help_against_noise() -> None:
    truth, points = acting()
    points += np.random.default_rng(1).normal(0, 2, points.shape)
    known = replace(truth, eta=np.zeros_like(truth.eta))
    errors = []
    for change in (1e3, 0.05):
        settings = energy(eta_change=np.full(KEYS, change), identity=False, alpha_expected=truth.alpha)
        found = fit_frames(BASIS, observed(points, 2.0), CAMERA, settings, known)
        errors.append(np.abs(found.eta - truth.eta).mean())
    assert errors[1] < 0.8 * errors[0]


def test_a_few_wrong_points_are_ignored_and_missing_ones_take_no_part() -> None:
    truth, points = acting()
    points[:, ::20] += 60.0
    points[:, 7::20] = np.nan
    known = replace(truth, eta=np.zeros_like(truth.eta))
    found = fit_frames(BASIS, observed(points), CAMERA, energy(identity=False), known, rounds=12)
    assert np.abs(found.eta - truth.eta).mean() < 0.03


def test_an_expected_rotation_holds_the_heads_that_biased_points_turn() -> None:
    """Proportions that no alpha has turn the heads of a clip all alike; the network's rotation is nearer."""
    truth, points = acting()
    longer = replace(BASIS, mean=BASIS.mean + np.where(BASIS.mean[:, 2:] > 15, [0.0, 4.0, 0.0], 0.0))  # all noses high
    points = project_frames(longer, truth, CAMERA)
    free = observed(points, 4.0)
    held = replace(free, rotation=truth.rotation, rotation_deviation=np.radians(2.5))
    known = energy(identity=False, alpha_expected=truth.alpha)
    off = [
        np.abs(found.rotation - truth.rotation).max()
        for found in (fit_frames(BASIS, seen, CAMERA, known, replace(truth)) for seen in (free, held))
    ]
    assert off[1] < 0.75 * off[0]


def test_frames_on_the_two_sides_of_a_gap_do_not_pull_at_each_other() -> None:
    truth, points = acting()
    known = truth
    settings = energy(eta_change=np.full(KEYS, 0.05), identity=False)
    linked = np.ones(FRAMES - 1, bool)
    linked[11] = False
    whole = fit_frames(BASIS, replace(observed(points), linked=linked), CAMERA, settings, known)
    half = slice(0, 12)
    near = observed(points)
    first = Observed(
        points[half], near.deviation[half], near.expected[half], near.expected_deviation[half], linked[:11]
    )
    alone = fit_frames(
        BASIS, first, CAMERA, settings, Frames(known.alpha, known.eta[half], known.rotation[half], known.anchor[half])
    )
    assert whole.eta[half] == pytest.approx(alone.eta, abs=1e-2)


def test_a_block_tridiagonal_system_is_solved_as_a_dense_one() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 3, 3))
    diagonal, beside = root @ root.transpose(0, 2, 1) + 4 * np.eye(3), -rng.uniform(0, 1, (4, 3))
    dense = np.zeros((15, 15))
    for f in range(5):
        dense[3 * f : 3 * f + 3, 3 * f : 3 * f + 3] = diagonal[f]
    for f in range(4):
        dense[3 * f : 3 * f + 3, 3 * f + 3 : 3 * f + 6] = dense[3 * f + 3 : 3 * f + 6, 3 * f : 3 * f + 3] = np.diag(
            beside[f]
        )
    right = rng.normal(size=(5, 3))
    assert block_tridiagonal.solve(diagonal, beside, right).ravel() == pytest.approx(
        np.linalg.solve(dense, right.ravel())
    )


def test_refinement_brings_the_demo_clip_nearer_to_its_truth() -> None:
    estimator = engines.start(OPEN, "cpu").estimator
    truth = load_performance(DATA / "demo_clip_truth.npz")
    with open_clip(DATA / "demo_clip.mp4", 0, 39) as clip:
        raw = perform(clip, estimator)
        pictures = clip.placement().pictures
    with open_clip(DATA / "demo_clip.mp4", 0, 39) as clip:
        looks = look_again(clip, raw, pictures, estimator)
    better = refined(raw, looks, HEAD)
    errors = [np.square(p.eta - truth.eta[:40]).mean(0) for p in (raw, better)]
    fine = [i for i, key in enumerate(truth.expression_keys) if key.startswith(("lid", "mouth", "jaw"))]
    assert errors[1][fine].mean() < 0.9 * errors[0][fine].mean()
    # The frames' common offset has brought brows nearer than their points do: they move away by a part of that.
    assert errors[1].mean() < 0.95 * errors[0].mean()
    turned = [np.linalg.norm(p.rotation - truth.rotation[:40], axis=(1, 2)).mean() for p in (raw, better)]
    assert turned[1] < 1.05 * turned[0]
    assert better.fitted and not raw.fitted
    assert unpacked(packed(better), "fitted").fitted and not unpacked(packed(raw), "raw").fitted
    placed = [p.rotation @ ANCHOR + p.translation for p in (better, raw)]
    assert np.abs(placed[0] - placed[1])[:, :2].max() < 40


def test_a_network_that_locates_no_points_is_one_line() -> None:
    estimator = engines.start(OPEN, "cpu").estimator
    with open_clip(DATA / "demo_clip.mp4", 0, 3) as clip:
        raw = perform(clip, estimator)
        pictures = clip.placement().pictures
    estimator.person = None
    with open_clip(DATA / "demo_clip.mp4", 0, 3) as clip, pytest.raises(InputError, match="locates no points"):
        look_again(clip, raw, pictures, estimator)

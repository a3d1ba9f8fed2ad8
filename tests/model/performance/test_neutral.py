"""The actor's own resting face, found and taken out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.face.semantics import open_bounds
from expnet.model.performance.face_performance import FacePerformance, resampled
from expnet.model.performance.neutral import calibrated, quietest_neutral
from expnet.model.performance.smoothing import smooth

from .performances import BROW, JAW, SIDE, same, still, turn, unseen


def test_the_neutral_is_found_among_the_quietest_frames() -> None:
    p = still(100)
    rng = np.random.default_rng(4)
    p.eta[:] = 0.1 + rng.normal(0, 0.01, p.eta.shape)
    p.eta[30:90] += rng.uniform(0, 0.8, (60, 29))
    np.testing.assert_allclose(quietest_neutral(p), 0.1, atol=0.03)
    with pytest.raises(InputError, match="no face"):
        quietest_neutral(unseen(still(3), 0, 2))


def in_sigmas(eta: np.ndarray, fps: float = 24.0) -> FacePerformance:
    """Return a performance in a basis of components without names, as ExpNet's is."""
    keys = tuple(f"expression_{i:02d}" for i in range(1, eta.shape[1] + 1))
    return replace(still(len(eta), fps), eta=eta, expression_keys=keys, basis="expnet-29")


def test_where_rest_is_not_zero_it_is_where_the_face_mostly_is() -> None:
    """A talker, 40% at rest, which ExpNet puts far from zero; speech passes through zero."""
    rest = np.zeros(29)
    rest[[0, 2]] = -0.8, -0.65
    times = np.arange(240) / 24
    speaks = (times % 2.5) > 1
    eta = rest + np.where(speaks, 1.0, 0.0)[:, None] * np.abs(np.sin(9 * times))[:, None] * np.linspace(2, 0.5, 29)
    eta += np.random.default_rng(5).normal(0, 0.05, eta.shape)
    np.testing.assert_allclose(quietest_neutral(in_sigmas(eta)), rest, atol=0.06)


def test_a_held_grimace_is_not_taken_for_rest_in_the_open_basis() -> None:
    p = still(200)
    p.eta[:] += np.random.default_rng(6).normal(0, 0.01, p.eta.shape)
    p.eta[20:160, JAW] += 0.6  # held still for most of the clip
    assert quietest_neutral(p)[JAW] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("how", ["turned", "doubtful", "moving"])
def test_frames_that_are_turned_doubtful_or_in_motion_are_no_neutral(how: str) -> None:
    """Each time half of the clip shows another face, in a way that says that it is no good one."""
    p = still(200)
    other = np.arange(200) < 100
    p.eta[other, BROW] = 0.05
    if how == "turned":
        p.rotation[other] = turn(40)
    elif how == "doubtful":
        p.confidence[other] = 0.5
    else:
        p.eta[other, SIDE] = 0.3 * np.sin(np.arange(100))
    assert quietest_neutral(p)[BROW] == 0


def test_gaps_and_single_frames_do_not_disturb_the_search_for_neutral() -> None:
    p = unseen(unseen(still(60), 10, 20), 22, 40)  # frame 21 stands alone
    p.eta[21] = 0.02
    np.testing.assert_array_equal(quietest_neutral(p), 0)
    np.testing.assert_array_equal(quietest_neutral(unseen(still(2), 1, 1)), 0)


def test_sigmas_are_moved_and_not_stretched() -> None:
    rng = np.random.default_rng(7)
    p = in_sigmas(rng.normal(0, 1, (20, 29)))
    neutral, rest = rng.normal(0, 1, 29), rng.normal(0, 0.3, 29)
    bounds = np.tile([-3.0, 3.0], (29, 1))
    np.testing.assert_allclose(calibrated(p, neutral, bounds).eta, p.eta - neutral)
    np.testing.assert_allclose(calibrated(p, neutral, bounds, rest).eta, p.eta - neutral + rest)


def test_calibrated_neutral_is_zero_and_full_stays_full() -> None:
    p = still(3)
    bounds = open_bounds()
    neutral = np.full(29, 0.1)
    p.eta[0], p.eta[1], p.eta[2] = neutral, bounds[:, 1], np.where(bounds[:, 0] < 0, bounds[:, 0], 0.1)
    out = calibrated(p, neutral, bounds).eta
    np.testing.assert_allclose(out[0], 0, atol=1e-9)
    np.testing.assert_allclose(out[1], bounds[:, 1], atol=1e-9)
    np.testing.assert_allclose(out[2], bounds[:, 0], atol=1e-6)
    assert same(calibrated(p, np.zeros(29), bounds), p, 1e-9)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_calibration_keeps_the_order(neutral: float, a: float, b: float) -> None:
    p = still(2)
    p.eta[0], p.eta[1] = min(a, b), max(a, b)
    out = calibrated(p, np.full(29, neutral), open_bounds()).eta
    assert (out[0] <= out[1] + 1e-12).all() and np.isfinite(out).all()


def test_a_single_frame_can_be_smoothed_calibrated_and_resampled() -> None:
    p = still(1)
    assert same(smooth(p, 1.0), p, 1e-9)
    assert quietest_neutral(p).shape == (29,)
    assert same(resampled(p, p.times), p, 1e-9)

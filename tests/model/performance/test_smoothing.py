"""A calmer performance: no lag, and no blink loses its edge."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from expnet.model.camera import ANCHOR
from expnet.model.errors import InputError
from expnet.model.performance.smoothing import smooth
from expnet.model.rotations import euler_degrees

from .performances import BROW, JAW, LID, acted, same, still, turn, unseen


def test_strength_0_changes_nothing() -> None:
    p = acted()
    assert smooth(p, 0) is p


def test_a_face_that_does_not_move_stays_as_it_is() -> None:
    p = replace(still(), eta=np.full((48, 29), 0.3), rotation=np.tile(turn(20, 5), (48, 1, 1)))
    assert same(smooth(p, 1.0), p, 1e-9)


@pytest.mark.parametrize("strength", [-1, np.nan, 1e9])
def test_a_strength_that_makes_no_sense(strength: float) -> None:
    with pytest.raises(InputError):
        smooth(still(), strength)


signals = arrays(np.float64, (30, 29), elements=st.floats(-0.35, 1))


@settings(max_examples=25, deadline=None)
@given(signals, st.floats(0.05, 1.5))
def test_values_stay_within_those_seen(eta: np.ndarray, strength: float) -> None:
    out = smooth(replace(still(30), eta=eta), strength).eta
    assert (out >= eta.min(0)).all() and (out <= eta.max(0)).all()


@settings(max_examples=25, deadline=None)
@given(signals, st.floats(0.05, 1.5))
def test_there_is_no_lag_it_works_the_same_backwards(eta: np.ndarray, strength: float) -> None:
    forward = smooth(replace(still(30), eta=eta), strength).eta
    backward = smooth(replace(still(30), eta=eta[::-1].copy()), strength).eta
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.floats(0.4, 1), st.floats(0.05, 1.0))
def test_a_blink_keeps_its_frame_and_most_of_its_depth(width: int, depth: float, strength: float) -> None:
    p = still()
    blink = depth * np.exp(-0.5 * ((np.arange(48) - 24) / (0.5 * width)) ** 2)
    p.eta[:, LID] = blink
    out = smooth(p, strength).eta[:, LID]
    assert out.argmax() == 24
    np.testing.assert_allclose(out, out[::-1][np.arange(48) - 1], atol=1e-9)  # symmetric about frame 24
    assert out.max() > 0.9 * depth


def test_lips_that_close_for_two_frames_stay_closed() -> None:
    p = still()
    p.eta[:, JAW] = 0.4
    p.eta[23:25, JAW] = 0.0
    assert smooth(p, 1.0).eta[23:25, JAW].max() < 0.02


def test_trembling_goes_and_brows_become_calmer_than_lids() -> None:
    p = still(200)
    rng = np.random.default_rng(1)
    p = replace(p, eta=0.4 + rng.normal(0, 0.03, p.eta.shape), gaze=rng.normal(0, 0.01, p.gaze.shape))
    out = smooth(p, 0.5)
    assert out.eta[:, LID].std() < 0.85 * p.eta[:, LID].std()
    assert out.eta[:, BROW].std() < 0.6 * p.eta[:, BROW].std()
    assert out.gaze.std() < 0.8 * p.gaze.std()


def test_a_blink_keeps_its_shape() -> None:
    """Its flanks are not mixed with its top, however fast it is."""
    p = still(60, 30.0)
    for middle, half in ((10, 2.0), (25, 2.5), (42, 3.0)):
        way = np.abs(np.arange(60) - middle) / half
        p.eta[:, LID] += np.where(way < 1, np.cos(0.5 * np.pi * way) ** 2, 0)
    np.testing.assert_allclose(smooth(p, 0.5).eta[:, LID], p.eta[:, LID], atol=0.02)


def test_a_blink_stays_though_the_face_is_less_certain_with_its_eyes_shut() -> None:
    p = still()
    p.eta[23:26, LID] = [0.5, 0.9, 0.4]
    p.confidence[22:27] = 0.6
    assert smooth(p, 0.5).eta[24, LID] > 0.88


def test_the_head_trembles_less_and_stays_where_it_is_seen() -> None:
    rng = np.random.default_rng(2)
    poses = np.array([turn(10 + rng.normal(0, 0.8), rng.normal(0, 0.8)) for _ in range(100)])
    p = replace(still(100), rotation=poses, translation=np.array([0, 0, -700.0]) - poses @ ANCHOR)
    out = smooth(p, 1.0)
    assert euler_degrees(out.rotation)[:, 0].std() < 0.5 * euler_degrees(p.rotation)[:, 0].std()
    # The anchor, which the crop pins to the picture, did not move, so it must not move now.
    np.testing.assert_allclose(out.rotation @ ANCHOR + out.translation, np.tile([0, 0, -700.0], (100, 1)), atol=1e-6)
    np.testing.assert_allclose(
        out.rotation @ np.swapaxes(out.rotation, 1, 2), np.tile(np.eye(3), (100, 1, 1)), atol=1e-9
    )


def test_nothing_is_smoothed_across_frames_without_a_face() -> None:
    p = still()
    p.eta[:20, BROW], p.eta[25:, BROW] = 0.2, 0.3
    p = unseen(p, 20, 24)
    out = smooth(p, 1.0)
    np.testing.assert_array_equal(out.eta[:20, BROW], 0.2)
    np.testing.assert_array_equal(out.eta[25:, BROW], 0.3)
    assert np.isnan(out.eta[20:25]).all() and np.isnan(out.rotation[20:25]).all()
    np.testing.assert_array_equal(out.confidence, p.confidence)


def test_a_performance_without_any_face_can_be_smoothed() -> None:
    assert np.isnan(smooth(unseen(still(4), 0, 3), 1.0).eta).all()


def test_twice_the_frame_rate_is_smoothed_alike() -> None:
    """The filter counts seconds, not frames."""
    slow, fast = still(48, 24.0), still(96, 48.0)
    for p in (slow, fast):
        p.eta[:, BROW] = 0.1 * np.sin(2 * np.pi * p.times)
    out = [smooth(p, 1.0).eta[12 * k, BROW] / 0.1 for k, p in ((1, slow), (2, fast))]
    assert out[0] == pytest.approx(out[1], abs=0.03)


def test_another_basis_is_smoothed_too() -> None:
    keys = tuple(f"expression_{i:02d}" for i in range(1, 30))
    rng = np.random.default_rng(3)
    p = replace(still(), eta=rng.normal(0, 0.05, (48, 29)), expression_keys=keys, basis="bfm")
    assert smooth(p, 0.5).eta.std() < 0.7 * p.eta.std()

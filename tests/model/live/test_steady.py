"""A live face is smoothed without lag: noise is calmed, blinks and turns pass as they are."""

from __future__ import annotations

import numpy as np
import pytest

from expnet.model.array_types import FloatArray
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.live.steady import MOST_SECONDS, Steady
from expnet.model.rotations import euler_degrees, rotation_of_euler
from expnet.model.worker.messages import LIVE_SMOOTHING

LID, BROW = OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("browInnerUp")
STRAIGHT, AWAY = np.eye(3), np.array([0.0, 0.0, -900.0])


def shown(eta: FloatArray, times: FloatArray, strength: float = LIVE_SMOOTHING) -> FloatArray:
    steady = Steady(strength)
    return np.array([steady(t, row, np.zeros(2), STRAIGHT, AWAY)[0] for t, row in zip(times, eta, strict=True)])


def test_noise_of_a_resting_face_is_at_most_half_as_large() -> None:
    times = np.arange(300) / 30
    noise = np.random.default_rng(0).normal(0, 0.02, (300, len(OPEN_KEYS)))
    calmed = shown(noise, times)
    assert np.diff(calmed[:, BROW]).std() < 0.5 * np.diff(noise[:, BROW]).std()
    assert np.diff(calmed, axis=0).std() < 0.8 * np.diff(noise, axis=0).std()


def test_a_blink_passes_in_time_and_in_full_depth() -> None:
    times = np.arange(60) / 30
    eta = np.zeros((60, len(OPEN_KEYS)))
    eta[30:36, LID] = [0.4, 0.9, 1.0, 0.8, 0.4, 0.1]
    calmed = shown(eta, times)
    assert np.abs(calmed - eta).max() < 0.05
    assert calmed[:, LID].argmax() == eta[:, LID].argmax()


def test_a_slow_motion_lags_by_less_than_the_noise_threshold() -> None:
    times = np.arange(60) / 30
    eta = np.zeros((60, len(OPEN_KEYS)))
    eta[:, BROW] = np.linspace(0, 1, 60)
    assert np.abs(shown(eta, times, 1.0) - eta).max() < 0.15


def test_strength_zero_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    steady = Steady(0)
    for i in range(5):
        eta, gaze = rng.normal(size=len(OPEN_KEYS)), rng.normal(size=2)
        turned, place = rotation_of_euler(*rng.uniform(-0.5, 0.5, 3)), np.array([*rng.normal(0, 50, 2), -700.0])
        given = eta, gaze, turned, place
        for before, after in zip(given, steady(i / 30, *given), strict=True):
            np.testing.assert_allclose(after, before, atol=1e-9)


def test_after_a_pause_the_face_begins_anew() -> None:
    steady = Steady(1.0)
    steady(0.0, np.zeros(len(OPEN_KEYS)), np.zeros(2), STRAIGHT, AWAY)
    after = steady(MOST_SECONDS + 0.1, np.full(len(OPEN_KEYS), 0.05), np.zeros(2), STRAIGHT, AWAY)
    np.testing.assert_allclose(after[0], 0.05)


@pytest.mark.parametrize("degrees", [1.0, 40.0])
def test_the_head_trembles_less_and_turns_at_once(degrees: float) -> None:
    steady = Steady(LIVE_SMOOTHING)
    steady(0.0, np.zeros(len(OPEN_KEYS)), np.zeros(2), STRAIGHT, AWAY)
    turned = rotation_of_euler(np.radians(degrees), 0, 0)
    after = steady(1 / 30, np.zeros(len(OPEN_KEYS)), np.zeros(2), turned, AWAY)
    yaw = euler_degrees(after[2])[0]
    assert yaw == pytest.approx(degrees, abs=0.01) if degrees > 10 else 0.1 * degrees < yaw < 0.7 * degrees
    np.testing.assert_allclose(after[2] @ after[2].T, np.eye(3), atol=1e-9)

"""Lips that the points show shut are shown shut, and others as they are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from expnet.model.builtin import OPEN
from expnet.model.camera import SIDE_MM
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import POINTS
from expnet.model.networks.shut_lips import _LOWER, _UPPER, GAP, LOWER, UPPER, gap_seen, with_shut_lips

UPRIGHT = [1.0, 0, 0, 0, 1, 0]
DEVIATION = np.full((1, 29), 0.1)


def outputs(gap_mm, side=0.8, rotation=UPRIGHT):
    """Return outputs for a face whose inner lips are ``gap_mm`` apart; its own crop is ``side`` of the given one."""
    points = np.full((1, POINTS, 2), 0.5)
    points[:, _LOWER, 1] += 0.1
    points[:, _UPPER, 1] = points[:, _LOWER, 1] - gap_mm / SIDE_MM * side  # y downwards
    return {
        "points": points.reshape(1, -1),
        "crop": np.array([[0.0, 0.0, np.log(side)]]),
        "rotation": np.array([rotation]),
    }


def read(**keys):
    return np.array([[keys.get(key, 0.0) for key in OPEN_KEYS]])


def test_the_gap_of_each_key_is_that_of_the_open_head():
    model = open_face_model(OPEN)
    moved = model.expression[:, model.landmarks]
    gap = (moved[:, list(UPPER), 1] - moved[:, list(LOWER), 1]).mean(1)
    np.testing.assert_allclose(GAP, gap, atol=0.05)


@pytest.mark.parametrize("side", [0.6, 1.0])
def test_the_gap_is_measured_in_millimetres(side):
    assert gap_seen(outputs(4.0, side))[0] == pytest.approx(4, abs=1e-6)


def test_a_head_that_nods_shows_the_same_gap_smaller():
    pitch = np.radians(30)
    nodding = [1.0, 0, 0, 0, np.cos(pitch), np.sin(pitch)]
    assert gap_seen(outputs(4.0 * np.cos(pitch), rotation=nodding))[0] == pytest.approx(4, abs=1e-6)


def test_a_raised_lip_above_shut_lips_shows_no_teeth():
    eta = read(mouthUpperUp=0.5, mouthSmile_L=0.6, browDown_L=0.9)
    shut = with_shut_lips(eta, DEVIATION, outputs(0.0))
    assert abs((shut @ GAP)[0]) < 0.2 * (eta @ GAP)[0]
    assert shut[0, OPEN_KEYS.index("browDown_L")] == 0.9
    assert shut[0, OPEN_KEYS.index("mouthShrugLower")] > 0.05


def test_the_key_that_is_read_least_surely_changes_most():
    deviation = DEVIATION.copy()
    deviation[0, OPEN_KEYS.index("mouthShrugLower")] = 0.3
    change = with_shut_lips(read(mouthUpperUp=0.5), deviation, outputs(0.0)) - read(mouthUpperUp=0.5)
    assert OPEN_KEYS[int(np.abs(change[0]).argmax())] == "mouthShrugLower"


@pytest.mark.parametrize("gap", [2.5, 4.0, 20.0])
def test_lips_that_are_seen_open_stay_as_they_are_read(gap):
    eta = read(jawOpen=0.4)
    np.testing.assert_array_equal(with_shut_lips(eta, DEVIATION, outputs(gap)), eta)


def test_lips_that_the_keys_press_together_stay_as_they_are_read():
    eta = read(mouthPress=0.8, mouthShrugLower=0.5)
    np.testing.assert_array_equal(with_shut_lips(eta, DEVIATION, outputs(0.0)), eta)


def test_a_network_without_points_and_a_face_seen_from_below_change_nothing():
    eta, from_below = read(mouthUpperUp=0.5), [1.0, 0, 0, 0, 0.2, 1.0]
    assert with_shut_lips(eta, DEVIATION, {}) is eta
    np.testing.assert_array_equal(with_shut_lips(eta, DEVIATION, outputs(0.0, rotation=from_below)), eta)


@given(arrays(float, (1, 29), elements=st.floats(0, 1)), st.floats(-3, 5), st.floats(0.01, 0.5))
def test_no_lips_open_further_or_cross(eta, gap, deviation):
    before = (eta @ GAP)[0]
    after = (with_shut_lips(eta, np.full((1, 29), deviation), outputs(gap)) @ GAP)[0]
    assert min(before, 0) - 1e-9 <= after <= before + 1e-9


@given(arrays(float, (1, 29), elements=st.floats(0, 1)), st.floats(-3, 5))
def test_no_key_leaves_its_bounds(eta, gap):
    shut = with_shut_lips(eta, DEVIATION, outputs(gap))
    assert (shut >= np.minimum(eta, 0)).all() and (shut <= 1).all()


def test_an_unknown_deviation_changes_nothing():
    eta = read(mouthUpperUp=0.5)
    np.testing.assert_array_equal(with_shut_lips(eta, np.full((1, 29), np.nan), outputs(0.0)), eta)


def test_points_that_are_no_numbers_change_nothing():
    eta, broken = read(mouthUpperUp=0.5), outputs(0.0)
    broken["points"][:] = np.nan
    np.testing.assert_array_equal(with_shut_lips(eta, DEVIATION, broken), eta)

"""Rotations as quaternions and as angles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.rotations import euler_degrees, quaternions, rodrigues, rotation_of_euler, rotations

from .performance.performances import turn


@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(-180, 180))
def test_rotations_and_quaternions_are_each_others_inverse(yaw: float, pitch: float, roll: float) -> None:
    r = turn(yaw, pitch, roll)
    q = quaternions(r)
    assert np.linalg.norm(q) == pytest.approx(1)
    np.testing.assert_allclose(rotations(q), r, atol=1e-9)


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_euler_angles_are_those_of_the_definition(yaw: float, pitch: float, roll: float) -> None:
    np.testing.assert_allclose(euler_degrees(turn(yaw, pitch, roll)), [yaw, pitch, roll], atol=1e-6)


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_a_rotation_is_built_from_its_angles(yaw: float, pitch: float, roll: float) -> None:
    np.testing.assert_allclose(rotation_of_euler(*np.radians([yaw, pitch, roll])), turn(yaw, pitch, roll), atol=1e-12)


def test_rotations_are_built_for_many_frames_and_unseen_ones_stay_nan() -> None:
    built = rotation_of_euler(np.array([0.3, np.nan]), np.array([-0.1, 0.2]), np.array([0.0, 0.1]))
    np.testing.assert_allclose(built[0], rotation_of_euler(0.3, -0.1, 0.0))
    assert np.isnan(built[1]).all()


@given(st.floats(-3.1, 3.1))
def test_a_rotation_vector_is_an_axis_times_an_angle(angle: float) -> None:
    np.testing.assert_allclose(rodrigues(np.array([0, angle, 0])), rotation_of_euler(angle, 0, 0), atol=1e-12)

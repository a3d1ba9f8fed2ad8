"""Rotations as quaternions and as angles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.rotations import euler_degrees, quaternions, rotations

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

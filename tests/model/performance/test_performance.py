"""What a performance says of itself, and at other times."""

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.face.semantics import open_bounds
from expnet.model.performance.face_performance import clamped, resampled, runs

from .performances import LID, SIDE, acted, same, still


def test_frames_without_a_face_are_listed() -> None:
    assert runs(~acted().seen) == [(20, 24)]
    assert runs(np.array([True, False, True, True])) == [(0, 0), (2, 3)]
    assert runs(np.zeros(3, bool)) == []


def test_clamped_to_bounds() -> None:
    p = replace(still(2), eta=np.array([[-5.0] * 29, [5.0] * 29]))
    out = clamped(p, open_bounds()).eta
    np.testing.assert_array_equal(out.T, open_bounds())
    assert out[0, SIDE] == -1 and out[0, LID] == pytest.approx(-0.35)


def test_resampling_at_the_same_times_changes_nothing() -> None:
    p = acted()
    assert same(resampled(p, p.times), p, 1e-9)


def test_resampling_between_frames_is_linear_and_keeps_gaps() -> None:
    p = acted()
    middle = (p.times[1:] + p.times[:-1]) / 2
    out = resampled(p, middle)
    np.testing.assert_allclose(out.eta[3], (p.eta[3] + p.eta[4]) / 2)
    np.testing.assert_allclose(np.linalg.det(out.rotation[3]), 1)
    assert runs(~out.seen) == [(19, 24)], "no face is invented beside a gap"
    outside = resampled(p, np.array([-1.0, 0.0, 100.0]))
    np.testing.assert_array_equal(outside.seen, [False, True, False])

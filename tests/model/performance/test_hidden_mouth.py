"""A mouth that something hides keeps its last known values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.hidden_mouth import CERTAIN, HIDDEN, RELEASE, RETURN, SUSPECT, with_mouth_held
from expnet.model.performance.smoothing import smooth
from expnet.model.performance.treatment import Treatment, smoothed_from_neutral

from .performances import BROW, JAW, SIDE, still

SMILE = OPEN_KEYS.index("mouthSmile_L")
BOUNDS = np.tile([-1.0, 1.0], (29, 1))


def smiling_behind_a_hand(first: int = 20, last: int = 59, frames: int = 100) -> FacePerformance:
    """Return a smile of 0.7 before a hand, of 0.3 after it, and values behind it that jump; the brow rises."""
    p = still(frames, 25.0)
    hidden = np.zeros(frames)
    hidden[first : last + 1] = 0.9
    eta = p.eta.copy()
    eta[:, SMILE] = np.where(np.arange(frames) < first, 0.7, 0.3)
    eta[first : last + 1, [SMILE, JAW, SIDE]] = np.random.default_rng(0).uniform(-1, 1, (last + 1 - first, 3))
    eta[:, BROW] = np.linspace(0, 1, frames)
    return replace(p, eta=eta, mouth_hidden=hidden)


def test_the_mouth_holds_and_moves_on_before_the_hand_leaves() -> None:
    p = smiling_behind_a_hand()
    held = with_mouth_held(p)
    still_hidden = int((60 / 25 - RETURN - 0.1) * 25)
    np.testing.assert_allclose(held.eta[20:still_hidden, SMILE], 0.7)
    assert (np.diff(held.eta[still_hidden:62, SMILE]) <= 0).all()
    np.testing.assert_allclose(held.eta[62:, SMILE], 0.3)
    np.testing.assert_allclose(held.eta[20:60, [JAW, SIDE]], 0)
    np.testing.assert_array_equal(held.eta[:, BROW], p.eta[:, BROW])


def test_before_the_first_sight_of_the_mouth_it_has_the_first_known_values() -> None:
    held = with_mouth_held(smiling_behind_a_hand(first=0, last=40))
    np.testing.assert_allclose(held.eta[:, SMILE], 0.3)


def test_a_span_begins_with_the_first_suspicion_shortly_before_it() -> None:
    p = smiling_behind_a_hand(first=40)
    assert p.mouth_hidden is not None
    hidden, eta = p.mouth_hidden.copy(), p.eta.copy()
    hidden[[10, 30]] = 2 * SUSPECT
    eta[30:40, SMILE] = 1.0  # fingers that are read as a smile
    held = with_mouth_held(replace(p, mouth_hidden=hidden, eta=eta))
    np.testing.assert_allclose(held.eta[:45, SMILE], 0.7)


def test_a_span_begins_at_the_first_evidence_and_ends_at_the_last_that_is_strong() -> None:
    p = smiling_behind_a_hand()
    assert p.mouth_hidden is not None
    hidden = p.mouth_hidden.copy()
    hidden[20:30] = hidden[60:70] = (HIDDEN + RELEASE) / 2
    np.testing.assert_array_equal(with_mouth_held(replace(p, mouth_hidden=hidden)).eta, with_mouth_held(p).eta)


def test_a_clip_that_ends_behind_the_hand_keeps_the_last_known_values() -> None:
    held = with_mouth_held(smiling_behind_a_hand(first=50, last=99))
    np.testing.assert_allclose(held.eta[:, SMILE], 0.7)


@pytest.mark.parametrize("case", ["never seen", "two frames", "never certain", "no evidence", "older file"])
def test_what_is_not_known_to_be_hidden_or_has_no_known_value_stays(case: str) -> None:
    p = {
        "never seen": smiling_behind_a_hand(first=0, last=99),
        "two frames": smiling_behind_a_hand(first=20, last=21),
        "never certain": replace(smiling_behind_a_hand(), mouth_hidden=np.full(100, 0.9 * CERTAIN)),
        "no evidence": replace(smiling_behind_a_hand(), mouth_hidden=np.zeros(100)),
        "older file": replace(smiling_behind_a_hand(), mouth_hidden=None),
    }[case]
    np.testing.assert_array_equal(with_mouth_held(p).eta, p.eta)


def test_nothing_is_held_across_a_cut_or_a_loss() -> None:
    p = smiling_behind_a_hand()
    cut = with_mouth_held(replace(p, cuts=(30 / 25,)))
    np.testing.assert_allclose(cut.eta[18:30, SMILE], 0.7)
    np.testing.assert_allclose(cut.eta[30:62, SMILE], 0.3)
    confidence = p.confidence.copy()
    confidence[30:40] = 0
    lost = replace(p, confidence=confidence, eta=np.where(confidence[:, None] > 0, p.eta, np.nan))
    held = with_mouth_held(lost)
    np.testing.assert_allclose(held.eta[20:30, SMILE], 0.7)
    assert np.isnan(held.eta[30:40]).all()
    np.testing.assert_allclose(held.eta[40:62, SMILE], 0.3)


@given(st.lists(st.floats(0, 1), min_size=30, max_size=30), st.integers(0, 1000))
def test_held_values_lie_between_known_ones(hidden: list[float], seed: int) -> None:
    p = still(30, 25.0)
    eta = np.random.default_rng(seed).uniform(0, 1, p.eta.shape)
    held = with_mouth_held(replace(p, eta=eta, mouth_hidden=np.array(hidden)))
    assert (held.eta >= eta.min(0) - 1e-12).all() and (held.eta <= eta.max(0) + 1e-12).all()


def test_the_treatment_holds_before_it_smooths_unless_it_is_off() -> None:
    p = smiling_behind_a_hand()
    held = smoothed_from_neutral(p, Treatment(), BOUNDS)
    np.testing.assert_allclose(held.eta[25:45, SMILE], 0.7, atol=1e-6)
    as_read = smoothed_from_neutral(p, Treatment(hold_mouth=False), BOUNDS)
    np.testing.assert_array_equal(as_read.eta, smooth(p).eta)

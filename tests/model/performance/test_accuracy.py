"""model/performance/accuracy.py: an estimate compared with the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.performance.accuracy import compare
from expnet.model.performance.face_performance import FacePerformance

FRAMES = 60


@pytest.fixture
def truth() -> FacePerformance:
    """Two keys at 30 frames a second: one swings, one rests."""
    times = np.arange(FRAMES) / 30
    eta = np.stack([0.5 + 0.4 * np.sin(4 * times), np.full(FRAMES, 0.2)], -1)
    return FacePerformance(
        times=times,
        eta=eta,
        gaze=np.zeros((FRAMES, 2)),
        rotation=np.tile(np.eye(3), (FRAMES, 1, 1)),
        translation=np.tile([0.0, 0.0, -600.0], (FRAMES, 1)),
        crop=np.tile([320.0, 180.0, 200.0, 0.0], (FRAMES, 1)),
        confidence=np.ones(FRAMES),
        alpha=np.zeros(99),
        expression_keys=("jawOpen", "cheekPuff"),
        basis="open-29",
        source="clip.mp4",
        fps=30.0,
        image_size=(640, 360),
    )


def test_the_truth_agrees_with_itself(truth: FacePerformance) -> None:
    found = compare(truth, truth)
    assert found.correlation[0] == pytest.approx(1)
    assert np.all(found.error == 0)
    assert found.rotation_error == pytest.approx(0, abs=1e-4)
    assert (found.seen, found.frames) == (FRAMES, FRAMES)


def test_a_key_that_rests_has_no_correlation_but_an_error(truth: FacePerformance) -> None:
    found = compare(replace(truth, eta=truth.eta + 0.1), truth)
    assert np.isnan(found.correlation[1])
    assert found.correlation[0] == pytest.approx(1)
    np.testing.assert_allclose(found.error, 0.1)


def test_an_estimate_that_never_moves_correlates_with_nothing(truth: FacePerformance) -> None:
    assert compare(replace(truth, eta=np.zeros_like(truth.eta)), truth).correlation[0] == 0


def test_angles_are_in_degrees(truth: FacePerformance) -> None:
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    turned = truth.rotation @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    looking = truth.gaze + [np.radians(5), 0]
    found = compare(replace(truth, rotation=turned, gaze=looking), truth)
    assert found.rotation_error == pytest.approx(10)
    assert found.gaze_error == pytest.approx(5)


def test_frames_are_matched_by_time_and_only_where_both_have_a_face(truth: FacePerformance) -> None:
    """A clip cut short, and a face lost for ten frames: the rest is compared, frame by frame."""
    part = slice(20, 50)
    confidence = np.ones(30)
    confidence[:10] = 0
    eta = truth.eta[part].copy()
    eta[:10] = np.nan
    estimate = replace(
        truth,
        **{name: getattr(truth, name)[part] for name in ("times", "gaze", "rotation", "translation", "crop")},
        eta=eta,
        confidence=confidence,
    )
    found = compare(estimate, truth)
    assert found.seen == 20
    np.testing.assert_allclose(found.error, 0, atol=1e-12)


def test_other_keys_are_refused(truth: FacePerformance) -> None:
    with pytest.raises(InputError, match="same estimator"):
        compare(replace(truth, expression_keys=("a", "b"), basis="other"), truth)


def test_nothing_in_common_is_refused(truth: FacePerformance) -> None:
    with pytest.raises(InputError, match="same clip"):
        compare(replace(truth, confidence=np.zeros(FRAMES)), truth)


def test_it_prints_a_line_for_each_key(truth: FacePerformance) -> None:
    lines = str(compare(truth, truth)).splitlines()
    assert lines[1].split()[:2] == ["jawOpen", "1.00"]
    assert lines[2].split()[:2] == ["cheekPuff", "-"]

"""The treatment of a raw performance: by region, from the actor's neutral, and with fewer keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.performance.decimate import bezier_handles, kept_keys
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.smoothing import REGIONS, region_of, smooth
from expnet.model.performance.treatment import (
    FRAME,
    QUIETEST,
    RANGE,
    SEEN,
    KeyTreatment,
    Treatment,
    named_neutral,
    range_neutral,
    treated,
)

from .performances import acted

RAW = Treatment(smoothing={})


@pytest.fixture
def performance() -> FacePerformance:
    """80 frames that tremble, the last ten without a face."""
    rng = np.random.default_rng(2)
    seen = np.arange(80) < 70
    mask = np.where(seen, 1.0, np.nan)
    times = np.arange(80) / 25
    return FacePerformance(
        times=times,
        eta=(0.4 + 0.1 * np.sin(times)[:, None] + rng.normal(0, 0.03, (80, 29))) * mask[:, None],
        gaze=rng.normal(0, 0.02, (80, 2)) * mask[:, None],
        rotation=np.tile(np.eye(3), (80, 1, 1)) * mask[:, None, None],
        translation=([0.0, 0.0, -700.0] + rng.normal(0, 1, (80, 3))) * mask[:, None],
        crop=np.ones((80, 4)) * mask[:, None],
        confidence=seen.astype(float),
        alpha=np.zeros(99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="clip.mp4",
        fps=25.0,
        image_size=(640, 360),
    )


def columns(region: str) -> list[int]:
    return [i for i, key in enumerate(OPEN_KEYS) if region_of(key) == region]


def test_every_key_has_a_region() -> None:
    assert {region_of(key) for key in OPEN_KEYS} == {"brows", "lids", "cheeks", "mouth", "jaw"}
    assert region_of("expression_07") == "expression"
    assert {region_of(key) for key in OPEN_KEYS} < set(REGIONS)


def test_one_strength_for_all_is_plain_smoothing(performance: FacePerformance) -> None:
    ours = treated(performance, Treatment(), open_bounds())
    plain = smooth(performance, 0.5)
    for name in ("eta", "gaze", "rotation", "translation"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(plain, name))


@pytest.mark.parametrize("region", ["brows", "lids", "cheeks", "mouth", "jaw"])
def test_a_region_alone_is_smoothed(performance: FacePerformance, region: str) -> None:
    treated_alone = treated(performance, Treatment(smoothing={region: 1.0}), open_bounds())
    others = [i for i in range(29) if i not in columns(region)]
    np.testing.assert_array_equal(treated_alone.eta[:, others], performance.eta[:, others])
    np.testing.assert_array_equal(
        treated_alone.eta[:70, columns(region)], smooth(performance, 1.0).eta[:70, columns(region)]
    )
    np.testing.assert_array_equal(treated_alone.translation, performance.translation)


def test_gains_stay_within_the_bounds(performance: FacePerformance) -> None:
    strong = treated(performance, Treatment(smoothing={}, gains={"mouth": 4.0, "gaze": 0.5}), open_bounds())
    mouth = columns("mouth")
    low, high = open_bounds()[mouth].T
    np.testing.assert_allclose(strong.eta[:70, mouth], np.clip(4 * performance.eta[:70, mouth], low, high))
    np.testing.assert_allclose(strong.gaze[:70], 0.5 * performance.gaze[:70])
    np.testing.assert_array_equal(strong.eta[:70, columns("jaw")], performance.eta[:70, columns("jaw")])


def test_a_frame_becomes_neutral(performance: FacePerformance) -> None:
    own = treated(performance, Treatment(smoothing={}, neutral=FRAME, neutral_frame=12), open_bounds())
    np.testing.assert_allclose(own.eta[12], 0, atol=1e-12)


def test_the_quietest_frames_become_neutral(performance: FacePerformance) -> None:
    own = treated(performance, Treatment(neutral=QUIETEST), open_bounds())
    assert np.nanmean(np.abs(own.eta)) < 0.5 * np.nanmean(np.abs(performance.eta))


def test_neutral_becomes_the_heads_own_rest(performance: FacePerformance) -> None:
    """A head whose zero is no resting face, such as the Basel Face Model with 3DDFA's offset, rests elsewhere."""
    sigmas = replace(performance, expression_keys=tuple(f"expression_{i:02d}" for i in range(1, 30)), basis="expnet-29")
    rest = np.linspace(-0.5, 0.5, 29)
    bounds = np.tile([-3.0, 3.0], (29, 1))
    own = treated(sigmas, Treatment(smoothing={}, neutral=FRAME, neutral_frame=12), bounds, rest)
    np.testing.assert_allclose(own.eta[12], rest, atol=1e-9)


def test_a_frame_is_named_as_the_clip_counts_it(performance: FacePerformance) -> None:
    assert named_neutral(performance, "none")[0] == SEEN and named_neutral(performance, "auto")[0] == QUIETEST
    later = replace(performance, times=performance.times + 50 / performance.fps)  # read from frame 50 on
    assert named_neutral(later, "62") == (FRAME, 12)
    with pytest.raises(InputError, match="frame 12 was not read: neutral is a frame from 50 to"):
        named_neutral(later, "12")


@pytest.mark.parametrize("choice", ["", "Auto", "-1", "1.5", "12-20", "²"])
def test_a_neutral_that_means_nothing(performance: FacePerformance, choice: str) -> None:
    with pytest.raises(InputError, match="is not none, auto or a frame|was not read"):
        named_neutral(performance, choice)


@pytest.mark.parametrize("frame", [75, 80, -1])
def test_a_frame_without_a_face_cannot_be_neutral(performance: FacePerformance, frame: int) -> None:
    with pytest.raises(InputError, match="no face in the frame chosen as neutral"):
        treated(performance, Treatment(neutral=FRAME, neutral_frame=frame), open_bounds())


def test_without_treatment_nothing_changes(performance: FacePerformance) -> None:
    np.testing.assert_array_equal(treated(performance, RAW, np.tile([-9.0, 9.0], (29, 1))).eta, performance.eta)


# Fewer keys -----------------------------------------------------------------------------------------------------------


def error_of(frames: np.ndarray, values: np.ndarray, kept: np.ndarray) -> float:
    everywhere = np.linspace(frames[0], frames[-1], 997)
    full = np.interp(everywhere, frames, values)
    return float(np.abs(np.interp(everywhere, frames[kept], values[kept]) - full).max())


@given(st.integers(1, 60), st.integers(1, 4), st.floats(0, 0.5), st.integers(0, 10_000))
def test_the_error_is_never_larger_than_asked_for(count: int, curves: int, bound: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.uniform(0.1, 3, count))
    values = np.cumsum(rng.normal(0, 0.2, (curves, count)), 1)
    kept = kept_keys(frames, values, np.full(curves, bound))
    assert kept[:, [0, -1]].all()
    for value, keys in zip(values, kept):
        assert error_of(frames, value, keys) <= bound + 1e-9


def test_straight_lines_need_two_keys() -> None:
    kept = kept_keys(np.arange(50.0), np.stack([np.arange(50.0), np.zeros(50)]), np.full(2, 1e-9))
    assert kept.sum(1).tolist() == [2, 2]


def test_each_curve_has_its_own_bound() -> None:
    wave = np.sin(np.arange(300) / 7)
    coarse, fine = kept_keys(np.arange(300.0), np.stack([wave, wave]), np.array([0.2, 0.05])).sum(1)
    assert 2 < coarse < fine < 150


def test_each_key_has_a_gain_limits_and_a_switch() -> None:
    p, plain = acted(), Treatment(smoothing={})
    names = [p.expression_keys[i] for i in range(4)]
    keys = {
        names[0]: KeyTreatment(on=False),
        names[1]: KeyTreatment(gain=0.5),
        names[2]: KeyTreatment(low=0.2, high=0.3),
        names[3]: KeyTreatment(low=-9, high=9),
    }
    before = treated(p, plain, open_bounds()).eta[p.seen]
    after = treated(p, replace(plain, keys=keys), open_bounds()).eta
    assert np.isnan(after[~p.seen]).all()
    after = after[p.seen]
    assert (after[:, 0] == 0).all()
    np.testing.assert_allclose(after[:, 1], np.clip(p.eta[p.seen, 1] * 0.5, 0, 1))
    np.testing.assert_allclose(after[:, 2], np.clip(p.eta[p.seen, 2], 0.2, 0.3))
    np.testing.assert_array_equal(after[:, 3:], before[:, 3:])


def test_a_key_that_is_off_rests_where_the_head_rests() -> None:
    p, rest = acted(), np.full(29, 0.125)
    keys = {p.expression_keys[0]: KeyTreatment(on=False)}
    eta = treated(p, Treatment(keys=keys), open_bounds(), rest).eta
    assert (eta[p.seen, 0] == 0.125).all()


def test_neutral_from_a_range_is_the_middle_of_what_its_frames_show() -> None:
    p = acted()
    wanted = Treatment(smoothing={}, neutral=RANGE, neutral_frame=2, neutral_last=6)
    np.testing.assert_allclose(range_neutral(p, 2, 6), np.median(p.eta[2:7], axis=0))
    np.testing.assert_allclose(treated(p, wanted, open_bounds()).neutral, np.median(p.eta[2:7], axis=0))
    np.testing.assert_allclose(range_neutral(p, 6, 2), range_neutral(p, 2, 6))
    with pytest.raises(InputError, match="frames 901 to 911"):
        range_neutral(p, 900, 910)


def bezier_at(frames: np.ndarray, values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the curve of the kept keys and their handles at all frames, point by point on each segment."""
    left, right = bezier_handles(frames, values, kept)
    at, out = np.flatnonzero(kept), np.empty(len(frames))
    out[at] = values[at]
    for a, b in zip(at, at[1:]):
        points = np.array([[frames[a], values[a]], right[a], left[b], [frames[b], values[b]]])
        np.testing.assert_allclose(points[:, 0], np.linspace(frames[a], frames[b], 4))
        for i in range(a + 1, b):
            s = (frames[i] - frames[a]) / (frames[b] - frames[a])
            out[i] = np.array([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s * s * (1 - s), s**3]) @ points[:, 1]
    return out


@given(st.integers(0, 1000), st.integers(1, 60), st.floats(1e-3, 0.3))
def test_fewer_keys_with_handles_stay_within_the_error(seed: int, count: int, bound: float) -> None:
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.integers(1, 4, count)).astype(float)
    values = np.cumsum(rng.normal(0, 0.1, (3, count)), axis=1)
    kept = kept_keys(frames, values, np.full(3, bound), smooth=True)
    for row, keys in zip(values, kept):
        curve = bezier_at(frames, row, keys)
        assert np.abs(curve - row).max() <= bound + 1e-9


def test_handles_need_fewer_keys_where_a_curve_is_round_and_never_overshoot() -> None:
    frames = np.arange(200.0)
    values = np.sin(frames / 12)[None]
    straight, smooth = (kept_keys(frames, values, np.array([0.01]), s)[0] for s in (False, True))
    assert smooth.sum() < 0.7 * straight.sum()
    step = np.where(frames < 100, 0.0, 1.0)
    kept = kept_keys(frames, step[None], np.array([0.01]), True)[0]
    assert kept.sum() == 4
    for handles in bezier_handles(frames, step, kept):
        assert (handles[:99, 1] == 0).all() and (handles[101:, 1] == 1).all()
        assert ((handles[:, 1] >= 0) & (handles[:, 1] <= 1)).all()

"""A performance on disk, smoothed, calibrated and at another frame rate."""

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from expnet.model.camera import ANCHOR
from expnet.model.errors import InputError
from expnet.model.performance import (
    FacePerformance,
    calibrated,
    clamped,
    euler_degrees,
    export_csv,
    export_json,
    load_performance,
    quaternions,
    quietest_neutral,
    resampled,
    rotations,
    runs,
    save_performance,
    smooth,
)
from expnet.model.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds

LID, JAW, BROW, SIDE = (OPEN_KEYS.index(k) for k in ("lid_L", "jawOpen", "browInnerUp", "mouthSide"))


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """A rotation of these degrees, built from its definition in ``euler_degrees``."""
    y, p, r = np.radians([yaw, -pitch, -roll])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rz @ rx @ ry


def still(frames: int = 48, fps: float = 24.0) -> FacePerformance:
    """A face that does nothing, 700 mm in front of the camera."""
    return FacePerformance(
        times=np.arange(frames) / fps,
        eta=np.zeros((frames, 29)),
        gaze=np.zeros((frames, 2)),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0.0, -700.0], (frames, 1)),
        crop=np.tile([320.0, 180.0, 200.0, 0.0], (frames, 1)),
        confidence=np.full(frames, 0.9),
        alpha=np.linspace(-1, 1, 99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="/footage/tåke 1.mp4",
        fps=fps,
        image_size=(640, 360),
    )


def unseen(performance: FacePerformance, first: int, last: int) -> FacePerformance:
    """The performance without a face in frames ``first`` to ``last``."""
    changed = {}
    for name in ("eta", "gaze", "rotation", "translation", "crop", "confidence"):
        values = getattr(performance, name).copy()
        values[first : last + 1] = 0.0 if name == "confidence" else np.nan
        changed[name] = values
    return replace(performance, **changed)


def acted(frames: int = 48, seed: int = 0) -> FacePerformance:
    """A face that moves all it has, and is away for five frames."""
    rng = np.random.default_rng(seed)
    low, high = open_bounds().T
    wave = np.cumsum(rng.normal(0, 0.1, (frames, 29)), axis=0)
    poses = [turn(40 * np.sin(i / 9), 10 * np.cos(i / 7), 5 * np.sin(i / 5)) for i in range(frames)]
    p = replace(
        still(frames),
        eta=low + (high - low) * (0.5 + 0.5 * np.sin(wave)),
        gaze=rng.normal(0, 0.1, (frames, 2)),
        rotation=np.array(poses),
        translation=np.array([0, 0, -700.0]) + rng.normal(0, 5, (frames, 3)),
    )
    return unseen(p, 20, 24)


def same(a: FacePerformance, b: FacePerformance, tolerance: float = 0.0) -> bool:
    names = ("times", "eta", "gaze", "rotation", "translation", "crop", "confidence", "alpha")
    return all(np.allclose(getattr(a, n), getattr(b, n), rtol=0, atol=tolerance, equal_nan=True) for n in names)


# --- on disk --------------------------------------------------------------------------------------------------------


def test_a_performance_comes_back_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "shot é.npz"
    p = acted()
    save_performance(p, path)
    back = load_performance(path)
    assert same(p, back, 1e-6)
    assert (back.source, back.fps, back.image_size, back.lens_mm) == (p.source, p.fps, p.image_size, p.lens_mm)
    assert (back.basis, back.expression_keys) == (p.basis, p.expression_keys)
    assert [f.name for f in tmp_path.iterdir()] == [path.name], "nothing but the file is left"


def test_frames_without_a_face_are_listed() -> None:
    assert runs(~acted().seen) == [(20, 24)]
    assert runs(np.array([True, False, True, True])) == [(0, 0), (2, 3)]
    assert runs(np.zeros(3, bool)) == []


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        save_performance(still(), tmp_path / "no such folder" / "shot.npz")


def test_the_csv_has_a_row_per_frame_and_empty_cells_without_a_face(tmp_path: Path) -> None:
    path = tmp_path / "shot.csv"
    save_performance(acted(), path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    assert list(rows[0])[:4] == ["frame", "time", "confidence", "browInnerUp"]
    assert rows[22]["jawOpen"] == "" and rows[22]["confidence"] == "0"
    assert float(rows[5]["jawOpen"]) == pytest.approx(acted().eta[5, JAW], rel=1e-5)
    assert float(rows[24]["time"]) == 1.0
    assert float(rows[9]["head_yaw"]) == pytest.approx(40 * np.sin(1), abs=1e-3)
    assert float(rows[9]["head_pitch"]) == pytest.approx(10 * np.cos(9 / 7), abs=1e-3)
    assert float(rows[9]["head_roll"]) == pytest.approx(5 * np.sin(9 / 5), abs=1e-3)


def test_csv_and_json_hold_the_same_table(tmp_path: Path) -> None:
    export_csv(acted(), tmp_path / "shot.csv")
    export_json(acted(), tmp_path / "shot.json")
    document = json.loads((tmp_path / "shot.json").read_text(encoding="utf-8"))
    rows = list(csv.reader((tmp_path / "shot.csv").read_text(encoding="utf-8").splitlines()))
    assert document["columns"] == rows[0]
    assert document["frames"][22][5] is None
    numbers = [[float(c) if c else None for c in row] for row in rows[1:]]
    for mine, theirs in zip(document["frames"], numbers):
        assert mine == [None if t is None else pytest.approx(t, rel=1e-4, abs=1e-5) for t in theirs]
    assert len(document["alpha"]) == 99 and document["fps"] == 24.0


def broken(name: str) -> Callable[[dict[str, np.ndarray]], None]:
    def change(members: dict[str, np.ndarray]) -> None:
        match name:
            case "no header":
                del members["header"]
            case "another format":
                members["header"] = np.frombuffer(b'{"format": "else"}', np.uint8)
            case "header without fps":
                header = json.loads(members["header"].tobytes())
                del header["fps"]
                members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
            case "no times":
                del members["times"]
            case "times that stand still":
                members["times"][3] = members["times"][2]
            case "fewer keys":
                members["eta"] = members["eta"][:, :5]
            case "NaN where a face is":
                members["eta"][0, 0] = np.nan
            case "confidence of 2":
                members["confidence"][0] = 2
            case "text for numbers":
                members["gaze"] = members["gaze"].astype(np.str_)
            case "something else":
                members["extra"] = np.zeros(1)

    return change


@pytest.mark.parametrize(
    "damage",
    ["no header", "another format", "header without fps", "no times", "times that stand still", "fewer keys",
     "NaN where a face is", "confidence of 2", "text for numbers", "something else"],
)  # fmt: skip
def test_a_broken_performance_is_refused_with_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "shot.npz"
    save_performance(acted(), path)
    with np.load(path) as file:
        members = {k: file[k].copy() for k in file.files}
    broken(damage)(members)
    np.savez(path, **members)
    with pytest.raises(InputError) as caught:
        load_performance(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_other_files_are_no_performances(tmp_path: Path) -> None:
    path = tmp_path / "shot.npz"
    for content in (b"", b"PK\x03\x04 and then nothing", b"\x80\x04pickle", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            load_performance(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("times.npy", b"no array")
    with pytest.raises(InputError):
        load_performance(path)
    np.savez(path, times=np.array([None, {}], dtype=object))
    with pytest.raises(InputError):
        load_performance(path)
    with pytest.raises(InputError, match="cannot read"):
        load_performance(tmp_path / "nowhere.npz")


# --- smoothing ------------------------------------------------------------------------------------------------------


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


# --- rotations ------------------------------------------------------------------------------------------------------


@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(-180, 180))
def test_rotations_and_quaternions_are_each_others_inverse(yaw: float, pitch: float, roll: float) -> None:
    r = turn(yaw, pitch, roll)
    q = quaternions(r)
    assert np.linalg.norm(q) == pytest.approx(1)
    np.testing.assert_allclose(rotations(q), r, atol=1e-9)


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_euler_angles_are_those_of_the_definition(yaw: float, pitch: float, roll: float) -> None:
    np.testing.assert_allclose(euler_degrees(turn(yaw, pitch, roll)), [yaw, pitch, roll], atol=1e-6)


# --- calibration, bounds, time --------------------------------------------------------------------------------------


def test_the_neutral_is_found_among_the_quietest_frames() -> None:
    p = still(100)
    rng = np.random.default_rng(4)
    p.eta[:] = 0.1 + rng.normal(0, 0.01, p.eta.shape)
    p.eta[30:90] += rng.uniform(0, 0.8, (60, 29))
    np.testing.assert_allclose(quietest_neutral(p), 0.1, atol=0.03)
    with pytest.raises(InputError, match="no face"):
        quietest_neutral(unseen(still(3), 0, 2))


def in_sigmas(eta: np.ndarray, fps: float = 24.0) -> FacePerformance:
    """A performance in a basis of components without names, as ExpNet's is."""
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


def test_what_was_taken_as_neutral_stays_with_the_performance(tmp_path: Path) -> None:
    p, neutral = acted(), np.linspace(0, 0.1, 29)
    assert p.neutral is None
    out = resampled(smooth(calibrated(p, neutral, open_bounds())), p.times[3:9])
    save_performance(out, tmp_path / "shot.npz")
    np.testing.assert_array_equal(load_performance(tmp_path / "shot.npz").neutral, neutral)
    save_performance(p, tmp_path / "raw.npz")
    assert load_performance(tmp_path / "raw.npz").neutral is None
    export_json(out, tmp_path / "shot.json")
    assert json.loads((tmp_path / "shot.json").read_text())["neutral"] == pytest.approx(neutral, abs=1e-6)


@pytest.mark.parametrize("neutral", [[0.1], "0.1", [float("nan")] * 29, [None] * 29])
def test_a_neutral_that_is_none(tmp_path: Path, neutral: object) -> None:
    path = tmp_path / "shot.npz"
    save_performance(still(3), path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes()) | {"neutral": neutral}
    np.savez(path, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    with pytest.raises(InputError, match="not a performance"):
        load_performance(path)


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


def test_a_single_frame_can_be_smoothed_calibrated_and_resampled() -> None:
    p = still(1)
    assert same(smooth(p, 1.0), p, 1e-9)
    assert quietest_neutral(p).shape == (29,)
    assert same(resampled(p, p.times), p, 1e-9)

"""Annotation of clips, tiny: tracks, splines, structure from motion, and from the demo clip to labels."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from expnet.model.builtin import OPEN
from expnet.model.camera import ANCHOR, Camera, project
from expnet.model.errors import InputError
from expnet.model.formats import open_face_model
from expnet.model.networks.weights.open_pack import DATA
from expnet.model.performance.performance_files import load_performance
from expnet.model.rotations import rotation_of_euler
from expnet.model.sight.video import open_clip
from expnet.research.annotate.annotate import AnnotateOptions, annotate, pruned
from expnet.research.annotate.detections import Detections
from expnet.research.annotate.fit_track import fit_track
from expnet.research.annotate.spline import smoothed
from expnet.research.annotate.structure_from_motion import aligned, factorised
from expnet.research.annotate.study import degrees, points_mm
from expnet.research.annotate.tracks import LOST, filled, tracks_of
from expnet.research.label.label_shards import load_labels

HEAD = open_face_model(OPEN)
TRUTH = load_performance(DATA / "demo_clip_truth.npz")
FRAMES = 16


def still(count: int) -> np.ndarray:
    return np.tile([100.0, 100.0, 50.0], (count, 1))


def test_a_box_that_jumps_is_another_track_and_a_short_one_is_false() -> None:
    box = still(40)
    box[20] += [40, 0, 0]  # one false detection
    assert [list(t) for t in tracks_of(np.arange(40), box)] == [[i for i in range(40) if i != 20]]
    box[22:] += [150, 0, 0]
    assert [(t[0], t[-1]) for t in tracks_of(np.arange(40), box)] == [(0, 21), (22, 39)]


def test_lost_frames_end_a_track_from_the_fifth_on() -> None:
    near = np.concatenate([np.arange(20), np.arange(20 + LOST - 1, 40)])
    far = np.concatenate([np.arange(20), np.arange(20 + LOST, 40)])
    assert len(tracks_of(near, still(len(near)))) == 1
    assert len(tracks_of(far, still(len(far)))) == 2


def test_a_long_track_is_divided() -> None:
    assert [len(t) for t in tracks_of(np.arange(50), still(50), wanted=20)] == [20, 20, 10]


def test_the_spline_is_the_cubic_smoothing_spline_and_fills_gaps() -> None:
    rng = np.random.default_rng(0)
    at = np.array([0, 1, 2, 3, 6, 7, 8, 9, 12, 13.0])
    values = rng.normal(size=(len(at), 2))
    wanted = np.arange(14.0)
    mine = smoothed(at, values, wanted, 0.4)
    for column in range(2):
        assert mine[:, column] == pytest.approx(make_smoothing_spline(at, values[:, column], lam=0.4)(wanted))
    assert smoothed(at, values, at, 0.0) == pytest.approx(values)


def test_a_gap_is_filled_from_its_neighbours() -> None:
    frame = np.array([4, 5, 6, 9, 10, 11])
    line = np.stack([frame * 2.0, frame * -1.0], 1)[:, None]
    whole = filled(frame, line)
    assert whole[:, 0, 0] == pytest.approx(2.0 * np.arange(4, 12))


def test_structure_from_motion_gives_a_turning_rigid_shape_back() -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(20, 3)) * [60, 60, 30]
    rotation = np.array([rotation_of_euler(*row) for row in rng.normal(0, 0.4, (30, 3))])
    points = (shape @ rotation.transpose(0, 2, 1))[..., :2] * [0.2, -0.2] + 100
    found, turned = aligned(*factorised(points), shape)
    assert points_mm(found, shape) < 0.01
    assert degrees(turned, rotation) < 0.01


def demo_landmarks(count: int) -> np.ndarray:
    """Return the true head's landmarks in the demo clip, (count, 68, 2) pixels."""
    shape = HEAD.neutral[HEAD.landmarks] + np.einsum("k,klc->lc", TRUTH.alpha, HEAD.identity[:, HEAD.landmarks])
    moved = shape + np.einsum("fk,klc->flc", TRUTH.eta[:count], HEAD.expression[:, HEAD.landmarks])
    placed = moved @ TRUTH.rotation[:count].transpose(0, 2, 1) + TRUTH.translation[:count, None]
    return project(placed, Camera.for_image(*TRUTH.image_size))


@pytest.mark.parametrize("orthographic", [False, True])
def test_landmarks_alone_give_a_track_that_lies_on_them(orthographic: bool) -> None:
    points = demo_landmarks(FRAMES)
    box = np.column_stack([points.mean(1), np.ptp(points[..., 0], axis=1)])
    rows = np.array([i for i in range(FRAMES) if i not in (5, 6)])
    found = Detections(rows, box[rows], points[rows], TRUTH.image_size)
    fitted = fit_track(found, np.arange(len(rows)), HEAD, Camera.for_image(*TRUTH.image_size), orthographic)
    assert list(fitted.frame) == list(rows)
    assert np.median(fitted.error / fitted.crop[:, 2]) < 0.015
    assert degrees(fitted.rotation, TRUTH.rotation[rows]) < 8
    assert (fitted.eta >= HEAD.expression_bounds[:, 0] - 1e-6).all()


def options(out: Path, clip: Path, **settings: object) -> AnnotateOptions:
    return replace(AnnotateOptions((clip,), out, "network", False, 50.0, 2000, 2), **settings)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the first frames of the demo clip, as images."""
    import cv2

    folder = tmp_path_factory.mktemp("clips") / "demo"
    folder.mkdir()
    with open_clip(DATA / "demo_clip.mp4", 0, FRAMES - 1) as clip:
        for frame in clip:
            cv2.imwrite(str(folder / f"{frame.index:03d}.png"), frame.image)
    return folder


@pytest.fixture(scope="module")
def annotated(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("annotated")
    said = annotate(options(out, short))
    assert f"1 of 1 tracks kept, {FRAMES} frames" in said
    return out


def test_labels_of_a_clip_are_near_its_truth_and_lie_on_pictures(annotated: Path) -> None:
    found = load_labels(annotated)
    frames = [int(Path(str(name)).stem) for name in found.image]
    assert frames == list(range(0, FRAMES, 2))
    assert all(Path(str(name)).is_file() for name in found.image)
    assert np.abs(found.eta - TRUTH.eta[frames]).mean() < 0.1
    assert (found.alpha == found.alpha[0]).all()
    assert (annotated / "contact_sheet.html").read_text().count("<img") == 8


def test_a_ticked_track_is_left_out_and_a_second_run_keeps_the_fits(
    annotated: Path, short: Path, tmp_path: Path
) -> None:
    track = next((annotated / "tracks").glob("*.npz"))
    before = track.stat().st_mtime_ns
    (annotated / "left_out.txt").write_text("demo_01\n")
    said = annotate(options(annotated, short))
    assert "0 of 1 tracks kept" in said
    assert not list(annotated.glob("labels_*.npz"))
    (annotated / "left_out.txt").unlink()
    annotate(options(annotated, short))
    assert track.stat().st_mtime_ns == before
    assert len(load_labels(annotated).image) == FRAMES // 2


def test_other_settings_need_another_folder(annotated: Path, short: Path) -> None:
    with pytest.raises(InputError, match="another lens_mm"):
        annotate(options(annotated, short, lens_mm=35.0))


def test_an_identity_beyond_chance_is_pruned() -> None:
    points = demo_landmarks(12)
    box = np.column_stack([points.mean(1), np.ptp(points[..., 0], axis=1)])
    found = Detections(np.arange(12), box, points, TRUTH.image_size)
    track = fit_track(found, np.arange(12), HEAD, Camera.for_image(*TRUTH.image_size))
    assert pruned(track, TRUTH.image_size) == ""
    assert "identity" in pruned(replace(track, alpha=np.full(99, 1.5)), TRUTH.image_size)
    assert "outside" in pruned(replace(track, crop=track.crop + [1e4, 0, 0, 0]), TRUTH.image_size)


def test_a_clip_without_a_face_is_one_line(tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "empty"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"no face was found"):
        annotate(options(tmp_path / "out", folder))


def test_openfaces_table_beside_a_clip_is_read(short: Path, tmp_path: Path) -> None:
    points = demo_landmarks(FRAMES)
    header = ["frame", "success", *(f"x_{i}" for i in range(68)), *(f"y_{i}" for i in range(68))]
    with short.with_suffix(".csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        for i, row in enumerate(points):
            table.writerow([i + 1, 1, *row[:, 0], *row[:, 1]])
    said = annotate(options(tmp_path / "out", short, points=".csv"))
    assert "1 of 1 tracks kept" in said
    with pytest.raises(InputError, match="unknown"):
        annotate(options(tmp_path / "other", short, points="none-such"))


def test_two_clips_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two clips are called a"):
        annotate(AnnotateOptions((Path("x/a.mp4"), Path("y/a.mov")), tmp_path, "network", False, 50.0, 2000, 1))


def test_the_anchor_is_where_the_crop_is() -> None:
    points = demo_landmarks(12)
    box = np.column_stack([points.mean(1), np.ptp(points[..., 0], axis=1)])
    camera = Camera.for_image(*TRUTH.image_size)
    track = fit_track(Detections(np.arange(12), box, points, TRUTH.image_size), np.arange(12), HEAD, camera)
    assert project(track.rotation @ ANCHOR + track.translation, camera) == pytest.approx(track.crop[:, :2])

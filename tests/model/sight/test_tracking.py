"""A face is followed through footage: kept, lost, found again, chosen among others."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from expnet.model.camera import Camera, Crop, crop_of_pose
from expnet.model.errors import InputError
from expnet.model.networks.estimate import FaceEstimate
from expnet.model.performance.face_performance import FacePerformance, runs
from expnet.model.sight.tracking import FIND_EVERY, LARGEST, Choice, Follower, ahead_of, look, perform
from expnet.model.sight.video import open_clip

from ..discs import JAW, SIDE_PER_RADIUS, DiscEstimator, FindDiscs, disc

WIDTH, HEIGHT = 320, 180
CAMERA = Camera.for_image(WIDTH, HEIGHT)

Draw = Callable[[int], np.ndarray]


def black() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def follow(draw: Draw, frames: int, choice: Choice = LARGEST) -> tuple[list, DiscEstimator, FindDiscs]:
    """Return what the follower sees in each of the frames that ``draw`` draws."""
    estimator, find = DiscEstimator(), FindDiscs()
    follower = Follower(estimator, CAMERA, choice, find)
    return [follower.see(draw(i)) for i in range(frames)], estimator, find


def x_of(seen: object) -> float:
    return seen.crop[0].cx  # type: ignore[attr-defined]


def test_a_moving_face_is_followed_without_searching() -> None:
    seen, estimator, find = follow(lambda i: disc(black(), 60 + 2 * i, 90 + 10 * np.sin(i / 8), 25, i / 80), 80)
    for i, s in enumerate(seen):
        assert s is not None
        assert x_of(s) == pytest.approx(60 + 2 * i, abs=0.7)
        assert s.crop[0].side == pytest.approx(25 * SIDE_PER_RADIUS, rel=0.04)
        assert s.eta[0, JAW] == pytest.approx(i / 80, abs=0.05)
    assert find.searches == 1
    assert estimator.looks < 110, "one look a frame, a second one only after a jump"


def test_a_face_that_walks_towards_the_camera_is_followed() -> None:
    seen, _, find = follow(lambda i: disc(black(), 160, 90, 10 * 1.03**i), 60)
    assert all(s is not None for s in seen) and find.searches == 1
    assert seen[-1].crop[0].side == pytest.approx(30 * 1.03**59, rel=0.05)


def test_a_face_that_leaves_and_comes_back() -> None:
    def draw(i: int) -> np.ndarray:
        return black() if 20 <= i < 50 else disc(black(), 100, 90, 20)

    seen, _, find = follow(draw, 80)
    missing = [i for i, s in enumerate(seen) if s is None]
    assert missing[:30] == list(range(20, 50)), "nothing is seen where nothing is"
    assert len(missing) <= 30 + FIND_EVERY, "it is found again within a few frames"
    assert find.searches <= 4 + 30 // FIND_EVERY, "and not searched for in every frame"


def test_footage_without_a_face_costs_little() -> None:
    seen, estimator, find = follow(lambda i: black(), 120)
    assert seen == [None] * 120
    assert find.searches <= 120 // FIND_EVERY + 1
    assert estimator.looks == 0


def test_the_largest_face_is_taken_and_kept_when_another_grows() -> None:
    def draw(i: int) -> np.ndarray:
        return disc(disc(black(), 80, 90, 24), 240, 90, 10 + 0.5 * i)

    seen, _, _ = follow(draw, 60)
    assert [x_of(s) for s in seen] == pytest.approx([80] * 60, abs=1)


@pytest.mark.parametrize(
    "choice, x", [(Choice(face=0), 80), (Choice(face=1), 240), (Choice(box=[220, 70, 40, 40]), 240)]
)
def test_a_face_can_be_chosen_by_number_or_box(choice: Choice, x: float) -> None:
    seen, _, _ = follow(lambda i: disc(disc(black(), 80, 90, 24), 240, 90, 15), 12, choice)
    assert [x_of(s) for s in seen] == pytest.approx([x] * 12, abs=1)


def test_a_chosen_face_that_is_hidden_for_a_moment_is_not_mixed_up_with_its_neighbour() -> None:
    def draw(i: int) -> np.ndarray:
        image = disc(black(), 80, 90, 24)
        return image if 10 <= i < 22 else disc(image, 240, 90, 15)

    seen, _, _ = follow(draw, 40, Choice(face=1))
    places = [x_of(s) for s in seen if s is not None]
    assert places == pytest.approx([240] * len(places), abs=1)
    assert seen[12] is None and seen[-1] is not None


def test_a_face_that_is_not_there_cannot_be_chosen() -> None:
    with pytest.raises(InputError, match="only 1 of the 4 largest faces was found: choose another face"):
        follow(lambda i: disc(black(), 80, 90, 24), 2, Choice(face=3))


@pytest.mark.parametrize("box", [[0, 0, 0, 10], [1, 2, 3], [0, 0, np.nan, 5]])
def test_a_box_that_is_none(box: list[float]) -> None:
    with pytest.raises(InputError, match="box"):
        follow(lambda i: disc(black(), 80, 90, 24), 1, Choice(box=box))


def test_after_a_cut_the_new_picture_is_searched() -> None:
    def draw(i: int) -> np.ndarray:
        if i < 10:
            return disc(black(), 60, 60, 20)
        return disc(black() + np.array([90, 90, 90], np.uint8), 250, 120, 30)

    seen, _, find = follow(draw, 20)
    assert [x_of(s) for s in seen] == pytest.approx([60] * 10 + [250] * 10, abs=1)
    assert find.searches == 2


def test_a_flash_is_no_loss() -> None:
    def draw(i: int) -> np.ndarray:
        return disc(black() + np.array([150 * (i == 10), 90 * (i == 10), 90 * (i == 10)], np.uint8), 60, 60, 20)

    seen, _, find = follow(draw, 20)
    assert [x_of(s) for s in seen] == pytest.approx([60] * 20, abs=1)
    assert find.searches == 1


def test_the_crop_is_calmer_than_the_estimate() -> None:
    """A trembling disc: where to look next must not tremble along, or it would feed the trembling."""
    rng = np.random.default_rng(0)
    estimator, follower_places = DiscEstimator(), []
    follower = Follower(estimator, CAMERA, find=FindDiscs())
    places = 160 + rng.normal(0, 0.6, 100)
    for x in places:
        follower.see(disc(black(), x, 90, 30))
        assert follower._crop is not None
        follower_places.append(follower._crop.cx)
    assert np.std(follower_places[10:]) < 0.6 * np.std(places[10:])


# --- several frames at once -----------------------------------------------------------------------------------------


class Calls(DiscEstimator):
    """Notes the crops of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[Sequence[Crop]] = []

    def estimate(self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        self.crops.append(list(crops))
        return super().estimate(images, crops, cameras)


def follow_ahead(draw: Draw, frames: int, ahead: int = 4) -> tuple[list, list[bool], Calls, FindDiscs]:
    """Return what the follower sees when it looks at ``ahead`` frames at once, and which frames begin a shot."""
    estimator, find = Calls(), FindDiscs()
    follower = Follower(estimator, CAMERA, find=find)
    pairs = []
    for start in range(0, frames, ahead):
        pairs += follower.see_all([draw(i) for i in range(start, min(start + ahead, frames))])
    assert len(pairs) == frames
    return [seen for seen, _ in pairs], [cut for _, cut in pairs], estimator, find


def strolling(i: int) -> np.ndarray:
    return disc(black(), 60 + i, 90 + 10 * np.sin(i / 20), 25, i / 160)


def running(i: int) -> np.ndarray:
    return disc(black(), 160 + 110 * np.sin(i / 6), 90, 25 + 5 * np.sin(i / 4), i / 160)


@pytest.mark.parametrize("draw", [strolling, running])
def test_several_frames_at_once_give_the_curves_of_single_ones(draw: Draw) -> None:
    ahead, _, _, find = follow_ahead(draw, 150)
    single, _, _ = follow(draw, 150)
    assert find.searches == 1
    for one, other in zip(ahead, single, strict=True):
        np.testing.assert_allclose(one.eta, other.eta, atol=0.02)
        assert x_of(one) == pytest.approx(x_of(other), abs=0.7)


def test_a_calm_face_takes_a_call_for_four_frames() -> None:
    _, _, estimator, _ = follow_ahead(lambda i: disc(black(), 100 + 0.2 * i, 90, 25), 150)
    assert len(estimator.crops) < 50
    assert estimator.looks < 160


def test_a_crop_that_was_off_is_looked_at_again_where_single_frames_would_look() -> None:
    """The disc stands, and then moves within a group of frames, where nothing foretells it."""

    def draw(i: int) -> np.ndarray:
        return disc(black(), 160 + 1.2 * max(i - 16, 0), 90, 25)

    seen, _, estimator, _ = follow_ahead(draw, 20)
    first, again = estimator.crops[-2:]
    assert len(first) == 4 and 1 <= len(again) <= 3, "only those that were off"
    single = DiscEstimator(), []
    follower = Follower(single[0], CAMERA, find=FindDiscs())
    for i in range(20):
        follower.see(draw(i))
        single[1].append(follower._crop)
    for crop, alone in zip(reversed(again), reversed(single[1][:-1])):
        assert abs(crop.offset_to(alone)).max() < 0.01
    assert [x_of(s) for s in seen[16:]] == pytest.approx([160, 161.2, 162.4, 163.6], abs=0.7)


@pytest.mark.parametrize("ahead", [3, 4, 8])
def test_losses_and_cuts_between_frames_looked_at_together(ahead: int) -> None:
    def draw(i: int) -> np.ndarray:
        if 13 <= i < 30:
            return black()
        if i >= 45:
            return disc(black() + np.array([90, 90, 90], np.uint8), 250, 120, 30)
        return disc(black(), 60, 60, 20)

    seen, cuts, _, find = follow_ahead(draw, 60, ahead)
    single, _, searched = follow(draw, 60)
    assert [s is None for s in seen] == [s is None for s in single]
    assert [i for i, cut in enumerate(cuts) if cut] == [45]
    assert [x_of(s) for s in seen if s] == pytest.approx([x_of(s) for s in single if s], abs=1)
    assert find.searches == searched.searches


def test_a_jump_between_frames_looked_at_together() -> None:
    seen, _, _, find = follow_ahead(lambda i: disc(black(), 100 if i < 18 else 120, 90, 25), 30)
    assert [x_of(s) for s in seen] == pytest.approx([100] * 18 + [120] * 12, abs=0.7)
    assert find.searches == 1


def test_few_large_pictures_are_held_at_once() -> None:
    estimator = DiscEstimator()
    estimator.looks_ahead = 4
    assert ahead_of(estimator, (1920, 1080)) == 4
    assert ahead_of(estimator, (7680, 4320)) == 1
    assert ahead_of(DiscEstimator(), (640, 360)) == 1


# --- whole clips ----------------------------------------------------------------------------------------------------


def filmed(folder: Path, draw: Draw, frames: int, fps: float = 30.0) -> Path:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (WIDTH, HEIGHT))
    for i in range(frames):
        writer.write(draw(i))
    writer.release()
    return path


def performed(path: Path, **options: Any) -> FacePerformance:
    with open_clip(path) as clip:
        return perform(clip, DiscEstimator(), find=FindDiscs(), **options)


def test_a_clip_becomes_a_performance(tmp_path: Path) -> None:
    path = filmed(tmp_path, lambda i: black() if 20 <= i < 32 else disc(black(), 100 + i, 90, 25, i / 60), 60)
    reported: list[int] = []
    p = performed(path, on_frame=reported.append, lens_mm=35.0)
    assert reported == list(range(1, 61))
    assert p.eta.shape == (60, 29) and p.rotation.shape == (60, 3, 3) and p.alpha.shape == (99,)
    assert (p.fps, p.image_size, p.lens_mm, p.source) == (30.0, (WIDTH, HEIGHT), 35.0, str(path))
    [(first, last)] = runs(~p.seen)
    assert first == 20 and 31 <= last < 32 + FIND_EVERY
    assert np.isnan(p.eta[25]).all() and np.isnan(p.translation[25]).all() and p.confidence[25] == 0
    assert p.eta[50, JAW] == pytest.approx(50 / 60, abs=0.05)
    np.testing.assert_allclose(p.times, np.arange(60) / 30, atol=1e-3)
    assert p.alpha == pytest.approx(0.98), "pooled over the frames in which there is a face"
    camera = Camera.for_image(WIDTH, HEIGHT, 35.0)
    crop = crop_of_pose(p.rotation[50], p.translation[50], camera)
    np.testing.assert_allclose([crop.cx, crop.cy, crop.side, crop.angle], p.crop[50], atol=1e-6)


def test_a_performance_knows_where_shots_begin(tmp_path: Path) -> None:
    bright = np.array([90, 90, 90], np.uint8)
    path = filmed(tmp_path, lambda i: disc(black() + bright * (15 <= i < 24), 100, 90, 25), 30)
    assert performed(path).cuts == pytest.approx((15 / 30, 24 / 30))


def test_a_clip_without_a_face(tmp_path: Path) -> None:
    p = performed(filmed(tmp_path, lambda i: black(), 20))
    assert not p.seen.any() and np.isnan(p.eta).all()
    assert len(p.times) == 20


@pytest.mark.parametrize("frames_at_once", [1, 7, 100])
def test_faces_read_in_batches_are_those_read_one_by_one(tmp_path: Path, frames_at_once: int) -> None:
    path = filmed(tmp_path, lambda i: black() if 11 <= i < 23 else disc(black(), 100 + i, 90, 25, i / 60), 40)
    with open_clip(path) as clip:
        estimator = DiscEstimator()
        estimator.frames_at_once = frames_at_once
        batched = perform(clip, estimator, find=FindDiscs())
    alone = performed(path)
    np.testing.assert_array_equal(batched.eta, alone.eta)
    np.testing.assert_array_equal(batched.crop, alone.crop)
    np.testing.assert_allclose(batched.alpha, alone.alpha, atol=1e-12)
    assert not batched.seen[15] and batched.seen.sum() > 25


@pytest.mark.parametrize("looks_ahead", [4, 7])
def test_a_clip_read_ahead_is_the_clip_read_frame_by_frame(tmp_path: Path, looks_ahead: int) -> None:
    def draw(i: int) -> np.ndarray:
        light = np.array([90, 90, 90], np.uint8) * (i >= 30)
        return black() if 11 <= i < 23 else disc(black() + light, 100 + i, 90, 25, i / 60)

    path = filmed(tmp_path, draw, 50)
    reported: list[int] = []
    with open_clip(path) as clip:
        estimator = DiscEstimator()
        estimator.looks_ahead = looks_ahead
        ahead = perform(clip, estimator, find=FindDiscs(), on_frame=reported.append)
    alone = performed(path)
    assert reported == list(range(1, 51))
    np.testing.assert_array_equal(ahead.seen, alone.seen)
    np.testing.assert_allclose(ahead.eta, alone.eta, atol=0.02)
    np.testing.assert_allclose(ahead.crop, alone.crop, atol=0.7)
    assert ahead.cuts == alone.cuts == (1.0,)


class CannotRead(DiscEstimator):
    """Finds discs; reading one of the later ones fails."""

    def read(self, *arguments: Any) -> FaceEstimate:
        if self.looks > 20:
            raise InputError("out of memory")
        return super().read(*arguments)


def test_a_failure_while_a_batch_is_read_ends_the_clip_with_its_error(tmp_path: Path) -> None:
    path = filmed(tmp_path, lambda i: disc(black(), 100, 90, 25), 60)
    threads = threading.active_count()
    with open_clip(path) as clip, pytest.raises(InputError, match="out of memory"):
        perform(clip, CannotRead(), find=FindDiscs())
    assert threading.active_count() == threads, "its threads have ended"


def test_whoever_watches_can_stop_it(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        performed(filmed(tmp_path, lambda i: disc(black(), 100, 90, 25), 60), on_frame=stop)


def test_a_lens_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lens"):
        performed(filmed(tmp_path, lambda i: black(), 2), lens_mm=0.0)


def test_a_still_image() -> None:
    image = disc(disc(black(), 80, 90, 30, 0.5), 240, 90, 15, 1.0)
    boxed = look(image, DiscEstimator(), box=[225, 75, 30, 30])
    assert x_of(boxed) == pytest.approx(240, abs=1) and boxed.eta[0, JAW] == pytest.approx(1, abs=0.05)
    with pytest.raises(InputError, match="no face was found"):
        look(black(), DiscEstimator())

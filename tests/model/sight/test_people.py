"""Everyone in a clip is followed: who crosses, leaves and comes back stays the same person."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.camera import Crop
from expnet.model.errors import InputError
from expnet.model.networks.estimate import FindsFaces
from expnet.model.networks.person import Acquaintance, PersonReader
from expnet.model.sight.batches import WeightedSum
from expnet.model.sight.finder import FoundFace, same_face
from expnet.model.sight.people import Person, joined, lasting, perform_everyone, portrait_of
from expnet.model.sight.tracklets import LOOK_CELLS, Tracklet
from expnet.model.sight.video import open_clip

from ..discs import DiscEstimator, FindDiscs, disc

WIDTH, HEIGHT, FPS = 320, 180, 30.0
YELLOW, WHITE = 0.0, 1.0  # two people, by their colours


def search(image: np.ndarray, estimator: FindsFaces, there: list[Crop]) -> list[FoundFace]:
    found = FindDiscs()(image, estimator, False)
    return [face for face in found if not any(same_face(face.crop, crop) for crop in there)]


def followed(folder: Path, draw: Callable[[int], np.ndarray], frames: int) -> list[Person]:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for i in range(frames):
        writer.write(draw(i))
    writer.release()
    with open_clip(path) as clip:
        return perform_everyone(clip, DiscEstimator(), search=search)


def black() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def test_two_people_who_cross_keep_their_names(tmp_path: Path) -> None:
    def draw(i: int) -> np.ndarray:
        behind = disc(black(), 290 - 3 * i, 94, 22, YELLOW)
        return disc(behind, 30 + 3 * i, 90, 26, WHITE)

    people = followed(tmp_path, draw, 86)
    assert len(people) == 2
    front, back = (person.performance for person in people)
    np.testing.assert_allclose(front.crop[[5, 80], 0], [45, 270], atol=2)
    np.testing.assert_allclose(back.crop[[5, 80], 0], [275, 50], atol=2)
    assert front.seen.mean() > 0.75 and not back.seen[43], "who is hidden is not made up"
    assert front.times.shape == back.times.shape == (86,)


def test_who_leaves_the_picture_and_comes_back_elsewhere_is_the_same_person(tmp_path: Path) -> None:
    def draw(i: int) -> np.ndarray:
        image = disc(black(), 80, 90, 26, WHITE)
        if i < 40:
            return disc(image, 250, 60, 24, YELLOW)
        return image if i < 110 else disc(image, 220, 130, 24, YELLOW)

    people = followed(tmp_path, draw, 160)
    assert [int(person.performance.seen.sum()) > 80 for person in people] == [True, True]


def test_people_keep_their_names_over_a_cut_that_exchanges_them(tmp_path: Path) -> None:
    def draw(i: int) -> np.ndarray:
        if i < 30:
            return disc(disc(black(), 80, 90, 26, WHITE), 240, 90, 24, YELLOW)
        return disc(disc(black() + np.uint8([90, 60, 60]), 80, 90, 24, YELLOW), 240, 90, 26, WHITE)

    white, yellow = (person.performance for person in followed(tmp_path, draw, 60))
    np.testing.assert_allclose(white.crop[[10, 50], 0], [80, 240], atol=2)
    np.testing.assert_allclose(yellow.crop[[10, 50], 0], [240, 80], atol=2)


def test_every_person_has_a_portrait_in_their_colours(tmp_path: Path) -> None:
    people = followed(tmp_path, lambda i: disc(disc(black(), 80, 90, 26, WHITE), 240, 90, 24, YELLOW), 20)
    blue = [int(person.portrait[48, 48, 0]) for person in people]
    assert blue[0] > 200 and blue[1] < 60


def test_a_clip_in_which_nobody_stays_is_refused_in_one_line(tmp_path: Path) -> None:
    def draw(i: int) -> np.ndarray:
        return disc(black(), 100, 90, 25) if i % 20 < 2 and i < 30 else black()

    with pytest.raises(InputError, match="nobody is seen for half a second") as caught:
        followed(tmp_path, draw, 90)
    assert "\n" not in str(caught.value)


def reader_of_people() -> PersonReader:
    """Return a reader of two numbers that vary by 4 between people, by 1 between looks."""
    spread = np.array([4.0, 4.0])
    return PersonReader({"spread": spread, "alpha.weight": np.diag(spread)}, {})


def followed_over(faces: list[tuple[float, float]]) -> Tracklet:
    """Return one tracklet over the frames of ``faces``, which are the readings of the face in each of them."""
    known = Acquaintance(reader_of_people())
    known._readings = [np.array([[*face, 1.0] for face in faces])]
    known._offsets = [np.empty((len(faces), 2, 0))]
    known._weights = [np.ones(len(faces))]
    count = len(faces)
    colours = [np.full((LOOK_CELLS, LOOK_CELLS, 3), 128, np.uint8)] * count
    crops = [Crop(100.0, 90.0, 60.0)] * count
    alphas = WeightedSum()
    alphas.add(np.array([faces[0]]), np.ones(1))
    portrait = np.full((96, 96, 3), 200, np.uint8)
    rows = [np.zeros(3)] * count
    return Tracklet(
        0, known, list(range(count)), crops, colours, rows, alphas, portrait=portrait, best=1.0, portrayed=3
    )


def test_whoever_is_seen_only_after_a_face_slid_onto_theirs_is_a_person_too() -> None:
    one, other = (12.0, -12.0), (-12.0, 12.0)
    people = lasting(joined([followed_over([one] * 20 + [other] * 20)], 30.0), 30.0)
    assert [[each.frames[0] for each in person] for person in people] == [[0], [20]]
    first, second = (portrait_of(person) for person in people)
    assert (first == 200).all(), "the portrait is of a frame before the change"
    assert (second == 128).all(), "no better picture of the other is there than the colours of the face"


def test_a_face_that_stays_one_persons_is_not_split() -> None:
    rng = np.random.default_rng(0)
    faces = [(12.0 + rng.normal(), -12.0 + rng.normal()) for _ in range(40)]
    (person,) = lasting(joined([followed_over(faces)], 30.0), 30.0)
    assert [len(each.frames) for each in person] == [40]


def test_a_face_whose_expression_changes_is_one_persons_also_after_a_loss() -> None:
    """Looks of a clip err together: a smile that stays moves all their readings the same way."""
    rng = np.random.default_rng(0)
    drift = np.clip(np.arange(120) / 60 - 0.5, 0, 1)
    faces = [(6.0 + 4 * d + rng.normal(), -6.0 - 4 * d + rng.normal()) for d in drift]
    (person,) = lasting(joined([followed_over(faces)], 30.0), 30.0)
    assert [len(each.frames) for each in person] == [120]
    calm, smiling = followed_over(faces[:40]), followed_over(faces[80:])
    smiling.frames = [60 + frame for frame in smiling.frames]
    (person,) = lasting(joined([calm, smiling], 30.0), 30.0)
    assert [each.frames[0] for each in person] == [0, 60]

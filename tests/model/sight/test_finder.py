"""Where the faces are: of what is proposed, the estimator keeps the faces. On real portraits where there are some."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.camera import Crop
from expnet.model.errors import InputError
from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.sight.candidates import Candidate
from expnet.model.sight.finder import Propose, crop_of_box, find_faces, lies_in, refined, same_face
from expnet.model.sight.images import read_image
from expnet.model.sight.tracking import look
from expnet.model.sight.video import open_clip

from ..discs import SIDE_PER_RADIUS, DiscEstimator, disc

SHARED = Path(os.environ.get("EXPNET_SHARED", Path(__file__).parents[4] / "shared"))
real = pytest.mark.skipif(
    not ((SHARED / "faces").is_dir() and OPEN_WEIGHTS.is_file()), reason="no real faces, or no trained weights, here"
)


def test_a_box_becomes_a_crop_about_its_middle() -> None:
    crop = crop_of_box([10, 20, 100, 140], (640, 360))
    assert (crop.cx, crop.cy) == (60, 90) and 140 <= crop.side <= 200


@pytest.mark.parametrize("box", [(9999, 20, 100, 140), (-300, 20, 100, 140), (10, 20, 0, 0), (10, 20, 30)])
def test_a_box_that_shows_nothing_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="box"):
        crop_of_box(box, (640, 360))


def test_a_crop_near_a_face_is_pulled_onto_it() -> None:
    image = disc(np.zeros((240, 320, 3), np.uint8), 150, 100, 30)
    [face] = refined(image, [Crop(165, 90, 130, 0.3)], DiscEstimator())
    assert same_face(face.crop, Crop(150, 100, 90))
    assert face.crop.cx == pytest.approx(150, abs=1) and face.crop.side == pytest.approx(30 * SIDE_PER_RADIUS, rel=0.05)
    assert face.confidence > 0.9


def proposing(*crops: Crop) -> Propose:
    """Return a network that sees candidates exactly there."""
    return lambda image, longer_side, least: [Candidate(crop, 0.9) for crop in crops]


def test_a_candidate_becomes_the_face_near_it_and_one_without_a_face_nothing() -> None:
    image = disc(np.zeros((240, 440, 3), np.uint8), 340, 100, 36)
    [face] = find_faces(image, DiscEstimator(), propose=proposing(Crop(330, 108, 130, 0.2), Crop(100, 100, 110)))
    assert np.hypot(face.crop.cx - 340, face.crop.cy - 100) < 3


def test_every_face_once_and_the_largest_first() -> None:
    image = disc(disc(np.zeros((240, 440, 3), np.uint8), 340, 100, 36), 100, 110, 60)
    seen = (Crop(345, 104, 100), Crop(336, 98, 130), Crop(104, 108, 190), Crop(92, 120, 160))
    faces = find_faces(image, DiscEstimator(), propose=proposing(*seen))
    assert [round(f.crop.cx, -1) for f in faces] == [100, 340]


def test_a_candidate_outside_the_picture_is_no_harm() -> None:
    image = disc(np.zeros((240, 440, 3), np.uint8), 340, 100, 36)
    assert find_faces(image, DiscEstimator(), propose=proposing(Crop(-90, 100, 110), Crop(300, 9000, 110))) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (480, 640)])
def test_pictures_without_a_face(size: tuple[int, int]) -> None:
    assert find_faces(np.zeros((*size, 3), np.uint8), DiscEstimator()) == []
    noise = np.random.default_rng(0).integers(0, 120, (*size, 3), np.uint8)
    assert find_faces(noise, DiscEstimator()) == []


def test_the_quick_search_works_too() -> None:
    assert find_faces(np.zeros((720, 1280, 3), np.uint8), DiscEstimator(), thorough=False) == []


# --- real faces, the built-in weights -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator.load("open", "cpu")


def test_a_picture_that_is_nothing_but_a_face_is_proposed_whole() -> None:
    image = disc(np.zeros((12, 12, 3), np.uint8), 5.5, 5.5, 5)
    [face] = find_faces(image, DiscEstimator(), propose=proposing())
    assert np.hypot(face.crop.cx - 5.5, face.crop.cy - 5.5) < 1
    larger = disc(np.zeros((65, 65, 3), np.uint8), 32, 32, 26)
    assert find_faces(larger, DiscEstimator(), propose=proposing()) == []


def test_small_crops_count_only_where_they_fill_the_picture() -> None:
    assert lies_in(Crop(6, 6, 13), 12, 12) and not lies_in(Crop(6, 6, 13), 64, 64)
    assert not lies_in(Crop(3, 3, 7), 6, 6)


@pytest.mark.skipif(not OPEN_WEIGHTS.is_file(), reason="no trained weights here")
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (8, 8), (10, 10), (40, 12)])
def test_a_tiny_picture_of_one_colour_shows_no_face(estimator: Estimator, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), (120, 150, 190), np.uint8)
    with pytest.raises(InputError, match="^no face was found: draw a box around it$"):
        look(image, estimator)


# The middle between the eyes and the mouth, the crop's side and its lean, as a person would draw it.
PORTRAITS = {"portrait_1.jpg": (490, 282, 325, 0.0), "portrait_2.jpg": (570, 405, 375, 0.2)}


@real
@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_face_in_a_portrait(estimator: Estimator, name: str, scale: float) -> None:
    image = cv2.resize(read_image(SHARED / "faces" / name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    faces = find_faces(image, estimator)
    assert len(faces) == 1
    x, y, side = (scale * n for n in PORTRAITS[name][:3])
    crop = faces[0].crop
    assert np.hypot(crop.cx - x, crop.cy - y) < 0.12 * side
    assert abs(np.log(crop.side / side)) < 0.2
    assert crop.angle == pytest.approx(PORTRAITS[name][3], abs=0.12)


@real
@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("turn", [-0.7, -0.35, 0.35, 0.7])
def test_a_leaning_face(estimator: Estimator, name: str, turn: float) -> None:
    x, y, side, angle = PORTRAITS[name]
    matrix = Crop(200, 150, 120, turn).matrix(64) @ np.vstack(
        [cv2.invertAffineTransform(Crop(x, y, side).matrix(64)), [0, 0, 1]]
    )
    image = cv2.warpAffine(read_image(SHARED / "faces" / name), matrix, (400, 300), borderMode=cv2.BORDER_REPLICATE)
    [face] = find_faces(image, estimator)
    assert same_face(face.crop, Crop(200, 150, 120)) and face.crop.angle == pytest.approx(angle + turn, abs=0.15)


@real
@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_of_20_pixels(estimator: Estimator, name: str) -> None:
    scale = 28 / PORTRAITS[name][2]  # of the crop: 20 pixels from cheek to cheek
    small = cv2.resize(read_image(SHARED / "faces" / name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = cv2.copyMakeBorder(small, 60, 60, 140, 140, cv2.BORDER_REPLICATE)
    [face] = find_faces(image, estimator)
    x, y, side = (scale * n for n in PORTRAITS[name][:3])
    assert same_face(face.crop, Crop(x + 140, y + 60, side))


@real
def test_two_people_in_one_picture(estimator: Estimator) -> None:
    pair = [cv2.resize(read_image(SHARED / "faces" / name)[:1100], (640, 700)) for name in PORTRAITS]
    pair[1] = cv2.copyMakeBorder(cv2.resize(pair[1], None, fx=0.6, fy=0.6), 280, 0, 0, 0, cv2.BORDER_REPLICATE)
    faces = find_faces(np.hstack(pair), estimator)
    assert len(faces) == 2
    assert faces[0].crop.cx < 640 < faces[1].crop.cx


@real
def test_no_face_in_a_cartoon(estimator: Estimator) -> None:
    with open_clip(SHARED / "footage" / "no_face.mp4") as clip:
        for frame in clip:
            if frame.index % 24 == 0:
                assert find_faces(frame.image, estimator) == []

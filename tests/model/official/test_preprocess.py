"""From a box to the networks' input.

The release's rounding is compared with numbers by hand and with its padding written out, the bilinear of TensorFlow 1
with its definition, and the open head's place with the mean image's frame.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expnet.model.camera import Camera, Crop, crop_of_pose, project, roll_matrix
from expnet.model.errors import InputError
from expnet.model.formats import open_face_model
from expnet.model.official import preprocess as pre
from expnet.model.official.preprocess import PAPER, RELEASE, Square

SIZE = (100, 80)  # of the images here


def picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, (height, width, 3), np.uint8)


# --- which square ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "square"),
    [
        # Side 20 about (50, 40), 5 more on each side: 35..65 and 25..55.
        ((40, 30, 20, 20), Square(35, 25, 30)),
        # The longer side counts: 40 about (50, 40), 10 more: 20..80, 10..70.
        ((40, 20, 20, 40), Square(20, 10, 60)),
        # Left: side 20 about (5, 40) gives -10..20; ten columns are put before, all is whole.
        ((-5, 30, 20, 20), Square(-10, 25, 30)),
        # Top: side 20 about (50, 2.5) gives -12.5..17.5; 13 rows are put before, 0.5..30.5 becomes 1..31.
        ((40, -7.5, 20, 20), Square(35, -12, 30)),
        # Right and bottom: what lies beyond is put after, which moves nothing.
        ((90, 70, 20, 20), Square(85, 65, 30)),
        # Over all four: side 120 about (50, 40), 30 more: -40..140, -50..130.
        ((-10, -20, 120, 120), Square(-40, -50, 180)),
        # Fractions go up: side 11 about (50.75, 40.75) is 42.5..59 by 2.75 more: 42.5 -> 43, 59 -> 59.
        ((45.25, 35.25, 11, 11), Square(43, 33, 16)),
        # x 10.2..25.2, y 20.7..35.7 of a box of side 10: the columns become 11..26, the rows 21..36.
        ((12.7, 23.2, 10, 10), Square(11, 21, 15)),
    ],
)
def test_the_releases_square_by_hand(box: tuple, square: Square) -> None:
    assert pre.square_of_box(box, SIZE, RELEASE.margin) == square


def test_the_papers_square_is_a_quarter_wider_than_the_box() -> None:
    assert pre.square_of_box((40, 20, 24, 40), SIZE, PAPER.margin) == Square(27, 15, 50)


def test_the_longer_of_both_rounded_sides_counts() -> None:
    """Columns 0.4..10.4 are ten pixels, 1..11; rows 0..10 ten too; but 0.5..10 against 0..10 are 9.5 and 10."""
    one = np.float32
    assert pre._whole_pixels([one(0.5), one(0), one(10), one(10)], SIZE) == Square(1, 0, 10)


def padded_crop(image: np.ndarray, box: tuple, margin: float) -> np.ndarray:
    """Return the same by filling the image up and slicing it, as the release's program goes about it."""
    x, y, w, h = box
    side = max(w, h)
    low = np.array([x + w / 2 - side / 2, y + h / 2 - side / 2], np.float32)
    high = np.array([x + w / 2 + side / 2, y + h / 2 + side / 2], np.float32)
    grown = high - low
    low, high = low - grown * np.float32(margin), low + grown * np.float32(1 + margin)
    size = np.array([image.shape[1], image.shape[0]])
    before = [max(0, math.ceil(-v)) for v in low]
    after = [max(0, math.ceil(v)) for v in high - size + 1]
    image = np.pad(image, ((before[1], after[1]), (before[0], after[0]), (0, 0)))
    low = np.ceil((low.astype(float) + before).astype(np.float32))
    high = np.ceil((high.astype(float) + before).astype(np.float32))
    side = (high - low).max()
    x0, y0 = low.astype(int)
    x1, y1 = (low + side).astype(int)
    return image[y0:y1, x0:x1]


places = st.floats(-60, 160, allow_nan=False, width=32)
sides = st.floats(2, 150, allow_nan=False, width=32)


@settings(max_examples=60)
@given(x=places, y=places, width=sides, height=sides, margin=st.sampled_from([RELEASE.margin, PAPER.margin]))
def test_the_crop_is_that_of_the_padded_image(x: float, y: float, width: float, height: float, margin: float) -> None:
    image = picture(*SIZE)
    square = pre.square_of_box((x, y, width, height), SIZE, margin)
    expected = padded_crop(image, (x, y, width, height), margin)
    # Far outside, the slice of the padded image is empty or cut; there the release has no crop at all.
    if expected.shape[:2] == (square.side, square.side):
        crop = pre.cut_square(image, square, square.side)
        np.testing.assert_array_equal(crop, expected)
    else:
        middle = x + width / 2, y + height / 2
        assert not (0 <= middle[0] < SIZE[0] and 0 <= middle[1] < SIZE[1]), "a face in the picture is always whole"


@settings(max_examples=60)
@given(x=st.integers(0, 99), y=st.integers(0, 79), side=sides, factor=st.sampled_from([1.0, 1.5, 3.0]))
def test_a_square_holds_the_box_and_its_margin(x: int, y: int, side: float, factor: float) -> None:
    square = pre.square_of_box((x - side / 2, y - side / 2, side, side / factor), SIZE, RELEASE.margin)
    assert abs(square.side - 1.5 * side) <= 1.001
    assert abs(square.x + square.side / 2 - x) <= 1.5


def test_what_lies_outside_is_black() -> None:
    image = np.full((80, 100, 3), 200, np.uint8)
    crop = pre.cut_square(image, Square(-50, -40, 200), 200)
    assert (crop[40:120, 50:150] == 200).all()
    assert crop.astype(int).sum() == 200 * 3 * 80 * 100


def test_a_box_beyond_all_measure_is_refused_before_memory_is_spent() -> None:
    with pytest.raises(InputError, match="times as large as the picture"):
        pre.square_of_box((50 - 1e5, 40 - 1e5, 2e5, 2e5), SIZE, RELEASE.margin)


def test_the_newer_face_pose_net_takes_a_tight_box() -> None:
    """Half of 40 is 20: from (50, 40) 38.51 to the left, 45.182 up, 38.846 to the right, 32.174 down."""
    square = pre.square_of_tight_box((30, 25, 40, 30), (300, 300))
    # 11.49 -> 12, -5.182 (6 rows more) -> 1 - 6, 88.846 -> 89, 72.174 + 6 -> 79: 77 wide, 78 high.
    assert square == Square(12, -5, 78)


# --- where the face lies ----------------------------------------------------------------------------------------------


def in_frame(points: np.ndarray, square: Square) -> np.ndarray:
    """Pixels of the image in those of the 224 frame; pixel middles are whole numbers."""
    return (points - (square.x, square.y) + 0.5) / square.side * 224 - 0.5


@pytest.mark.parametrize("lean", [0.0, 0.3])
def test_the_open_heads_eyes_and_mouth_fall_on_the_mean_faces(lean: float) -> None:
    """The head of the box, seen from afar, found by its own crop: within two pixels of 224 of what was measured."""
    head = open_face_model("open")
    assert head.landmarks is not None
    camera = Camera.for_image(3000, 2000, 400.0)
    rotation, translation = roll_matrix(lean), np.array([100.0, -50.0, -6000.0])
    crop = crop_of_pose(rotation, translation, camera)
    square = pre.square_of_box(pre.box_of_crop(crop), (3000, 2000), RELEASE.margin)
    places = [head.mean[head.regions[name]].mean(axis=0) for name in ("iris_R", "iris_L")]
    places.append(head.mean[head.landmarks[[62, 66]]].mean(axis=0))
    seen = in_frame(project(np.array(places) @ rotation.T + translation, camera), square)
    upright = (seen - 111.5) @ roll_matrix(-lean)[:2, :2] + 111.5  # the square is upright always
    assert np.abs(upright - pre.MEAN_FACE).max() < 2


def test_the_face_is_as_large_as_in_the_mean_image() -> None:
    """53 pixels between the eyes of a square of 224: the square is 266 mm wide, the box 177."""
    x, y, width, height = pre.box_of_crop(Crop(500, 400, 200))
    assert width == height == pytest.approx(177.4, abs=0.1)
    assert (x + width / 2, y + height / 2) == (pytest.approx(499.0, abs=0.1), pytest.approx(384.9, abs=0.1))


def test_both_pose_networks_see_the_same_frame() -> None:
    crop = Crop(500.0, 400.0, 200.0, 0.2)
    square = pre.square_of_box(pre.box_of_crop(crop), (1000, 800), RELEASE.margin)
    tight = pre.square_of_tight_box(pre.tight_box_of_crop(crop), (1000, 800))
    assert np.abs(np.array([square.x - tight.x, square.y - tight.y, square.side - tight.side])).max() <= 1


# --- pixels -----------------------------------------------------------------------------------------------------------


def test_the_legacy_bilinear_is_its_definition() -> None:
    """Output pixel i lies at i * 227/224 of the input; between whole pixels the nearer weighs more."""
    image = np.random.default_rng(1).uniform(0, 255, (2, 227, 227, 3)).astype(np.float32)
    ours = pre.legacy_bilinear(image, 224)
    weights = np.zeros((224, 227))
    for i in range(224):
        at = i * 227 / 224
        weights[i, int(at)] += 1 - (at - int(at))
        weights[i, min(int(at) + 1, 226)] += at - int(at)
    expected = np.einsum("iy,byxc,jx->bijc", weights, image.astype(float), weights, optimize=True)
    np.testing.assert_allclose(ours, expected, atol=0.02)  # single precision, as there
    assert ours.shape == (2, 224, 224, 3) and ours.dtype == np.float32


def test_the_legacy_bilinear_is_tensorflows() -> None:
    """What tf.compat.v1.image.resize_bilinear makes of 0, 1, 4 … 36 at five pixels, to the last bit."""
    squares = np.tile(np.arange(7, dtype=np.float32)[:, None] ** 2, (1, 7, 1, 1))
    theirs = [0.0, 2.1999998092651367, 8.0, 17.799999237060547, 31.599998474121094]
    assert pre.legacy_bilinear(squares, 5)[0, 0, :, 0].tolist() == theirs


def test_the_legacy_bilinear_is_not_centred_on_pixels() -> None:
    """A ramp gives its own values at i * 227/224: half-pixel centres would add 0.0067 everywhere."""
    ramp = np.tile(np.arange(227, dtype=np.float32)[None, None, :, None], (1, 227, 1, 1))
    np.testing.assert_allclose(pre.legacy_bilinear(ramp, 224)[0, 0, :, 0], np.arange(224) * 227 / 224, atol=1e-4)


def test_the_jpeg_is_that_of_a_file(tmp_path) -> None:
    crop = cv2.GaussianBlur(picture(227, 227), (0, 0), 3)
    cv2.imwrite(str(tmp_path / "crop.jpg"), crop)
    read = cv2.imread(str(tmp_path / "crop.jpg"))
    np.testing.assert_array_equal(pre.through_jpeg(crop), read)
    assert 0 < np.abs(read.astype(int) - crop).mean() < 3


def test_the_inputs_are_colours_less_a_mean() -> None:
    crops = pre.crops_of([np.full((227, 227, 3), (10, 20, 30), np.uint8)] * 2)
    mean = np.zeros((3, 224, 224), np.float32)
    mean[2, 5, 7] = 4
    fed = pre.resnet_input(crops, mean)
    assert fed.shape == (2, 3, 224, 224) and fed.dtype == np.float32
    assert fed[1, :, 0, 0].tolist() == [10, 20, 30] and fed[0, 2, 5, 7] == 26
    pose = pre.facepose_input(crops, np.array([0.1, 0.2, 0.3], np.float32))
    assert pose.shape == (2, 3, 227, 227) and pose.dtype == np.float32
    np.testing.assert_allclose(pose[0, :, 3, 3], np.array([10, 20, 30]) / 255 - [0.1, 0.2, 0.3], atol=1e-6)

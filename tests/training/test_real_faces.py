"""What is measured on real people, on drawn faces and made-up curves whose answer is known."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.camera import Crop
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS
from expnet.model.networks.person import Acquaintance
from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.hidden_mouth import SUSPECT
from expnet.model.performance.smoothing import smooth
from expnet.training.evaluation import hand, hand_set, judge, real_faces
from expnet.training.evaluation.brow_warp import brow_height, with_brows_moved
from expnet.training.evaluation.real_faces import Person
from expnet.training.evaluation.video import Notes, Watched

SCALE = 2  # pixels per mm
DEMO = OPEN_WEIGHTS.with_name("demo_clip.mp4")


def hand_set_points(lean: float = 0.0) -> np.ndarray:
    """189 points in pixels of a picture of 400 x 500: the parts that the warp asks for, in millimetres."""
    p = np.zeros((189, 2))
    p[[0, 1]] = (-31.5, 3), (31.5, 3)
    p[[18, 19, 20, 21, 22]] = (-44, 0), (-39, 5), (-31.5, 7), (-24, 5), (-17, 0)
    p[34:39] = (-47, 4), (-41, 9), (-33, 10), (-25, 9), (-18, 5)
    p[71:77], p[[83, 84]] = [(-58, 18), (-50, 22), (-42, 22), (-30, 22), (-16, 22), (-14, 20)], [(-50, 18), (-16, 18)]
    p[134:145] = [(x, 75 - 0.01 * x * x) for x in np.linspace(-66, 66, 11)]
    p[[109, 112, 129]] = (-70, -4), (70, -4), (0, -112)
    for right, left in zip((22, 21, 20, 19, 18), (23, 24, 25, 26, 27)):
        p[left] = p[right] * [-1, 1]
    p[39:44] = p[34:39][::-1] * [-1, 1]
    p[77:83], p[[85, 86]] = p[71:77][::-1] * [-1, 1], p[[84, 83]] * [-1, 1]
    c, s = np.cos(lean), np.sin(lean)
    return np.array([200, 240]) + SCALE * (p * [1, -1]) @ np.array([[c, -s], [s, c]]).T


def drawn(points: np.ndarray) -> np.ndarray:
    """Return a grey picture with dark brows, blue upper lids and a white hairline along the points."""
    image = np.full((500, 400, 3), 160, np.uint8)
    for upper, lower in zip(hand_set.UPPER_BROWS, hand_set.LOWER_BROWS, strict=True):
        outline = np.concatenate([points[list(upper)], points[list(lower)][::-1]])
        cv2.fillPoly(image, [outline.round().astype(np.int32)], (20, 20, 20))
    for line, color in ((range(18, 23), (255, 0, 0)), (range(23, 28), (255, 0, 0)), (range(134, 145), (255, 255, 255))):
        cv2.polylines(image, [points[list(line)].round().astype(np.int32)], False, color, 2)
    return image


def brow_of(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the middle of the dark pixels of each brow, upright, mm: (2, 2)."""
    rows, columns = np.nonzero(image.max(2) < 80)
    dark = np.column_stack([columns, rows])
    up = points * [1, -1]
    places = hand_set.upright(dark * [1, -1], up[[0, 1]], up[[18, 22, 23, 27]])
    return np.array([places[places[:, 0] < 0].mean(0), places[places[:, 0] > 0].mean(0)])


@pytest.mark.parametrize(("lean", "up"), [(0.0, 6), (0.0, 16), (0.2, 8), (-0.15, -5)])
def test_brows_move_by_the_millimetres_asked_for_and_lids_and_hair_stay(lean: float, up: float):
    points = hand_set_points(lean)
    image = drawn(points)
    moved = with_brows_moved(image, points, up)
    change = brow_of(moved, points) - brow_of(image, points)
    assert change[:, 1] == pytest.approx([up, up], abs=0.4)
    assert change[:, 0] == pytest.approx([0, 0], abs=0.6)
    below = np.mgrid[:500, :400][0] > points[[18, 22, 23, 27], 1].max() + 4
    assert np.array_equal(moved[below], image[below])
    white = [(np.nonzero((m.min(2) > 240) & (np.abs(np.arange(400) - 200) < 60))[0]).mean() for m in (image, moved)]
    assert white[0] == pytest.approx(white[1], abs=1)
    blue = [np.nonzero((m[..., 0] > 170) & (m[..., 2] < 120))[0].mean() for m in (image, moved)]
    assert blue[1] == pytest.approx(blue[0], abs=0.5)


def test_a_frown_draws_the_brows_together():
    points = hand_set_points()
    image = drawn(points)
    change = brow_of(with_brows_moved(image, points, -5, 2.5), points) - brow_of(image, points)
    assert change[:, 1] == pytest.approx([-5, -5], abs=0.4)
    assert change[0, 0] > 1 and change[1, 0] < -1
    assert np.array_equal(with_brows_moved(image, points, 0), image)


def test_low_brows_are_told_from_high_ones():
    points = hand_set_points()
    assert brow_height(points) == pytest.approx(20)
    people = [Person(np.zeros((1, 1, 3), np.uint8), points - [[0, 0]], None) for _ in range(4)]
    higher = points.copy()
    higher[71:87, 1] -= 10
    people[1:] = [replace(p, points=higher) for p in people[1:]]
    assert real_faces.lowest(people).tolist() == [True, False, False, False]


def test_the_same_person_is_whose_alpha_is_nearest():
    rng = np.random.default_rng(0)
    alpha = rng.standard_normal((10, 99))
    assert real_faces.rank_one(alpha, 0.8 * alpha + 0.1 * rng.standard_normal(alpha.shape)) == 1
    assert real_faces.rank_one(alpha, np.roll(alpha, 1, 0)) == 0
    swapped = alpha.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert real_faces.rank_one(alpha, swapped) == pytest.approx(0.8)
    assert np.isnan(real_faces.rank_one(np.zeros((0, 99)), np.zeros((0, 99))))


def test_a_thumbnail_holds_the_face_where_the_crop_says():
    points = hand_set_points()
    image = drawn(points)
    for width in real_faces.THUMBNAILS:
        small, square = real_faces.thumbnail(Person(image, points, None), width, 1.0)
        assert small.shape == (width, width, 3)
        assert real_faces.within(square, square, width) == Crop(
            (width - 1) / 2, (width - 1) / 2, pytest.approx(width), 0
        )
    large, square = real_faces.thumbnail(Person(image, points, None), 160, 1.0)
    rows, columns = np.nonzero(large.max(2) < 60)
    real = np.array(np.nonzero(image.max(2) < 60)).mean(1)
    place = real_faces.within(square, Crop(real[1], real[0], 10), 160)
    assert (columns.mean(), rows.mean()) == (pytest.approx(place.cx, abs=1), pytest.approx(place.cy, abs=1))


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    if not OPEN_WEIGHTS.is_file():
        pytest.skip("no weights in the box")
    return Estimator.load("open", "cpu")


def test_the_section_reads_people_as_the_product_does(tmp_path: Path, estimator: Estimator):
    class Subject:
        pass

    subject = Subject()
    subject.estimator = estimator
    with pytest.raises(InputError, match="no folder"):
        real_faces.measure(subject, tmp_path / "nowhere")
    frame = cv2.VideoCapture(str(DEMO)).read()[1]
    for kind in ("neutral", "smiling"):
        (tmp_path / kind).mkdir()
    with pytest.raises(InputError, match=r"no \.tem files"):
        real_faces.measure(subject, tmp_path)
    cv2.imwrite(str(tmp_path / "neutral" / "007_03.jpg"), frame)
    points = hand_set_points() * hand_set.ORIGINAL_WIDTH / frame.shape[1]
    text = "".join(f"{x} {y}\n" for x, y in points)
    (tmp_path / "neutral" / "007_03.tem").write_text(f"189\n{text}")
    with pytest.raises(InputError, match="no pictures"):
        real_faces.measure(subject, tmp_path)
    cv2.imwrite(str(tmp_path / "smiling" / "007_08.jpg"), frame)
    section = real_faces.measure(subject, tmp_path, tmp_path / "smiling")
    values = {s.what: s.value for s in section.scores}
    assert values["the same person by alpha, rank 1"] == 1
    assert values["pictures of people in which no face was found"] == 0
    assert values["mouths that nothing hides: largest probability of being hidden"] < SUSPECT
    assert [row[0] for row in section.tables[0].rows] == list(OPEN_KEYS)
    assert len(section.tables[1].rows) == len(real_faces.RAISES) + 1


def test_pictures_of_a_person_read_as_a_clip_share_one_offset(estimator: Estimator):
    frame = cv2.VideoCapture(str(DEMO)).read()[1]
    see = real_faces.Seeing(estimator)
    one, other = see.all([frame, frame[:, ::-1]], "both"), see.all([cv2.GaussianBlur(frame, (0, 0), 2)], "blurred")
    nobody = see.all([frame, np.zeros_like(frame)], "the second without a face")
    pictures = [(one, np.array([0, 1])), (other, np.array([0])), (nobody, np.array([2, 1]))]
    clips = real_faces.read_as_clips(pictures, estimator.person)
    assert [len(rows) for rows in clips] == [2, 1, 1]
    for person, looks in enumerate([[(0, 0), (1, 0)], [(0, 1)], [(2, 0)]]):
        known = Acquaintance(estimator.person)
        for part, row in looks:
            alone = pictures[part][0].estimate.only(row)
            known.add(alone.outputs, alone.confidence)
        moved = np.array([clips[part][row] - pictures[part][0].eta[row] for part, row in looks])
        np.testing.assert_allclose(moved, known.eta_moves, atol=1e-6, err_msg=f"person {person}")
    assert np.abs(clips[0][0] - one.eta[0]).max() > 1e-3


# --- the judge ------------------------------------------------------------------------------------------------------

FRAMES = 60
ARKIT = sorted({name for pair in judge.PAIRS.values() for name in pair.judges})


def curves(eta: np.ndarray) -> FacePerformance:
    frames = len(eta)
    return FacePerformance(
        times=np.arange(frames) / 24,
        eta=eta,
        gaze=np.zeros((frames, 2)),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0.0, -700.0], (frames, 1)),
        crop=np.zeros((frames, 4)),
        confidence=np.ones(frames),
        alpha=np.zeros(99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="clip.mp4",
        fps=24.0,
        image_size=(640, 360),
    )


def test_agreement_with_a_judge_on_made_up_curves():
    scores, eta = np.zeros((FRAMES, len(ARKIT))), np.zeros((FRAMES, 29))
    rising = np.linspace(0, 1, FRAMES)
    scores[:, ARKIT.index("jawOpen")], eta[:, OPEN_KEYS.index("jawOpen")] = rising, 0.5 * rising
    scores[:, ARKIT.index("browInnerUp")], eta[:, OPEN_KEYS.index("browInnerUp")] = rising, -rising
    scores[:, ARKIT.index("mouthSmileLeft")] = 0.2 * rising  # hardly moves
    scores[5, ARKIT.index("jawOpen")] = np.nan
    clip = judge.compared("a", ARKIT, scores, curves(eta))
    jaw = judge.agreement([clip], "jawOpen")
    assert jaw.pooled == pytest.approx(1) and jaw.clips == {"a": pytest.approx(1)}
    assert jaw.ours == pytest.approx(jaw.judges / 2) and jaw.frames == FRAMES // 2
    assert judge.agreement([clip], "browInnerUp").pooled == pytest.approx(-1)
    smile = judge.agreement([clip], "smile")
    assert np.isnan(smile.clips["a"]) and np.isnan(smile.ours) and smile.frames == 0
    asked = {s.what: s.bar for s in judge._scores({pair: judge.agreement([clip], pair) for pair in judge.PAIRS})}
    assert asked["browInnerUp, r"] == judge.BROW_BAR and asked["browInnerUp, strength"] == judge.STRENGTH_BAR
    assert asked["smile, r"] is None  # nothing is asked for where nothing moves


def test_a_judges_scores_are_read(tmp_path: Path):
    path = tmp_path / "scores.npz"
    np.savez(path, names=np.array(ARKIT), clip=np.full((FRAMES, len(ARKIT)), 0.5, np.float16))
    names, clips = judge.read_scores(path)
    assert names == ARKIT and clips["clip"].shape == (FRAMES, len(ARKIT))


@pytest.mark.parametrize(
    "arrays",
    [
        {"clip": np.zeros((3, 4))},
        {"names": np.array(["jawOpen"]), "clip": np.zeros((3, 1))},
        {"names": np.array(ARKIT), "clip": np.zeros((3, 2))},
        {"names": np.array(ARKIT), "clip": np.zeros((3, len(ARKIT)), int)},
        {"names": np.array(ARKIT)},
        {"names": np.array([object()]), "clip": np.zeros((3, 1))},
    ],
)
def test_a_file_of_other_things_is_refused_with_one_line(tmp_path: Path, arrays: dict[str, np.ndarray]):
    path = tmp_path / "scores.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"scores\.npz") as caught:
        judge.read_scores(path)
    assert "\n" not in str(caught.value)


def test_scores_of_another_clip_are_refused(tmp_path: Path, estimator: Estimator):
    class Subject:
        pass

    subject = Subject()
    subject.estimator = estimator
    path = tmp_path / "scores.npz"
    (tmp_path / "no.npz").write_bytes(b"none")
    with pytest.raises(InputError, match=r"no\.npz"):
        judge.measure(subject, tmp_path / "no.npz", tmp_path)
    np.savez(path, names=np.array(ARKIT), demo_clip=np.zeros((7, len(ARKIT))))
    with pytest.raises(InputError, match="no folder"):
        judge.measure(subject, path, tmp_path / "nowhere")
    with pytest.raises(InputError, match="no clip demo_clip"):
        judge.measure(subject, path, tmp_path)
    (tmp_path / DEMO.name).write_bytes(DEMO.read_bytes())
    with pytest.raises(InputError, match="scores of 7"):
        judge.measure(subject, path, tmp_path)


# --- the hand -------------------------------------------------------------------------------------------------------


def test_what_a_curve_holds_behind_a_hand():
    eta, deviation = np.zeros((FRAMES, 29)), np.full((FRAMES, 29), 0.1)
    eta[:20, hand.SIDE], eta[20:30, hand.SIDE] = 0.2, 0.5
    deviation[20:30] = 0.3
    raw = curves(eta)
    watched = Watched("clip.mp4", Notes(FRAMES, hand=[[20, 29]]), raw, smooth(raw, 0))
    found = hand.joined([hand.hidden(watched, deviation)] * 2)
    assert len(found.raw) == 20 and len(found.free) == 2 * (FRAMES - 10)
    assert found.known[:, hand.SIDE] == pytest.approx(0.2) and found.curve[:, hand.SIDE] == pytest.approx(0.5)
    assert found.deviation.mean() == pytest.approx(0.3) and found.free.mean() == pytest.approx(0.1)
    row = next(row for row in hand._table(found).rows if row[0] == "mouthSide")
    assert row[1] == pytest.approx(0.5) and row[-1] == pytest.approx(0.3)

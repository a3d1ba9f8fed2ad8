"""What is measured on real pictures and clips, on pictures and curves whose answer is known."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS
from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.performance.face_performance import FacePerformance
from expnet.training.evaluation import consistency, cues, video
from expnet.training.evaluation.video import Notes

LIDS, SMILE = ([OPEN_KEYS.index(f"{k}_{s}") for s in "LR"] for k in ("lid", "mouthSmile"))
JAW = OPEN_KEYS.index("jawOpen")


def curves(frames: int = 60) -> FacePerformance:
    return FacePerformance(
        times=np.arange(frames) / 24,
        eta=np.zeros((frames, 29)),
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


# --- clips against notes --------------------------------------------------------------------------------------------


def test_blinks_are_found_missed_and_made_up():
    p = curves()
    notes = Notes(60, shut=[[10, 11], [20, 20], [30, 45]], unclear=[[50, 53]])
    p.eta[11:13, LIDS] = 0.8  # found, a frame late
    p.eta[32:42, LIDS] = 0.7  # held shut, most of the time
    p.eta[51, LIDS] = 0.9  # unclear
    assert video.closings(p, notes) == (2, 1, 0)
    p.eta[25, LIDS] = 0.6
    assert video.closings(p, notes) == (2, 1, 1)
    assert video.closings(p, notes, 0.75) == (1, 2, 0)
    p.eta[36:42, LIDS] = 0  # now open for most of the frames
    assert video.closings(p, notes)[:2] == (1, 2)


def test_smile_jaw_and_jitter_against_notes():
    p = curves()
    p.eta[:, SMILE] = np.clip((np.arange(60) - 20) / 10, 0, 1)[:, None]
    p.eta[:, JAW] = 0.3
    notes = Notes(60, smile=[[0, 0], [20, 0], [30, 0.5], [59, 0.5]], hand=[[5, 9]], jaw=[[0, 0.1], [59, 0.1]])
    assert video.smile_r(p, notes) == pytest.approx(1)
    assert video.jaw_error(p, notes) == pytest.approx((0.2, 0.2))
    assert np.isnan(video.smile_r(p, Notes(60))) and np.isnan(video.jaw_error(p, Notes(60))[0])
    p.eta[40:50, JAW] += np.tile([0.02, -0.02], 5)
    assert video.jitter(p, 40, 49)[JAW] == pytest.approx(0.04, rel=0.02)


def test_a_sneer_counts_where_no_nose_is_wrinkled():
    p = curves()
    p.eta[:, OPEN_KEYS.index("noseSneer")] = np.where(np.arange(60) < 30, 0.4, -0.1)
    assert video.sneer(p, Notes(60, smooth_nose=[[20, 39]])) == pytest.approx(0.2)
    assert np.isnan(video.sneer(p, Notes(60)))


def test_faces_are_counted_where_they_are_and_where_they_are_not():
    p = replace(curves(), confidence=(np.arange(60) < 50).astype(float))
    assert video.faces(p, Notes(60)) == (50, 10, 0)
    assert video.faces(p, Notes(60, face=[[0, 39]])) == (40, 0, 10)
    assert video.faces(p, Notes(60, face=[])) == (0, 0, 50)


def test_the_notes_in_the_project_can_be_read():
    notes = video.read_notes(video.NOTES)
    assert sum(len(n.shut) for n in notes.values()) >= 7
    assert all(n.frames > 0 for n in notes.values())


@pytest.mark.parametrize(
    "text",
    ["no toml [", '["a.mp4"]\nshut = [[1, 2]]', '["a.mp4"]\nframes = 5\nshut = [[3, 9]]', '["a.mp4"]\nframe = 5'],
)
def test_notes_that_are_none_are_refused_with_one_line(tmp_path: Path, text: str):
    (tmp_path / "clips.toml").write_text(text)
    with pytest.raises(InputError, match=r"clips\.toml") as caught:
        video.read_notes(tmp_path / "clips.toml")
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    if not OPEN_WEIGHTS.is_file():
        pytest.skip("no weights in the box")
    return Estimator.load("open", "cpu")


DEMO = OPEN_WEIGHTS.with_name("demo_clip.mp4")


def test_a_clip_with_notes_of_ones_own(tmp_path: Path, estimator: Estimator):
    frames = list(_frames(DEMO))[:8]
    clip = tmp_path / "own clip.mp4"
    movie = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"mp4v"), 24, frames[0].shape[1::-1])
    for frame in frames:
        movie.write(frame)
    movie.release()
    with pytest.raises(InputError, match="no clip with notes"):
        list(video.watch(tmp_path, estimator))
    (tmp_path / "clips.toml").write_text('["own clip.mp4"]\nframes = 8\nshut = [[2, 3]]\nstill = [[0, 7]]\n')
    (watched,) = video.watch(tmp_path, estimator)
    assert watched.name == "own clip.mp4" and len(watched.raw.times) == 8
    (tmp_path / "clips.toml").write_text('["own clip.mp4"]\nframes = 9\n')
    with pytest.raises(InputError, match="8 frames"):
        list(video.watch(tmp_path, estimator))


def _frames(path: Path):
    capture = cv2.VideoCapture(str(path))
    while (got := capture.read())[0]:
        yield got[1]


# --- pictures, disturbed --------------------------------------------------------------------------------------------


def test_what_changes_nothing_changes_nothing(estimator: Estimator):
    """A flat grey square is the same blurred or coded as JPEG, to the last bit.

    The answers are equal except for rounding: with several threads a batch's pictures are summed in different orders.
    """
    grey = np.full((256, 256, 3), 128, np.uint8)
    rest, changed = consistency.changes(grey, estimator, np.random.default_rng(0))
    assert rest.shape == (29,) and all(v.shape == (29,) and (v >= 0).all() for v in changed.values())
    assert changed["blurred"].max() < 1e-3 and changed["coded as JPEG"].max() < 1e-3
    assert changed["noisy"].max() > 0


def test_the_section_on_pictures_and_a_clip(tmp_path: Path, estimator: Estimator):
    class Subject:
        pass

    subject = Subject()
    subject.estimator = estimator
    pictures, footage = tmp_path / "pictures", tmp_path / "footage"
    pictures.mkdir(), footage.mkdir()
    (pictures / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="no faces"):
        consistency.measure(subject, pictures, footage)
    cv2.imwrite(str(pictures / "a.png"), next(_frames(DEMO)))
    (footage / DEMO.name).write_bytes(DEMO.read_bytes())
    section = consistency.measure(subject, pictures, footage)
    assert len(section.scores) == 6 and all(0 < s.value < 1 for s in section.scores)
    assert section.tables[0].rows[-1][0] == "another face"
    with pytest.raises(InputError, match="no folder"):
        consistency.measure(subject, tmp_path / "nowhere", footage)


# --- what a key is read from ----------------------------------------------------------------------------------------


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Skin with two dark brows, and landmarks that know where they are."""
    image = np.full((128, 128, 3), 180, np.uint8)
    marks = np.full((68, 2), 100.0)
    marks[17:22], marks[22:27] = (np.c_[np.linspace(*ends, 5), np.full(5, 40)] for ends in ((34, 54), (74, 94)))
    marks[36], marks[45] = (38, 52), (90, 52)
    for x, y in marks[17:27].astype(int):
        cv2.circle(image, (int(x), int(y)), 3, (20, 20, 20), -1)
    return image, marks


def test_a_part_is_painted_out_with_what_is_around_it(drawn):
    bare = cues.without(*drawn, "brows")
    assert drawn[0].min() == 20 and bare.min() > 170
    assert (bare[60:] == drawn[0][60:]).all()


def test_brows_are_moved_up_and_nothing_far_from_them(drawn):
    image, marks = drawn
    raised = cues.with_brows_raised(image, marks, 0.12)
    middle = [np.nonzero(p[:, 44, 0] < 100)[0].mean() for p in (image, raised)]
    assert middle[0] - middle[1] == pytest.approx(0.12 * 52, abs=1.5)
    assert (raised[90:] == image[90:]).all()


def test_cues_are_printed_and_a_picture_without_a_face_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    face, none = tmp_path / "face.png", tmp_path / "none.png"
    cv2.imwrite(str(face), next(_frames(DEMO)))
    cv2.imwrite(str(none), np.full((64, 64, 3), 128, np.uint8))
    assert cues.main([str(none), "--key", "mouthSmile_L"]) == 2
    assert cues.main([str(face), "--key", "mouthSmile_L"]) == 0
    printed = capsys.readouterr().out
    assert all(f"without {part}" in printed for part in cues.PARTS) and "brows raised by 12%" in printed

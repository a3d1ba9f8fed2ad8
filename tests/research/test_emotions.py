"""Emotions from coefficients: layouts, classifiers that never see the tested clip, and the command on a tiny set."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.errors import InputError
from expnet.model.face.semantics import open_bounds
from expnet.model.networks.emotion_head import load_emotion_head
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import fingerprint
from expnet.model.performance.emotion_classifier import load_classifier, save_classifier
from expnet.model.performance.emotion_prototypes import NEUTRAL, PROTOTYPES, heuristic_scores, prototypes
from expnet.research.emotions.classify import MISSED, confusion, nearest, svm_accuracies, trained
from expnet.research.emotions.clips import LabelledClip, read_clips
from expnet.research.emotions.views import distances_between_views
from expnet.research.pictures import shrunk


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    return path


def test_ck_is_read_as_distributed_and_clips_without_a_label_are_left_out(tmp_path: Path) -> None:
    for clip, frames in (("S005/001", 3), ("S010/002", 11), ("S010/003", 2)):
        for i in range(frames):
            picture(tmp_path / "cohn-kanade-images" / clip / f"x_{i + 1}.png")
    for clip, code in (("S005/001", "   3.0000000e+00\n"), ("S010/002", "   7.0000000e+00\n")):
        label = tmp_path / "Emotion" / clip / "x_emotion.txt"
        label.parent.mkdir(parents=True)
        label.write_text(code)
    clips = read_clips(tmp_path)
    assert [(c.subject, c.name, c.emotion) for c in clips] == [
        ("S005", "001", "disgust"),
        ("S010", "002", "surprise"),
    ]
    assert clips[1].frames[-1].name == "x_11.png"


def test_frames_of_emotion_folders_and_of_a_table_are_joined_to_the_same_clips(tmp_path: Path) -> None:
    root = tmp_path / "set"
    files = [("happy", "A_1_01"), ("happy", "A_1_02"), ("fear", "B_1_01")]
    images = [picture(root / emotion / f"{name}.png") for emotion, name in files]
    table = root / "table.csv"
    rows = [f"{p.relative_to(root)},{p.parent.name},{p.stem[0]},1" for p in images]
    table.write_text("\n".join(["image,emotion,subject,clip", *rows]))
    assert read_clips(root) == read_clips(table)
    assert [len(c.frames) for c in read_clips(root)] == [1, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,subject,clip\n", "column emotion is missing"),
        ("image,emotion,subject,clip\na.png,,s,1\n", "line 2 has an empty cell"),
        ("image,emotion,subject,clip\na.png,happy,s,1\n", "at least two emotions"),
        ("image,emotion,subject,clip\n", "no labelled pictures"),
        ("image,emotion,subject,clip\n\0\x80", "broken table"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(text.encode("latin1"))
    with pytest.raises(InputError, match=said) as raised:
        read_clips(table)
    assert "\n" not in str(raised.value)


def test_a_name_without_subject_and_a_broken_label_are_one_line(tmp_path: Path) -> None:
    picture(tmp_path / "a/happy/one.png")
    with pytest.raises(InputError, match="SUBJECT_CLIP_FRAME"):
        read_clips(tmp_path / "a")
    picture(tmp_path / "b/cohn-kanade-images/S1/1/1.png")
    with pytest.raises(InputError, match="without its folder Emotion"):
        read_clips(tmp_path / "b")
    label = tmp_path / "b/Emotion/S1/1/1_emotion.txt"
    label.parent.mkdir(parents=True)
    label.write_text("9")
    with pytest.raises(InputError, match="no emotion of CK"):
        read_clips(tmp_path / "b")


def test_nearest_neighbours_see_neither_the_clip_nor_its_subject() -> None:
    """Each subject's two clips coincide, with one class each: only a classifier that sees them is right."""
    features = np.repeat(np.arange(4.0), 2)[:, None] * 10
    classes, subjects = np.repeat([0, 1, 0, 1], 2), np.repeat(np.arange(4), 2)
    assert (nearest(features, classes, np.arange(8), 1) == classes).all()
    assert not (nearest(features, classes, subjects, 1) == classes).any()


def test_of_equal_votes_the_nearest_wins_and_a_clip_without_a_face_is_missed() -> None:
    features, classes = np.array([[0.0], [1.0], [2.0], [3.0], [np.nan]]), np.array([0, 1, 0, 0, 1])
    guessed = nearest(features, classes, np.arange(5), 2)
    assert guessed[0] == 1
    assert guessed[4] == MISSED
    table = confusion(classes, guessed, 2)
    assert table.sum() == 5
    assert table[1, 2] == 1


def test_the_svm_learns_what_is_there_and_nothing_from_noise() -> None:
    rng = np.random.default_rng(0)
    classes, groups = np.tile([0, 1, 2], 20), np.repeat(np.arange(20), 3)
    noise = rng.normal(size=(60, 4))
    told = noise * 0.1 + np.eye(4)[classes]
    for given in (None, groups):
        assert svm_accuracies(told, classes, given, trials=2, seed=0, most_folds=4).mean() > 0.95
        assert svm_accuracies(noise, classes, given, trials=2, seed=0, most_folds=4).mean() < 0.6
    assert len(svm_accuracies(told[:4], np.array([0, 0, 0, 1]), None, trials=1, seed=0)) == 0


def test_each_prototype_scores_highest_for_itself_within_the_keys_bounds() -> None:
    eta, bounds = prototypes(), open_bounds()
    assert eta.shape == (len(PROTOTYPES), 29)
    assert ((eta >= bounds[:, 0]) & (eta <= bounds[:, 1])).all()
    assert (heuristic_scores(eta).argmax(1) == np.arange(len(PROTOTYPES))).all()


def test_a_shrunk_picture_has_at_least_one_pixel() -> None:
    assert shrunk(np.zeros((100, 50, 3), np.uint8), 0.2).shape == (20, 10, 3)
    assert shrunk(np.zeros((2, 2, 3), np.uint8), 0.1).shape == (1, 1, 3)


def test_the_command_measures_synthetic_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, out = tmp_path / "set", tmp_path / "results"
    assert main(["research", "synthetic-emotions", str(made), "--clips", "14"]) == 0
    assert len(list(made.glob("*/*.png"))) == 14
    assert main(["research", "synthetic-emotions", str(made), "--clips", "14"]) == 2
    picture(made / "happy" / "S900_000_001.png")
    options = ["--out", str(out), "--scales", "1", "0.5", "--trials", "1"]
    capsys.readouterr()
    assert main(["research", "emotions", str(made), *options]) == 0
    shown = capsys.readouterr().out
    assert "seed 0" in shown
    assert "| open | 1 | 14 of 15 |" in shown  # the last one has no face
    assert "too few clips of an emotion" in shown
    for method in ("emotion head", "emotion head, coefficients alone"):
        assert f"| {method} | 0.5 | 14 of 15 |" in shown
    assert "synthetic" in shown.split("has learned from other people: ")[1]  # what the shipped head learned from
    methods = ("open", "pixels", "emotion_head", "emotion_head__coefficients_alone")
    assert {p.name for p in out.iterdir()} == {
        *("results.md", "guesses.csv", "scales.png"), *(f"confusion_{method}.png" for method in methods)
    }  # fmt: skip
    (made / "happy" / "S901_000_001.png").write_bytes(b"no picture")
    assert main(["research", "emotions", str(made), *options]) == 2
    assert capsys.readouterr().err.count("expnet: ") == 1


def test_two_views_of_a_clip_are_nearer_to_each_other_than_to_other_subjects() -> None:
    clips = [LabelledClip(s, "1", "happy", (), view) for s in "AB" for view in ("frontal", "half profile")]
    eta = np.array([[0.0, 0], [0.2, 0], [1, 0], [1.2, 0]])
    same, other = distances_between_views(clips, eta)
    assert same == pytest.approx(0.02)
    assert other == pytest.approx((1.2**2 + 0.8**2) / 4)
    assert np.isnan(distances_between_views(clips[:1], eta[:1])).all()


def test_a_trained_classifier_says_the_same_from_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for count in (2, 3):
        classes, subjects = np.tile(np.arange(count), 12), np.repeat(np.arange(12), count)
        features = 0.3 * rng.normal(size=(12 * count, 4)) + np.eye(4)[classes]
        names, keys = ("a", "b", "c")[:count], ("w", "x", "y", "z")
        found = trained(features, classes, subjects, names, keys, "own", trials=3, seed=0)
        save_classifier(found, tmp_path / "c.npz")
        read = load_classifier(tmp_path / "c.npz")
        assert (read.margins(features).argmax(1) == classes).mean() > 0.9
        assert np.allclose(read.margins(features), found.margins(features))


def test_the_margins_are_those_of_scikit_learn() -> None:
    from sklearn.multiclass import OneVsRestClassifier

    from expnet.research.emotions import classify

    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(3), 12)
    features = 0.6 * rng.normal(size=(36, 4)) + np.eye(4)[classes]
    found = trained(features, classes, np.arange(36) // 3, ("a", "b", "c"), tuple("wxyz"), "own", 2, 0)
    best = classify._searched(features, classes, 2, 0, np.arange(36) // 3)
    assert isinstance(best[1], OneVsRestClassifier)
    assert np.allclose(best.decision_function(features), found.margins(features))


def test_views_landmarks_and_a_saved_classifier_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = tmp_path / "set", tmp_path / "results"
    assert main(["research", "synthetic-emotions", str(made), "--clips", "3", "--views"]) == 0
    table = made / "table.csv"
    assert table.read_text().count("half profile") == 3
    options = ["--out", str(out), "--scales", "1", "--trials", "0", "--landmarks", ".pts"]
    capsys.readouterr()
    assert main(["research", "emotions", str(table), *options]) == 0
    shown = capsys.readouterr().out
    for method in ("open, frontal", "open, half profile", "landmarks, Eq. (2), frontal", "pixels, half profile"):
        assert f"| {method} | 1 | " in shown
    assert "between frontal and half profile" in shown
    assert main(["research", "emotions", str(table), *options, "--save", str(tmp_path / "c.npz")]) == 2
    assert "3 of each emotion" in capsys.readouterr().err
    next(made.glob("*/*.pts")).unlink()
    assert main(["research", "emotions", str(table), *options]) == 2
    assert capsys.readouterr().err.count("expnet: ") == 1


def test_resting_faces_are_an_eighth_class(tmp_path: Path) -> None:
    assert main(["research", "synthetic-emotions", str(tmp_path / "set"), "--clips", "8", "--neutral"]) == 0
    assert len(list((tmp_path / "set" / NEUTRAL).glob("*.png"))) == 1


@pytest.fixture(scope="module")
def two_emotions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label 30 clips of 10 subjects in a table: raised brows, or not."""
    made = tmp_path_factory.mktemp("own") / "set"
    assert main(["research", "synthetic-emotions", str(made), "--clips", "30"]) == 0
    rows = []
    for path in sorted(made.glob("*/*.png")):
        subject, clip, _ = path.stem.split("_")
        label = "raised" if path.parent.name in ("surprise", "fear", "sadness") else "other"
        rows.append(f"{path.parent.name}/{path.name},{label},{subject},{clip}")
    table = made / "own.csv"
    table.write_text("\n".join(["image,emotion,subject,clip", *rows]))
    return table


def test_an_emotion_head_is_trained_on_own_labels_and_used_in_the_table(
    two_emotions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own.safetensors"
    assert main(["research", "train-emotion-head", str(two_emotions), "--out", str(out), "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "seed 1" in shown
    assert "an emotion head of other, raised" in shown
    head = load_emotion_head(out)
    assert head.network == fingerprint(OPEN_WEIGHTS)
    eta = prototypes()[[list(PROTOTYPES).index(name) for name in ("surprise", "happy")]]
    assert [head.emotions[i] for i in head.strengths(eta).argmax(1)] == ["raised", "other"]
    options = ["--out", str(tmp_path / "results"), "--scales", "1", "--trials", "1", "--head", str(out)]
    assert main(["research", "emotions", str(two_emotions), *options]) == 0
    shown = capsys.readouterr().out
    rows = dict(re.findall(r"^\| (emotion head[^|]*|emotion head) \| 1 \| 30 of 30 \| ([0-9.]+)% ", shown, re.M))
    assert all(float(rows[method]) > 80 for method in ("emotion head", "emotion head, coefficients alone"))
    assert "| emotion head, open | subjects in folds |" in shown


def test_labels_of_too_few_subjects_train_no_head(
    two_emotions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, *rows = two_emotions.read_text().splitlines()
    chosen = [next(row for row in rows if f",{label}," in row) for label in ("raised", "other")]
    few = two_emotions.parent / "few.csv"
    few.write_text("\n".join([heading, *chosen]))
    assert main(["research", "train-emotion-head", str(few), "--out", str(tmp_path / "h.safetensors")]) == 2
    assert "on more subjects" in capsys.readouterr().err
    assert main(["research", "train-emotion-head", str(two_emotions), "--out", str(tmp_path / "h.npz")]) == 2
    assert "ends in .safetensors" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

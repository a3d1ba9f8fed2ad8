"""Every verb of ``expnet research`` answers four kinds of bad input with one line and no result.

The kinds: a wrong table, missing labels, a single class (or person) where two are needed, unreadable pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.model.formats.ply import save_ply
from expnet.model.networks.weights.open_pack import DATA, OPEN_WEIGHTS
from expnet.model.sight.video import open_clip
from expnet.research import commands
from expnet.research.label.label_shards import LabelShard, save

WRONG, MISSING, SINGLE, UNREADABLE = "a wrong table", "missing labels", "a single class", "unreadable pictures"
KINDS = (WRONG, MISSING, SINGLE, UNREADABLE)
WITHOUT_DATA = {
    "photographs", "label-noise", "synthetic-emotions", "synthetic-scans", "synthetic-stress", "synthetic-poses",
    "annotate-study", "fine-tune-study",
}  # fmt: skip
OWN_TESTS = {"train-emotion-head"}
FRAMES = 6
PROGRESS = re.compile(r"\d+%\||\?(it|frame|picture)/s|: \d+(frame)?$")


def messages(shown: str) -> list[str]:
    """Return what is on stderr besides progress bars."""
    return [line for line in re.split(r"[\r\n]+", shown) if line.strip() and not PROGRESS.search(line)]


class Inputs:
    """Good and bad input in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.wrong = folder / "wrong.csv"
        self.wrong.write_text("this,is\nno,table\n")
        self.broken = folder / "broken.png"
        self.broken.write_bytes(b"no picture")

    def pictures(self, name: str, readable: bool = True, landmarks: bool = True) -> list[Path]:
        """Write FRAMES pictures SUBJECT_CLIP_FRAME.png, with or without landmarks."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = "\n".join(f"{x} {y}" for x, y in np.random.default_rng(0).uniform(100, 200, (68, 2)))
        paths = [folder / f"s{i}_c{i}_1.png" for i in range(FRAMES)]
        with open_clip(DATA / "demo_clip.mp4", 0, FRAMES - 1) as clip:
            for path, frame in zip(paths, clip, strict=True):
                path.write_bytes(cv2.imencode(".png", frame.image)[1].tobytes() if readable else b"no picture")
                if landmarks:
                    path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
        return paths

    def table(self, name: str, columns: str, rows: list[str]) -> Path:
        path = self.folder / name
        path.write_text("\n".join([columns, *rows]) + "\n")
        return path

    def expressions(self, images: list[Path]) -> Path:
        rest = ",".join("0" * len(OPEN_KEYS))
        return self.table(
            "truth.csv", ",".join(["image", *OPEN_KEYS]), [f"{p.relative_to(self.folder)},{rest}" for p in images]
        )

    def labels(self, images: list[Path]) -> Path:
        """Write labels as ``label`` does."""
        folder, n = self.folder / "labels", len(images)
        folder.mkdir()
        at = np.tile([160.0, 120.0, 100.0, 0.0], (n, 1))
        turned = np.tile(np.eye(3), (n, 1, 1))
        shard = LabelShard(
            np.array([str(p) for p in images]), np.zeros((n, 29)), np.zeros((n, 29), bool), np.zeros((n, 99)), turned,
            np.tile([0.0, 0.0, -900.0], (n, 1)), at, np.ones(n), np.ones(n, bool),
        )  # fmt: skip
        save(folder / "labels_00000.npz", shard)
        return folder

    def poses(self, images: list[Path]) -> Path:
        columns = ["image", "yaw", "pitch", "roll", *(f"{axis}_{i}" for i in range(68) for axis in "xy")]
        numbers = ",".join(["0"] * 3 + [f"{100 + i % 17}" for i in range(136)])
        return self.table("poses.csv", ",".join(columns), [f"{p.relative_to(self.folder)},{numbers}" for p in images])

    def heads(self, good: bool = True) -> Path:
        """Write one head and a scan of its nose and its key points."""
        model = open_face_model(OPEN)
        heads, scan = self.folder / "heads", self.folder / "scans" / "1"
        heads.mkdir()
        scan.mkdir(parents=True)
        save_ply(heads / "1.ply", model.neutral, model.faces)
        save_ply(scan / "nose.ply", model.neutral, model.faces)
        assert model.landmarks is not None
        marks = model.neutral[model.landmarks]
        (scan / "keypoints.csv").write_text("\n".join(",".join(map(str, row)) for row in marks))
        return heads


Words = Callable[[Inputs], list[object]]
# verb, kind: the command's words, and what the line names
CASES: dict[tuple[str, str], tuple[Words, str]] = {
    ("label", WRONG): (lambda i: [i.pictures("p")[0].parent, "--out", i.out, "--subjects", i.wrong], "wrong.csv"),
    ("label", MISSING): (lambda i: [i.pictures("p", landmarks=False)[0].parent, "--out", i.out], "no image can be"),
    ("label", UNREADABLE): (lambda i: [i.pictures("p", readable=False)[0].parent, "--out", i.out], "no image can be"),
    ("label-renders", WRONG): (lambda i: [i.wrong, "--out", i.out], "wrong.csv"),
    ("label-renders", MISSING): (lambda i: [i.pictures("p")[0].parent, "--out", i.out], "p"),
    ("train-expnet", WRONG): (
        lambda i: [i.labels(i.pictures("p")), "--out", i.out, "--steps", 1, "--subjects", i.wrong],
        "wrong.csv",
    ),
    ("train-expnet", MISSING): (lambda i: [i.pictures("p")[0].parent, "--out", i.out, "--steps", 1], "holds no labels"),
    ("train-expnet", SINGLE): (lambda i: [i.labels(i.pictures("p")), "--out", i.out, "--steps", 1], "one subject"),
    ("train-expnet", UNREADABLE): (
        lambda i: [i.labels(i.pictures("p", False)), "--out", i.out, "--steps", 1, "--subjects", "image"],
        "_c",
    ),
    ("compare-labels", WRONG): (
        lambda i: [
            i.labels(i.pictures("p")), "--truth", i.wrong, "--weights", OPEN_WEIGHTS, "--subjects", "image",
        ],
        "wrong.csv",
    ),
    ("compare-labels", MISSING): (
        lambda i: [i.pictures("p")[0].parent, "--truth", i.wrong, "--weights", OPEN_WEIGHTS],
        "holds no labels",
    ),
    ("compare-labels", SINGLE): (
        lambda i: [i.labels(i.pictures("p")), "--truth", i.expressions(i.pictures("p")), "--weights", OPEN_WEIGHTS],
        "one subject",
    ),
    ("compare-labels", UNREADABLE): (
        lambda i: [
            i.labels(i.pictures("p", False)), "--truth",
            i.table("t.csv", ",".join(["image", *OPEN_KEYS]),
                    [f"s{n}_c{n}_1.png,{','.join('0' * 29)}" for n in range(FRAMES)]),
            "--weights", OPEN_WEIGHTS, "--subjects", "image",
        ],
        "_c",
    ),
    ("emotions", WRONG): (lambda i: [i.wrong, "--out", i.out], "wrong.csv"),
    ("emotions", MISSING): (lambda i: [i.pictures("p")[0].parent, "--out", i.out], "no labelled pictures"),
    ("emotions", SINGLE): (lambda i: [i.pictures("p/happy")[0].parent.parent, "--out", i.out], "labelled happy"),
    ("emotions", UNREADABLE): (
        lambda i: [[i.pictures(f"p/{e}", False) for e in ("happy", "anger")][0][0].parent.parent, "--out", i.out],
        "_c",
    ),
    ("sheet", WRONG): (lambda i: [i.wrong, "--out", i.out], "wrong.csv"),
    ("sheet", MISSING): (
        lambda i: [i.pictures("p", landmarks=False)[0], "--out", i.out, "--landmarks", ".pts"],
        "s0_c0_1.pts",
    ),
    ("sheet", UNREADABLE): (lambda i: [i.broken, "--out", i.out], "broken.png"),
    ("realy", WRONG): (
        lambda i: [i.heads(), "--scans", i.folder / "scans", "--out", i.out, "--key-points", "beside"],
        "1.csv",
    ),
    ("realy", MISSING): (
        lambda i: [
            i.heads(), "--out", i.out, "--scans",
            ((i.folder / "scans/1/keypoints.csv").unlink(), i.folder / "scans")[1],
        ],
        "key points are missing",
    ),
    ("realy", UNREADABLE): (
        lambda i: [
            ((h := i.heads()) / "1.ply").write_bytes(b"no mesh") and h, "--scans", i.folder / "scans", "--out", i.out,
        ],
        "1.ply",
    ),
    ("stress", WRONG): (lambda i: [i.wrong, "--out", i.out], "wrong.csv"),
    ("stress", MISSING): (
        lambda i: [i.table("t.csv", "recording,subject,phase,stress", ["a.npz,1,rest,"]), "--out", i.out],
        "line 2",
    ),
    ("stress", SINGLE): (
        lambda i: [i.table("t.csv", "recording,subject,phase,stress", ["a.npz,1,rest,0"] * 3), "--out", i.out],
        "the same label",
    ),
    ("stress", UNREADABLE): (
        lambda i: [
            i.table("t.csv", "recording,subject,phase,stress", [f"broken.png,{s},rest,{s % 2}" for s in range(6)]),
            "--out", i.out,
        ],
        "broken.png",
    ),
    ("deepexp3d", WRONG): (lambda i: [i.wrong, "--out", i.out, "--tiny"], "wrong.csv"),
    ("deepexp3d", MISSING): (
        lambda i: [i.expressions(i.pictures("p", landmarks=False)), "--out", i.out, "--tiny"],
        "s0_c0_1.pts",
    ),
    ("deepexp3d", SINGLE): (
        lambda i: [i.expressions(i.pictures("p")), "--out", i.out, "--tiny", "--subjects", "folder"],
        "1 subjects",
    ),
    ("deepexp3d", UNREADABLE): (
        lambda i: [i.expressions(i.pictures("p", readable=False)), "--out", i.out, "--tiny"],
        "s0_c0_1.png",
    ),
    ("annotate", WRONG): (
        lambda i: [
            i.pictures("p")[0].parent, "--out", i.out, "--points",
            ((i.folder / "p.csv").write_bytes(i.wrong.read_bytes()), ".csv")[1],
        ],
        "p.csv",
    ),
    ("annotate", MISSING): (lambda i: [i.pictures("p")[0].parent, "--out", i.out, "--points", ".csv"], "p.csv"),
    ("annotate", UNREADABLE): (lambda i: [i.pictures("p", readable=False)[0].parent, "--out", i.out], "p"),
    ("pose-and-landmarks", WRONG): (lambda i: [i.wrong, "--out", i.out], "wrong.csv"),
    ("pose-and-landmarks", MISSING): (lambda i: [i.pictures("p")[0].parent, "--out", i.out], "s0_c0_1.mat"),
    ("pose-and-landmarks", UNREADABLE): (
        lambda i: [i.poses(i.pictures("p", readable=False)), "--out", i.out],
        "s0_c0_1.png",
    ),
}  # fmt: skip
# Kinds that a verb cannot meet: labels by Eq. (2), sheets, meshes, clips and poses have no classes.
NO_SUCH_KIND = {
    *((verb, SINGLE) for verb in ("label", "label-renders", "sheet", "realy", "annotate", "pose-and-landmarks")),
    ("label-renders", UNREADABLE),  # reads shards, not pictures
}


def test_every_verb_that_reads_data_has_its_cases() -> None:
    reading = {verb.name for verb in commands.VERBS} - WITHOUT_DATA - OWN_TESTS
    assert {*CASES, *NO_SUCH_KIND} == {(verb, kind) for verb in reading for kind in KINDS}


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=lambda word: str(word).replace(" ", "_"))
def test_bad_input_is_one_line(verb: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words, named = CASES[verb, kind]
    status = main(["research", verb, *map(str, words(Inputs(tmp_path)))])
    said = capfd.readouterr().err
    lines = messages(said)
    assert status == 2, said
    assert [line[:8] for line in lines] == ["expnet: "], said
    assert named in lines[0] and len(lines[0]) < 400
    results = [p for p in tmp_path.glob("out/**/*") if p.suffix in (".md", ".html", ".png", ".safetensors")]
    assert not results


@pytest.mark.parametrize("verb", sorted(WITHOUT_DATA))
def test_a_place_that_is_a_file_is_one_line(verb: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    place = tmp_path / "file" / "out"
    named = {"label-noise": ["--faces", 1], "annotate-study": [], "fine-tune-study": []}
    words = ["--out", place, *named[verb]] if verb in named else [place]
    assert main(["research", verb, *map(str, words)]) == 2
    said = capfd.readouterr().err
    lines = messages(said)
    assert [line[:8] for line in lines] == ["expnet: "], said
    assert (tmp_path / "file").read_text() == "mine"

"""A performance on disk."""

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.semantics import open_bounds
from expnet.model.formats import OPEN_HEAD, open_face_model
from expnet.model.performance.face_performance import resampled
from expnet.model.performance.neutral import calibrated
from expnet.model.performance.performance_files import export_csv, export_json, load_performance, save_performance
from expnet.model.performance.smoothing import smooth

from .performances import JAW, acted, same, still

FORMER_TAKE = OPEN_HEAD.with_name("demo_clip_truth.npz")


def test_a_performance_comes_back_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "shot é.npz"
    p = acted()
    save_performance(p, path)
    back = load_performance(path)
    assert same(p, back, 1e-6)
    assert (back.source, back.fps, back.image_size, back.lens_mm) == (p.source, p.fps, p.image_size, p.lens_mm)
    assert (back.basis, back.expression_keys) == (p.basis, p.expression_keys)
    assert [f.name for f in tmp_path.iterdir()] == [path.name], "nothing but the file is left"


def test_a_file_may_say_where_the_mouth_is_hidden_or_not(tmp_path: Path) -> None:
    path = tmp_path / "shot.npz"
    hidden = np.linspace(0, 1, len(acted().times))
    save_performance(replace(acted(), mouth_hidden=hidden), path)
    np.testing.assert_allclose(load_performance(path).mouth_hidden, hidden, atol=1e-6)
    save_performance(acted(), path)
    assert load_performance(path).mouth_hidden is None
    save_performance(replace(acted(), mouth_hidden=hidden + 1), path)
    with pytest.raises(InputError, match="mouth_hidden is not between 0 and 1"):
        load_performance(path)


def test_a_take_written_before_the_head_changed_still_drives_it() -> None:
    """The truth of the demo clip. A take holds keys and identity, no vertices: a rebuilt head of the same keys fits."""
    take, head = load_performance(FORMER_TAKE), open_face_model("open")
    assert (take.basis, take.expression_keys) == (head.basis, head.expression_keys)
    assert len(take.alpha) == len(head.identity)
    vertices = head.vertices(take.alpha, take.eta[::20].astype(np.float32))
    assert vertices.shape == (6, head.vertex_count, 3) and np.isfinite(vertices).all()


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
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
    with pytest.raises(InputError, match="cannot be read"):
        load_performance(tmp_path / "nowhere.npz")


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
    with pytest.raises(InputError, match="not a performance|broken performance"):
        load_performance(path)


def test_cuts_are_kept(tmp_path: Path) -> None:
    cut = replace(acted(), cuts=(0.4, 1.2))
    save_performance(cut, tmp_path / "cut.npz")
    assert load_performance(tmp_path / "cut.npz").cuts == (0.4, 1.2)

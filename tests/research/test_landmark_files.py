"""Landmarks from files in the formats that the field's tools write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.research.label.landmark_files import plugin, read_landmarks, read_openface

POINTS = np.random.default_rng(0).uniform(10, 200, (68, 2)).round(3)


def pts(points: np.ndarray) -> str:
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n"


def openface(frames: int, failed: int = 0) -> str:
    header = ["frame", " face_id", " timestamp", " confidence", " success"]
    header += [f" x_{i}" for i in range(68)] + [f" y_{i}" for i in range(68)]
    rows = [
        [i, 0, i / 30, 0.98, 0 if i == failed else 1, *(POINTS[:, 0] + i), *POINTS[:, 1]] for i in range(1, frames + 1)
    ]
    return "\n".join(", ".join(map(str, row)) for row in [header, *rows])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pts", pts(POINTS)),
        ("a.json", json.dumps(POINTS.tolist())),
        ("b.json", json.dumps({"landmarks": POINTS.tolist()})),
        ("a.csv", "\n".join(f"{x},{y}" for x, y in POINTS)),
        ("b.csv", "x,y\n" + "\n".join(f"{x}, {y}" for x, y in POINTS)),
    ],
)
def test_each_format_gives_the_same_points(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert np.allclose(read_landmarks(tmp_path / name), POINTS)


def test_openface_gives_points_by_frame_and_leaves_out_frames_without_success(tmp_path: Path) -> None:
    (tmp_path / "clip.csv").write_text(openface(3, failed=2))
    found = read_openface(tmp_path / "clip.csv")
    assert sorted(found) == [1, 3]
    assert np.allclose(found[3], POINTS + [3, 0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pts", "version: 1"),
        ("a.pts", pts(POINTS[:5])),
        ("a.pts", pts(POINTS).replace("1", "NaN")),
        ("a.json", "[[1, 2], [3"),
        ("a.json", '{"landmarks": {"a": 1}}'),
        ("a.json", "[" * 100_000),
        ("a.csv", "x,y\n1,two"),
        ("a.csv", ""),
        ("a.csv", "x_0,y_0\n1,2"),
        ("a.csv", openface(1, failed=1)),
        ("a.txt", "1 2"),
    ],
)
def test_a_bad_file_is_one_line_with_its_name(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as raised:
        read_landmarks(tmp_path / name)
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_an_unknown_plug_in_is_one_line() -> None:
    with pytest.raises(InputError, match="is unknown"):
        plugin("no-such-finder")

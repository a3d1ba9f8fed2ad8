"""Every verb that writes, run as README shows it: all files named without a folder, in the current one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from expnet.expnet_addon import headless

DATA = Path(headless.__file__).parents[1] / "model" / "data"
CPU = ["--device", "cpu"]


@pytest.fixture
def here(tmp_path: Path, photo_and_clip, empty_scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a picture, a clip and a performance to a folder, and make it the current one."""
    shutil.copy(DATA / "demo_clip_truth.npz", tmp_path / "shot.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["estimate", "photo.jpg", "--csv", "table.csv"],
        ["estimate", "photo.jpg", "--json", "table.json"],
        ["animate", "clip.mp4", *CPU, "--out", "shot.blend"],
        ["animate", "clip.mp4", *CPU, "--out", "shot.glb"],
        ["animate", "clip.mp4", *CPU, "--render", "shot.mp4"],
        ["animate", "clip.mp4", *CPU, "--performance", "shot.csv"],
        ["animate", "clip.mp4", *CPU, "--live-link", "phone.csv"],
        ["retarget", "--performance", "shot.npz", "--out", "shot.blend"],
        ["retarget", "--performance", "shot.npz", "--out", "shot.glb"],
        ["retarget", "--performance", "shot.npz", "--live-link", "phone.csv"],
        ["rig", "--out", "head.blend"],
    ],
    ids=lambda words: " ".join(word for word in words if word not in CPU),
)
def test_the_file_is_written_in_the_current_folder(words: list[str], here: Path) -> None:
    _run(words)
    assert (here / words[-1]).stat().st_size > 100


def test_a_scene_is_rendered_and_encoded(here: Path) -> None:
    _run(["retarget", "--performance", "shot.npz", "--out", "shot.blend"])
    _run(["render", "shot.blend", "--frames", "1-3", "--out", "frames", "--engine", "workbench", "--height", "90"])
    assert [file.name for file in sorted((here / "frames").iterdir())] == ["0001.png", "0002.png", "0003.png"]
    _run(["encode", "frames", "--out", "shot.mp4", "--fps", "24"])
    assert (here / "shot.mp4").stat().st_size > 100


def test_a_batch_renders_into_a_new_folder(here: Path) -> None:
    _run(["batch", "clip.mp4", "--device", "cpu", "--out", "captured", "--csv", "--render"])
    assert {"clip.blend", "clip.csv", "clip.mp4"} <= {file.name for file in (here / "captured").iterdir()}


def _run(words: Sequence[str]) -> None:
    assert headless.main(list(words)) == 0


def test_a_movie_is_not_estimated_but_animated(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert headless.main(["estimate", "clip.mp4"]) == 2
    assert "'clip.mp4' is a movie: read it with expnet animate" in capsys.readouterr().err

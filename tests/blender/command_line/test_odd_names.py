"""Odd names in every argument of every verb: 300 characters, which no file can have, and bytes that are not UTF-8."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import bpy
import cv2
import numpy as np
import pytest

from expnet.expnet_addon import headless

LONG = "x" * 300
DATA = Path(headless.__file__).parents[1] / "model" / "data"
CLIP, TRUTH, WEIGHTS = DATA / "demo_clip.mp4", DATA / "demo_clip_truth.npz", DATA / "open_weights.safetensors"
LENGTH = ["--last", "1", "--device", "cpu"]


@pytest.mark.parametrize(
    "words",
    [
        ["estimate", LONG],
        ["estimate", f"{LONG}.jpg", "IMAGE"],
        ["estimate", f"{LONG}.csv"],
        ["estimate", "IMAGE", "--json", f"{LONG}.json"],
        ["estimate", "IMAGE", "--csv", f"{LONG}.csv"],
        ["estimate", "IMAGE", "--ply", LONG],
        ["estimate", "IMAGE", "--estimator", LONG],
        ["estimate", "IMAGE", "--face-model", LONG],
        ["animate", LONG, "--out", "a.blend"],
        ["animate", f"{LONG}_####.png", "--out", "a.blend"],
        ["animate", f"{LONG}/####.png", "--out", "a.blend"],
        ["animate", CLIP, *LENGTH, "--out", f"{LONG}.blend"],
        ["animate", CLIP, *LENGTH, "--out", f"{LONG}/a.blend"],
        ["animate", CLIP, *LENGTH, "--render", f"{LONG}.mp4"],
        ["animate", CLIP, *LENGTH, "--performance", f"{LONG}.csv"],
        ["animate", CLIP, *LENGTH, "--live-link", f"{LONG}.csv"],
        ["animate", CLIP, *LENGTH, "--estimator", LONG, "--out", "a.blend"],
        ["animate", CLIP, *LENGTH, "--face-model", LONG, "--out", "a.blend"],
        ["retarget", "--performance", LONG, "--live-link", "a.csv"],
        ["retarget", "--performance", f"{LONG}.csv", "--live-link", "a.csv"],
        ["retarget", "--performance", TRUTH, "--live-link", f"{LONG}.csv"],
        ["retarget", "--performance", TRUTH, "--character", f"{LONG}.blend", "--out", "a.blend"],
        ["retarget", "--performance", TRUTH, "--preset", LONG, "--out", "a.blend"],
        ["retarget", "--performance", TRUTH, "--save-preset", f"{LONG}.json", "--out", "a.blend"],
        ["retarget", "--performance", TRUTH, "--out", f"{LONG}.glb"],
        ["rig", "--out", f"{LONG}.blend"],
        ["rig", "--face-model", LONG, "--out", "a.blend"],
        ["render", f"{LONG}.blend", "--out", "frames"],
        ["render", "SCENE", "--out", LONG],
        ["encode", LONG, "--out", "a.mp4"],
        ["encode", "FRAMES", "--out", f"{LONG}.mp4"],
        ["batch", LONG, "--out", "b"],
        ["batch", f"{LONG}*.mp4", "--out", "b"],
        ["batch", CLIP, "--out", LONG],
        ["batch", CLIP, "--out", "b", "--estimator", LONG],
        ["batch", CLIP, "--out", "b", "--face-model", LONG],
        ["import-weights", LONG],
        ["import-weights", "FRAMES", "--out", LONG],
        ["map-basis", LONG],
        ["map-basis", "IMAGE", "--out", f"{LONG}.npz"],
    ],
    ids=lambda words: " ".join(Path(str(w)).name.replace(LONG, "LONG") for w in words if str(w) not in LENGTH),
)
def test_a_name_that_no_file_can_have_is_one_line(
    words: list[str | Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames_in").mkdir()
    for name in ("image.jpg", "frames_in/0001.png", "scene.blend"):
        (tmp_path / name).write_bytes(b"no image")
    there = {"IMAGE": "image.jpg", "FRAMES": "frames_in", "SCENE": "scene.blend"}
    status, lines = _run([there.get(str(word), str(word)) for word in words], capfd)
    assert (status, len(lines)) == (2, 1), lines[-1]
    assert lines[0].startswith("expnet: ") and len(lines[0]) <= 310
    assert not [p for p in tmp_path.rglob("*") if p.name in ("a.blend", "a.csv", "a.mp4", "report.html")]


def _run(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capfd.readouterr()
    status = headless.main(words)
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("EGL Error")]
    return status, lines


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as POSIX has them")
@pytest.mark.parametrize("odd", ["PIPE", "/dev/zero"])
@pytest.mark.parametrize(
    "words",
    [
        ["estimate", "ODD"],
        ["estimate", "IMAGE", "--estimator", "ODD"],
        ["animate", "ODD", "--out", "a.blend"],
        ["animate", CLIP, *LENGTH, "--estimator", "ODD", "--out", "a.blend"],
        ["animate", CLIP, *LENGTH, "--face-model", "ODD", "--out", "a.blend"],
        ["retarget", "--performance", "ODD", "--live-link", "a.csv"],
        ["retarget", "--performance", TRUTH, "--character", "SCENE", "--preset", "ODD", "--out", "a.blend"],
        ["retarget", "--performance", TRUTH, "--character", "ODD", "--out", "a.blend"],
        ["rig", "--face-model", "ODD", "--out", "a.blend"],
        ["render", "ODD", "--out", "frames"],
        ["encode", "ODD", "--out", "a.mp4"],
        ["batch", "ODD", "--out", "b"],
        ["import-weights", "ODD"],
        ["map-basis", "ODD"],
    ],
    ids=lambda words: " ".join(Path(str(w)).name for w in words if str(w) not in LENGTH),
)
def test_a_pipe_or_a_device_is_one_line_and_nothing_waits_for_it(
    words: list[str | Path],
    odd: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "PIPE")
    (tmp_path / "image.jpg").write_bytes(b"no image")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), copy=True)
    there = {"IMAGE": "image.jpg", "SCENE": "scene.blend", "ODD": odd}
    status, lines = _run([there.get(str(word), str(word)) for word in words], capfd)
    assert (status in (2, 3), status == 3 or len(lines) == 1) == (True, True), lines
    assert "fault of ours" not in "".join(lines) and not list(tmp_path.rglob("a.*"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
@pytest.mark.parametrize(
    "words",
    [
        ["estimate", "ODD.jpg"],
        ["estimate", "IMAGE", "--box", "300", "100", "200", "200", "--json", "ODD.json", "--csv", "ODD.csv"],
        ["estimate", "ODD/image.jpg", "--box", "300", "100", "200", "200", "--csv", "a.csv"],
        ["animate", "ODD.mp4", *LENGTH, "--performance", "a.npz", "--performance", "a.csv", "--live-link", "b.csv"],
        ["animate", "ODD.mp4", *LENGTH, "--out", "a.blend"],
        ["animate", "CLIP", *LENGTH, "--out", "ODD.blend"],
        ["animate", "CLIP", *LENGTH, "--out", "ODD/a.blend"],
        ["animate", "CLIP", *LENGTH, "--out", "ODD.glb"],
        ["animate", "CLIP", *LENGTH, "--render", "ODD.mp4", "--height", "32", "--samples", "1"],
        ["animate", "CLIP", *LENGTH, "--performance", "ODD.csv", "--performance", "ODD.json"],
        ["animate", "CLIP", *LENGTH, "--face-model", "ODD.npz", "--out", "a.blend"],
        ["rig", "--out", "ODD.blend"],
        ["retarget", "--performance", "ODD.npz", "--live-link", "a.csv"],
        ["retarget", "--performance", "ODD.npz", "--out", "a.blend"],
        ["retarget", "--performance", str(TRUTH), "--preset", "ODD.json", "--out", "a.blend"],
        ["retarget", "--performance", str(TRUTH), "--save-preset", "ODD.json", "--out", "ODD.glb"],
        ["retarget", "--performance", str(TRUTH), "--character", "ODD.blend", "--out", "a.blend"],
        ["batch", "ODD", "--out", "b", *LENGTH],
        ["batch", "CLIP", "--out", "ODD", *LENGTH],
        ["import-weights", "ODD"],
        ["map-basis", "ODD.npz", "--out", "ODD.npz"],
        ["encode", "ODD", "--out", "ODD.mp4"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_not_utf_8_works_or_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = os.fsdecode(b"caf\xe9")
    (tmp_path / odd).mkdir()
    for name in (f"{odd}.mp4", f"{odd}/clip.mp4", "clip.mp4"):
        shutil.copy(CLIP, tmp_path / name)
    for name in (f"{odd}.jpg", f"{odd}/image.jpg", "image.jpg"):
        cv2.imwrite("picture.jpg", np.full((360, 640, 3), 90, np.uint8))
        shutil.move("picture.jpg", tmp_path / name)
    shutil.copy(TRUTH, tmp_path / f"{odd}.npz")
    there = {"IMAGE": "image.jpg", "CLIP": "clip.mp4"}
    before = set(tmp_path.rglob("*"))
    status, lines = _run([there.get(word, word.replace("ODD", odd)) for word in words], capfd)
    if status:
        assert status in (2, 3) and len(lines) >= 1 and "fault of ours" not in "".join(lines), lines
        assert not [p for p in set(tmp_path.rglob("*")) - before if p.suffix in (".blend", ".mp4", ".glb")]
    else:
        assert not lines

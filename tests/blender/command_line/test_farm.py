"""What a farm runs: frames of a scene in pieces, the video made of them, and the job template that asks for both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import cv2
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import headless

ROOT = Path(expnet.__path__[0])
TEMPLATE = ROOT / "docs" / "farm" / "shot.template.yaml"
TINY = ["--engine", "cycles", "--samples", "1", "--height", "16"]


def run(*arguments: object) -> int:
    return headless.main([str(a) for a in arguments])


@pytest.fixture
def shot(empty_scene: bpy.types.Scene, tmp_path: Path) -> Path:
    """Return a scene of six frames: a cube that gets nearer."""
    mesh = bpy.data.meshes.new("cube")
    mesh.from_pydata([(x, y, z) for x in (-1, 1) for y in (9, 11) for z in (-1, 1)], [], [(0, 1, 3, 2), (0, 1, 5, 4)])
    empty_scene.collection.objects.link(bpy.data.objects.new("cube", mesh))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.rotation_euler = (np.pi / 2, 0, 0)
    empty_scene.collection.objects.link(camera)
    empty_scene.camera = camera
    empty_scene.frame_end = 6
    empty_scene.render.resolution_x, empty_scene.render.resolution_y = 32, 16
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.mark.slow
def test_pieces_make_up_the_whole(shot: Path, tmp_path: Path) -> None:
    frames, video = tmp_path / "frames", tmp_path / "shot.mp4"
    assert run("render", shot, "--out", frames, "--frames", "4-6", *TINY) == 0
    assert run("render", shot, "--out", frames, "--frames", "1-3", *TINY) == 0
    assert sorted(p.name for p in frames.iterdir()) == [f"{i:04d}.png" for i in range(1, 7)]
    assert cv2.imread(str(frames / "0001.png")).shape == (16, 32, 3)
    assert run("encode", frames, "--out", video, "--fps", 12) == 0
    movie = cv2.VideoCapture(str(video))
    assert (movie.get(cv2.CAP_PROP_FRAME_COUNT), movie.get(cv2.CAP_PROP_FPS)) == (6, 12)


def test_a_scenes_own_range_is_the_default(shot: Path, tmp_path: Path) -> None:
    assert run("render", shot, "--out", tmp_path / "frames", *TINY) == 0
    assert len(list((tmp_path / "frames").iterdir())) == 6


def test_a_missing_frame_is_named(shot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frames = tmp_path / "frames"
    assert run("render", shot, "--out", frames, "--frames", "1-2", *TINY) == 0
    shutil.copy(frames / "0001.png", frames / "0004.png")
    assert run("encode", frames, "--out", tmp_path / "shot.mp4") == 2
    assert "lacks frame 3" in capfd.readouterr().err
    assert not (tmp_path / "shot.mp4").exists()


@pytest.mark.parametrize(
    ("harm", "words"), [("cut", "no whole picture"), ("small", "8 x 4 pixels"), ("none", "no whole")]
)
def test_a_frame_that_is_broken_or_of_another_size_is_named(
    harm: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in (1, 2, 3):
        cv2.imwrite(str(frames / f"{i:04d}.png"), np.zeros((8, 16, 3), np.uint8))
    second = frames / "0002.png"
    if harm == "small":
        cv2.imwrite(str(second), np.zeros((4, 8, 3), np.uint8))
    else:
        second.write_bytes(second.read_bytes()[:-20] if harm == "cut" else b"")
    assert run("encode", frames, "--out", tmp_path / "shot.mp4") == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and words in said[0] and "0002.png" in said[0]
    assert not (tmp_path / "shot.mp4").exists()


# Without a graphics driver --------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="hides the drivers as Linux finds them")
@pytest.mark.parametrize("engine", ["as saved", "auto", "workbench", "eevee", "cycles"])
def test_an_engine_that_cannot_work_here_is_one_line(engine: str, shot: Path, tmp_path: Path) -> None:
    """Blender itself would end without a word."""
    frames = tmp_path / "frames"
    asked = [] if engine == "as saved" else ["--engine", engine, "--samples", "1", "--height", "16"]
    command = [sys.executable, "-P", "-m", "expnet", "render", shot, "--out", frames, "--frames", "1", *asked]
    hidden = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": "/dev/null"}
    done = subprocess.run(list(map(str, command)), env=hidden, capture_output=True, text=True, check=False)
    if engine in ("auto", "cycles"):
        assert done.returncode == 0, done.stderr
        assert [p.name for p in frames.iterdir()] == ["0001.png"]
    else:
        assert done.returncode == 2, done.stderr
        assert "needs a graphics driver, and there is none here: use" in done.stderr
        assert not frames.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render", "{shot}", "--out", "{tmp}/f", "--frames", "one"], "--frames one"),
        (["render", "{shot}", "--out", "{tmp}/f", "--frames", "5-2"], "no range"),
        (["render", "{tmp}/none.blend", "--out", "{tmp}/f"], "There is no scene"),
        (["render", "{tmp}/text.blend", "--out", "{tmp}/f"], "no scene that this Blender can open"),
        (["render", "{shot}", "--out", "{tmp}/f", "--frames", "1-9999999"], "Blender counts to"),
        (["render", "{shot}", "--out", "{tmp}/f", "--samples", "0"], "less than one"),
        (["encode", "{tmp}/text.blend", "--out", "{tmp}/v.mp4"], "is a file"),
        (["encode", "{tmp}", "--out", "{tmp}/v.mp4"], "holds no rendered frames"),
        (["encode", "{tmp}", "--out", "{tmp}/v.mp4", "--fps", "0"], "no frame rate"),
        (["encode", "{tmp}", "--out", "{tmp}/v.avi"], ".mp4"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, shot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.blend").write_text("not a scene")
    assert run(*(a.format(shot=shot, tmp=tmp_path) for a in arguments)) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("expnet:")]
    assert len(said) == 1 and words in said[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shot.blend", "text.blend"]


def test_a_scene_without_a_camera_says_so(
    empty_scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert run("render", tmp_path / "shot.blend", "--out", tmp_path / "f", *TINY) == 2
    assert "has no camera" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the command on the farm's machines")
def test_the_job_template_animates_renders_in_chunks_and_encodes(tmp_path: Path) -> None:
    """By Open Job Description's own runner, as a farm's machine would."""
    pytest.importorskip("openjd.cli")
    clip = tmp_path / "clip.mp4"
    _first_frames(ROOT / "model" / "data" / "demo_clip.mp4", 4, clip)
    command = tmp_path / "expnet"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m expnet "$@"\n')
    command.chmod(0o755)
    parameters = {
        "Clip": clip, "OutputFolder": tmp_path, "Name": "hero", "Frames": "1-3", "ChunkSize": 2, "Engine": "cycles",
        "Samples": 1, "Height": 16, "Fps": 24, "Expnet": command,
    }  # fmt: skip
    asked = [a for name, value in parameters.items() for a in ("-p", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "openjd", "run", str(TEMPLATE), *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Frame(CHUNK[INT]) = 1-2" in done.stdout
    assert (tmp_path / "hero.blend").is_file() and (tmp_path / "hero.npz").is_file()
    assert len(list((tmp_path / "hero_frames").glob("*.png"))) == 3
    assert cv2.VideoCapture(str(tmp_path / "hero.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def _first_frames(movie: Path, count: int, out: Path) -> None:
    capture = cv2.VideoCapture(str(movie))
    frames = [capture.read()[1] for _ in range(count)]
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), 24, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()

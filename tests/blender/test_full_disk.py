"""A full disk: one line, nothing half-written, and an older output stays as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.expnet_addon import headless

DATA = Path(headless.__file__).parents[1] / "model" / "data"
CLIP, TRUTH = DATA / "demo_clip.mp4", DATA / "demo_clip_truth.npz"
LENGTH = ["--last", "5", "--device", "cpu"]
FREE = 4096  # bytes

if sys.platform != "linux":
    pytest.skip("disks and limits as Linux has them", allow_module_level=True)


@pytest.fixture(params=["disk", "limit"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield a folder with almost no room: a small file system, which root can mount, or a limit of file sizes."""
    folder = tmp_path / "full"
    folder.mkdir()
    if request.param == "disk":
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "expnet", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a file system")
        try:
            with (folder / "filler").open("wb") as filler:
                filler.write(bytes(shutil.disk_usage(folder).free - FREE))
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    import resource

    (folder / "filler").touch()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit(folder: Path) -> None:
    """Limit the size of files where the folder is not on a disk of its own."""
    import resource

    if not (folder / "filler").stat().st_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FREE, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.parametrize(
    "words",
    [
        ["animate", CLIP, *LENGTH, "--out", "a.blend"],
        ["animate", CLIP, *LENGTH, "--out", "a.glb"],
        ["animate", CLIP, "--last", "15", "--render", "a.mp4", "--height", "200", "--samples", "1"],
        ["animate", CLIP, "--last", "40", "--performance", "a.npz"],
        ["animate", CLIP, "--last", "40", "--performance", "a.csv"],
        ["estimate", "FACE", "--ply", "a", "--device", "cpu"],
        ["retarget", "--performance", TRUTH, "--live-link", "a.csv"],
        ["encode", "FRAMES", "--out", "a.mp4"],
        ["render", "SCENE", "--out", "a", "--engine", "cycles", "--samples", "1"],
        ["batch", CLIP, "--out", "a", "--device", "cpu", "--csv"],
    ],
    ids=lambda words: " ".join(Path(str(w)).name for w in words if str(w) not in LENGTH),
)
def test_one_line_and_nothing_half_written(
    words: list[str | Path], full: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = full / str(words[words.index("--out") + 1 if "--out" in words else -1])
    is_file = bool(out.suffix)
    if is_file:
        out.write_bytes(b"old")
    there = {"FRAMES": _frames, "SCENE": _scene, "FACE": _face}
    arguments = [
        str(there[Path(word).name](tmp_path))
        if Path(word).name in there
        else str(full / word)
        if _is_out(word)
        else str(word)
        for word in words
    ]
    capfd.readouterr()
    limit(full)
    status = headless.main(arguments)
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("EGL Error")]
    if words[0] == "batch":
        assert status in (2, 3) and len(lines) == 2 and lines[0].startswith("failed   demo_clip: "), lines
        assert not list(full.rglob("*.blend"))
    else:
        assert status == 2 and len(lines) == 1, lines
    assert "cannot be written" in lines[0]
    assert not [path for path in full.rglob("*") if ".part" in path.name]
    if is_file:
        assert out.read_bytes() == b"old"
        assert {path.name for path in full.iterdir()} == {"filler", out.name}


def _is_out(word: str | Path) -> bool:
    return word == "a" or str(word).startswith("a.")


def _frames(folder: Path) -> Path:
    frames = folder / "frames"
    frames.mkdir()
    rng = np.random.default_rng(0)
    for i in range(1, 25):
        cv2.imwrite(str(frames / f"{i:04d}.png"), rng.integers(0, 255, (128, 128, 3), np.uint8))
    return frames


def _scene(folder: Path) -> Path:
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x = scene.render.resolution_y = 256
    scene.frame_end = 2
    scene.render.dither_intensity = 2.0  # noise, which takes more room than FREE
    scene.world = bpy.data.worlds.new("grey")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    return folder / "scene.blend"


def _face(folder: Path) -> Path:
    reader = cv2.VideoCapture(str(CLIP))
    cv2.imwrite(str(folder / "face.png"), reader.read()[1])
    return folder / "face.png"

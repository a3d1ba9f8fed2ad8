"""Pictures in real time, and the ends of a camera, which are one line each."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.live import faces, pictures
from expnet.model.live.faces import watch
from expnet.model.sight.tracking import LARGEST, Follower

from ..discs import JAW, DiscEstimator, FindDiscs, disc

WIDTH, HEIGHT, FPS = 320, 180, 25.0


def filmed(folder: Path, frames: int, jaw_from: int) -> Path:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for i in range(frames):
        writer.write(disc(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 160, 90, 40, 1.0 if i >= jaw_from else 0.0))
    writer.release()
    return path


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discs are found by a search of their own."""
    monkeypatch.setattr(faces, "Follower", lambda e, c, choice=LARGEST: Follower(e, c, choice, FindDiscs()))


@pytest.mark.usefixtures("found")
def test_a_file_plays_in_real_time_and_ends(tmp_path: Path) -> None:
    began = time.monotonic()
    seen = list(watch(str(filmed(tmp_path, 25, 12)), DiscEstimator()))
    assert time.monotonic() - began > 0.8, "not faster than the clip"
    assert len(seen) > 3 and all(face.confidence > 0.9 for face in seen)
    times = np.array([face.time for face in seen])
    assert (np.diff(times) > 0).all() and times[-1] <= 24 / FPS + 1e-6
    opened = [face.time for face in seen if face.eta[JAW] > 0.5]
    assert opened and min(opened) >= 12 / FPS - 1e-6


@pytest.mark.usefixtures("found")
def test_whoever_watches_can_stop(tmp_path: Path) -> None:
    calls = iter(range(4))

    def stop() -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(watch(str(filmed(tmp_path, 50, 0)), DiscEstimator(), still_wanted=stop))


class Camera:
    """A camera that gives some pictures, then what ``after`` says: nothing, or more of the same."""

    def __init__(self, level: int, count: int, after: str = "nothing") -> None:
        self.level, self.left, self.after = level, count, after
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.01)
        if self.left == 0 and self.after == "nothing":
            return False, None
        self.left = max(0, self.left - 1)
        return True, np.full((HEIGHT, WIDTH, 3), self.level, np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(
    "camera, line", [(Camera(90, 5), "gives no pictures any more"), (Camera(0, 5, "more"), "gives black pictures")]
)
def test_a_camera_that_is_unplugged_or_covered_ends_with_one_line(
    camera: Camera, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_opened", lambda number: camera)
    monkeypatch.setattr(pictures, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(pictures, "BLACK_SECONDS", 0.2)
    with pytest.raises(InputError, match=line) as caught:
        list(watch("camera:0", DiscEstimator()))
    assert "\n" not in str(caught.value)
    assert camera.released


def test_a_camera_that_is_not_there_is_one_line() -> None:
    with pytest.raises(InputError, match="camera:97 cannot be opened"):
        list(watch("camera:97", DiscEstimator()))


def test_linux_names_its_cameras(tmp_path: Path) -> None:
    for device, index, name in (("video0", "0", "Webcam"), ("video1", "1", "Webcam"), ("video2", "0", "Capture")):
        folder = tmp_path / device
        folder.mkdir()
        (folder / "name").write_text(name + "\n")
        (folder / "index").write_text(index + "\n")
    assert list(pictures._linux_cameras(tmp_path)) == [(0, "Webcam"), (2, "Capture")]

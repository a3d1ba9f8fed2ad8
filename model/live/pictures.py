"""Pictures in real time: from a camera, or from a file that is played at its own speed.

A thread reads. ``latest`` waits for the next picture and skips those that came while the last one was read, so that a
slow network costs pictures and no delay.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..array_types import UInt8Array
from ..errors import InputError
from ..opencv import cv2
from ..sight.video import open_clip

SILENT_SECONDS = 3.0  # without a picture, after which a camera counts as unplugged
BLACK, BLACK_SECONDS = 10, 3.0  # grey levels below which a picture is black, and for how long it may be at first


@dataclass(frozen=True, eq=False)
class LivePicture:
    """image (H, W, 3) uint8 BGR; ``time`` in seconds from the first one; ``at``, when it was there, time.monotonic."""

    image: UInt8Array
    time: float
    at: float


class Pictures:
    """The pictures of a camera (``camera:0``) or a file; use it in a ``with``. Raises InputError."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._fresh = threading.Condition()
        self._latest: LivePicture | None = None
        self._ended = False
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._black_since: float | None = None
        number = camera_number(source)
        self._capture = None if number is None else _opened(number)
        read = self._read_file if self._capture is None else self._read_camera
        self._thread = threading.Thread(target=self._guarded, args=(read,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(timeout=2)
        if self._capture is not None:
            self._capture.release()

    @property
    def is_camera(self) -> bool:
        return self._capture is not None

    def latest(self, timeout: float) -> LivePicture | None:
        """Wait for the next picture; None after ``timeout`` seconds without one. Raises StopIteration at the end.

        Raises InputError for a camera that stops or shows black only.
        """
        with self._fresh:
            self._fresh.wait_for(lambda: self._latest is not None or self._ended, timeout)
            picture, self._latest = self._latest, None
            if picture is None and self._error is not None:
                raise self._error
            if picture is None and self._ended:
                raise StopIteration
        if picture is not None and self.is_camera:
            self._check_black(picture)
        return picture

    def _check_black(self, picture: LivePicture) -> None:
        if picture.image[::8, ::8].max() >= BLACK:
            self._black_since = None
            return
        self._black_since = self._black_since or picture.at
        if picture.at - self._black_since > BLACK_SECONDS:
            raise InputError(f"{self.source} gives black pictures: open its shutter, or allow this program to see it")

    def _guarded(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception as error:  # it is raised in ``latest``
            self._error = error
        with self._fresh:
            self._ended = True
            self._fresh.notify_all()

    def _put(self, picture: LivePicture) -> None:
        with self._fresh:
            self._latest = picture
            self._fresh.notify_all()

    def _read_camera(self) -> None:
        assert self._capture is not None
        began = heard = time.monotonic()
        while not self._stop.is_set():
            there, image = self._capture.read()
            now = time.monotonic()
            if there and image is not None:
                heard = now
                self._put(LivePicture(image, now - began, now))
            elif now - heard > SILENT_SECONDS:
                raise InputError(f"{self.source} gives no pictures any more: plug it in again")
            else:
                self._stop.wait(0.02)

    def _read_file(self) -> None:
        with open_clip(self.source) as clip:
            began: float | None = None
            first = 0.0
            for frame in clip:
                if began is None:
                    began, first = time.monotonic(), frame.time
                due = began + frame.time - first
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                self._put(LivePicture(frame.image, frame.time - first, time.monotonic()))
            # the last picture is shown for its time, so that it is read
            self._stop.wait(1 / float(clip.rate))


def camera_number(source: str) -> int | None:
    """Return the number of ``camera:N``; None for a file."""
    kind, _, number = source.partition(":")
    return int(number) if kind == "camera" and number.isdigit() else None


def cameras() -> list[tuple[int, str]]:
    """List the cameras, number and name.

    Linux names them without opening one. Elsewhere the first few numbers are tried.
    """
    if sys.platform == "linux":
        return list(_linux_cameras(Path("/sys/class/video4linux")))
    found = []
    for number in range(4):
        capture = cv2.VideoCapture(number)
        if capture.isOpened():
            found.append((number, f"Camera {number + 1}"))
        capture.release()
    return found


def _linux_cameras(folder: Path) -> Iterator[tuple[int, str]]:
    """List the video devices that deliver pictures: of each camera the first."""
    devices = sorted(folder.glob("video*"), key=lambda device: (len(device.name), device.name))
    for device in devices:
        try:
            name = (device / "name").read_text(encoding="utf-8", errors="replace").strip()
            index = (device / "index").read_text().strip() if (device / "index").exists() else "0"
        except OSError:
            continue
        if index == "0" and device.name[5:].isdigit():
            yield int(device.name[5:]), name


def _opened(number: int) -> Any:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise InputError(
            f"camera:{number} cannot be opened: it is unplugged, used by another program, or hidden from this one"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a picture that waits is late
    there, _ = capture.read()
    if not there:
        capture.release()
        raise InputError(f"camera:{number} gives no picture: close the other program that uses it")
    return capture

"""Pictures and footage as BGR frames: movies and image sequences, one frame at a time, with their true times."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import InputError
from ..files import by_number
from ..opencv import cv2
from ..reading import check_regular
from .image_checks import decodable
from .image_header import image_header

MAX_PIXELS = 100_000_000
SEQUENCE_FPS = 24.0
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".hdr", ".jp2", ".ppm", ".pgm",
)  # fmt: skip
_BAND = 64  # rows of an image that are converted at once
PREFETCH = 4  # frames decoded ahead, while the network looks at this one


@dataclass(frozen=True, eq=False)
class Frame:
    """``image`` (H, W, 3) uint8 BGR, ``index`` in the clip from 0, ``time`` in seconds from the clip's first frame."""

    index: int
    time: float
    image: np.ndarray


class Clip:
    """Frames ``first`` to ``last`` of some footage, read once, in order; use it in a ``with``.

    source           the path as given
    size             (width, height) in pixels, as shown (rotation metadata applied)
    declared_fps     what the file says; the true rate follows from the times (``true_fps``)
    expected_frames  how many frames will come, as far as the file is to be believed; None when it does not say
    """

    def __init__(
        self,
        source: str,
        size: tuple[int, int],
        declared_fps: float,
        expected_frames: int | None,
        frames: Iterator[Frame],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.source = source
        self.size = size
        self.declared_fps = declared_fps
        self.expected_frames = expected_frames
        self._frames = _Ahead(frames)
        self._close = close

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.stop()
        self._close()


def open_clip(path: str | Path, first: int | None = None, last: int | None = None, fps: float | None = None) -> Clip:
    """Open a movie, an image, a folder of images or a sequence ``name_####.png`` (also ``name_%04d.png``).

    first, last: frames to read, counted from 0, both included. fps: of an image sequence, which does not know it.
    Raises InputError for what is missing, empty, no footage or too large.
    """
    source = str(path)
    path = Path(path).expanduser()
    first = 0 if first is None else first
    if first < 0 or (last is not None and last < first):
        raise InputError(f"frames {first} to {last} are no range: count from 0, the last not before the first")
    if path.is_dir():
        return _open_sequence(source, _images_in(path), first, last, fps)
    if _is_pattern(path):
        return _open_sequence(source, _images_like(path), first, last, fps)
    if _is_image(path):
        return _open_sequence(source, [(0, path)], first, last, fps)
    return _open_movie(source, path, first, last)


def true_fps(times: np.ndarray, declared: float) -> float:
    """The frame rate that ``times`` (F,) show: of even steps their rate, else the mean rate. The declared rate where it
    agrees: it is the exact one (24000/1001), time stamps are rounded."""
    if len(times) < 2:
        return declared
    steps = np.diff(times)
    step = float(np.median(steps))
    even = np.abs(steps - step).max() < 0.02 * step
    rate = 1.0 / float(np.mean(steps))
    return declared if abs(rate - declared) < (1e-3 if even else 1e-2) * rate else rate


# --- movies ---------------------------------------------------------------------------------------------------------


def _open_movie(source: str, path: Path, first: int, last: int | None) -> Clip:
    _readable(path)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(f"{source}: not a movie or an image that can be read: give another file")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        _check_size(source, width, height)
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 0 < fps < 1000 else SEQUENCE_FPS
        declared = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        frames = _movie_frames(source, capture, first, last, fps)
        start = next(frames, None)  # the header may be whole where the pictures are not
        if start is None:
            ends = f" from frame {first} on" if first else ""
            raise InputError(f"{source}: holds no picture{ends}: it is empty, cut short, or ends earlier")
    except BaseException:
        capture.release()
        raise
    expected = None
    if declared > 0:
        expected = max(1, (declared if last is None else min(declared, last + 1)) - first)
    size = (start.image.shape[1], start.image.shape[0])
    return Clip(source, size, fps, expected, _chained(start, frames), capture.release)


def _movie_frames(source: str, capture: cv2.VideoCapture, first: int, last: int | None, fps: float) -> Iterator[Frame]:
    origin = previous = 0.0
    size = None
    index = 0
    while last is None or index <= last:
        if not capture.grab():
            return
        stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        if index == 0:
            origin, moment = stamp, 0.0
        else:
            moment = stamp - origin
            if not moment > previous + 1e-4:  # no time stamps, or some that stand still
                moment = previous + 1.0 / fps
        previous = moment
        if index >= first:
            decoded, image = capture.retrieve()
            if not decoded or image is None:
                return
            size = size or image.shape
            if image.shape != size:
                raise InputError(f"{source}: changes its size at frame {index}: convert it to one size")
            yield Frame(index, moment, image)
        index += 1


def _chained(start: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield start
    yield from rest


class _Ahead:
    """Runs an iterator in a thread of its own, a few frames ahead. Decoding needs no interpreter lock."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._source = frames
        self._queue: queue.Queue[Frame | BaseException | None] = queue.Queue(PREFETCH)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self) -> None:
        """End the thread, so that what it reads from can be closed."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)

    def _fill(self) -> None:
        last: BaseException | None = None
        try:
            for frame in self._source:
                self._queue.put(frame)
                if self._stopped.is_set():
                    return
        except BaseException as error:  # handed to whoever iterates
            last = error
        self._queue.put(last)
        if last is not None:
            self._queue.put(None)


# --- image sequences ------------------------------------------------------------------------------------------------


def _open_sequence(
    source: str, images: list[tuple[int, Path]], first: int, last: int | None, fps: float | None
) -> Clip:
    rate = SEQUENCE_FPS if fps is None else fps
    if not 0 < rate < 1000:
        raise InputError(f"{rate} frames a second is no frame rate for {source}")
    chosen = images[first : None if last is None else last + 1]
    if not chosen:
        raise InputError(f"{source}: has {len(images)} images: there is no frame {first}")
    start = read_image(chosen[0][1])
    size = (start.shape[1], start.shape[0])

    def frames() -> Iterator[Frame]:
        for index, (number, path) in enumerate(chosen, first):
            image = start if index == first else read_image(path)
            if image.shape != start.shape:
                raise InputError(f"{path}: is not {size[0]} x {size[1]} like the images before it: make them one size")
            yield Frame(index, (number - images[0][0]) / rate, image)

    return Clip(source, size, rate, len(chosen), frames())


def _is_pattern(path: Path) -> bool:
    return re.search(r"#|%0?\d*d", path.name) is not None and not path.exists()


def _images_like(path: Path) -> list[tuple[int, Path]]:
    """The files of ``name_####.png`` by number: as many digits as there are #, or more."""
    spot = re.search(r"#+|%(?:0?(\d*))d", path.name)
    assert spot is not None
    digits = len(spot[0]) if spot[0][0] == "#" else int(spot[1] or 1)
    before, after = re.escape(path.name[: spot.start()]), re.escape(path.name[spot.end() :])
    name = re.compile(f"{before}(\\d{{{digits},}}){after}$")
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: there is no folder {folder}")
    found = {int(hit[1]): entry for entry in folder.iterdir() if (hit := name.match(entry.name))}
    if not found:
        raise InputError(f"{path}: no file in {folder} has such a name")
    return sorted(found.items())


def _images_in(folder: Path) -> list[tuple[int, Path]]:
    """The images of a folder in the order of the numbers in their names."""
    images = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    if not images:
        raise InputError(f"{folder}: holds no images: give a movie, an image or a folder of images")

    images.sort(key=by_number)
    numbers = [re.findall(r"\d+", p.stem)[-1:] for p in images]
    counted = [int(n[0]) if n else 0 for n in numbers]
    if any(b <= a for a, b in zip(counted, counted[1:])):
        counted = list(range(len(images)))  # names that do not count: one after the other
    return list(zip(counted, images))


# --- images ---------------------------------------------------------------------------------------------------------


def read_image(path: str | Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 BGR, turned upright: grey, 16-bit, float (linear light) and alpha (over grey)
    become plain colour. Raises InputError; the size is read from the header before anything is unpacked."""
    path = Path(path).expanduser()
    data = _readable(path).read_bytes()
    header = image_header(data)
    if header is None:
        raise InputError(f"{path}: not an image that can be read: give a PNG, JPEG, TIFF, WebP, BMP or EXR file")
    _check_size(str(path), header.width, header.height)
    if not header.whole:
        raise InputError(f"{path}: the image is cut short: copy it again")
    data = decodable(path, data, header)
    # IMREAD_UNCHANGED keeps alpha and depth, but ignores the orientation that a JPEG carries in its EXIF.
    mode = cv2.IMREAD_COLOR if header.format == "JPEG" else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] not in ((header.height, header.width), (header.width, header.height)):
        raise InputError(f"{path}: the {header.format} image is broken or of an unknown kind: save it again as PNG")
    return _plain_colour(image)


def _plain_colour(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        image = image[:, :, None]
    colour, alpha = image[:, :, :3], None
    if image.shape[2] in (2, 4):
        colour, alpha = image[:, :, : image.shape[2] - 1], image[:, :, -1:]
    plain = np.empty((*image.shape[:2], 3), np.uint8)
    for first in range(0, len(image), _BAND):  # so that what is made on the way takes little memory
        band = slice(first, first + _BAND)
        plain[band] = _plain_band(colour[band], None if alpha is None else alpha[band])
    return plain


def _plain_band(colour: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    if colour.dtype != np.uint8:
        colour = _to_8_bit(colour, linear=colour.dtype.kind == "f")
        alpha = None if alpha is None else _to_8_bit(alpha, linear=False)
    if alpha is not None and alpha.min() < 255:
        share = alpha.astype(np.float32) / 255
        colour = np.rint(colour * share + 128 * (1 - share)).astype(np.uint8)
    return colour  # a single channel spreads over all three


def _to_8_bit(values: np.ndarray, linear: bool) -> np.ndarray:
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype.kind != "f":
        scale = np.iinfo(values.dtype).max / 255
        return np.clip(values / scale, 0, 255).astype(np.uint8)
    unit = np.clip(np.nan_to_num(values.astype(np.float32)), 0, 1)
    if linear:  # the sRGB curve, IEC 61966-2-1
        unit = np.where(unit <= 0.0031308, 12.92 * unit, 1.055 * unit ** (1 / 2.4) - 0.055)
    return np.rint(unit * 255).astype(np.uint8)


def _is_image(path: Path) -> bool:
    with _readable(path).open("rb") as file:
        return image_header(file.read(65536)) is not None


def _readable(path: Path) -> Path:
    try:
        check_regular(path)
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if size == 0:
        raise InputError(f"{path}: the file is empty")
    return path


def _check_size(source: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{source}: {width} x {height} pixels are more than {limit} million: scale it down")

"""Images, movies and image sequences as BGR frames, one picture at a time, on the frames they show on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..errors import InputError
from ..files import is_dir
from ..reading import parsing
from .frame_clock import Placement, placed, standard_rate
from .image_process import ImageReader
from .images import is_image_file, readable, refuse_unread
from .movie_readers import open_movie
from .movies import Movie, Picture
from .sequences import ImageSequence, is_pattern, sequence_of

SEQUENCE_FPS = 24.0
LONG_HOLE = 1.0  # seconds without a picture in a constant-rate clip that count as damage, not as dropped frames
PREFETCH = 4  # pictures decoded ahead while the network runs


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip.

    ``image`` is (H, W, 3) uint8 BGR. ``index`` is the frame of the clip, from 0, at which it shows first. ``time`` is
    in seconds from the clip's first frame.
    """

    index: int
    time: float
    image: UInt8Array


class Clip:
    """Frames ``first`` to ``last`` of a clip, read once, in order; use it in a ``with``.

    source           the path as given
    size             (width, height) in pixels, as shown: upright, with square pixels
    rate             frames per second
    expected_frames  the declared number of frames where it is credible; None without one
    sound_start      seconds from the first picture to the first sound

    Known only after all pictures are read: ``placement``, ``unread``, ``damage``, ``notes``.
    """

    def __init__(self, source: str, pictures: _Pictures, first: int, last: int | None) -> None:
        self.source = source
        self.size = pictures.size
        self.rate = pictures.rate
        self.sound_start = pictures.sound_start
        self.expected_frames = pictures.expected(first, last)
        self._pictures = pictures
        self._first, self._last = first, last
        self._stamps: list[float] = []
        self._ahead = _Ahead(pictures.read(first, last))
        try:
            self._start = next(iter(self._ahead), None)
        except BaseException:
            self._close()
            raise
        if self._start is None:
            self._close()
            ends = f" from frame {first} on" if first else ""
            raise InputError(f"{source}: holds no picture{ends}: it is empty, cut short, or ends earlier")

    def __iter__(self) -> Iterator[Frame]:
        if self._start is None:
            return
        picture: Picture | None = self._start
        self._start = None
        rest = iter(self._ahead)
        while picture is not None:
            self._stamps.append(picture.stamp)
            yield Frame(round(picture.stamp * float(self._pictures.own_rate)), picture.stamp, picture.image)
            picture = next(rest, None)

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._ahead.stop()
        self._pictures.close()

    def placement(self) -> Placement:
        """Return the frames on which the pictures show; frames outside of the range are left out."""
        try:
            whole = self._pictures.place(np.array(self._stamps))
        except InputError as error:
            raise InputError(f"{self.source}: {error}") from error
        within = (whole.frames >= self._first) & (whole.frames <= (np.inf if self._last is None else self._last))
        return Placement(whole.frames[within], whole.pictures[within], whole.rate, whole.constant)

    def shortfall(self) -> tuple[int, str]:
        """Return how many pictures of the clip could not be read, and a line on it; 0 and no text where all were."""
        return self._pictures.shortfall(self.placement(), self._last)

    def notes(self) -> list[str]:
        """Return the remarks on how the clip was read, a line for each."""
        return self._pictures.notes(self.placement())


def open_clip(path: str | Path, first: int | None = None, last: int | None = None, fps: float | None = None) -> Clip:
    """Open a movie, an image, a folder of images or a sequence ``name_####.png`` (also ``name_%04d.png``).

    first, last: frames to read, counted from 0, both included. fps: frames per second of an image sequence, which
    stores no rate; a movie is played at it, frame for frame. Raises InputError for a file that is missing, empty, no
    clip or too large.
    """
    source = str(path)
    path = Path(path).expanduser()
    first = 0 if first is None else first
    if first < 0 or (last is not None and last < first):
        raise InputError(f"frames {first} to {last} are no range: count from 0, the last not before the first")
    if fps is not None and not 1 / 60 <= fps <= 1000:
        raise InputError(f"{fps:g} frames a second is no frame rate for {source}")
    rate = None if fps is None else standard_rate(fps)
    if is_dir(path) or is_pattern(path):
        return Clip(source, _Images(source, sequence_of(path), rate, first, last), first, last)
    refuse_unread(path)
    if is_image_file(path):
        return Clip(source, _Images(source, ImageSequence(((0, path),)), rate, first, last), first, last)
    readable(path)
    return Clip(source, _Film(source, path, rate), first, last)


def picture_at(path: str | Path, frame: int) -> UInt8Array:
    """Return the picture (H, W, 3) uint8 BGR that shows at a frame of a clip, from 0."""
    with open_clip(path, frame, frame) as clip:
        images = [shown.image for shown in clip]
        placement = clip.placement()
    return images[int(placement.pictures[0])] if len(placement.pictures) else images[0]


# --- movies ---------------------------------------------------------------------------------------------------------


class _Film:
    """The pictures of a movie, on the frames of its nominal rate, or played at another."""

    def __init__(self, source: str, path: Path, played_at: Fraction | None) -> None:
        self._source, self._path = source, path
        self._stamp = _stamp(path)
        with parsing(source, "movie", "convert it, or give another file"):
            self._movie: Movie = open_movie(source, path)
        self.own_rate = self._movie.header.rate
        self.rate = played_at or self.own_rate
        self.size = self._movie.header.size
        self.sound_start = self._movie.header.sound_start
        self._is_whole = False  # whether all pictures are asked for
        self._following: float | None = None  # the stamp of the picture after the range

    def close(self) -> None:
        self._movie.close()

    def expected(self, first: int, last: int | None) -> int | None:
        frames = self._movie.header.frames
        if frames is None:
            return None
        return max(1, (frames if last is None else min(frames, last + 1)) - first)

    def read(self, first: int, last: int | None) -> Iterator[Picture]:
        """Yield the pictures that may show on the frames of the range; their frames are known after all are read."""
        rate = float(self.own_rate)
        slack = 0.5 * self._movie.header.tick * rate + 1e-6
        self._is_whole = first == 0 and last is None
        before: Picture | None = None
        for picture in self._decoded():
            if before is not None and (before.stamp * rate > first - 0.5 or picture.stamp * rate > first + slack):
                yield before
            before = picture
            if last is not None and picture.stamp * rate > last + 0.5:
                self._following = picture.stamp
                return
        if before is not None and (before.stamp * rate > first - 0.5 or first == 0):
            yield before

    def _decoded(self) -> Iterator[Picture]:
        with parsing(self._source, "movie", "convert it, or give another file"):
            yield from self._movie.pictures()

    def place(self, stamps: FloatArray) -> Placement:
        following = [] if self._following is None else [self._following]
        found = placed(np.append(stamps, following), self.own_rate, self._movie.header.tick)
        read = found.pictures < len(stamps)
        rate = self.rate if self.rate != self.own_rate else found.rate
        return Placement(found.frames[read], found.pictures[read], rate, found.constant)

    def shortfall(self, placement: Placement, last: int | None) -> tuple[int, str]:
        movie = self._movie
        holes = placement.holes if placement.constant else 0
        longest = max(np.diff(placement.frames), default=0) / float(self.own_rate)
        unread = max(movie.unread, holes) if movie.unread or movie.cut or longest > LONG_HOLE else 0
        missing = unread + round(movie.cut * float(self.own_rate))
        if self._is_whole and movie.header.frames:  # undecoded pictures at the end count once
            missing = min(missing, max(movie.header.frames - len(np.unique(placement.pictures)), 1))
        said = []
        if unread:
            said.append(f"{_count(unread, 'picture')} cannot be decoded")
        if movie.cut and last is None:
            said.append(f"the last {movie.cut:.1f} s are missing")
        if _stamp(self._path) != self._stamp:
            said.append("the file was changed while it was read")
            missing = max(missing, 1)
        return (missing, "The clip is damaged: " + ", ".join(said)) if said else (0, "")

    def notes(self, placement: Placement) -> list[str]:
        notes = list(self._movie.notes)
        own = f"{float(placement.rate if self.rate == self.own_rate else self.own_rate):.6g}"
        if not placement.constant:
            notes.append(
                f"The clip has a variable frame rate: at {own} frames a second each picture is held until the next one"
            )
        elif placement.holes and not self._movie.unread:
            notes.append(f"{_count(placement.holes, 'picture')} missing in the clip: those frames have no keys")
        if self.rate != self.own_rate:
            notes.append(f"The clip of {own} frames a second is played at {float(self.rate):.6g}, frame for frame")
        elif placement.rate != self.own_rate:
            notes.append(
                f"The clip says {float(self.own_rate):g} frames a second, {own} are taken; Blender shows it "
                "out of step: convert it to a constant frame rate"
            )
        return notes


# --- image sequences ------------------------------------------------------------------------------------------------


class _Images:
    """The pictures of an image sequence: file N is frame N, counted from the first file's number."""

    sound_start = 0.0

    def __init__(
        self, source: str, sequence: ImageSequence, rate: Fraction | None, first: int, last: int | None
    ) -> None:
        self._source, self._sequence, self._said = source, sequence, rate is not None
        self.rate = self.own_rate = standard_rate(SEQUENCE_FPS) if rate is None else rate
        chosen = self._chosen(first, last)
        if not chosen:
            raise InputError(f"{source}: has {sequence.length} frames: there is no frame {first}")
        self._unread: list[tuple[int, str]] = []  # frames that cannot be decoded, and the reasons
        self._images = ImageReader(isolated=len(sequence.files) > 1)
        try:
            self._first_read, self._start = self._first_readable(chosen)
        except BaseException:
            self._images.close()
            raise
        self.size = (self._start.shape[1], self._start.shape[0])

    def close(self) -> None:
        self._images.close()

    def expected(self, first: int, last: int | None) -> int | None:
        return len(self._chosen(first, last))

    def read(self, first: int, last: int | None) -> Iterator[Picture]:
        for frame, path in self._chosen(first, last):
            if frame < self._first_read:
                continue  # unread, and counted
            try:
                image = self._start if frame == self._first_read else self._images.read(path)
            except InputError as error:
                self._unread.append((frame, str(error)))
                continue
            if image.shape != self._start.shape:
                width, height = self.size
                raise InputError(f"{path}: is not {width} x {height} like the images before it: make them one size")
            yield Picture(frame / float(self.rate), image)

    def place(self, stamps: FloatArray) -> Placement:
        frames = np.rint(stamps * float(self.rate)).astype(int)
        return Placement(frames, np.arange(len(frames)), self.rate, True)

    def shortfall(self, placement: Placement, last: int | None) -> tuple[int, str]:
        if not self._unread:
            return 0, ""
        count = _count(len(self._unread), "picture")
        return len(self._unread), f"The sequence is damaged: {count} cannot be decoded: {self._unread[0][1]}"

    def notes(self, placement: Placement) -> list[str]:
        rate, step = float(self.rate), self._sequence.step
        if step > 1 and not self._said:
            return [
                f"The files' numbers go up by {step}: at {rate:g} numbers a second that is {rate / step:g} images a "
                "second; --fps N says how many numbers a second there are"
            ]
        frames = placement.frames
        unread = sum(bool(frames[0] < frame < frames[-1]) for frame, _ in self._unread) if len(frames) else 0
        holes = placement.holes - unread
        if holes and step == 1:
            return [f"{_count(holes, 'number')} missing in the sequence: those frames have no keys"]
        return []

    def _first_readable(self, chosen: list[tuple[int, Path]]) -> tuple[int, UInt8Array]:
        """Return the first picture that can be decoded and its frame. Raises InputError where there is none."""
        failed: InputError | None = None
        for frame, path in chosen:
            try:
                return frame, self._images.read(path)
            except InputError as error:
                failed = failed or error
                self._unread.append((frame, str(error)))
        assert failed is not None  # chosen has a picture
        raise failed

    def _chosen(self, first: int, last: int | None) -> list[tuple[int, Path]]:
        """Return (frame, file) of the range; of a range that lies in a hole the file before it."""
        start = self._sequence.first
        numbered = [(number - start, path) for number, path in self._sequence.files]
        chosen = [(f, path) for f, path in numbered if f >= first and (last is None or f <= last)]
        if not chosen and first < self._sequence.length:
            return [(first, self._sequence.file_at(first))]
        return chosen


_Pictures = _Film | _Images


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class _Ahead:
    """An iterator run in a separate thread, a few pictures ahead. Decoding does not hold the interpreter lock."""

    def __init__(self, pictures: Iterator[Picture]) -> None:
        self._source = pictures
        self._queue: queue.Queue[Picture | BaseException | None] = queue.Queue(PREFETCH)
        self._stopped = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Picture]:
        while not self._ended:
            item = self._queue.get()
            if item is None:
                self._ended = True
                return
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            yield item

    def stop(self) -> None:
        """End the thread, so that its source can be closed."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)

    def _fill(self) -> None:
        last: BaseException | None = None
        try:
            for picture in self._source:
                self._queue.put(picture)
                if self._stopped.is_set():
                    return
        except BaseException as error:  # raised again in the consumer's thread
            last = error
        self._queue.put(last)
        if last is not None:
            self._queue.put(None)


def _stamp(path: Path) -> tuple[int, int]:
    """Return values that change when a file is written to."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_size, found.st_mtime_ns)

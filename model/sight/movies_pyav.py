"""Movies read by PyAV: time stamps, sample aspect ratio, rotation, colour range, and the right video stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter

from ..array_types import UInt8Array
from ..errors import InputError
from .frame_clock import STANDARD_RATES, standard_rate
from .movies import FALLBACK_RATE, MovieHeader, Picture, check_size, increasing, square_size

av.logging.set_level(None)  # InputError names the fault of a file

MOST_ERRORS = 100_000  # packets that cannot be decoded, after which reading stops
UNTAGGED = 2  # FFmpeg's number for unknown colours
HD_HEIGHT = 720  # from this height on, untagged colours are BT.709, as in players


class PyAvMovie:
    """A movie's pictures; see ``movies.Movie``."""

    def __init__(self, source: str, path: Path) -> None:
        self.notes: list[str] = []
        self.unread = 0
        self.cut = 0.0
        self._source = source
        self._start: Fraction | None = None  # the clip's start in the file's time
        self._converter = VideoReformatter()  # for all pictures: its tables take as long as a small picture
        try:
            self._container = av.open(str(path), metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{source}: not a movie or an image that can be read: give another file") from error
        try:
            self._stream, self._first = self._readable_stream()
            self.header = self._header()
        except BaseException:
            self._container.close()
            raise

    def close(self) -> None:
        self._container.close()

    def pictures(self) -> Iterator[Picture]:
        previous: float | None = None
        count = 0
        for frame, moment in self._shown():
            count += 1
            start = self._start if self._start is not None else moment
            self._start = start
            stamp = 0.0 if moment is None or start is None else float(moment - start)
            if moment is None and previous is not None:
                stamp = previous
            previous = increasing(max(stamp, 0.0), previous, self.header.rate)
            yield Picture(previous, self._image(frame))
        self.cut = self._missing_at_the_end(0.0 if previous is None else previous)
        if not self.cut and self._counts_pictures():
            self.unread = max(self.unread, self._stream.frames - count)

    def _shown(self) -> Iterator[tuple[Any, Fraction | None]]:
        """Yield decoded frames, deinterlaced, each with its time in seconds of the file; count broken ones."""
        deinterlace: _Deinterlacer | None = None
        size = (self._first.width, self._first.height)
        for frame in self._decoded(self._stream):
            if frame is None:
                self.unread += 1
                continue
            if (frame.width, frame.height) != size:
                raise InputError(f"{self._source}: changes its size on the way: convert it to one size")
            if frame.interlaced_frame and deinterlace is None:
                deinterlace = _Deinterlacer.of(frame)
                self.notes.append("The clip is interlaced: its pictures are deinterlaced")
            for shown in deinterlace.push(frame) if deinterlace else [frame]:
                yield shown, _moment(shown)
        if deinterlace:
            for shown in deinterlace.push(None):
                yield shown, _moment(shown)

    def _decoded(self, stream: Any) -> Iterator[Any]:
        """Yield decoded frames in order of time, and None for each packet that cannot be decoded.

        FFmpeg's frame threads stay off: they lose frames beside a broken one without an error.
        """
        broken = 0
        counted: deque[int] = deque()  # an AVI has no presentation times: the n-th picture has the n-th packet's
        is_avi = self._container.format.name == "avi"
        packets = self._container.demux(stream)
        while broken < MOST_ERRORS:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError):  # the file breaks here
                yield None
                yield from self._flushed(stream)
                return
            if is_avi and packet.dts is not None:
                counted.append(packet.dts)
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, OSError):
                broken += 1
                if packet.size:  # else it is the end
                    yield None
                if counted:
                    counted.pop()
                continue
            for frame in frames:
                if counted:
                    frame.pts = counted.popleft()
                yield frame

    @staticmethod
    def _flushed(stream: Any) -> Iterator[Any]:
        """Yield the frames that the decoder still holds. They have no unit of time: without a packet it is unknown."""
        try:
            for frame in stream.codec_context.decode(None):
                frame.time_base = stream.time_base
                yield frame
        except (av.error.FFmpegError, OSError):
            return

    def _readable_stream(self) -> tuple[Any, Any]:
        """Return the video stream to read and its first picture: the best that is no cover and can be decoded."""
        best = self._container.streams.best("video")
        streams = [s for s in self._container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        streams = streams or list(self._container.streams.video)  # a song's cover: a clip of one picture
        streams.sort(key=lambda stream: (stream is not best, stream.index))
        best_index = streams[0].index if streams else 0
        for index in [stream.index for stream in streams]:
            stream: Any = self._container.streams[index]
            try:
                check_size(self._source, stream.codec_context.width, stream.codec_context.height)
                first = next((frame for frame in self._decoded(stream) if frame is not None), None)
                stream = self._reopened(stream.index)
            except (av.error.FFmpegError, OSError, ValueError, AttributeError):  # no decoder for it
                continue
            if first is not None:
                if index > min(s.index for s in self._container.streams.video) and index == best_index:
                    self.notes.append(
                        "The clip's first video stream is a cover picture, which Blender shows behind the head: "
                        "save the film without it"
                    )
                if index != best_index:
                    self.notes.append(f"Video stream {best_index} cannot be decoded: {index} is read")
                return stream, first
        raise InputError(f"{self._source}: holds no picture: it is empty, cut short, or of an unknown kind")

    def _reopened(self, index: int) -> Any:
        """Return a video stream from its start, in the file opened anew: seeking is not exact in every format."""
        path = self._container.name
        self._container.close()
        self._container = av.open(path, metadata_errors="replace")
        return self._container.streams[index]

    def _header(self) -> MovieHeader:
        stream = self._stream
        first = self._first
        rate = Fraction(stream.guessed_rate or stream.average_rate or FALLBACK_RATE)
        rate = rate if 0 < rate <= 100_000 else FALLBACK_RATE
        usual = standard_rate(float(rate))
        rate = usual if usual in STANDARD_RATES else rate  # FFmpeg finds 19001/317 for 60000/1001 in milliseconds
        self._start = None if stream.start_time is None else stream.start_time * stream.time_base
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        self._square = square_size(first.width, first.height, aspect)
        turned = self._turns(first) % 2
        size = self._square[::-1] if turned else self._square
        check_size(self._source, *size)
        seconds = self._seconds()
        frames = stream.frames or (round(seconds * rate) if seconds else None)
        return MovieHeader(size, rate, float(stream.time_base), frames, self._sound_start())

    def _seconds(self) -> float | None:
        """Return the duration of the pictures in seconds, as far as the file declares it."""
        stream, container = self._stream, self._container
        if stream.duration:
            return float(stream.duration * stream.time_base)
        tag = stream.metadata.get("DURATION", "")  # Matroska: 00:00:02.400000000
        parts = tag.replace("\0", "").split(":")
        try:
            if len(parts) == 3:
                start = float((stream.start_time or 0) * stream.time_base)
                return max(0.0, 3600 * int(parts[0]) + 60 * int(parts[1]) + float(parts[2]) - start)
        except ValueError:
            pass
        alone = len(container.streams) == 1
        return float(Fraction(container.duration, av.time_base)) if container.duration and alone else None

    def _counts_pictures(self) -> bool:
        """Return whether the file declares the number of its pictures; a trimmed file declares the hidden ones too."""
        stream = self._stream
        if not stream.frames or not stream.duration:
            return False
        return bool(abs(stream.duration * stream.time_base * self.header.rate - stream.frames) < 0.6)

    def _missing_at_the_end(self, last: float) -> float:
        seconds = self._seconds()
        if seconds is None:
            return 0.0
        missing = seconds - (last + 1 / float(self.header.rate))
        return missing if missing > max(1.5 / float(self.header.rate), 0.002 * seconds) else 0.0

    def _sound_start(self) -> float:
        sound: Any = self._container.streams.best("audio")
        if sound is None or sound.start_time is None or self._stream.start_time is None:
            return 0.0
        return float(sound.start_time * sound.time_base - self._stream.start_time * self._stream.time_base)

    def _image(self, frame: Any) -> UInt8Array:
        usual = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
        colours = usual.value if frame.colorspace == UNTAGGED else frame.colorspace
        width, height = self._square
        try:
            shown = self._converter.reformat(frame, width, height, "bgr24", src_colorspace=colours)
        except (ValueError, KeyError, av.error.FFmpegError):
            shown = self._converter.reformat(frame, width, height, "bgr24")
        image: Any = shown.to_ndarray()
        turns = self._turns(self._first)
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image

    @staticmethod
    def _turns(frame: Any) -> int:
        """Return the counter-clockwise quarter turns that make the picture upright."""
        return int(round(frame.rotation / 90) % 4)


def _moment(frame: Any) -> Fraction | None:
    return None if frame.pts is None else frame.pts * frame.time_base


class _Deinterlacer:
    """FFmpeg's bwdif over the frames that are marked as interlaced: one frame out for each in."""

    def __init__(self, graph: Any, source: Any, sink: Any) -> None:
        self._graph, self._source, self._sink = graph, source, sink

    @classmethod
    def of(cls, frame: Any) -> _Deinterlacer:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        graph.configure()
        return cls(graph, source, sink)

    def push(self, frame: Any | None) -> list[Any]:
        """Take a frame, or None at the end; return the frames that are ready."""
        self._source.push(frame)
        ready = []
        while True:
            try:
                ready.append(self._sink.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return ready

"""One clock: which picture of a clip lies on which frame, by PyAV and by OpenCV, and what is missing is counted."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.sight import movie_readers
from expnet.model.sight.frame_clock import STANDARD_RATES, placed, standard_rate
from expnet.model.sight.video import open_clip, picture_at

from .numbered_clips import HEIGHT, WIDTH, number_in, numbered, numbered_clip, with_bytes_damaged

av = pytest.importorskip("av")
NTSC = Fraction(30_000, 1001)


@pytest.fixture(params=["PyAV", "OpenCV"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the reader in use: PyAV, and what is left without it."""
    if request.param == "OpenCV":
        monkeypatch.setattr(movie_readers, "find_spec", lambda name: None)
    return request.param


def frames_and_numbers(path: Path, **options: object) -> dict[int, int]:
    """Return the number in the picture on each frame of the clip."""
    with open_clip(path, **options) as clip:  # type: ignore[arg-type]
        numbers = [number_in(frame.image) for frame in clip]
        placement = clip.placement()
    return {int(frame): numbers[picture] for frame, picture in zip(placement.frames, placement.pictures)}


def each(numbers: object) -> dict[int, int]:
    return {n: n for n in numbers}  # type: ignore[attr-defined]


class TestConstantRate:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
    @pytest.mark.parametrize("rate", [Fraction(24), NTSC, Fraction(60_000, 1001)])
    def test_every_picture_has_its_own_frame(self, tmp_path: Path, suffix: str, rate: Fraction) -> None:
        path = numbered_clip(tmp_path / f"clip{suffix}", range(40), rate)
        with open_clip(path) as clip:
            assert clip.rate == rate
        assert frames_and_numbers(path) == each(range(40))

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
    def test_one_frame_that_is_missing_is_a_hole(self, tmp_path: Path, suffix: str) -> None:
        kept = [n for n in range(60) if n != 20]
        path = numbered_clip(tmp_path / f"clip{suffix}", kept)
        assert frames_and_numbers(path) == each(kept)
        with open_clip(path) as clip:
            assert clip.rate == 30 and len(list(clip)) == 59
            assert clip.shortfall() == (0, ""), "it was dropped when it was taken: nothing is damaged"
            assert clip.notes() == ["1 picture missing in the clip: those frames have no keys"]

    @pytest.mark.parametrize("start", [Fraction(1, 2), Fraction(1023, 48_000), Fraction(2)])
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
    def test_the_first_picture_need_not_be_at_zero(self, tmp_path: Path, suffix: str, start: Fraction) -> None:
        path = numbered_clip(tmp_path / f"clip{suffix}", range(50), Fraction(60), start=start, sound_from=Fraction(0))
        assert frames_and_numbers(path) == each(range(50))

    def test_a_range_keeps_its_frames(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "clip.mkv", range(40), NTSC)
        assert frames_and_numbers(path, first=7, last=12) == each(range(7, 13))
        assert frames_and_numbers(path, first=39, last=39) == {39: 39}

    def test_the_picture_of_one_frame(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "clip.mkv", [n for n in range(40) if n != 20])
        assert [number_in(picture_at(path, n)) for n in (0, 19, 20, 21, 39)] == [0, 19, 19, 21, 39]

    def test_another_rate_changes_every_frame_s_time(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "clip.mp4", range(20))
        with open_clip(path, fps=25) as clip:
            list(clip)
            assert clip.placement().rate == clip.rate == 25
            assert list(clip.placement().frames) == list(range(20))
            assert clip.notes() == ["The clip of 30 frames a second is played at 25, frame for frame"]

    @pytest.mark.parametrize("fps", [0.0, -25.0, 1e6, float("nan")])
    def test_an_absurd_rate_is_refused(self, tmp_path: Path, fps: float) -> None:
        with pytest.raises(InputError, match="no frame rate"):
            open_clip(numbered_clip(tmp_path / "clip.mp4", range(5)), fps=fps)


class TestVariableRate:
    NUMBERS = [*range(0, 36, 3), *range(36, 60, 2), *range(60, 75)]

    def test_each_frame_has_the_picture_that_blender_shows_there(self, tmp_path: Path) -> None:
        """A movie clip of Blender holds a picture until the stamp of the next one."""
        path = numbered_clip(tmp_path / "clip.mp4", self.NUMBERS)
        shown = frames_and_numbers(path)
        assert list(shown) == list(range(75))
        assert shown == {n: max(m for m in self.NUMBERS if m <= n) for n in range(75)}
        with open_clip(path) as clip:
            list(clip)
            assert "variable frame rate" in clip.notes()[0] and len(clip.notes()) == 1
            assert clip.placement().rate == 30

    def test_a_range_may_begin_and_end_while_a_picture_is_held(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "clip.mp4", self.NUMBERS)
        assert frames_and_numbers(path, first=4, last=10) == {4: 3, 5: 3, 6: 6, 7: 6, 8: 6, 9: 9, 10: 9}
        assert frames_and_numbers(path, first=7, last=7) == {7: 6}


class TestPlacement:
    @given(
        st.sampled_from(STANDARD_RATES),
        st.integers(3, 300),
        st.sampled_from([1e-3, 1 / 600, 1 / 15_360, 1 / 90_000]),
        st.randoms(use_true_random=False),
    )
    def test_coarse_stamps_of_a_constant_rate_are_whole_frames(self, rate, count, tick, random) -> None:
        if float(rate) * tick > 0.8:
            return
        stamps = np.rint(np.arange(count) / float(rate) / tick) * tick
        found = placed(stamps, rate, tick)
        assert found.constant and found.holes == 0
        np.testing.assert_array_equal(found.frames, np.arange(count))

    @given(st.lists(st.floats(0.002, 0.5), min_size=2, max_size=60))
    @example([0.3, 0.41, 0.19000047])  # half a microsecond after a frame begins
    def test_whatever_the_stamps_each_frame_has_the_last_picture_before_it(self, steps: list[float]) -> None:
        stamps = np.concatenate([[0.0], np.cumsum(steps)])
        found = placed(stamps, Fraction(30))
        assert (np.diff(found.frames) > 0).all()
        if not found.constant:
            for frame, picture in zip(found.frames, found.pictures):
                assert picture == np.flatnonzero(stamps * 30 <= frame + 1e-6)[-1]

    def test_a_rate_that_is_the_unit_of_the_stamps_is_not_believed(self) -> None:
        stamps = np.arange(50) / 25 + np.random.default_rng(0).integers(0, 3, 50) / 1000
        assert placed(stamps - stamps[0], Fraction(1000), 1e-3).rate == 25

    def test_stamps_that_span_years_are_refused(self) -> None:
        with pytest.raises(InputError, match="constant frame rate"):
            placed(np.array([0.0, 0.1, 1e9]), Fraction(30))

    @pytest.mark.parametrize(
        "rate, exact", [(29.97, NTSC), (23.976, Fraction(24_000, 1001)), (25.0, Fraction(25)), (12.5, Fraction(25, 2))]
    )
    def test_rates_are_fractions(self, rate: float, exact: Fraction) -> None:
        assert standard_rate(rate) == exact


class TestShortReads:
    def test_a_damaged_middle_is_counted_and_the_rest_stays_at_its_time(self, tmp_path: Path) -> None:
        path = with_bytes_damaged(numbered_clip(tmp_path / "clip.mp4", range(72)), 0.4, 600)
        with open_clip(path) as clip:
            read = [number_in(frame.image) for frame in clip]
            frames = list(clip.placement().frames)
            unread, damage = clip.shortfall()
        assert 40 < len(read) < 72 and unread == 72 - len(read)
        assert damage == f"The clip is damaged: {unread} pictures cannot be decoded"
        assert frames[-1] == 71

    def test_a_tail_that_is_cut_off_is_counted(self, tmp_path: Path) -> None:
        source = numbered_clip(tmp_path / "whole.mkv", range(72))
        path = tmp_path / "clip.mkv"
        path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
        with open_clip(path) as clip:
            read = len(list(clip))
            unread, damage = clip.shortfall()
        assert 10 < read < 60
        assert unread == pytest.approx(72 - read, abs=2) and "the last" in damage and "missing" in damage

    @pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4", ".mov"])
    def test_whatever_is_cut_off_what_is_there_is_at_its_time(self, tmp_path: Path, suffix: str, reader: str) -> None:
        """Anywhere, also within the pictures that wait in the decoder; the header of MP4 and MOV is at the front.

        Where pictures are missing among the last ones, the one before is held. OpenCV does not tell the stamps of the
        pictures that its decoder still holds.
        """
        whole = numbered_clip(tmp_path / f"whole{suffix}", range(30), fast_start=True).read_bytes()
        path, read = tmp_path / f"cut{suffix}", []
        for share in np.linspace(0.04, 0.99, 40):
            path.write_bytes(whole[: int(share * len(whole))])
            try:
                found = frames_and_numbers(path)
            except InputError as error:
                assert "\n" not in str(error)
                continue
            read.append(len(found))
            assert reader == "OpenCV" or all(frame - 4 < number <= frame for frame, number in found.items()), share
        assert len(read) > 10

    @pytest.mark.parametrize("broken", range(1, 12))
    def test_a_file_that_breaks_off_inside_gives_what_the_decoder_holds(
        self, tmp_path: Path, broken: int, reader: str
    ) -> None:
        """A packet that is larger than the file ends the reading; pictures before it still wait in the decoder."""
        path = numbered_clip(tmp_path / "clip.mp4", range(12))
        data = bytearray(path.read_bytes())
        sizes = data.index(b"stsz") + 16
        struct.pack_into(">I", data, sizes + 4 * broken, 0x7FFFFFFF)
        path.write_bytes(data)
        with open_clip(path) as clip:
            numbers = [number_in(frame.image) for frame in clip]
            unread, line = clip.shortfall()
        assert numbers == sorted(set(numbers)) and 1 <= len(numbers) < 12
        if reader == "PyAV":
            assert 1 <= unread <= 12 - len(numbers) and line.startswith("The clip is damaged: ")

    def test_where_the_first_stream_is_broken_the_next_one_is_read_and_said(self, tmp_path: Path, reader: str) -> None:
        whole, path = numbered_clip(tmp_path / "whole.mp4", range(24)), tmp_path / "two.mp4"
        with av.open(str(whole)) as source, av.open(str(path), "w") as container:
            streams = [container.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
            for packet in source.demux(video=0):
                if packet.dts is None:
                    continue
                broken = av.Packet(bytes(packet.size))
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.is_keyframe, broken.stream = packet.is_keyframe, streams[0]
                container.mux(broken)
                packet.stream = streams[1]
                container.mux(packet)
        if reader == "OpenCV":  # it reads the first stream only
            with pytest.raises(InputError, match="holds no picture"):
                open_clip(path)
            return
        assert frames_and_numbers(path) == each(range(24))
        with open_clip(path) as clip:
            list(clip)
            assert clip.notes() == ["Video stream 0 cannot be decoded: 1 is read"]

    @pytest.mark.parametrize("suffix", [".mp4", ".mov"])
    def test_a_trimmed_clip_is_not_damaged(self, tmp_path: Path, suffix: str, reader: str) -> None:
        """As phones trim: the pictures before the start stay in the file, and an edit list hides them."""
        whole = numbered_clip(tmp_path / f"whole{suffix}", range(40))
        path = tmp_path / f"trimmed{suffix}"
        with av.open(str(whole)) as source, av.open(str(path), "w") as container:
            stream = container.add_stream_from_template(source.streams.video[0])
            hidden = round(7 / 30 / source.streams.video[0].time_base)
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.pts, packet.dts, packet.stream = packet.pts - hidden, packet.dts - hidden, stream
                    container.mux(packet)
        with open_clip(path) as clip:
            numbers = [number_in(frame.image) for frame in clip]
            if reader == "PyAV":
                assert numbers == list(range(7, 40)) and clip.shortfall() == (0, "")

    @pytest.mark.parametrize("case", range(40))
    def test_a_damaged_clip_is_read_or_refused_in_one_line(self, tmp_path: Path, case: int) -> None:
        rng = np.random.default_rng(case)
        path = numbered_clip(tmp_path / f"clip{('.ts', '.mp4')[case % 2]}", range(12))
        data = bytearray(path.read_bytes())
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(data) - 8))
            data[at : at + 8] = rng.integers(0, 256, rng.integers(0, 9), np.uint8).tobytes()
        path.write_bytes(data)
        try:
            with open_clip(path) as clip:
                assert all(frame.image.shape == (HEIGHT, WIDTH, 3) for frame in clip)
                clip.placement()
        except InputError as error:
            assert "\n" not in str(error)

    def test_a_file_that_is_written_to_while_it_is_read(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "clip.mp4", range(30))
        with open_clip(path) as clip:
            for frame in clip:
                if frame.index == 10:
                    with path.open("ab") as file:
                        file.write(b"more")
            unread, damage = clip.shortfall()
        assert unread and "was changed while it was read" in damage

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts", ".webm"])
    @pytest.mark.parametrize("sound", [None, Fraction(0), Fraction(-1, 4) + Fraction(1, 2)])
    def test_a_whole_clip_lacks_nothing(self, tmp_path: Path, suffix: str, sound: Fraction | None) -> None:
        if suffix == ".webm" and sound is not None:
            pytest.skip("AAC does not go into WebM")
        codec = "libvpx" if suffix == ".webm" else "libx264"
        path = numbered_clip(tmp_path / f"clip{suffix}", range(72), codec=codec, sound_from=sound)
        with open_clip(path) as clip:
            assert len(list(clip)) == 72
            assert clip.shortfall() == (0, "")
        assert [note for note in clip.notes() if "where the sound starts" not in note] == []


class TestPixels:
    def test_a_picture_is_as_broad_as_it_is_meant(self, tmp_path: Path) -> None:
        path = numbered_clip(tmp_path / "hdv.mp4", range(5), aspect=Fraction(4, 3))
        with open_clip(path) as clip:
            assert clip.size == (213, 96)
            assert next(iter(clip)).image.shape == (96, 213, 3)

    def test_pixels_that_are_higher_than_wide(self, tmp_path: Path) -> None:
        with open_clip(numbered_clip(tmp_path / "dv.mp4", range(5), aspect=Fraction(8, 9))) as clip:
            assert clip.size == (160, 108)

    @pytest.mark.parametrize("full", [False, True])
    def test_limited_and_full_range_are_told_apart(self, tmp_path: Path, full: bool) -> None:
        path = tmp_path / "clip.mp4"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p" if full else "yuv420p"
            frame = av.VideoFrame(64, 48, video.pix_fmt)
            for plane, value in zip(frame.planes, (235, 128, 128)):
                plane.update(bytes([value]) * plane.buffer_size)
            container.mux(video.encode(frame))
            container.mux(video.encode())
        with open_clip(path) as clip:
            white = next(iter(clip)).image.mean()
        assert white == pytest.approx(235 if full else 255, abs=2)

    def test_ten_bits(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.mp4"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx265", rate=30, options={"x265-params": "log-level=none"})
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p10le"
            for value in (60, 120, 180):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode())
        with open_clip(path) as clip:
            assert [frame.image.mean() for frame in clip] == pytest.approx([60, 120, 180], abs=3)


def test_the_film_is_read_and_not_its_cover(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "cover.mkv"
    with av.open(str(path), "w") as container:
        cover, video = container.add_stream("mjpeg", rate=25), container.add_stream("libx264", rate=30)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*cover.encode(frame), *cover.encode()])
        for number in range(30):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        container.mux(video.encode())
    if reader == "OpenCV":
        with pytest.raises(InputError, match="cover picture"):
            open_clip(path)
    else:
        assert frames_and_numbers(path) == each(range(30))


@pytest.mark.parametrize("sound, starts", [(Fraction(0), -0.5), (Fraction(1, 2), 0.0), (Fraction(3, 4), 0.25)])
def test_where_the_sound_starts(tmp_path: Path, reader: str, sound: Fraction, starts: float) -> None:
    path = numbered_clip(tmp_path / "clip.mp4", range(30), start=Fraction(1, 2), sound_from=sound)
    with open_clip(path) as clip:
        if reader == "OpenCV":
            assert len(list(clip)) == 30 and clip.sound_start == 0
            (note,) = clip.notes()
            assert note == "Only the full engine knows where the sound starts: it is taken to start with the pictures"
            return
        assert clip.sound_start == pytest.approx(starts, abs=0.03)  # AAC's priming


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
@pytest.mark.parametrize("sound", [None, Fraction(0)])
def test_a_clip_without_sound_says_nothing_about_it(tmp_path: Path, suffix: str, sound: Fraction | None) -> None:
    path = numbered_clip(tmp_path / f"clip{suffix}", range(20), sound_from=sound)
    with open_clip(path) as clip:
        list(clip)
        told = [note for note in clip.notes() if "sound" in note]
    assert len(told) == (sound is not None and movie_readers.find_spec("av") is None)


def test_interlaced_footage_is_deinterlaced(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i in range(10):
            image = np.zeros((48, 64, 3), np.uint8)
            image[0::2, 4 * i : 4 * i + 20] = 255
            image[1::2, 4 * i + 10 : 4 * i + 30] = 255  # the second field, half a frame later
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            container.mux(video.encode(frame))
        container.mux(video.encode())
    with open_clip(path) as clip:
        images = [frame.image.astype(int) for frame in clip]
        if reader == "OpenCV":
            (note,) = clip.notes()
            assert note.startswith("The clip looks interlaced, and only the full engine deinterlaces")
            return
        assert clip.notes() == ["The clip is interlaced: its pictures are deinterlaced"]
    assert len(images) == 10
    combing = np.abs(images[5][1:-1:2] - (images[5][:-2:2] + images[5][2::2]) / 2)
    assert combing[2:-2].mean() < 40, "80 where the fields are woven"


@pytest.mark.parametrize("broken", [(3,), (1, 2), (5,)])
def test_a_broken_picture_of_a_sequence_is_counted_and_the_others_keep_their_frames(
    tmp_path: Path, broken: tuple[int, ...]
) -> None:
    from expnet.model.opencv import cv2

    for number in range(1, 6):
        cv2.imwrite(str(tmp_path / f"f_{number:04d}.png"), numbered(number))
    for number in broken:
        file = tmp_path / f"f_{number:04d}.png"
        file.write_bytes(file.read_bytes()[:-40])
    with open_clip(tmp_path) as clip:
        numbers = [number_in(frame.image) for frame in clip]
        placement, (unread, line), notes = clip.placement(), clip.shortfall(), clip.notes()
    assert numbers == [n for n in range(1, 6) if n not in broken]
    assert placement.frames.tolist() == [n - 1 for n in numbers]
    assert unread == len(broken)
    assert "cannot be decoded" in line and f"f_{broken[0]:04d}.png" in line
    assert notes == []


def test_a_sequence_without_a_picture_that_can_be_decoded_is_refused(tmp_path: Path) -> None:
    for number in range(1, 4):
        (tmp_path / f"f_{number:04d}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="f_0001.png"), open_clip(tmp_path):
        pass

"""Footage and pictures of every kind a user may point at, good and bad."""

import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.sight.image_header import image_header
from expnet.model.sight.images import read_image
from expnet.model.sight.video import open_clip

# Real clips, which are not ours to publish: beside the checkout where there are any.
FOOTAGE = Path(os.environ.get("EXPNET_SHARED", Path(__file__).parents[4] / "shared")) / "footage"


def picture(width: int = 64, height: int = 48, level: int = 0) -> np.ndarray:
    """Blue above, red below; ``level`` in the green channel tells frames apart."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = 255
    image[height // 2 :, :, 2] = 255
    image[..., 1] = level
    return image


def movie(
    path: Path, frames: int = 12, fps: float = 24.0, size: tuple[int, int] = (64, 48), codec: str = "mp4v"
) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    for index in range(frames):
        writer.write(picture(*size, level=10 * index % 256))
    writer.release()
    return path


def refused(read: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        read(*arguments)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- movies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, codec", [("a.mp4", "mp4v"), ("b.mov", "mp4v"), ("c.avi", "MJPG"), ("d.mkv", "mp4v")])
def test_a_movie_gives_its_frames_and_times(tmp_path: Path, name: str, codec: str) -> None:
    with open_clip(movie(tmp_path / name, codec=codec)) as clip:
        assert clip.size == (64, 48)
        assert clip.expected_frames == 12
        frames = list(clip)
    assert [f.index for f in frames] == list(range(12))
    np.testing.assert_allclose([f.time for f in frames], np.arange(12) / 24, atol=2e-3)
    assert frames[3].image.shape == (48, 64, 3) and frames[3].image.dtype == np.uint8
    assert frames[5].image[..., 1].mean() == pytest.approx(50, abs=8)


def test_all_pictures_of_a_movie_share_a_converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    av = pytest.importorskip("av")
    from expnet.model.sight import movies_pyav

    converter, made = movies_pyav.VideoReformatter, []

    def counted() -> object:
        made.append(converter())
        return made[-1]

    path = movie(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        alone = [f.reformat(64, 48, "bgr24", src_colorspace="ITU601").to_ndarray() for f in container.decode(video=0)]
    monkeypatch.setattr(movies_pyav, "VideoReformatter", counted)
    with open_clip(path) as clip:
        np.testing.assert_array_equal([frame.image for frame in clip], alone)
    assert len(made) == 1


@pytest.mark.parametrize("fps", [23.976, 25.0, 29.97, 60.0])
def test_the_true_frame_rate(tmp_path: Path, fps: float) -> None:
    with open_clip(movie(tmp_path / "clip.mp4", fps=fps)) as clip:
        list(clip)
        assert float(clip.placement().rate) == pytest.approx(fps, rel=1e-4)


def test_unicode_in_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "Møtet på 東京 – Ω"
    folder.mkdir()
    movie(tmp_path / "x.mp4").rename(folder / "klipp é.mp4")
    with open_clip(folder / "klipp é.mp4") as clip:
        assert len(list(clip)) == 12


def test_a_range_of_frames_keeps_its_place_in_time(tmp_path: Path) -> None:
    path = movie(tmp_path / "clip.mp4")
    with open_clip(path, first=4, last=7) as clip:
        assert clip.expected_frames == 4
        frames = list(clip)
    assert [f.index for f in frames] == [4, 5, 6, 7]
    assert frames[0].time == pytest.approx(4 / 24, abs=2e-3)
    assert frames[0].image[..., 1].mean() == pytest.approx(40, abs=8)
    assert "no picture" in refused(open_clip, path, 100)
    refused(open_clip, path, 5, 4)
    refused(open_clip, path, -1)


def test_a_movie_turned_by_its_metadata_stands_upright(tmp_path: Path) -> None:
    """A phone held upright writes lying frames and a matrix in the track header."""
    path = movie(tmp_path / "phone.mp4")
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    turned = (0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)  # a quarter clockwise
    data[matrix : matrix + 36] = struct.pack(">9i", *turned)
    path.write_bytes(data)
    with open_clip(path) as clip:
        assert clip.size == (48, 64)
        image = next(iter(clip)).image
    assert image.shape == (64, 48, 3)
    # What was above (blue) is now to the right.
    assert image[:, 36:, 0].mean() > 200 > 50 > image[:, :12, 0].mean()


def test_a_count_that_lies_is_not_believed(tmp_path: Path) -> None:
    """The tail of an AVI is gone; its header still promises 12 frames."""
    path = movie(tmp_path / "clip.avi", codec="MJPG", frames=12)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"00dc", 0, data.index(b"idx1"))])
    with open_clip(path) as clip:
        frames = list(clip)
        assert clip.expected_frames == 12
    assert 10 <= len(frames) < 12


def test_files_that_are_no_movies(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    assert "No such file" in refused(open_clip, path)
    path.touch()
    assert "empty" in refused(open_clip, path)
    path.write_bytes(b"To be, or not to be" * 100)
    assert "not a movie" in refused(open_clip, path)
    whole = movie(tmp_path / "whole.mp4").read_bytes()
    path.write_bytes(whole[: len(whole) // 3])  # the index of an mp4 is at its end
    assert str(path) in refused(open_clip, path)


def test_a_clip_can_be_left_at_any_frame(tmp_path: Path) -> None:
    before = threading.active_count()
    with open_clip(movie(tmp_path / "clip.mp4", frames=60)) as clip:
        for frame in clip:
            if frame.index == 3:
                break
    with open_clip(tmp_path / "clip.mp4"):
        pass
    assert threading.active_count() == before


def test_memory_stays_flat_over_a_long_clip(tmp_path: Path) -> None:
    path = movie(tmp_path / "long.avi", frames=400, size=(320, 240), codec="MJPG")
    tracemalloc.start()
    with open_clip(path) as clip:
        count = sum(1 for _ in clip)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert peak < 30 * 320 * 240 * 3, "no more than a few frames are held"


# --- image sequences ------------------------------------------------------------------------------------------------


def test_a_folder_of_images_is_a_clip(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"shot_{number}.png"), picture(level=number))
    (tmp_path / "notes.txt").write_text("not a frame")
    with open_clip(tmp_path, fps=10) as clip:
        frames = list(clip)
    assert [int(f.image[0, 0, 1]) for f in frames] == [1, 2, 10]
    np.testing.assert_allclose([f.time for f in frames], [0.0, 0.1, 0.9])


@pytest.mark.parametrize("pattern", ["shot_####.png", "shot_%04d.png"])
def test_a_numbered_sequence(tmp_path: Path, pattern: str) -> None:
    for number in range(1001, 1006):
        cv2.imwrite(str(tmp_path / f"shot_{number}.png"), picture(level=number - 1000))
    cv2.imwrite(str(tmp_path / "other_1001.png"), picture(10, 10))
    with open_clip(tmp_path / pattern, first=1, last=3) as clip:
        assert (clip.expected_frames, clip.rate) == (3, 24)
        frames = list(clip)
    assert [f.index for f in frames] == [1, 2, 3]
    assert [int(f.image[0, 0, 1]) for f in frames] == [2, 3, 4]
    assert frames[0].time == pytest.approx(1 / 24)


def test_one_image_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    with open_clip(tmp_path / "a.png") as clip:
        assert len(list(clip)) == 1


def test_sequences_that_cannot_be_read(tmp_path: Path) -> None:
    assert "no images" in refused(open_clip, tmp_path)
    assert "no file" in refused(open_clip, tmp_path / "shot_####.png")
    assert "no folder" in refused(open_clip, tmp_path / "nowhere" / "shot_####.png")
    cv2.imwrite(str(tmp_path / "a_1.png"), picture())
    cv2.imwrite(str(tmp_path / "a_2.png"), picture(32, 32))
    refused(open_clip, tmp_path, 7)
    refused(open_clip, tmp_path, None, None, -3.0)
    with open_clip(tmp_path) as clip:
        assert "a_2.png" in refused(list, clip)


# --- images ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm"])
def test_image_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bilde å{suffix}"
    path.write_bytes(cv2.imencode(suffix, picture())[1].tobytes())
    image = read_image(path)
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[5, 5], [255, 0, 0], atol=6)
    header = image_header(path.read_bytes())
    assert header is not None and (header.width, header.height) == (64, 48)


def test_depths_and_channels_become_plain_colour(tmp_path: Path) -> None:
    def through(array: np.ndarray, name: str = "a.png") -> np.ndarray:
        cv2.imwrite(str(tmp_path / name), array)
        image = read_image(tmp_path / name)
        assert image.dtype == np.uint8 and image.shape[2] == 3
        return image

    np.testing.assert_array_equal(through(picture().astype(np.uint16) * 257), picture())
    np.testing.assert_array_equal(through(picture().astype(np.uint16) * 257, "a.tif"), picture())
    grey = through(np.full((8, 8), 77, np.uint8))
    assert (grey == 77).all()
    assert (through(np.full((8, 8), 77 * 257, np.uint16)) == 77).all()
    see_through = np.dstack([picture(), np.zeros((48, 64), np.uint8)])
    assert (through(see_through) == 128).all(), "what is transparent is grey, not what happens to lie under it"
    opaque = np.dstack([picture(), np.full((48, 64), 255, np.uint8)])
    np.testing.assert_array_equal(through(opaque), picture())
    assert through(np.full((1, 1, 3), 9, np.uint8)).shape == (1, 1, 3)


def test_a_render_in_linear_light_is_shown_as_on_screen(tmp_path: Path) -> None:
    path = tmp_path / "render.exr"
    if not cv2.haveImageWriter(str(path)):
        pytest.skip("this OpenCV has no EXR")
    cv2.imwrite(str(path), np.full((8, 8, 3), 0.2140, np.float32))
    assert read_image(path)[0, 0, 0] == 127  # 21.4 % of the light is half way on the sRGB curve


def test_a_photo_is_turned_upright_by_its_exif(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", picture(64, 48))[1].tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # Orientation 6: a quarter clockwise
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    path = tmp_path / "phone.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    assert read_image(path).shape == (64, 48, 3)


def huge_png(width: int, height: int) -> bytes:
    """Return a black-and-white PNG of zeros: tiny on disk, gigantic unpacked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + width // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_gigantic_image_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(20_000, 20_000))
    tracemalloc.start()
    assert "20000 x 20000" in refused(read_image, path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_an_image_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    whole = cv2.imencode(suffix, noise)[1].tobytes()
    path = tmp_path / f"cut{suffix}"
    for share in (0.9, 0.5, 0.1, 0.001):
        path.write_bytes(whole[: max(1, int(len(whole) * share))])
        assert str(path) in refused(read_image, path)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert "No such file" in refused(read_image, path)
    path.touch()
    assert "empty" in refused(read_image, path)
    path.write_bytes(b"<html>not found</html>")
    assert "not an image" in refused(read_image, path)
    assert "not an image" in refused(read_image, movie(tmp_path / "clip.avi", codec="MJPG"))
    refused(read_image, tmp_path)


def test_bad_files_print_nothing(tmp_path: Path) -> None:
    """OpenCV and FFmpeg complain on stderr; our line is the only one a user sees."""
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", picture(200, 200))[1].tobytes()[:300])
    code = (
        "import sys; from expnet.model.sight.images import read_image\n"
        "from expnet.model.sight.video import open_clip\n"
        "for read, path in ((open_clip, sys.argv[1]), (read_image, sys.argv[2])):\n"
        "    try: read(path)\n"
        "    except ValueError: pass\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "a.mp4"), str(tmp_path / "b.png")]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert run.stdout == "" and run.stderr == ""


# --- real footage ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="no real clips here")
def test_real_clips() -> None:
    """The rates are those that Blender's movie clip has: face_then_none.mov has a variable one, 26.4/s on average."""
    for name, count, fps in [
        ("performance_360p.mp4", 472, 23.976), ("smile_360p.mp4", 72, 30.0),
        ("face_then_none.mov", 169, 30.0), ("no_face.mp4", 95, 24.0),
    ]:  # fmt: skip
        with open_clip(FOOTAGE / name) as clip:
            times = np.array([f.time for f in clip])
            assert len(times) == count
            assert (np.diff(times) > 0).all()
            assert float(clip.placement().rate) == pytest.approx(fps, abs=0.01)

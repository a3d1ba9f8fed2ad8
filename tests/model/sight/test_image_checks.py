"""Images whose sizes lie are refused before they are decoded; all others are decoded as they were."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.sight.image_checks import decodable
from expnet.model.sight.image_header import image_header
from expnet.model.sight.images import read_image

PICTURE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def coded(suffix: str, picture: np.ndarray = PICTURE, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, picture, options)
    assert done
    return data.tobytes()


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(InputError) as refusal:
        read_image(path)
    assert str(refusal.value).isprintable() and len(str(refusal.value)) <= 300
    return str(refusal.value)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".exr", ".hdr", ".pgm"])
def test_what_opencv_writes_is_decoded(tmp_path: Path, suffix: str) -> None:
    picture = PICTURE[:, :, 0] if suffix == ".pgm" else PICTURE
    if suffix in (".exr", ".hdr"):
        picture = (picture / np.float32(255)).astype(np.float32)
    (tmp_path / f"a{suffix}").write_bytes(coded(suffix, picture))
    image = read_image(tmp_path / f"a{suffix}")
    assert image.shape == (24, 32, 3) and image.dtype == np.uint8
    if suffix in (".png", ".bmp", ".tiff", ".ppm"):
        assert np.array_equal(image, PICTURE)


def test_alpha_and_depth_become_plain_colour(tmp_path: Path) -> None:
    deep = np.full((200, 8, 4), 65535, np.uint16)
    deep[100:, :, 3] = 0
    (tmp_path / "a.png").write_bytes(coded(".png", deep))
    image = read_image(tmp_path / "a.png")
    assert (image[:100] == 255).all() and (image[100:] == 128).all()


def test_the_animation_chunks_of_a_png_never_reach_the_decoder(tmp_path: Path) -> None:
    data = coded(".png")
    control, frame = chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", bytes(26))
    animated = data[:33] + control + frame + data[33:]
    header = image_header(animated)
    assert header is not None and decodable(tmp_path / "a.png", animated, header) == data
    (tmp_path / "a.png").write_bytes(animated)
    assert np.array_equal(read_image(tmp_path / "a.png"), PICTURE)
    assert "fcTL has 27 bytes" in refused(tmp_path / "a.png", data[:33] + chunk(b"fcTL", bytes(27)) + data[33:])


@pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1, 5000])
def test_a_png_chunk_longer_than_the_file(tmp_path: Path, length: int) -> None:
    data = coded(".png")
    assert "longer than the file" in refused(tmp_path / "a.png", data[:33] + chunk(b"tEXt", b"x", length) + data[33:])


def test_a_damaged_png_chunk(tmp_path: Path) -> None:
    data = bytearray(coded(".png"))
    data[60] ^= 1
    assert "the chunk IDAT is damaged" in refused(tmp_path / "a.png", bytes(data))


def test_jpeg_2000_is_not_read(tmp_path: Path) -> None:
    head = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x16ihdr" + struct.pack(">II", 8, 8) + bytes(100)
    assert "JPEG 2000 images are not read" in refused(tmp_path / "a.jp2", head)


def test_an_exr_with_two_sizes(tmp_path: Path) -> None:
    data = coded(".exr", (PICTURE / np.float32(255)).astype(np.float32))
    at = data.index(b"dataWindow\0box2i\0")
    twice = b"dataWindow\0box2i\0" + struct.pack("<i4i", 16, 0, 0, 20_000, 20_000)
    refused(tmp_path / "a.exr", data[:at] + twice + data[at:])
    hidden = b"comments\0string\0" + struct.pack("<i", len(twice)) + twice  # is text, and no size
    (tmp_path / "b.exr").write_bytes(data[:at] + hidden + data[at:])
    header = image_header(data[:at] + hidden + data[at:])
    assert header is not None and (header.width, header.height) == (32, 24)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("comment.ppm", b"P6 # 8 8\n30000 30000 255\n" + bytes(192)),
        ("short.pgm", b"P5 9000 9000 255\n" + bytes(100)),
        ("text.ppm", b"P3 9000 9000 255\n" + b"1 " * 100),
        ("core.bmp", b"BM" + struct.pack("<IHHIIHHHH", 26, 0, 0, 26, 12, 9000, 9000, 1, 24)),
        ("short.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 9000, 9000, 1, 24, 0, 0, 0, 0, 0, 0)),
        ("huge.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n"),
        ("other.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y  8  +X 8\n-Y 8 +X 8\n"),
    ],
)
def test_sizes_that_the_file_does_not_hold(tmp_path: Path, name: str, data: bytes) -> None:
    refused(tmp_path / name, data)


def tiff(**tags: int) -> bytes:
    entries = {
        "w256": 8,
        "h257": 8,
        "b258": 8,
        "c259": 1,
        "p262": 1,
        "s273": 8,
        "n277": 1,
        "r278": 8,
        "l279": 64,
    } | tags
    rows = b"".join(
        struct.pack("<HHII", int(k[1:]), 4, 1, v) for k, v in sorted(entries.items(), key=lambda e: e[0][1:])
    )
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + struct.pack("<H", len(entries)) + rows + bytes(4)


def test_tiff_strips_and_tiles_fit_to_the_picture(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff())
    assert read_image(tmp_path / "a.tif").shape == (8, 8, 3)
    assert "tiles are larger" in refused(tmp_path / "b.tif", tiff(x322=2**15, y323=2**15))
    assert "longer than the file" in refused(tmp_path / "b.tif", tiff(l279=2**31))
    assert "200 samples" in refused(tmp_path / "b.tif", tiff(n277=200))


def test_a_jpeg_of_a_thousand_scans(tmp_path: Path) -> None:
    data = coded(".jpg", PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    at = data.index(b"\xff\xda")
    assert "scans" in refused(tmp_path / "a.jpg", data[:at] + data[at : at + 14] * 1000 + data[at:])

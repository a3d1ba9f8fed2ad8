"""Still images are as broad as FFmpeg shows them; Blender shows the pixels only, and the scene is set accordingly."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from expnet.model.sight.images import read_image
from expnet.model.sight.pixel_aspect import pixel_aspect
from expnet.model.sight.video import open_clip

PICTURE = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), 8, 0), 8, 1)


def coded(suffix: str) -> bytearray:
    return bytearray(cv2.imencode(suffix, PICTURE)[1].tobytes())


def png(x: int, y: int, unit: int = 0) -> bytes:
    data = bytes(coded(".png"))
    chunk = b"pHYs" + struct.pack(">IIB", x, y, unit)
    return data[:33] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def jpeg(x: int, y: int, unit: int = 0) -> bytes:
    data = coded(".jpg")
    struct.pack_into(">BHH", data, data.index(b"JFIF\0") + 7, unit, x, y)
    return bytes(data)


def tiff(x: tuple[int, int], y: tuple[int, int]) -> bytes:
    """Eight bits of grey, one strip, with two resolutions."""
    height, width = PICTURE.shape[:2]
    fields = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 200), (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, width * height),
        (282, 5, 1, 180), (283, 5, 1, 188),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHIHH" if kind == 3 else "<HHII", tag, kind, count, value, *([0] if kind == 3 else []))
        for tag, kind, count, value in fields
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    return (head.ljust(180, b"\0") + struct.pack("<4I", *x, *y)).ljust(200, b"\0") + PICTURE[:, :, 0].tobytes()


def exr(aspect: float, folder: Path) -> bytes:
    cv2.imwrite(str(folder / "plain.exr"), (PICTURE / np.float32(255)).astype(np.float32))
    data = bytearray((folder / "plain.exr").read_bytes())
    struct.pack_into("<f", data, data.index(b"pixelAspectRatio\0float\0") + 27, aspect)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "size"),
    [
        ("a.png", png(4, 3), (85, 48)),
        ("a.png", png(3, 4), (64, 64)),
        ("a.png", png(4000, 3000, 1), (85, 48)),
        ("a.png", png(2835, 2835, 1), (64, 48)),
        ("a.jpg", jpeg(4, 3), (85, 48)),
        ("a.jpg", jpeg(3, 4), (64, 64)),
        ("a.jpg", jpeg(72, 72, 1), (64, 48)),
        ("a.jpg", jpeg(0, 3), (64, 48)),
        ("a.tif", tiff((72, 1), (96, 1)), (85, 48)),
        ("a.tif", tiff((4000, 10), (300, 1)), (64, 64)),
        ("a.tif", tiff((300, 1), (300, 1)), (64, 48)),
        ("a.tif", tiff((300, 1), (300, 0)), (64, 48)),
    ],
)
def test_an_image_is_as_broad_as_ffmpeg_shows_it(name: str, data: bytes, size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    image = read_image(tmp_path / name)
    assert (image.shape[1], image.shape[0]) == size
    small = cv2.resize(image, (8, 6), interpolation=cv2.INTER_AREA).astype(int)
    drawn = PICTURE[:, :, :1].repeat(3, 2) if name == "a.tif" else PICTURE
    wanted = cv2.resize(drawn, (8, 6), interpolation=cv2.INTER_AREA)
    assert np.abs(small - wanted).mean() < 12, "the same picture, stretched"
    _as_ffmpeg(tmp_path / name, data)


def _as_ffmpeg(path: Path, data: bytes) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        said = container.streams.video[0].sample_aspect_ratio or Fraction(1)
    kind = {".png": "PNG", ".jpg": "JPEG", ".tif": "TIFF", ".exr": "EXR"}[path.suffix]
    assert pixel_aspect(data, kind) == said


@pytest.mark.parametrize(("aspect", "width"), [(2.0, 128), (1.0, 64), (float("nan"), 64), (40.0, 64)])
def test_an_anamorphic_plate(aspect: float, width: int, tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(exr(aspect, tmp_path))
    assert read_image(tmp_path / "a.exr").shape[:2] == (48, width)


def test_pixels_that_no_camera_has_are_not_believed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1, 40))
    assert read_image(tmp_path / "a.png").shape[:2] == (48, 64)


def test_a_turned_image_is_stretched_the_other_way(tmp_path: Path) -> None:
    data = jpeg(4, 3)
    tags = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    segment = b"Exif\0\0" + tags
    header = b"\xff\xe1" + struct.pack(">H", len(segment) + 2)
    (tmp_path / "a.jpg").write_bytes(data[:20] + header + segment + data[20:])
    assert read_image(tmp_path / "a.jpg").shape[:2] == (85, 48)


def test_a_sequence_has_the_size_that_is_shown(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"a_{i}.png").write_bytes(png(4, 3))
    with open_clip(tmp_path) as clip:
        assert clip.size == (85, 48)
        assert [frame.image.shape for frame in clip] == [(48, 85, 3)] * 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "EXR", "BMP", "WebP"])
def test_what_is_no_such_file_has_square_pixels(kind: str) -> None:
    assert pixel_aspect(b"\x89PNG\r\n\x1a\n" + bytes(30), kind) == 1

"""Image files as BGR pictures, upright: their checks, their decoding, and their conversion to plain 8-bit colour."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from ..array_types import AnyArray, UInt8Array
from ..errors import InputError
from ..opencv import cv2
from ..reading import check_regular, parsing
from ..srgb import srgb
from .image_checks import decodable
from .image_header import image_header
from .movies import check_size, square_size
from .orientation import as_stored, orientation, upright
from .pixel_aspect import pixel_aspect
from .sequences import unread_format

_BAND = 64  # rows of an image that are converted at once


def read_image(path: str | Path) -> UInt8Array:
    """Read an image file as (H, W, 3) uint8 BGR, upright, with square pixels.

    Grey, 16-bit, float (linear light) and alpha (over grey) become plain colour. Raises InputError; the size is read
    from the header before anything is unpacked.
    """
    path = Path(path).expanduser()
    refuse_unread(readable(path))
    with parsing(path, "image", "save it again as PNG"):
        return _decoded(path, path.read_bytes())


def _decoded(path: Path, data: bytes) -> UInt8Array:
    header = image_header(data)
    if header is None:
        raise InputError(f"{path}: not an image that can be read: give a PNG, JPEG, TIFF, WebP, BMP or EXR file")
    check_size(str(path), header.width, header.height)
    if not header.whole:
        raise InputError(f"{path}: the image is cut short: copy it again")
    stored = decodable(path, data, header)
    # IMREAD_UNCHANGED keeps alpha and depth, and ignores the orientation, which OpenCV applies for some formats only.
    mode = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if header.format == "JPEG" else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(as_stored(stored, header.format), np.uint8), mode)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] not in ((header.height, header.width), (header.width, header.height)):
        raise InputError(f"{path}: the {header.format} image is broken or of an unknown kind: save it again as PNG")
    turned = orientation(data, header.format)
    return _with_square_pixels(path, _plain_colour(upright(image, turned)), pixel_aspect(data, header.format), turned)


def _with_square_pixels(path: Path, image: UInt8Array, aspect: Fraction, turned: int) -> UInt8Array:
    height, width = image.shape[:2]
    size = square_size(width, height, 1 / aspect if turned in (5, 6, 7, 8) else aspect)
    if size == (width, height):
        return image
    check_size(str(path), *size)
    stretched: UInt8Array = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return stretched


def _plain_colour(image: AnyArray) -> UInt8Array:
    if image.ndim == 2:
        image = image[:, :, None]
    colour, alpha = image[:, :, :3], None
    if image.shape[2] in (2, 4):
        colour, alpha = image[:, :, : image.shape[2] - 1], image[:, :, -1:]
    plain = np.empty((*image.shape[:2], 3), np.uint8)
    for first in range(0, len(image), _BAND):  # in bands, so that intermediate arrays take little memory
        band = slice(first, first + _BAND)
        plain[band] = _plain_band(colour[band], None if alpha is None else alpha[band])
    return plain


def _plain_band(colour: AnyArray, alpha: AnyArray | None) -> UInt8Array:
    if colour.dtype != np.uint8:
        colour = _to_8_bit(colour, linear=colour.dtype.kind == "f")
        alpha = None if alpha is None else _to_8_bit(alpha, linear=False)
    if alpha is not None and alpha.min() < 255:
        share = alpha.astype(np.float32) / 255
        colour = np.rint(colour * share + 128 * (1 - share)).astype(np.uint8)
    return colour  # a single channel is repeated for all three


def _to_8_bit(values: AnyArray, linear: bool) -> UInt8Array:
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype.kind != "f":
        scale = np.iinfo(values.dtype).max / 255
        return np.clip(values / scale, 0, 255).astype(np.uint8)
    unit = np.clip(np.nan_to_num(values.astype(np.float32)), 0, 1)
    if linear:
        unit = srgb(unit)
    pixels: UInt8Array = np.rint(unit * 255).astype(np.uint8)
    return pixels


def is_image_file(path: Path) -> bool:
    with readable(path).open("rb") as file:
        return image_header(file.read(65536)) is not None


def readable(path: Path) -> Path:
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


def refuse_unread(path: Path) -> None:
    kind = unread_format(path)
    if kind is not None:
        raise InputError(f"{path}: {kind} images are not read: save it as JPEG or PNG")

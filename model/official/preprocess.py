"""Preprocessing from a face's box to the inputs of the authors' networks, pixel for pixel as in their programs.

ExpNet, the shape net and FacePoseNet get one crop: a square about the box's centre, larger than the box by half
(``RELEASE``) or a quarter (``PAPER``), black outside the image, 227 pixels by OpenCV's cubic, and, in the release,
through a JPEG file. The two ResNets get it at 224 pixels by TensorFlow 1's bilinear, less a mean image. The newer
FacePoseNet, a separate program, cuts a wider square about a box that fits the face tightly.

Boxes are (x, y, width, height) in pixels. The release's own list does not define how a face fills its box, and its
detector was never published. ``box_of_crop`` gives the box in which the face lies as it does, on average, in the
training faces of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray, IntArray, UInt8Array
from ..camera import ANCHOR, SIDE_MM, Crop
from ..errors import InputError
from ..opencv import cv2

CROP, INPUT = 227, 224  # pixels of the crop, and of the ResNets' input
JPEG_QUALITY = 95  # OpenCV's default
LARGEST = 2.0  # a face's box in longer sides of the image

# Extent of the newer FacePoseNet's crop from a tight box's centre, in halves of its longer side: left, top, right and
# bottom.
TIGHT = (1.9255, 2.2591, 1.9423, 1.6087)

# Eyes and mouth in the mean image (224 pixels): measured there, accurate to about a pixel.
MEAN_FACE = np.array([[86.0, 94.5], [139.0, 94.5], [112.0, 152.0]])
# The same points of the open head, mm: right and left iris, mouth.
OPEN_FACE = np.array([[-30.8, 35.6, 93.8], [30.8, 35.6, 93.8], [0.0, -33.6, 112.6]])


@dataclass(frozen=True)
class Mode:
    """The rules for cutting out a face.

    ``margin`` is the part of the square beyond the box on each side, in sides of the box. With ``own_mean`` each
    network subtracts its own mean image, where there is one, instead of the shape net's.
    """

    name: str
    margin: float
    jpeg: bool
    own_mean: bool


RELEASE = Mode("release", 0.25, jpeg=True, own_mean=False)
PAPER = Mode("paper", 0.125, jpeg=False, own_mean=True)
MODES = {mode.name: mode for mode in (RELEASE, PAPER)}


@dataclass(frozen=True)
class Square:
    """The square that was cut from an image: first column and row, which may lie outside, and side in pixels."""

    x: int
    y: int
    side: int


# --- where -----------------------------------------------------------------------------------------------------------


def square_of_box(box: Sequence[float], size: tuple[int, int], margin: float) -> Square:
    """Return the square that the release cuts for a box, in an image of ``size`` (width, height).

    It rounds as the release does. Numbers are single precision. The part outside is filled up to whole pixels. All
    edges go up to the next whole pixel. Then the longer of both sides counts. Raises InputError for a box that is far
    too large.
    """
    x, y, width, height = map(float, box)
    side = max(width, height)
    middle = (x + (x + width)) / 2, (y + (y + height)) / 2
    edges = [np.float32(middle[0] - side / 2), np.float32(middle[1] - side / 2)]
    edges += [np.float32(middle[0] + side / 2), np.float32(middle[1] + side / 2)]
    grow, reach = np.float32(margin), np.float32(1 + margin)
    across, down = edges[2] - edges[0], edges[3] - edges[1]
    wide = (edges[0] - across * grow, edges[1] - down * grow, edges[0] + across * reach, edges[1] + down * reach)
    return _whole_pixels(wide, size)


def square_of_tight_box(box: Sequence[float], size: tuple[int, int]) -> Square:
    """Return the square that the newer FacePoseNet's program cuts for a box that fits the face tightly."""
    x, y, width, height = map(float, box)
    half = max(width, height) / 2
    cx, cy = x + width / 2, y + height / 2
    left, top, right, bottom = (factor * half for factor in TIGHT)
    edges = tuple(np.float32(edge) for edge in (cx - left, cy - top, cx + right, cy + bottom))
    return _whole_pixels(edges, size)


def _whole_pixels(edges: Sequence[np.float32], size: tuple[int, int]) -> Square:
    """Round the edges left, top, right, bottom to a square of whole pixels, in the image padded to hold them."""
    if max(edges[2] - edges[0], edges[3] - edges[1]) > 2 * LARGEST * max(size) or not np.isfinite(edges).all():
        raise InputError(f"the face's box is more than {LARGEST:g} times as large as the picture: give a smaller one")
    before = [max(0, int(np.ceil(-edge))) for edge in edges[:2]]
    # Single precision again, as the release stores the sums in it.
    low = [np.ceil(np.float32(float(edge) + fill)) for edge, fill in zip(edges[:2], before)]
    high = [np.ceil(np.float32(float(edge) + fill)) for edge, fill in zip(edges[2:], before)]
    side = int(max(high[0] - low[0], high[1] - low[1]))
    return Square(int(low[0]) - before[0], int(low[1]) - before[1], side)


def _place_in_mean_image() -> tuple[float, FloatArray]:
    """Return the similarity from a crop of ours to the frame of the mean image.

    It is its scale, and the point of that frame's unit square at the crop's centre. The head is seen from afar,
    upright.
    """
    mean = (MEAN_FACE + 0.5) / INPUT
    ours = (OPEN_FACE - ANCHOR)[:, :2] * (1, -1) / SIDE_MM
    a, b = ours - ours.mean(axis=0), mean - mean.mean(axis=0)
    scale = float((a * b).sum() / (a * a).sum())
    return scale, mean.mean(axis=0) - scale * ours.mean(axis=0)


SCALE, CENTRE = _place_in_mean_image()


def box_of_crop(crop: Crop) -> tuple[float, float, float, float]:
    """Return the box of the face whose own crop this is: its release square shows the face as the mean image does.

    The square stays upright when the face leans, as in the release: only its centre follows.
    """
    cx, cy = crop.to_image(0.5 + (0.5 - CENTRE) / SCALE)
    side = crop.side / SCALE / (1 + 2 * RELEASE.margin)
    return float(cx - side / 2), float(cy - side / 2), side, side


def tight_box_of_crop(crop: Crop) -> tuple[float, float, float, float]:
    """Return the same for the newer FacePoseNet, whose crop is the frame of the mean image too."""
    x, y, side, _ = box_of_crop(crop)
    left, top, right, bottom = TIGHT
    half = side * (1 + 2 * RELEASE.margin) / (left + right)
    cx = x + side / 2 + half * (left - right) / 2
    cy = y + side / 2 + half * (top - bottom) / 2
    return cx - half, cy - half, 2 * half, 2 * half


# --- pixels ----------------------------------------------------------------------------------------------------------


def cut_square(image: UInt8Array, square: Square, size: int) -> UInt8Array:
    """Cut the square of a BGR image (H, W, 3) uint8, black outside it, resized to (size, size, 3) by OpenCV's cubic."""
    height, width = image.shape[:2]
    x0, y0 = max(square.x, 0), max(square.y, 0)
    x1, y1 = min(square.x + square.side, width), min(square.y + square.side, height)
    whole = np.zeros((square.side, square.side, 3), np.uint8)
    if x1 > x0 and y1 > y0:
        whole[y0 - square.y : y1 - square.y, x0 - square.x : x1 - square.x] = image[y0:y1, x0:x1]
    picture: UInt8Array = cv2.resize(whole, (size, size), interpolation=cv2.INTER_CUBIC)
    return picture


def through_jpeg(picture: UInt8Array) -> UInt8Array:
    """Encode and decode a BGR picture as a JPEG file of OpenCV's default quality."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    decoded: UInt8Array = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return decoded


def crops_of(pictures: Sequence[UInt8Array]) -> FloatArray:
    """Stack crops (size, size, 3) uint8 to one batch (B, size, size, 3) float32."""
    return np.stack(pictures).astype(np.float32)


def resnet_input(crops: FloatArray, mean_image: FloatArray) -> FloatArray:
    """Convert (B, H, W, 3) float32, BGR 0..255, and a mean image (3, 224, 224) to (B, 3, 224, 224) float32."""
    small = legacy_bilinear(crops, INPUT).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(small - mean_image.astype(np.float32))


def facepose_input(crops: FloatArray, mean_bgr: FloatArray) -> FloatArray:
    """Convert (B, 227, 227, 3) float32, BGR 0..255, and a mean colour (3,) 0..1 to (B, 3, 227, 227) float32."""
    return np.ascontiguousarray((crops / np.float32(255) - mean_bgr.astype(np.float32)).transpose(0, 3, 1, 2))


def legacy_bilinear(images: FloatArray, size: int) -> FloatArray:
    """Resize (B, H, W, C) float32 to (B, size, size, C) as ``resize_bilinear`` of TensorFlow 1.

    Output pixel i is taken at i * H / size, between whole pixels, the last one repeated; corners are not aligned.
    """
    if images.shape[1:3] == (size, size):
        return images
    y0, y1, v = _neighbours(images.shape[1], size)
    x0, x1, u = _neighbours(images.shape[2], size)
    u, v = u[:, None], v[:, None, None]
    top, bottom = images[:, y0], images[:, y1]
    top = top[:, :, x0] + (top[:, :, x1] - top[:, :, x0]) * u
    bottom = bottom[:, :, x0] + (bottom[:, :, x1] - bottom[:, :, x0]) * u
    return top + (bottom - top) * v


def _neighbours(count: int, size: int) -> tuple[IntArray, IntArray, FloatArray]:
    at = np.arange(size, dtype=np.float32) * (np.float32(count) / np.float32(size))
    low = np.floor(at).astype(int)
    return low, np.minimum(low + 1, count - 1), at - low.astype(np.float32)

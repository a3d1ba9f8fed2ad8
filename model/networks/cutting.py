"""Resampling of crops to the pictures that the networks take."""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Crop
from ..opencv import cv2


def cut(image: UInt8Array, crop: Crop, size: int) -> UInt8Array:
    """Cut the crop as (size, size, 3) uint8, black outside the image, without aliasing.

    A face larger than twice the crop's resolution is first shrunk by averaging whole blocks of pixels.
    """
    matrix = crop.matrix(size)
    shrink = int(crop.side / size)
    if shrink >= 2:
        image, matrix = _shrunk(image, crop, matrix, shrink)
    pixels: UInt8Array = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return pixels


def _shrunk(image: UInt8Array, crop: Crop, matrix: FloatArray, shrink: int) -> tuple[UInt8Array, FloatArray]:
    """Return the part of the image that the crop needs at 1/shrink, and the crop's matrix into it."""
    reach = crop.side * 0.5 * (abs(np.cos(crop.angle)) + abs(np.sin(crop.angle))) + shrink
    height, width = image.shape[:2]
    x0, y0 = (max(0, int(c - reach)) for c in (crop.cx, crop.cy))
    x1, y1 = min(width, int(crop.cx + reach) + 1), min(height, int(crop.cy + reach) + 1)
    across, down = (x1 - x0) // shrink, (y1 - y0) // shrink
    if across < 1 or down < 1:
        return image, matrix  # the crop has almost no pixels in the image
    part = image[y0 : y0 + down * shrink, x0 : x0 + across * shrink]
    part = block_means(part, shrink)
    # Centre of block b in whole pixels: (b + 0.5) * shrink - 0.5 from the part's corner.
    corner = np.array([x0, y0]) + (shrink - 1) / 2
    return part, np.column_stack([matrix[:, :2], matrix[:, 2] - corner]) / shrink


def block_means(part: UInt8Array, side: int) -> UInt8Array:
    """Return the mean of each block of ``side`` x ``side`` pixels, rounded once for each step of the shrinking.

    Even sides are halved first: OpenCV averages 2 x 2 pixels several times faster than larger blocks.
    """
    while side > 1:
        step = side if side % 2 else 2
        height, width = part.shape[:2]
        part = cv2.resize(part, (width // step, height // step), interpolation=cv2.INTER_AREA)
        side //= step
    return part

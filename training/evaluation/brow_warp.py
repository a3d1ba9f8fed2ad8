"""A real face with its brows alone moved, by a smooth warp of the picture around points that were set by hand."""

from __future__ import annotations

import cv2
import numpy as np

from ...model.array_types import FloatArray, UInt8Array
from . import hand_set
from .hand_set import brow_centres, heights, in_mm

LIDS = (18, 19, 20, 21, 22), (23, 24, 25, 26, 27)  # edges of the upper ones
CREASES = (34, 35, 36, 37, 38), (39, 40, 41, 42, 43)  # folds above them
HAIRLINE = tuple(range(134, 145))
ABOVE_LID = 1.0  # mm of an upper lid that stay fixed
STILL_FROM = 75.0  # mm from the midline
EDGE = 1.5  # mm beyond a brow's outline that move like the brow
SOFT = 1.0  # mm: edges of what moves are blurred by that much


def with_brows_moved(image: UInt8Array, points: FloatArray, up: float, inwards: float = 0.0) -> UInt8Array:
    """Return the picture (H, W, 3) with the brows moved.

    Both brows move ``up`` (negative: down) and each moves ``inwards``, in mm. ``points`` (189, 2) are pixels of this
    picture. Lids and hair stay. The area between them and the brows is stretched or compressed, without folds.
    """
    if up == 0 and inwards == 0:
        return image.copy()
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    x, y = _in_mm_of(points, pixels).T.reshape(2, *image.shape[:2])
    placed = in_mm(points)
    share = _vertically(placed, x, y, up)
    per_mm = np.linalg.norm(points[0] - points[1]) / 63
    moves = up * share, -np.sign(x) * inwards * share * _sideways(placed, x, inwards)
    shift_up, shift_right = (cv2.GaussianBlur(move, (0, 0), SOFT * per_mm) * per_mm for move in moves)
    right, above = _axes(points)
    source = [
        (grid - shift_up * above[k] - shift_right * right[k]).astype(np.float32)
        for k, grid in enumerate((columns, rows))
    ]
    warped: UInt8Array = cv2.remap(image, *source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped


def _in_mm_of(points: FloatArray, pixels: FloatArray) -> FloatArray:
    """Pixels (N, 2) in the frame that ``in_mm`` gives the hand-set points."""
    up = points * [1, -1]
    return hand_set.upright(pixels * [1, -1], up[list(hand_set.PUPILS)], up[list(hand_set.CORNERS)])


def _axes(points: FloatArray) -> FloatArray:
    """Return the unit vectors of that frame in the picture, (2, 2): to the picture's right, and up."""
    origin = points[0]
    along = _in_mm_of(points, origin + np.eye(2)) - _in_mm_of(points, origin[None])  # mm for one pixel each
    axes = np.linalg.inv(along)  # rows: pixels for one mm along x and y
    unit: FloatArray = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return unit


def _vertically(p: FloatArray, x: FloatArray, y: FloatArray, up: float) -> FloatArray:
    """Return the share of the move at each place of the warped picture, 0..1. Places are in mm.

    The share is 0 at the lids and the hairline and 1 on the brows. It is linear in between, so nothing folds.
    """
    still = _outline(p, CREASES if up > 0 else LIDS, x) + ABOVE_LID
    lower, upper = (_outline(p, parts, x) + up for parts in (hand_set.LOWER_BROWS, hand_set.UPPER_BROWS))
    lower, upper = lower - EDGE, upper + EDGE
    hair = np.maximum(_outline(p, (HAIRLINE,), x), upper + 5)
    rising = np.clip((y - still) / np.maximum(lower - still, 1), 0, 1)
    falling = np.clip((hair - y) / (hair - upper), 0, 1)
    tail = np.abs(p[[71, 82], 0]).mean()
    sideways = np.clip((STILL_FROM - np.abs(x)) / (STILL_FROM - tail), 0, 1)
    moves: FloatArray = np.minimum(rising, falling) * sideways
    return moves


def _outline(p: FloatArray, parts: tuple[tuple[int, ...], ...], x: FloatArray) -> FloatArray:
    return heights(p[[i for part in parts for i in part]], x.ravel()).reshape(x.shape)


def _sideways(p: FloatArray, x: FloatArray, inwards: float) -> FloatArray:
    """Return 0 at the midline, 1 from a brow's head to its middle, and 0 outside the face."""
    head = max(float(p[77, 0] - p[76, 0]) / 2 - inwards, 1.0)
    share: FloatArray = np.multiply(
        np.clip(np.abs(x) / head, 0, 1), np.clip((STILL_FROM - np.abs(x)) / (STILL_FROM - 35), 0, 1)
    )
    return share


def brow_height(points: FloatArray) -> float:
    """Return the mean height of both brows' middles above the eyes' line at rest, mm."""
    return float(brow_centres(in_mm(points), (24.0, 38.0)).mean())

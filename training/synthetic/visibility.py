"""Visibility of the 70 landmarks in a picture."""

from __future__ import annotations

import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray
from .rasterizer import KIND

TOLERANCE = 6.0  # mm: touching lips and shut lids do not occlude a landmark
PUPILS = slice(68, 70)
EYES = np.r_[36:48, 68, 69]
AROUND = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)])


def inside(landmarks: FloatArray) -> BoolArray:
    """Return which landmarks lie within the unit square, (70,) bool."""
    within: BoolArray = ((landmarks >= 0) & (landmarks <= 1)).all(1)
    return within


def unhidden(
    landmarks: FloatArray,
    distances: FloatArray,
    depth: FloatArray,
    triangle_of: IntArray,
    triangles: IntArray,
    attributes: FloatArray,
) -> BoolArray:
    """Return which landmarks are not occluded, (70,) bool.

    A landmark is visible if nothing lies before it in most of the nine pixels about it, according to ``depth`` (S, S)
    and ``triangle_of`` (S, S). landmarks (70, 2) are in the unit square at ``distances`` (70,) from the camera.

    A pupil is visible where an eyeball is visible, because a lid before it is thinner than any tolerance.
    """
    size = len(depth)
    pixels = np.minimum(np.maximum(landmarks * size, 0), size - 1).astype(int)[:, None] + AROUND
    x, y = np.minimum(np.maximum(pixels, 0), size - 1).transpose(2, 0, 1)
    at = y * size + x
    clear = depth.ravel()[at] > distances[:, None] - TOLERANCE
    seen = triangle_of.ravel()[at[PUPILS]]
    clear[PUPILS] &= (seen >= 0) & (attributes[triangles[seen, 0], KIND] >= 0)
    needed = np.full(len(landmarks), 5)
    needed[PUPILS] = 3  # a half-shut eye shows as little of it
    visible: BoolArray = clear.sum(1) >= needed
    return visible


def under(mask: FloatArray, landmarks: FloatArray) -> BoolArray:
    """Return the landmarks, (70,) bool, at which ``mask`` (S, S) is above one half."""
    size = len(mask)
    x, y = np.clip(landmarks * size, 0, size - 1).astype(int).T
    covered: BoolArray = mask[y, x] > 0.5
    return covered

"""Geometry round a head and the shapes it is made of: sheets round the head, shells over the skin, tubes, boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from ...model.array_types import AnyArray, FloatArray, IntArray
from .surface import Surface


@dataclass(frozen=True, eq=False)
class Patch:
    """Points (N, 3) in the head's frame (mm), triangles (M, 3), albedo (N, 3), gloss."""

    points: FloatArray
    triangles: IntArray
    albedo: FloatArray
    gloss: float = 0.1


def joined(patches: list[Patch]) -> Patch:
    """One patch of several: every patch costs some calls."""
    starts = np.cumsum([0] + [len(p.points) for p in patches])
    return Patch(
        np.concatenate([p.points for p in patches]),
        np.concatenate([p.triangles + np.int32(s) for p, s in zip(patches, starts, strict=False)]),
        np.concatenate([p.albedo for p in patches]),
        patches[0].gloss,
    )


@cache
def grid_triangles(rows: int, columns: int, closed: bool = False) -> IntArray:
    """Triangles of a (rows, columns) grid of points; ``closed`` joins the last column to the first."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    split: IntArray = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    return split


def curtain(
    rng: np.random.Generator,
    surface: Surface,
    angles: FloatArray,
    heights: AnyArray,
    thickness: AnyArray,
    color: FloatArray,
    streaks: float,
    gloss: float,
) -> Patch:
    """Build a sheet round the head.

    ``angles`` (C,) are radians from the front towards the subject's left. ``heights`` is (R,) or (R, C). ``thickness``
    (R, C) is in mm off the skin. ``streaks`` is how much its columns differ in brightness.
    """
    rows, columns = thickness.shape
    heights = np.broadcast_to(heights if heights.ndim == 2 else heights[:, None], thickness.shape)
    table = surface.radius
    a = (np.broadcast_to(angles, thickness.shape) / (2 * np.pi) % 1) * len(table)
    row = np.clip(np.searchsorted(surface.radius_heights, heights), 0, table.shape[1] - 1)
    low, part = np.floor(a).astype(int), a % 1
    skin = table[low % len(table), row] * (1 - part) + table[(low + 1) % len(table), row] * part
    skin = np.where(heights < -60, 75.0, np.maximum(skin, 60))  # below the jaw it hangs free
    reach = skin + thickness
    points = np.stack([reach * np.sin(angles), heights, reach * np.cos(angles)], -1).reshape(-1, 3)
    shade = rng.normal(1, streaks, columns) * rng.normal(1, streaks / 2, (rows, columns))
    albedo = np.clip(np.asarray(color) * np.abs(shade).reshape(-1, 1), 0, 1)
    return Patch(points, grid_triangles(rows, columns), albedo, gloss)


_RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
_ROUND = np.array([-1.0, -0.7, 0.0, 1.0, 1.7, 2.0])  # rings along a tube with round ends, then their radius
_FLAT = np.array([0.0, 0.0, 1.0, 1.0])


def tubes(
    starts: ArrayLike, ends: ArrayLike, radii: ArrayLike, color: FloatArray, gloss: float = 0.3, flat: bool = False
) -> Patch:
    """Tubes from ``starts`` (N, 3) to ``ends`` (N, 3), ``radii`` (N,) mm, with round ends or cut off ``flat``."""
    a, b = np.asarray(starts, float), np.asarray(ends, float)
    radius = np.asarray(radii, float)
    axis = b - a
    length = np.sqrt((axis**2).sum(1, keepdims=True)) + 1e-6
    axis = axis / length
    side = np.cross(axis, [0.31, 0.9, 0.21])
    side /= np.sqrt((side**2).sum(1, keepdims=True)) + 1e-9
    other = np.cross(axis, side)
    lean = _FLAT if flat else _ROUND
    inside = np.clip(lean, 0, 1)
    over = lean - inside
    width = np.array([0.02, 1.0, 1.0, 0.02]) if flat else np.sqrt(np.maximum(0.05, 1 - over**2))
    centre = a[:, None] + (b - a)[:, None] * inside[:, None] + axis[:, None] * (over * radius[:, None])[..., None]
    circle = _RING[:, 0, None] * side[:, None] + _RING[:, 1, None] * other[:, None]  # (N, 8, 3)
    points = centre[:, :, None] + circle[:, None] * (width * radius[:, None])[..., None, None]
    ring = grid_triangles(len(lean), 8, closed=True)
    triangles = (ring[None] + (np.arange(len(a), dtype=np.int32) * len(lean) * 8)[:, None, None]).reshape(-1, 3)
    count = len(a) * len(lean) * 8
    return Patch(points.reshape(-1, 3), triangles, np.broadcast_to(np.asarray(color, float), (count, 3)), gloss)


_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_SIDES = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])


def box(centre: FloatArray, axes: FloatArray, color: FloatArray, gloss: float = 0.8) -> Patch:
    """Return a box with half-axes ``axes`` (3, 3)."""
    points = (centre + _CORNERS @ axes)[_SIDES].reshape(-1, 3)
    quads = np.arange(24, dtype=np.int32).reshape(6, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Patch(points, triangles, np.broadcast_to(np.asarray(color, float), (24, 3)), gloss)

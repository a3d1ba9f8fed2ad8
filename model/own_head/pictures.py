"""Pictures of a head's meshes, drawn in software: shaded from the front, with the triangle at every pixel.

Vectorised over triangles, numpy only: it needs no window, no GPU and no compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..array_types import FloatArray, IntArray, UInt8Array
from ..face.meshes import area_normals

BACKGROUND = 118  # grey
AMBIENT = 0.35
LIGHT = np.array([0.15, 0.35, 0.92])  # towards the lamp, in the camera's frame
CANDIDATES = 4_000_000  # pixels that are tested at once


@dataclass(frozen=True, eq=False)
class Scene:
    """Meshes as one: vertices (V, 3), triangles (T, 3), colours (V, 3) 0..255 BGR."""

    vertices: FloatArray
    triangles: IntArray
    colours: FloatArray

    @cached_property
    def normals(self) -> FloatArray:
        """Return the normals (V, 3) of the vertices, weighted by area, not of unit length."""
        return area_normals(self.vertices, self.triangles)


@dataclass(frozen=True, eq=False)
class Pinhole:
    """A camera at ``eye`` (3,), with the rows right, up, back of ``axes`` (3, 3); ``focal`` and ``size`` in pixels."""

    eye: FloatArray
    axes: FloatArray
    focal: float
    size: int

    @staticmethod
    def around(centre: FloatArray, axes: FloatArray, width: float, size: int) -> Pinhole:
        """Return the camera that sees ``width`` at ``centre`` across the picture, as a 50 mm lens sees it."""
        focal = 50 / 36 * size
        return Pinhole(centre + axes[2] * width * focal / size, axes, focal, size)

    def screen(self, points: FloatArray) -> FloatArray:
        """Project points (N, 3): x and y in pixels, the first pixel's centre is 0, and the depth, (N, 3)."""
        local = (points - self.eye) @ self.axes.T
        depth = -local[:, 2]
        safe = np.where(np.abs(depth) < 1e-12, 1e-12, depth)
        middle = (self.size - 1) / 2
        return np.stack([middle + self.focal * local[:, 0] / safe, middle - self.focal * local[:, 1] / safe, depth], 1)


@dataclass(frozen=True, eq=False)
class Picture:
    """``image`` (H, W, 3) uint8 BGR; ``triangle`` (H, W) of the scene, -1 where there is none; ``at`` (H, W, 3)."""

    image: UInt8Array
    triangle: IntArray
    at: FloatArray
    camera: Pinhole


def draw(scene: Scene, camera: Pinhole) -> Picture:
    """Draw the scene. What lies behind the camera is left out; both sides of a triangle are drawn."""
    size = camera.size
    screen = camera.screen(scene.vertices)
    triangle, depth = _nearest(screen, scene.triangles, size)
    hit = np.flatnonzero(triangle.ravel() >= 0)
    owner = triangle.ravel()[hit]
    corners = scene.triangles[owner]
    y, x = np.divmod(hit, size)
    shares = _shares(screen, corners, x, y)
    points = np.einsum("pkc,pk->pc", scene.vertices[corners], shares)
    normals = np.einsum("pkc,pk->pc", scene.normals[corners], shares)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    towards = camera.eye - points
    normals *= np.where((normals * towards).sum(1, keepdims=True) < 0, -1, 1)
    lamp = (LIGHT / np.linalg.norm(LIGHT)) @ camera.axes
    light = AMBIENT + (1 - AMBIENT) * np.maximum(normals @ lamp, 0)
    picture = np.full((size * size, 3), float(BACKGROUND))
    picture[hit] = np.einsum("pkc,pk->pc", scene.colours[corners], shares) * light[:, None]
    at = np.full((size * size, 3), np.nan)
    at[hit] = points
    image = picture.reshape(size, size, 3).clip(0, 255).round().astype(np.uint8)
    return Picture(image, triangle, at.reshape(size, size, 3), camera)


def _nearest(screen: FloatArray, triangles: IntArray, size: int) -> tuple[IntArray, FloatArray]:
    """Return the nearest triangle (H, W) of each pixel, -1 for none, and its depth."""
    corner = screen[triangles]  # (T, 3, 3)
    low = np.ceil(corner[:, :, :2].min(1))
    high = np.floor(corner[:, :, :2].max(1))
    inside = (corner[:, :, 2].min(1) > 0) & (high >= 0).all(1) & (low < size).all(1) & (high >= low).all(1)
    chosen = np.flatnonzero(inside)
    low = np.clip(low[chosen], 0, size - 1).astype(np.int64)
    high = np.clip(high[chosen], 0, size - 1).astype(np.int64)
    wide, tall = (high - low + 1).T
    owner, depth = np.full(size * size, -1, np.int64), np.full(size * size, np.inf)
    order = np.argsort(wide * tall, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(1, _fitting((wide * tall)[order[start : start + CANDIDATES]]))
        some = order[start:stop]
        _draw_some(screen, triangles, chosen[some], low[some], wide[some], tall[some], size, owner, depth)
        start = stop
    return owner.reshape(size, size), depth.reshape(size, size)


def _fitting(areas: IntArray) -> int:
    """Return how many of the triangles, by the areas of their boxes, are tested at once."""
    return int(np.searchsorted(np.cumsum(areas), CANDIDATES, side="right"))


def _draw_some(
    screen: FloatArray,
    triangles: IntArray,
    which: IntArray,
    low: IntArray,
    wide: IntArray,
    tall: IntArray,
    size: int,
    owner: IntArray,
    depth: FloatArray,
) -> None:
    areas = wide * tall
    each = np.repeat(np.arange(len(which)), areas)
    place = np.arange(len(each)) - np.repeat(np.cumsum(areas) - areas, areas)
    row, column = np.divmod(place, wide[each])
    x, y = low[each, 0] + column, low[each, 1] + row
    corners = triangles[which]
    a, b, c = (screen[corners[:, k]] for k in range(3))
    ux, uy, vx, vy = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1], c[:, 0] - a[:, 0], c[:, 1] - a[:, 1]
    area = ux * vy - uy * vx
    area = np.where(np.abs(area) < 1e-12, np.inf, area)
    dx, dy = x - a[each, 0], y - a[each, 1]
    w1 = (dx * vy[each] - dy * vx[each]) / area[each]
    w2 = (ux[each] * dy - uy[each] * dx) / area[each]
    held = (w1 >= -1e-9) & (w2 >= -1e-9) & (w1 + w2 <= 1 + 1e-9) & np.isfinite(area[each])
    each, w1, w2, pixel = each[held], w1[held], w2[held], (y * size + x)[held]
    z = 1 / ((1 - w1 - w2) / a[each, 2] + w1 / b[each, 2] + w2 / c[each, 2])
    order = np.lexsort((-z, pixel))  # of a pixel's triangles the nearest comes last
    pixel, z, each = pixel[order], z[order], each[order]
    last = np.append(pixel[1:] != pixel[:-1], True) if len(pixel) else np.zeros(0, bool)
    pixel, z, each = pixel[last], z[last], each[last]
    nearer = z < depth[pixel]
    depth[pixel[nearer]] = z[nearer]
    owner[pixel[nearer]] = which[each[nearer]]


def _shares(screen: FloatArray, corners: IntArray, x: IntArray, y: IntArray) -> FloatArray:
    """Return the perspective barycentric coordinates (P, 3) of pixels in their triangles."""
    a, b, c = (screen[corners[:, k]] for k in range(3))
    ux, uy, vx, vy = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1], c[:, 0] - a[:, 0], c[:, 1] - a[:, 1]
    area = ux * vy - uy * vx
    dx, dy = x - a[:, 0], y - a[:, 1]
    w1, w2 = (dx * vy - dy * vx) / area, (ux * dy - uy * dx) / area
    shares = np.stack([(1 - w1 - w2) / a[:, 2], w1 / b[:, 2], w2 / c[:, 2]], 1)
    whole: FloatArray = shares / shares.sum(1, keepdims=True)
    return whole

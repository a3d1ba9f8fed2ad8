"""Lids that close: at lid = 1 the upper margin lies on the lower one, for the mean face and for every identity.

Eq. (1) is linear, so each pair of facing margin vertices needs two properties. The lid key brings them together in the
mean face, and every identity component moves both by the same amount. Identity then no longer changes the height of the
resting eye opening, which the lid key itself can set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...model.array_types import FloatArray, IntArray
from .eyes import Eyeball, clearance_radius

MARGIN_ROWS = 3  # the front edge, the middle and the back edge of a lid's margin
LINING_FADE = (0.6, 0.25)  # share of a margin's correction in the rows behind it; others get none
SKIN_MM = 0.6  # lids stay at least this far from the ball where they are closed
MARGIN_MM = 0.45


@dataclass(frozen=True)
class LidGrid:
    """Grid of vertices round the left eye.

    ``rows`` (r, M) are the vertices of its rings from the outer cut inwards. Columns run counter-clockwise from the
    inner corner, lower lid first. ``margin`` is the row of the margin's front edge.
    """

    rows: IntArray
    margin: int

    @property
    def margin_rows(self) -> range:
        return range(self.margin, self.margin + MARGIN_ROWS)

    @property
    def lower(self) -> IntArray:
        """Return the vertices (r, M/2 - 1) between the corners, from the inner to the outer one."""
        return self.rows[:, 1 : self.rows.shape[1] // 2]

    @property
    def upper(self) -> IntArray:
        """Return the vertices (r, M/2 - 1) facing ``lower`` column by column."""
        return self.rows[:, : self.rows.shape[1] // 2 : -1]


def closing_correction(mean: FloatArray, lid: FloatArray, grid: LidGrid, eye: Eyeball) -> FloatArray:
    """Return the correction of the left lid's key (V, 3) that closes the margins and keeps the lids off the ball."""
    closed = mean + lid
    half = grid.rows.shape[1] // 2
    front = grid.margin
    seam = (closed[grid.lower[front]] + closed[grid.upper[front]]) / 2
    seam = np.concatenate([closed[grid.rows[front, :1]], seam, closed[grid.rows[front, half : half + 1]]])
    for _ in range(4):
        seam[1:-1] = (seam[:-2] + 2 * seam[1:-1] + seam[2:]) / 4
    outward, distance = _polar(seam[1:-1], eye)
    floor = clearance_radius(eye, outward)
    seam_distance = np.maximum(distance, floor + MARGIN_MM + SKIN_MM)
    corrections = np.zeros((MARGIN_ROWS, *grid.rows.shape[1:], 3))
    for k, row in enumerate(grid.margin_rows):
        thickness = [np.linalg.norm(mean[side[row]] - mean[side[front]], axis=1) for side in (grid.lower, grid.upper)]
        depth = np.minimum(sum(thickness) / 2, seam_distance - floor - MARGIN_MM)
        target = eye.centre + outward * (seam_distance - depth)[:, None]
        corrections[k, 1:half] = target - closed[grid.lower[row]]
        corrections[k, :half:-1] = target - closed[grid.upper[row]]
    out = np.zeros_like(mean)
    _spread(out, corrections, mean, grid)
    outside = grid.rows[1 : grid.margin]
    direction, distance = _polar((closed + out)[outside], eye)
    lift = (clearance_radius(eye, direction) + MARGIN_MM + SKIN_MM - distance).clip(0, None)
    out[outside] += direction * (lift * _fade(mean, grid)[1:-1])[..., None]
    return out


def hold_margins(
    fields: FloatArray, mean: FloatArray, grid: LidGrid, eye: Eyeball, ball: Callable[[FloatArray], FloatArray]
) -> None:
    """Change identity offsets (k, V, 3) in place so that the left eye's margins stay closed.

    Facing margin vertices get equal offsets. Margins and linings keep their distance from the ball. ``ball(points)``
    (k, n, 3) are the ball's own offsets.
    """
    half = grid.rows.shape[1] // 2
    for field, own in zip(fields, ball(mean[grid.rows].reshape(-1, 3))):
        own = own.reshape(*grid.rows.shape, 3)
        corrections = np.zeros((MARGIN_ROWS, *grid.rows.shape[1:], 3))
        for k, row in enumerate(grid.margin_rows):
            low, up = grid.lower[row], grid.upper[row]
            common = (field[low] + field[up]) / 2
            outward, _ = _polar((mean[low] + mean[up]) / 2, eye)
            wanted = (own[row, 1:half] + own[row, :half:-1]) / 2
            common = common + outward * ((wanted - common) * outward).sum(1, keepdims=True)
            corrections[k, 1:half] = common - field[low]
            corrections[k, :half:-1] = common - field[up]
        _spread(field, corrections, mean, grid)
        linings = grid.rows[grid.margin + MARGIN_ROWS :]
        outward, _ = _polar(mean[linings], eye)
        gap = ((own[grid.margin + MARGIN_ROWS :] - field[linings]) * outward).sum(-1, keepdims=True)
        field[linings] += outward * gap


def gap_mm(vertices: FloatArray, grid: LidGrid) -> float:
    """Return the largest distance between facing margin vertices (front edge)."""
    row = grid.margin
    return float(np.linalg.norm(vertices[grid.lower[row]] - vertices[grid.upper[row]], axis=1).max())


def _polar(points: FloatArray, eye: Eyeball) -> tuple[FloatArray, FloatArray]:
    d = points - eye.centre
    distance = np.linalg.norm(d, axis=-1)
    return d / distance[..., None], distance


def _fade(mean: FloatArray, grid: LidGrid) -> FloatArray:
    """Return weights (margin + 1, M): 0 at the cut, 1 at the margin, smooth in between."""
    points = mean[grid.rows[: grid.margin + 1]]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    part = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)]) / steps.sum(axis=0)
    fade: FloatArray = part**2 * (3 - 2 * part)
    return fade


def _spread(field: FloatArray, corrections: FloatArray, mean: FloatArray, grid: LidGrid) -> None:
    """Add the margin's corrections (MARGIN_ROWS, M, 3) to the margin and, fading, to the rows on both sides."""
    field[grid.rows[: grid.margin]] += corrections[0] * _fade(mean, grid)[:-1, :, None]
    field[grid.rows[grid.margin_rows]] += corrections
    for row, weight in zip(grid.rows[grid.margin + MARGIN_ROWS :], LINING_FADE):
        field[row] += weight * corrections[-1]

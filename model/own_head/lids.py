"""The artist's own lids shut: at a full blink the edge of the upper lid meets that of the lower one, off the eyeball.

The registration is exact to some tenths of a millimetre, and a gap of that size between lids is seen. Here both edges
are found on the artist's mesh where they are shut, column by column along the eye, and the upper lid takes up the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.spatial import cKDTree

from ..array_types import FloatArray, IntArray
from .eyes import Eyeball

COLUMN_MM = 0.1
OVERLAP_MM = 0.08  # an upper lid that is led down passes the lower one's edge by this
TOO_FAR_MM = 0.4  # an upper lid that passes the lower one by more is raised
LID_MM = 14.0  # lids are nearer than this to the line between the corners of the eye, in front of the eye's centre
FADE_MM = 4.0  # a correction fades over this, or over twice its own size
CLEAR_MM = 0.15  # shut lids stay this far outside the eyeball
MOST_SAG_MM = 1.2
SUNK_MM = 0.05  # what is deeper in the ball is not a lid's edge
# The lids' outside: vertices that are farther off the eyeball at rest, and face away from it by this cosine.
OUTSIDE_MM, OUTSIDE_FACING = 0.2, -0.3
BEYOND_MM = 1.0  # vertices of a lid reach over the middle of the opening by at most this
PASSES = 4


@dataclass(frozen=True, eq=False)
class Eye:
    """The corners of an eye, (3,) each, the edges (n, 3) of its lids at rest as they are fitted, and its ball."""

    corners: tuple[FloatArray, FloatArray]
    upper: FloatArray
    lower: FloatArray
    ball: Eyeball


def shut(
    points: FloatArray, normals: FloatArray, edges: IntArray, side: IntArray, blink: FloatArray, eye: Eye
) -> FloatArray:
    """Return the offsets (V, 3) of a blink, changed so that the lids of ``points`` (V, 3) meet.

    ``normals`` (V, 3) point out of the skin.
    ``side`` (V,) is 1 for vertices above the eye's opening, -1 for those below.
    """
    start, end = eye.corners
    width = float(np.linalg.norm(end - start))
    along = (end - start) / max(width, 1e-9)
    out = (start + end) / 2 - eye.ball.centre
    out = out - along * (out @ along)
    out /= max(float(np.linalg.norm(out)), 1e-9)
    up = np.cross(out, along)
    if up[1] < 0:
        up = -up
    axes = np.stack([along, up, out])
    local = (points - start) @ axes.T
    reach = LID_MM * max(1.0, width / 28.0)
    front = (local[:, 2] > -0.7 * width) & (np.abs(local[:, 1]) < reach)
    # The sides of the mesh are vague around the corners: a lid is also above or below the middle of the opening.
    middle = _middle(eye, axes, local[:, 0])
    beyond = side * (local[:, 1] - middle) > -BEYOND_MM
    near = np.flatnonzero((side != 0) & front & beyond & (local[:, 0] > -3) & (local[:, 0] < width + 3))
    if not len(near):
        return blink
    number = np.full(len(points), -1)
    number[near] = np.arange(len(near))
    own = number[edges]
    own = own[(own >= 0).all(axis=1)]
    upper, lower = (own[(side[near][own] == sign).all(axis=1)] for sign in (1, -1))
    if not len(upper) or not len(lower):
        return blink
    rest, moved = local[near], blink[near] @ axes.T
    length = np.abs(rest[own[:, 0], 0] - rest[own[:, 1], 0])
    span = np.zeros(len(near))
    np.maximum.at(span, own.ravel(), np.repeat(length, 2))
    columns = np.arange(0.03 * width, 0.97 * width, COLUMN_MM)
    is_upper = side[near] == 1
    facing = normals[near] @ axes.T
    for _ in range(PASSES):
        ends = _ends(rest + moved, width)
        moved += ends[:, None] * _off_ball(rest, facing, rest + moved, own, eye, axes, start)
        closed = rest + moved
        # What sinks into the ball, as the lining does, hides nothing of it.
        _, distance, floor = _from_ball(closed, eye, axes, start)
        seen = distance > floor - SUNK_MM
        edge_up = _edge(closed, upper[seen[upper].all(axis=1)], columns, lowest=True)
        edge_low = _edge(closed, lower[seen[lower].all(axis=1)], columns, lowest=False)
        gap = edge_up - edge_low
        known = np.isfinite(gap)
        if known.sum() < 3:
            return blink
        gap = np.interp(columns, columns[known], gap[known])
        line = np.interp(columns, columns[known], edge_up[known])
        open_by, over_by = np.maximum(gap, 0), np.maximum(-gap - TOO_FAR_MM, 0)
        over_by *= np.abs(columns / width - 0.5) < 0.35  # towards the corners the edges are one
        gap = open_by + np.minimum(OVERLAP_MM, 4 * open_by) - over_by
        # A vertex serves the columns that its edges span, so a coarse edge is led by its widest gap.
        wide = maximum_filter1d(gap, max(1, int(np.median(span[is_upper]) / COLUMN_MM)) | 1, mode="nearest")
        here = np.interp(closed[:, 0], columns, wide)
        above = closed[:, 1] - np.interp(closed[:, 0], columns, line)
        fade = np.exp(-((np.maximum(above, 0) / np.maximum(FADE_MM, 2 * np.abs(here))) ** 2))
        moved[:, 1] -= np.where(is_upper, here * fade * ends, 0)
    moved += _ends(rest + moved, width)[:, None] * _off_ball(rest, facing, rest + moved, own, eye, axes, start)
    changed = blink.copy()
    changed[near] = moved @ axes
    return changed


def _ends(closed: FloatArray, width: float) -> FloatArray:
    """Return weights (n,) that fall to 0 at both corners of the eye."""
    ends: FloatArray = np.clip(np.minimum(closed[:, 0], width - closed[:, 0]) / (0.06 * width), 0, 1)
    return ends


def _middle(eye: Eye, axes: FloatArray, along: FloatArray) -> FloatArray:
    """Return the height of the middle of the opening at places along the eye, (V,)."""
    lines = []
    for edge in (eye.upper, eye.lower):
        at = (np.vstack([eye.corners[0], edge, eye.corners[1]]) - eye.corners[0]) @ axes.T
        order = np.argsort(at[:, 0])
        lines.append(np.interp(along, at[order, 0], at[order, 1]))
    middle: FloatArray = (lines[0] + lines[1]) / 2
    return middle


def _edge(points: FloatArray, edges: IntArray, columns: FloatArray, lowest: bool) -> FloatArray:
    """Return the lowest or the highest point of a lid at each column along the eye, NaN where it has none."""
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    swap = a[:, 0] > b[:, 0]
    a[swap], b[swap] = b[swap], a[swap].copy()
    first = np.searchsorted(columns, a[:, 0])
    count = np.searchsorted(columns, b[:, 0]) - first
    row = np.repeat(np.arange(len(edges)), count)
    column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[row]
    share = (columns[column] - a[row, 0]) / np.maximum(b[row, 0] - a[row, 0], 1e-12)
    height = a[row, 1] + share * (b[row, 1] - a[row, 1])
    sign = 1.0 if lowest else -1.0
    found = np.full(len(columns), np.inf)
    np.minimum.at(found, column, sign * height)
    return np.where(np.isfinite(found), sign * found, np.nan)


def _off_ball(
    rest: FloatArray,
    normals: FloatArray,
    closed: FloatArray,
    edges: IntArray,
    eye: Eye,
    axes: FloatArray,
    origin: FloatArray,
) -> FloatArray:
    """Return the step (n, 3) that brings the outside of shut lids off the ball."""
    away, distance, floor = _from_ball(closed, eye, axes, origin)
    centre = axes @ (eye.ball.centre - origin)
    own = np.linalg.norm(rest - centre, axis=1) - floor
    # A face between vertices passes nearer to the ball than they do: twice as much as the chord of an edge.
    longest = np.zeros(len(rest))
    length = np.linalg.norm(closed[edges[:, 0]] - closed[edges[:, 1]], axis=1)
    np.maximum.at(longest, edges.ravel(), np.repeat(length, 2))
    sag = np.minimum(longest**2 / (4 * eye.ball.radius), MOST_SAG_MM)
    # The lining behind a lid's edge lies on the ball and may sink into it, out of sight.
    facing = np.einsum("ij,ij->i", normals, (rest - centre) / np.maximum(own + floor, 1e-9)[:, None])
    outside = (own > OUTSIDE_MM) & (facing > OUTSIDE_FACING) & (away[:, 2] > 0.5)
    lift = np.where(outside, np.maximum(floor + CLEAR_MM + sag - distance, 0), 0)
    step: FloatArray = away * lift[:, None]
    return step


def _from_ball(
    points: FloatArray, eye: Eye, axes: FloatArray, origin: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return unit vectors (n, 3) from the ball's centre, distances (n,) from it, and the ball's radius there (n,)."""
    centre = axes @ (eye.ball.centre - origin)
    away = points - centre
    distance = np.linalg.norm(away, axis=1)
    away = away / np.maximum(distance, 1e-9)[:, None]
    floor = np.full(len(points), eye.ball.radius)
    if len(eye.ball.vertices) > 12:  # the cornea bulges: the ball's own vertices in this direction decide
        ball = (eye.ball.vertices - origin) @ axes.T - centre
        size = np.linalg.norm(ball, axis=1)
        outer = size > 0.9 * eye.ball.radius
        ball, size = ball[outer], size[outer]
        near = cKDTree(ball / size[:, None]).query(away, k=min(8, len(ball)))[1]
        floor = size[near].reshape(len(points), -1).max(axis=1)
    return away, distance, floor

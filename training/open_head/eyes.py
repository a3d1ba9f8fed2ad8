"""Eyeballs, spheres of our own with a cornea, and lashes.

An eyeball stays a sphere in every identity: its offsets are a shift and a scale fitted to the source's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.array_types import FloatArray, IntArray
from . import ict

MERIDIANS = 24
FRONT_ANGLES = np.radians([7, 14, 20, 25, 30, 37, 46, 57, 68, 79, 90])  # rings from the pupil to the equator
LIMBUS = np.radians(25)  # the iris ends here
CORNEA = 0.09  # of the radius, how far the cornea stands out
CLEARANCE_MM = 0.25  # between the ball and the lids' linings

LASHES = 34
LASH_MM = 6.0
LASH_WIDTH_MM = 0.55


@dataclass(frozen=True)
class Eyeball:
    """Mesh of the left eyeball.

    ``vertices`` (n, 3) are relative to its ``centre``; ``faces`` are (m, 4). ``angles`` (n,) are measured from the
    pupil. ``uv`` (n, 2) has the pupil in the middle of the unit square and the back of the eye on a circle round it.
    """

    centre: FloatArray
    radius: float
    vertices: FloatArray
    faces: IntArray
    angles: FloatArray
    uv: FloatArray


def left_eyeball(linings: FloatArray) -> Eyeball:
    """Return the sphere that the lids' linings (n, 3) lie on, just large enough to leave them ``CLEARANCE_MM``."""
    design = np.c_[2 * linings, np.ones(len(linings))]
    solution = np.linalg.lstsq(design, (linings**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    radius = float(np.quantile(np.linalg.norm(linings - centre, axis=1), 0.05) - CLEARANCE_MM)
    back = np.pi - FRONT_ANGLES[-2::-1]
    angles = np.r_[FRONT_ANGLES, back]
    n = MERIDIANS
    around = 2 * np.pi * (np.arange(n) + 0.5) / n
    points = np.concatenate(
        [
            [[0, 0, 1]],
            np.stack(
                [
                    np.outer(np.sin(angles), np.cos(around)),
                    np.outer(np.sin(angles), np.sin(around)),
                    np.outer(np.cos(angles), np.ones(n)),
                ],
                -1,
            ).reshape(-1, 3),
            [[0, 0, -1]],
        ]
    )
    angle = np.r_[0, np.repeat(angles, n), np.pi]
    bulge = CORNEA * np.clip(1 - (angle / (1.15 * LIMBUS)) ** 2, 0, None)
    vertices = radius * points * (1 + bulge)[:, None]
    vertices -= vertices.mean(axis=0)  # the mean of the vertices is the pivot by definition
    reach = 0.5 * angle / np.pi
    turn = np.r_[0, np.tile(around, len(angles)), 0]
    uv = 0.5 + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    return Eyeball(centre, radius, vertices, _globe_faces(len(angles)), angle, uv)


def clearance_radius(eye: Eyeball, directions: FloatArray) -> FloatArray:
    """Distance of the ball's surface from its centre in unit ``directions`` (..., 3) when it looks ahead."""
    angle = np.arccos(directions[..., 2].clip(-1, 1))
    radius: FloatArray = eye.radius * (1 + CORNEA * np.clip(1 - (angle / (1.15 * LIMBUS)) ** 2, 0, None))
    return radius


def ball_offsets(source_points: FloatArray, offsets: FloatArray) -> FloatArray:
    """Least-squares shift and scale (k, 4) of the source's sclera under each of ``offsets`` (k, n, 3)."""
    shift = offsets.mean(axis=1)
    centred = source_points - source_points.mean(axis=0)
    scale = (offsets * centred).sum(axis=(1, 2)) / (centred**2).sum()
    found: FloatArray = np.c_[shift, scale]
    return found


def place_ball(shift_scale: FloatArray, from_source_centre: FloatArray) -> FloatArray:
    """Offsets (k, n, 3) of points given relative to the source sclera's centre."""
    return shift_scale[:, None, :3] + shift_scale[:, None, 3:] * from_source_centre


def left_lashes(margin: FloatArray, centre: FloatArray) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """Build the upper lashes on the lid margin's upper row (n, 3), which starts at the inner corner.

    Returns vertices (LASHES * 6, 3), faces, and each vertex's position on the margin as (row index, fraction).
    """
    at = np.linspace(0.1, 0.97, LASHES) * (len(margin) - 1)
    i = np.floor(at).astype(int)
    root = margin[i] + (at - i)[:, None] * (margin[i + 1] - margin[i])
    tangent = margin[i + 1] - margin[i]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    outward = root - centre
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    place = np.linspace(-1, 1, LASHES)
    length = LASH_MM * (0.62 + 0.38 * np.cos(place * 1.3)) * (1 + 0.12 * np.sin(7.3 * np.arange(LASHES)))
    fan = outward + 0.35 * place[:, None] * tangent * np.sign(tangent[:, :1])
    up = np.array([0, 1.0, 0])
    middle = root + length[:, None] * (0.5 * fan + 0.02 * up)
    tip = root + length[:, None] * (0.85 * fan + 0.33 * up)
    half = 0.5 * LASH_WIDTH_MM * tangent
    rows = [root - half, root + half, middle - 0.7 * half, middle + 0.7 * half, tip - 0.12 * half, tip + 0.12 * half]
    vertices = np.stack(rows, 1).reshape(-1, 3)
    k = 6 * np.arange(LASHES)[:, None]
    faces = np.concatenate([k + (0, 1, 3, 2), k + (2, 3, 5, 4)])
    return vertices, faces, np.repeat(i, 6), np.repeat(at - i, 6)


def _globe_faces(ring_count: int) -> IntArray:
    n = MERIDIANS
    k = np.arange(n)
    grid = 1 + np.arange(ring_count)[:, None] * n + np.concatenate([k, [0]])
    sides = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], -1).reshape(-1, 4)
    last = 1 + ring_count * n
    even = np.arange(0, n, 2)
    front = np.stack([0 * even, grid[0, even], grid[0, even + 1], grid[0, even + 2]], 1)
    back = np.stack([0 * even + last, grid[-1, even + 2], grid[-1, even + 1], grid[-1, even]], 1)
    return np.concatenate([front, sides, back])


def mirrored_eye(vertices: FloatArray) -> FloatArray:
    mirrored: FloatArray = vertices * ict.MIRROR
    return mirrored

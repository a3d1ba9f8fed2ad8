"""Brows at people's height.

The source's brow landmarks lie 28 to 30 mm above the line through the eye corners, on the forehead. Real brows lie
15 to 22 mm above it, on the lower edge of the source's ridge, where the source's brow shapes fade out already. Here the
landmarks 17-26 move to the height of real brows, and the brow keys move the skin there in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from ...model.array_types import FloatArray, IntArray
from ...model.face.semantics import OPEN_KEYS
from . import ict
from .embedding import Embedding, nearest_on_triangles
from .quads import Half, triangulated

# Centre line of the left brow at rest, in mm: distance from the middle of the face and height above the line through
# the four eye corners, pupils 63 mm apart: means over 102 people, less what painting and snapping to vertices add.
BROW_LINE = np.array([[13.5, 14.4], [24.0, 18.2], [38.0, 21.3], [49.0, 18.0], [56.7, 13.7]])
# In mm above the eye line: below the first height a brow key is not changed; from the second to the third it takes what
# the source does LOWERED_MM higher up; the fourth is where both meet again.
LOWERED_MM, LOWERED_AT = 5.0, (7.5, 14.0, 24.0, 52.0)
# Both raising keys at 1 lift the brow by 6 to 8 mm, as the strongest raises of people do; the source's by 10.
RAISE = 0.74
# What the source's frown lacks: corrugator and procerus draw the brow's head down and towards the nose (mm, at
# FROWN_AT, fading by a Gaussian of FROWN_REACH mm).
FROWN_AT, FROWN_REACH = np.array([14.0, 16.5]), np.array([10.0, 8.5])
FROWN_MM = np.array([-1.2, -2.9, 1.0])
FRONT_Z_MM = 60.0  # vertices behind belong to the temples and to the sockets


def eye_line(points: FloatArray) -> float:
    """Return the height of the line through the four eye corners of 68 landmarks (68, 3)."""
    return float(points[[36, 39, 42, 45], 1].mean())


def lowered(field: FloatArray, mean: FloatArray, outside: IntArray, eyes: float) -> FloatArray:
    """Return a brow key's offsets (V, 3) moved down to the height of real brows.

    ``outside`` are the vertices of the face's outer skin, ``eyes`` the height of the eye line in mm.
    """
    front = outside[(mean[outside, 2] > FRONT_Z_MM) & (mean[outside, 1] > eyes - 10) & (mean[outside, 1] < eyes + 75)]
    start, full, fading, end = LOWERED_AT
    height = mean[front, 1] - eyes
    shift = LOWERED_MM * _smooth((height - start) / (full - start)) * (1 - _smooth((height - fading) / (end - fading)))
    moved = front[shift > 1e-3]
    source = LinearNDInterpolator(mean[front, :2], field[front])
    above = source(mean[moved, :2] + np.column_stack([np.zeros(len(moved)), shift[shift > 1e-3]]))
    out = field.copy()
    known = np.isfinite(above).all(axis=1)
    out[moved[known]] = above[known]
    return out


def frown(mean: FloatArray, outside: IntArray, eyes: float) -> FloatArray:
    """Return what a left browDown takes beyond the source's: offsets (V, 3)."""
    out = np.zeros_like(mean)
    front = outside[mean[outside, 2] > FRONT_Z_MM]
    at = (mean[front, :2] - [0, eyes] - FROWN_AT) / FROWN_REACH
    away = np.exp(-0.5 * (at**2).sum(axis=1)) * _smooth((mean[front, 1] - eyes - 2) / 9)
    out[front] = away[:, None] * FROWN_MM
    return out


def at_peoples_height(
    expression: FloatArray, mean: FloatArray, outside: IntArray, eyes: float, flip: Callable[[FloatArray], FloatArray]
) -> None:
    """Change the brow keys of ``expression`` (29, V, 3) in place. ``flip`` mirrors a field."""
    index = {key: k for k, key in enumerate(OPEN_KEYS)}
    inner = RAISE * lowered(expression[index["browInnerUp"]], mean, outside, eyes)
    expression[index["browInnerUp"]] = (inner + flip(inner)) / 2
    outer = RAISE * lowered(expression[index["browOuterUp_L"]], mean, outside, eyes)
    down = lowered(expression[index["browDown_L"]], mean, outside, eyes) + frown(mean, outside, eyes)
    for name, left in (("browOuterUp", outer), ("browDown", down)):
        expression[index[f"{name}_L"]], expression[index[f"{name}_R"]] = left, flip(left)


def with_brow_line(skin: Half, source: ict.FaceX) -> Half:
    """Return the left half with its vertices nearest to ``BROW_LINE`` moved onto that line.

    They slide along the source's surface. Their mark is ``brow_line`` (5,), from the nose outwards.
    """
    eyes, triangles = eye_line(source.neutral[source.landmarks]), triangulated(source.faces[ict.SKIN])
    places = skin.embedding(source.neutral)
    front = np.flatnonzero(places[:, 2] > FRONT_Z_MM)
    target = BROW_LINE + [0, eyes]
    chosen = np.array([front[((places[front, :2] - xy) ** 2).sum(axis=1).argmin()] for xy in target])
    guess = np.column_stack([target, places[chosen, 2]])
    for _ in range(8):  # the nearest point of a slope lies beside the guess
        riding = nearest_on_triangles(guess, source.neutral, triangles)
        found = riding(source.neutral)
        guess += np.column_stack([target - found[:, :2], found[:, 2] - guess[:, 2]])
    corners, weights = skin.embedding.corners.copy(), skin.embedding.weights.copy()
    corners[chosen], weights[chosen] = riding.corners, riding.weights
    return replace(skin, embedding=Embedding(corners, weights), marks={**skin.marks, "brow_line": chosen})


def _smooth(t: FloatArray) -> FloatArray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)

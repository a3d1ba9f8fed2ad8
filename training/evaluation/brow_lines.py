"""Positions of brows on a head, seen from the front: painted brows, and skin at given places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.face.semantics import OPEN_KEYS
from ..synthetic.brows import sample_brows
from ..synthetic.paint import PAINT, Brows, paint_skin
from ..synthetic.shape import blend, landmarks_of, sample_alpha, sample_ways, shape_head
from ..synthetic.surface import Surface
from .hand_set import upright

SEED = 3  # 0 is training, 1 the held-out pictures, 2 the gallery of ``identity``
THIN = 0.2  # of a painted brow's usual strength: where it begins and ends
EYE_CORNERS = [36, 39, 42, 45]
Lines = tuple[FloatArray, FloatArray]  # the middle of the right and of the left brow, (K, 2) mm each, x outwards


def shown(surface: Surface, number: int, keys: Mapping[str, float]) -> tuple[FloatArray, Lines | None]:
    """Return the landmarks and brow lines of a sampled person with an expression.

    Landmarks are (70, 3) in mm. The lines are the middle lines of the painted brows, or None without brows. The same
    ``number`` gives the same person.
    """
    alpha = alpha_of(surface, number)
    eta = np.zeros(len(OPEN_KEYS), np.float32)
    for key, value in keys.items():
        eta[OPEN_KEYS.index(key)] = value
    rest = np.zeros(2, np.float32)
    persons, moves = blend(surface, alpha[None], eta[None], rest[None], sample_ways(_rng(number, 1))[None])
    vertices = shape_head(_rng(number, 2), surface, persons[0], moves[0], eta, rest)
    brows = sample_brows(_rng(number, 4), surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    return marks, _painted_brows(surface, vertices, marks, _brow_paint(surface, number, brows))


def _rng(number: int, what: int) -> np.random.Generator:
    return np.random.default_rng([SEED, number, what])


def alpha_of(surface: Surface, number: int) -> FloatArray:
    """Return alpha of a sampled person, drawn as in ``sample``."""
    rng = _rng(number, 0)
    return sample_alpha(rng, surface, rng.uniform(0.7, 1.25))


def _brow_paint(surface: Surface, number: int, brows: Brows) -> FloatArray:
    """Return the brow paint of each texel of the chart, (PAINT, PAINT).

    White hair is painted on black skin. All other paint stays black there.
    """
    black, white, smooth = np.zeros(3), np.ones(3), np.zeros(len(surface.furrow_lines), np.float32)
    paint = paint_skin(_rng(number, 3), surface, black, white, 0.0, 0.0, smooth, 0.0, brows, 0.0, 0.0, (0.0, 0.0))
    opacity: FloatArray = paint[..., 0].astype(np.float32) * paint[..., 3]
    return opacity


def _painted_brows(surface: Surface, vertices: FloatArray, marks: FloatArray, paint: FloatArray) -> Lines | None:
    """Return the middle lines of the painted right and left brow on a head (V, 3), from texels back to the skin."""
    lines = []
    for columns in (slice(0, PAINT // 2), slice(PAINT // 2, PAINT)):
        part = paint[:, columns]
        strength = part.sum(0)
        usual = np.percentile(strength[strength > 0], 75) if strength.any() else 0.0
        if usual == 0:
            return None
        strong = np.flatnonzero(strength > THIN * usual)
        middle = (np.arange(PAINT) @ part[:, strong]) / strength[strong]
        texels = np.column_stack([strong + columns.start, middle])
        points = _chart_places(surface).on(vertices, (texels + 0.5) / PAINT)[:, :2]
        pupils = marks[68:, :2]
        lines.append(upright(points, pupils, marks[EYE_CORNERS, :2]))
    return lines[0] * [-1, 1], lines[1]


@dataclass(frozen=True, eq=False)
class Places:
    """Places of points of a plane on a surface.

    ``triangles`` (T, 3) are vertex indices, the outermost first. ``flat`` (T, 3, 2) are their vertices in the plane.
    """

    triangles: IntArray
    flat: FloatArray

    @staticmethod
    def build(triangles: IntArray, flat: FloatArray, depth: FloatArray) -> Places:
        """Build from ``flat`` (V, 2) by vertex. Of overlapping triangles, that with the greatest ``depth`` counts."""
        a, b, c = flat[triangles].transpose(1, 0, 2)
        triangles = triangles[np.abs(_cross(b - a, c - a)) > 1e-12]
        triangles = triangles[np.argsort(-depth[triangles].mean(1))]
        return Places(triangles, flat[triangles].astype(np.float64))

    def on(self, vertices: FloatArray, points: FloatArray) -> FloatArray:
        """Return the points (N, 2) of the plane on the surface of ``vertices`` (V, 3), as (N, 3).

        A point outside all triangles uses the triangle that it is least outside of.
        """
        a, b, c = self.flat.transpose(1, 0, 2)
        p = points[:, None]
        parts = np.stack([_cross(b - p, c - p), _cross(c - p, a - p), _cross(a - p, b - p)], 2)
        weights = parts / _cross(b - a, c - a)[:, None]
        outside = np.maximum(-weights.min(2), 1e-6)
        nearest = outside.argmin(1)  # the first of those inside: the outermost
        own = weights[np.arange(len(points)), nearest]
        places: FloatArray = np.einsum("nk,nkc->nc", own, vertices[self.triangles[nearest]])
        return places


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


@lru_cache(maxsize=2)
def brow_skin(surface: Surface) -> IntArray:
    """Triangles (T, 3) of the skin from the eyes up to the hairline."""
    mean = surface.model.neutral
    eyes = mean[surface.model.landmarks][36:48]
    outside = surface.skin > 0
    outside[[*surface.region("eye_socket_L"), *surface.region("eye_socket_R")]] = False
    corners = surface.triangles[outside[surface.triangles].all(1)]
    y = mean[corners, 1]
    chosen: IntArray = corners[
        (y.min(1) > eyes[:, 1].min()) & (y.max(1) < eyes[:, 1].max() + 60) & (mean[corners, 2].min(1) > 0)
    ]
    return chosen


@lru_cache(maxsize=2)
def _chart_places(surface: Surface) -> Places:
    mean = surface.model.neutral
    return Places.build(brow_skin(surface), surface.coords, np.hypot(mean[:, 0], mean[:, 2] + 10))

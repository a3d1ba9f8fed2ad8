"""Parts around the eyes that a head has in the scene only: lashes, the wet line of the lids, caruncle and conjunctiva.

The network is trained without them, and the face model's file does not contain them. Their vertices are functions of
the skin's and the eyeballs' vertices, in any shape of the face. So they follow the lids in every key, and lashes turn
with their lid, which a face model's own lashes do not: Eq. (1) only moves them.

A ring of columns goes round each eye along the lids' margins: column 0 is the inner corner, the lower lid comes first,
and the middle column is the outer corner. Millimetres, in the model's axes. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..array_types import FloatArray, IntArray
from .face_model import FaceModel
from .lashes import (
    LOWER_CURVE,
    OWN_CURVE,
    STRAND,
    TAPER,
    UP,
    UPPER_CURVE,
    lash_lengths,
    lash_places,
    lower_axes,
    strand_faces,
    strands,
    upper_axes,
)
from .lid_rings import lid_rings
from .meshes import unit_vectors

MIRROR = np.array([-1.0, 1.0, 1.0])
LOWER_ROW, UPPER_ROW = 5, 6  # of ``_Eye.rows``, where lashes grow: the lid's edge is round, and its front edge inside
FORWARD = np.array([-0.25, 0.0, 0.97])  # in which direction the caruncle of the left eye stands out

# Conjunctiva: from the lid's back edge to the eyeball. It is narrow along the lids and wide in the corners of the eye.
MEMBRANE_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
NARROW_MM, INNER_MM, OUTER_MM = 0.35, 2.6, 0.9
TUCKED_MM = 0.15  # its outer border is in the lid, its inner one in the eyeball
SUNK_MM = 0.2
DEEP_MM = 2.4  # a last ring is this deep in the eyeball: lids that open wide move the others out of it
CARUNCLE_MM = (1.9, 1.25, 0.85)  # its middle's distance from the corner, its radius, its height
FOLD_MM = (3.6, 0.6, 0.30)  # the same of the fold beside it

WET_MM = 0.75  # width of the wet line from the lid on
FILM_MM = 0.05  # its height over lid and eyeball

LOWER_LASHES, UPPER_LASHES = 46, 44
LOWER_MM, UPPER_MM = 3.1, 7.0
ROOT_MM, UPPER_ROOT_MM = 0.15, 1.6 * 0.15  # width of a lash at its root
ROLL = 0.6  # how much more a lash turns than its lid, for the lid's edge rolls in
FREE = 0.3  # radians between an upper lash and the skin over its root
CURL = 0.07  # radians per mm of distance from its root, by which it rises towards its tip


@dataclass(frozen=True, eq=False)
class FineParts:
    """The parts of both eyes.

    faces      (F, 4) int32 over the parts' own vertices, wound outward where they have an outside
    part       (F,) the part of each face: ``lashes``, ``wet_line``, ``conjunctiva`` or ``caruncle``
    regions    name -> indices of own vertices: ``lashes_lower_L``, ``wet_line_R`` ...
    own_lashes (n,) int32 indices of the face model's lashes, which get finer shapes
    """

    faces: IntArray
    part: tuple[str, ...]
    regions: Mapping[str, IntArray]
    own_lashes: IntArray
    _eyes: tuple[_Eye, _Eye]

    @property
    def count(self) -> int:
        """Return the number of the parts' own vertices."""
        return sum(eye.count for eye in self._eyes)

    @property
    def moved_by(self) -> IntArray:
        """Return the vertices of the face model on which the parts depend, (k,)."""
        moved_by: IntArray = np.concatenate([np.r_[eye.rows.ravel(), eye.ball] for eye in self._eyes])
        return moved_by

    def vertices(self, moved_by: FloatArray) -> FloatArray:
        """Return the parts for a shape of the face: own vertices, then the model's lashes, (..., count + n, 3).

        ``moved_by`` (..., k, 3) are the vertices ``self.moved_by`` of the face, whose eyes look ahead.
        """
        halves = np.split(moved_by, 2, axis=-2)
        own, lashes = zip(*(eye.vertices(half) for eye, half in zip(self._eyes, halves, strict=True)), strict=True)
        vertices: FloatArray = np.concatenate([*own, *lashes], axis=-2)
        return vertices

    def chosen(self, indices: IntArray) -> IntArray:
        """Return the rows (n,) of ``vertices`` for a mesh's ``indices`` (n,); -1 for vertices that are no fine part.

        Own vertex j has the index -1 - j, a lash of the model the model's own index.
        """
        lash = np.searchsorted(self.own_lashes, indices).clip(0, len(self.own_lashes) - 1)
        is_lash = self.own_lashes[lash] == indices
        chosen: IntArray = np.where(indices < 0, -1 - indices, np.where(is_lash, self.count + lash, -1))
        return chosen


@lru_cache(maxsize=2)
def fine_parts(model: FaceModel) -> FineParts | None:
    """Return the parts for ``model``; None if its lids are not rings of quads, as the open head's are."""
    eyes = [_Eye.of(model, side) for side in "LR"]
    if eyes[0] is None or eyes[1] is None:
        return None
    faces, part, regions, start = [], [], {}, 0
    for side, eye in zip("LR", (eyes[0], eyes[1]), strict=True):
        for name, kind, members, quads in eye.pieces():
            faces.append(start + (quads if side == "L" else quads[:, ::-1]))
            part += [kind] * len(quads)
            regions[f"{name}_{side}"] = start + members
        start += eye.count
    own = np.concatenate([eyes[0].lashes, eyes[1].lashes])
    if (np.diff(own) <= 0).any() or len(eyes[0].ball) != len(eyes[1].ball) or eyes[0].rows.shape != eyes[1].rows.shape:
        return None
    return FineParts(np.concatenate(faces).astype(np.int32), tuple(part), regions, own, (eyes[0], eyes[1]))


@dataclass(frozen=True, eq=False)
class _Eye:
    """One eye of a model. All points are mirrored for the right eye, so that it is a left eye here."""

    mirror: FloatArray  # (3,)
    rows: IntArray  # (1 + LID_ROWS + SKIN_ROWS, M) vertices of the rings: the lining's first row, then outwards
    ball: IntArray  # vertices of the eyeball
    lashes: IntArray  # vertices of the model's lashes, sorted
    resting: FloatArray  # (2 M,) y of the unit vector from the eyeball's centre to the upper lashes' line at rest
    profile: tuple[FloatArray, FloatArray]  # angle from the pupil, and the eyeball's radius there
    size: float  # mean distance of the eyeball's vertices from its centre
    inset: FloatArray  # (2 M, 3) from the lid's back edge to the place where the conjunctiva meets the eyeball
    mound: FloatArray  # (2 M, steps) mm that the conjunctiva stands out
    wet: FloatArray  # (2 M,) where the wet line ends, as a share of the conjunctiva's width
    film: FloatArray  # (2 M,) mm that the conjunctiva stands out there
    opening: float  # mm between the lids beside the caruncle

    @staticmethod
    def of(model: FaceModel, side: str) -> _Eye | None:
        """Return the eye of ``side`` (L or R); None if the model lacks its lids' rings, its eyeball or its lashes."""
        rows = lid_rings(model, side)
        ball, lashes = (model.regions.get(f"{name}_{side}") for name in ("eyeball", "lashes"))
        if rows is None or ball is None or lashes is None or not len(lashes) or len(lashes) % STRAND:
            return None
        mirror = MIRROR if side == "R" else np.ones(3)
        points = model.neutral.astype(np.float64) * mirror
        lashes = np.sort(lashes)
        centre = points[ball].mean(axis=0)
        away = points[ball] - centre
        distance = np.linalg.norm(away, axis=1)
        angle = np.arccos(np.clip(away[:, 2] / distance, -1, 1))
        order = np.argsort(angle)
        edge = _refined(points[rows[1]])
        inset, mound, wet, film = _membrane(edge, centre, (angle[order], distance[order]))
        return _Eye(
            mirror, rows, ball, lashes, unit_vectors(_refined(points[rows[UPPER_ROW]]) - centre)[:, 1],
            (angle[order], distance[order]), float(distance.mean()), inset, mound, wet, film, float(_opening(edge)),
        )  # fmt: skip

    @property
    def columns(self) -> int:
        """Return the number of columns, 2 M."""
        return 2 * self.rows.shape[1]

    @property
    def count(self) -> int:
        """Return the number of this eye's own vertices."""
        return self.columns * (len(MEMBRANE_STEPS) + 2 + 3) + 2 * len(TAPER) * (LOWER_LASHES + UPPER_LASHES)

    def pieces(self) -> list[tuple[str, str, IntArray, IntArray]]:
        """Return name, part, own vertices and quads of each piece, in the vertices' order."""
        out: list[tuple[str, str, IntArray, IntArray]] = []
        start = 0
        steps = len(MEMBRANE_STEPS) + 2
        quads = _ring_faces(steps, self.columns)
        standing = np.abs(self.mound).max(axis=1) > 0.02
        pink = standing[quads[:, 0] % self.columns]
        members = np.arange(steps * self.columns)
        out.append(("conjunctiva", "conjunctiva", members, quads[~pink]))
        out.append(("caruncle", "caruncle", np.unique(quads[pink]), quads[pink]))
        start += len(members)
        out.append(("wet_line", "wet_line", start + np.arange(3 * self.columns), start + _ring_faces(3, self.columns)))
        start += 3 * self.columns
        for name, number in (("lashes_lower", LOWER_LASHES), ("lashes_upper", UPPER_LASHES)):
            members = start + np.arange(number * 2 * len(TAPER))
            out.append((name, "lashes", members, start + strand_faces(number, len(TAPER))))
            start += len(members)
        return out

    def vertices(self, moved_by: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return own vertices (..., count, 3) and the model's lashes for the places of ``rows`` and ``ball``."""
        rows, ball = np.split(moved_by * self.mirror, [self.rows.size], axis=-2)
        rows = rows.reshape(*rows.shape[:-2], *self.rows.shape, 3)
        centre = ball.mean(axis=-2)
        scale = np.linalg.norm(ball - centre[..., None, :], axis=-1).mean(axis=-1) / self.size
        lining, back, middle, low, up = (_refined(rows[..., k, :, :]) for k in (0, 1, 2, LOWER_ROW, UPPER_ROW))
        membrane = self._membrane_points(lining, back, centre, scale)
        wet = self._wet_points(back, middle, centre, scale)
        folds = [_refined(rows[..., k, :, :]) for k in range(UPPER_ROW + 1, self.rows.shape[0])]
        half, own = self.columns // 2, len(self.lashes) // STRAND
        lower = lash_places(LOWER_LASHES, 0.22, 0.94, 1) * half
        upper, between = (
            self.columns - lash_places(number, 0.19, 0.90, seed) * half
            for number, seed in ((UPPER_LASHES, 2), (own, 6))
        )
        turned = self._turned(up, folds, centre)
        below, above = lower_axes(low, up, centre), upper_axes(up, centre, turned)
        own_lengths, own_taper = UPPER_MM * lash_lengths(own, 5, 0.5), TAPER[[0, 2, 3]]
        hairs = [
            strands(lower, low, below, LOWER_CURVE, LOWER_MM * lash_lengths(LOWER_LASHES, 3, 0.6), ROOT_MM, TAPER),
            strands(upper, up, above, UPPER_CURVE, UPPER_MM * lash_lengths(UPPER_LASHES, 4, 0.5), UPPER_ROOT_MM, TAPER),
            strands(between, up, above, OWN_CURVE, own_lengths, UPPER_ROOT_MM, own_taper),
        ]
        return np.concatenate([membrane, wet, *hairs[:2]], axis=-2) * self.mirror, hairs[2] * self.mirror

    def _turned(self, root: FloatArray, folds: Sequence[FloatArray], centre: FloatArray) -> FloatArray:
        """Return how far the upper lashes turn up (..., 2 M), radians: with the lid, and away from skin over them."""
        outward = unit_vectors(root - centre[..., None, :])
        with_lid = ROLL * (np.arcsin(np.clip(outward[..., 1], -1, 1)) - np.arcsin(self.resting))
        away = unit_vectors(UP - outward[..., 1:2] * outward)
        over = []
        for fold in folds:
            for k in (-1, 0, 1):  # the fold over its neighbours, too
                beside = np.roll(fold, k, axis=-2) - root
                ahead, higher = (beside * outward).sum(axis=-1), (beside * away).sum(axis=-1)
                over.append(np.arctan2(higher, ahead) - CURL * np.hypot(higher, ahead))
        free = np.minimum.reduce(over)
        free = np.mean([np.roll(free, k, axis=-1) for k in range(-3, 4)], axis=0)
        turned: FloatArray = np.clip(np.minimum(with_lid, free - FREE), -1.0, 0.6)
        return turned

    def _radius(self, direction: FloatArray, scale: FloatArray) -> FloatArray:
        """Return the eyeball's radius (..., n) in unit directions (..., n, 3)."""
        angle = np.arccos(np.clip(direction[..., 2], -1, 1))
        radius: FloatArray = np.interp(angle, *self.profile) * scale[..., None]
        return radius

    def _at(
        self, back: FloatArray, centre: FloatArray, scale: FloatArray, share: FloatArray, mound: FloatArray
    ) -> FloatArray:
        """Return points (..., n, 3) of the conjunctiva at ``share`` (n,) of its width from the lid's back edge."""
        middle = centre[..., None, :]
        inner = _outside(back + self.inset, middle, self._radius, scale, -SUNK_MM, exactly=True)
        points = back + share[:, None] * (inner - back)
        points = _outside(points, middle, self._radius, scale, FILM_MM - (SUNK_MM + FILM_MM) * share)
        opened = np.clip(_opening(back) / self.opening, 0, 1)
        raised: FloatArray = points + (opened[..., None] * mound)[..., None] * FORWARD
        return raised

    def _membrane_points(
        self, lining: FloatArray, back: FloatArray, centre: FloatArray, scale: FloatArray
    ) -> FloatArray:
        """Return the conjunctiva's rings (..., rows * 2 M, 3), from inside the lid to inside the eyeball."""
        outward = unit_vectors(back - centre[..., None, :])
        rows = [(back + lining) / 2 + TUCKED_MM * outward]
        for k, step in enumerate(MEMBRANE_STEPS):
            rows.append(self._at(back, centre, scale, np.full(self.columns, step), self.mound[:, k]))
        inner = back + self.inset
        rows.append(_outside(inner, centre[..., None, :], self._radius, scale, -DEEP_MM, exactly=True))
        return np.concatenate(rows, axis=-2)

    def _wet_points(self, back: FloatArray, middle: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
        """Return the wet line's three rings (..., 3 * 2 M, 3), from the lid to the eyeball."""
        outward = unit_vectors(back - centre[..., None, :])
        on_lid = back + 0.55 * (middle - back) + FILM_MM * outward
        on_eye = self._at(back, centre, scale, self.wet, self.film) + FILM_MM * outward
        between = 0.35 * (on_lid + on_eye) + 0.30 * (back + FILM_MM * outward)
        points = np.concatenate([on_lid, between, on_eye], axis=-2)
        return _outside(points, centre[..., None, :], self._radius, scale, FILM_MM)


def _membrane(
    edge: FloatArray, centre: FloatArray, profile: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return inset, mound, wet and film of an eye whose lids' back edge is ``edge`` (2 M, 3) at rest."""
    count = len(edge)
    half = count // 2
    column = np.arange(count)
    facing = edge[-column % count]
    line = (edge + facing) / 2  # the middle between the lids
    from_inner = np.minimum(column, count - column)
    aim = line[np.clip(from_inner, half // 3, half - half // 4)]
    towards = unit_vectors(aim - edge)
    inner, outer = (np.linalg.norm(edge - edge[k], axis=1) for k in (0, half))
    width = NARROW_MM + INNER_MM * np.exp(-((inner / 2.6) ** 2)) + OUTER_MM * np.exp(-((outer / 2.0) ** 2))
    inset = width[:, None] * towards
    inside = _on_ball(edge + inset, centre, profile)
    along = towards[0]

    def standing(share: FloatArray) -> FloatArray:
        points = edge + share[:, None] * (inside - edge)
        beside = points - edge[0]
        forward = beside @ along
        across = np.linalg.norm(beside - forward[:, None] * along, axis=1)
        place, radius, height = CARUNCLE_MM
        mound = height * np.exp(-(((forward - place) / radius) ** 2 + (across / radius) ** 2))
        place, radius, height = FOLD_MM
        mound += height * np.exp(-(((forward - place) / radius) ** 2) - (across / 2.2) ** 2)
        # Nothing stands out where the conjunctiva meets the lid and where it meets the eyeball.
        raised: FloatArray = mound * np.sin(np.pi * np.clip(share, 0, 1)) ** 0.5
        return raised

    length = np.linalg.norm(inside - edge, axis=1)
    wet = np.clip(WET_MM / length, 0, 1)
    mound = np.stack([standing(np.full(count, step)) for step in MEMBRANE_STEPS], axis=1)
    return inset, mound, wet, standing(wet)


def _on_ball(points: FloatArray, centre: FloatArray, profile: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return the points of the eyeball in the direction of ``points`` (..., 3) from its centre."""
    direction = unit_vectors(points - centre)
    angle = np.arccos(np.clip(direction[..., 2], -1, 1))
    found: FloatArray = centre + direction * np.interp(angle, *profile)[..., None]
    return found


def _opening(edge: FloatArray) -> FloatArray:
    """Return the distance (...,) between the lids' back edges (..., 2 M, 3) beside the caruncle."""
    beside = edge.shape[-2] // 12
    distance: FloatArray = np.linalg.norm(edge[..., beside, :] - edge[..., -beside, :], axis=-1)
    return distance


def _outside(
    points: FloatArray,
    centre: FloatArray,
    radius: Callable[[FloatArray, FloatArray], FloatArray],
    scale: FloatArray,
    gap: FloatArray | float,
    exactly: bool = False,
) -> FloatArray:
    """Move ``points`` (..., n, 3) radially to at least ``gap`` mm over the eyeball, or to exactly that."""
    away = points - centre
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    direction = away / distance
    floor = (radius(direction, scale) + gap)[..., None]
    moved: FloatArray = centre + direction * (floor if exactly else np.maximum(distance, floor))
    return moved


def _refined(ring: FloatArray) -> FloatArray:
    """Return a closed ring (..., 2 M, 3) with the middles of the edges of ``ring`` (..., M, 3)."""
    middles = (ring + np.roll(ring, -1, axis=-2)) / 2
    both = np.stack([ring, middles], axis=-2)
    refined: FloatArray = both.reshape(*ring.shape[:-2], -1, 3)
    return refined


def _ring_faces(rows: int, columns: int) -> IntArray:
    """Return the quads of ``rows`` closed rings of ``columns`` vertices each."""
    k = np.arange(columns)
    following = (k + 1) % columns
    start = columns * np.arange(rows - 1)[:, None]
    quads = np.stack([start + k, start + following, start + columns + following, start + columns + k], axis=-1)
    return quads.reshape(-1, 4)

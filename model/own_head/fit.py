"""The open head fitted to an artist's skin: a similarity, then its identity components, then a free deformation.

The free deformation is an iterative closest-point fit with a stiffness that falls (Amberg, Romdhani and Vetter 2007);
its smoothness is a thin plate's, of the displacements, as in ``bases.registration``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..bases.registration import Sheet
from ..errors import InputError
from ..face.alignment import similarity
from ..face.meshes import vertex_normals
from .landmarks import POINTS, open_points, point_vertices
from .point_names import LABELS, REQUIRED
from .surface import Nearest, Surface
from .template import OPENINGS, Template, sides_of

# From the artist's frame (z up, -y forward) to the open head's (y up, z forward).
TO_MODEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
MAX_RMS_MM = 25.0  # the points' distance from those of a head of average size; above it they do not form a face
PERSON_POINT_MM, PERSON_LANDMARK_MM = 5.0, 2.0  # standard deviations of a correspondence and of a point
PERSON_REACH = (25.0, 20.0, 15.0, 10.0, 8.0, 6.0, 5.0, 5.0)
FACING = 0.5  # smallest cosine between the normals of a correspondence
# Rounds of the free deformation: stiffness, weight of a point, greatest distance of a correspondence in mm.
ROUNDS = tuple(
    (stiffness, pull, reach)
    for stiffness, pull, reach in zip(
        np.geomspace(300, 0.3, 10), np.geomspace(20, 0.05, 10), np.geomspace(15, 3, 10), strict=True
    )
)
SPACING_MM = 3.0


@dataclass(frozen=True, eq=False)
class Frame:
    """The similarity between the artist's frame and the model's: model = scale turn @ artist + shift, in mm."""

    scale: float
    turn: FloatArray
    shift: FloatArray

    def to_model(self, points: FloatArray) -> FloatArray:
        placed: FloatArray = self.scale * np.asarray(points, float) @ self.turn.T + self.shift
        return placed

    def to_artist(self, offsets: FloatArray) -> FloatArray:
        """Turn offsets (..., 3) in mm into the artist's frame and units."""
        turned: FloatArray = offsets @ self.turn / self.scale
        return turned


@dataclass(frozen=True, eq=False)
class Target:
    """The artist's skin in the model's frame, mm: ``points`` (V, 3), ``faces`` (T, 3), and its named ``places``.

    ``side`` (V,) of each opening is 1 on its upper side, -1 on its lower side, 0 elsewhere.
    """

    points: FloatArray
    faces: IntArray
    places: Mapping[str, FloatArray]
    surface: Surface
    edges: IntArray


@dataclass(frozen=True, eq=False)
class Fit:
    """The fitted skin (n, 3) mm, the sides of the target's openings, alpha, and the mean distance from the target."""

    skin: FloatArray
    alpha: FloatArray
    side: dict[str, IntArray]
    fit_mm: float


def frame_of(points: Mapping[str, FloatArray]) -> Frame:
    """Return the similarity from the artist's frame to the model's. Raises InputError if the points are no face."""
    missing = [LABELS[name] for name in REQUIRED if name not in points]
    if missing:
        raise InputError(f"{len(missing)} of the points are missing ({', '.join(missing)}): set them on the head")
    names = [name for name in POINTS if name in points]
    here = open_points()
    there = np.array([np.asarray(points[n], float) for n in names])
    if not np.isfinite(there).all():
        raise InputError("a point has coordinates that are not numbers: set the points again")
    model = np.array([here[n] for n in names])
    weights = np.array([POINTS[n].weight for n in names])
    if np.linalg.norm(there - there.mean(axis=0), axis=1).max() < 1e-9:
        raise InputError("the points lie in one place: set each where its name says")
    scale, turn, shift = similarity(there, model, weights)
    frame = Frame(scale, turn, shift)
    off = np.linalg.norm(frame.to_model(there) - model, axis=1)
    rms = float(np.sqrt(np.average(off**2, weights=weights)))
    swapped = np.array([here[n[:-1] + {"L": "R", "R": "L"}[n[-1]] if n[-2:] in ("_L", "_R") else n] for n in names])
    other_scale, other_turn, other_shift = similarity(there, swapped, weights)
    other = np.linalg.norm(other_scale * there @ other_turn.T + other_shift - swapped, axis=1)
    if rms > 2 * np.sqrt(np.average(other**2, weights=weights)):
        raise InputError("the points of the right and the left side are exchanged: right and left are the head's own")
    if not rms < MAX_RMS_MM:
        worst = names[int((off * np.sqrt(weights)).argmax())]
        raise InputError(
            f"the points do not form a face, the {LABELS[worst]} lies farthest off: set each where its name says"
        )
    return frame


def fit(template: Template, target: Target, report: Callable[[float], None]) -> Fit:
    """Fit the template's skin to the target. ``report`` takes the share that is done."""
    names = [name for name in POINTS if name in target.places]
    pins = template.number[[point_vertices()[n] for n in names]]
    places = np.array([target.places[n] for n in names])
    weights = np.array([POINTS[n].weight for n in names])
    sheet = Sheet(template.rest, template.triangles, np.arange(len(template.rest)))
    search = Search(template, target)
    skin, alpha = _as_person(template, search, pins, places, weights)
    report(0.3)
    search.tell_sides(skin)
    skin, alpha = _as_person(template, search, pins, places, weights, start=skin, reaches=PERSON_REACH[-3:])
    search.tell_sides(skin)
    sheet.rest = skin
    for i, (stiffness, pull, reach) in enumerate(ROUNDS):
        partner, trusted = search(skin, reach)
        skin = sheet.bend(
            skin, trusted.astype(float), partner.points, partner.normals, pins, places, pull * weights, stiffness
        )
        report(0.3 + 0.7 * (i + 1) / len(ROUNDS))
    partner, trusted = search(skin, ROUNDS[-1][2])
    gap = float(partner.distance[trusted].mean()) if trusted.any() else float("inf")
    return Fit(skin, alpha, search.side, gap)


class Search:
    """Correspondences from the template to the target, that stay on their side of the mouth and the eyes."""

    def __init__(self, template: Template, target: Target) -> None:
        self._template, self._target = template, target
        self.side: dict[str, IntArray] = {}
        self._sided: list[tuple[IntArray, Surface]] = []

    def tell_sides(self, skin: FloatArray) -> None:
        """Decide which of the target's vertices are above and below each opening, from the template's place."""
        self._sided = []
        normals = vertex_normals(skin, self._template.triangles)
        for opening in OPENINGS:
            seeds = []
            for members in self._template.seeds[opening]:
                found = self._target.surface.nearest(skin[members], normals[members])
                seeds.append(np.unique(found.corners[np.arange(len(members)), found.shares.argmax(axis=1)]))
            upper, lower = np.setdiff1d(seeds[0], seeds[1]), np.setdiff1d(seeds[1], seeds[0])
            if not len(upper) or not len(lower):
                continue
            reach = 45.0 if opening == "mouth" else 25.0
            side = sides_of(self._target.points, self._target.edges, upper, lower, reach)
            self.side[opening] = side
            for sign in (1, -1):
                members = np.flatnonzero(self._template.side[opening] == sign)
                near = skin[members]
                self._sided.append((members, self._target.surface.without(side == -sign, near, 20.0)))

    def __call__(self, skin: FloatArray, reach: float) -> tuple[Nearest, BoolArray]:
        """Return each vertex's nearest point, and (n,) whether it is trusted."""
        normals = vertex_normals(skin, self._template.triangles)
        partner = self._target.surface.nearest(skin, normals)
        for members, surface in self._sided:
            partner.replace(members, surface.nearest(skin[members], normals[members]))
        facing = np.einsum("ij,ij->i", partner.normals, normals)
        trusted: BoolArray = (facing > FACING) & (partner.distance < reach) & self._template.data
        return partner, trusted


def _as_person(
    template: Template,
    search: Search,
    pins: IntArray,
    places: FloatArray,
    weights: FloatArray,
    start: FloatArray | None = None,
    reaches: tuple[float, ...] = PERSON_REACH,
) -> tuple[FloatArray, FloatArray]:
    """Fit a small motion and the identity components, and return the skin (n, 3) and alpha (99,)."""
    rest = template.rest
    turns = np.cross(np.eye(3)[:, None], rest)
    identity = np.asarray(template.head.identity[:, template.skin], float)
    moves = np.concatenate(
        [np.broadcast_to(np.eye(3)[:, None], (3, *rest.shape)), turns / 100, rest[None] / 100, identity]
    )
    prior = np.concatenate([np.full(7, 1e-6), np.ones(len(identity))])
    pinned = moves[:, pins].reshape(len(moves), -1)
    pull = np.repeat(weights / PERSON_LANDMARK_MM**2, 3)
    pin_side = (pinned * pull) @ (places - rest[pins]).ravel()
    pin_normal = (pinned * pull) @ pinned.T + np.diag(prior)
    solution = np.linalg.solve(pin_normal, pin_side)
    person = rest + np.tensordot(solution, moves, 1) if start is None else start
    for reach in reaches:
        partner, trusted = search(person, reach)
        across = np.einsum("knc,nc->kn", moves[:, trusted], partner.normals[trusted])
        gap = np.einsum("nc,nc->n", partner.points[trusted] - rest[trusted], partner.normals[trusted])
        normal = across @ across.T / PERSON_POINT_MM**2 + pin_normal
        solution = np.linalg.solve(normal, across @ gap / PERSON_POINT_MM**2 + pin_side)
        person = rest + np.tensordot(solution, moves, 1)
    return person, solution[7:]

"""The artist's eyeballs: where they are, and how they turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..face.alignment import similarity
from .fit import Fit
from .parts import SPHERE_DEVIATION, sphere_of
from .sources import Source
from .template import Template

OFF_CENTRE = 1.0  # an eye's centre is at most this many radii of the fitted head's from that head's
HELD = 1.12  # vertices of an eye lie within this many radii, for the cornea bulges


@dataclass(frozen=True, eq=False)
class Eyeball:
    """Centre (3,) and radius in mm, and the artist's vertices (n, 3): none if the ball is the fitted head's."""

    centre: FloatArray
    radius: float
    vertices: FloatArray

    @property
    def found(self) -> bool:
        return len(self.vertices) > 0

    def holds(self, points: FloatArray) -> BoolArray:
        """Return which points (n, 3) lie in the ball."""
        held: BoolArray = np.linalg.norm(points - self.centre, axis=1) < HELD * self.radius
        return held


def eyeballs(template: Template, fitted: Fit, eyes: Sequence[FloatArray]) -> dict[str, Eyeball]:
    """Return the eyeballs L and R from the vertices of all eye parts, and from the fitted head where there are none."""
    head = template.head
    own: dict[str, Eyeball] = {}
    for side in "LR":
        around = template.number[head.regions[f"eye_socket_{side}"]]
        scale, turn, shift = similarity(template.rest[around], fitted.skin[around])
        centre, radius, _ = sphere_of(head.mean[head.regions[f"eyeball_{side}"]].astype(float))
        own[side] = Eyeball(scale * turn @ centre + shift, scale * radius, np.zeros((0, 3)))
    vertices = np.concatenate([*eyes, np.zeros((0, 3))])
    to = {side: np.linalg.norm(vertices - ball.centre, axis=1) for side, ball in own.items()}
    found = {}
    for side, other in (("L", "R"), ("R", "L")):
        ball = own[side]
        near = vertices[(to[side] < to[other]) & (to[side] < 3 * ball.radius)]
        found[side] = _fitted_sphere(near, ball)
    return found


def looks(points: FloatArray, balls: Mapping[str, Eyeball], keys: Source) -> FloatArray:
    """Return offsets (K, m, 3) of an eye's vertices: they turn with the keys of gaze, and rest with all others."""
    out = np.zeros((len(keys.names), len(points), 3))
    to = {side: np.linalg.norm(points - ball.centre, axis=1) for side, ball in balls.items()}
    for key, (side, turn) in keys.looks.items():
        here = to[side] <= to["R" if side == "L" else "L"]
        away = points[here] - balls[side].centre
        out[key, here] = away @ turn.T - away
    return out


def _fitted_sphere(points: FloatArray, guess: Eyeball) -> Eyeball:
    if len(points) < 12:
        return guess
    centre, radius, deviation = sphere_of(points)
    if deviation > SPHERE_DEVIATION or np.linalg.norm(centre - guess.centre) > OFF_CENTRE * guess.radius:
        return guess
    return Eyeball(centre, radius, points)

"""Loose pieces of the skin's mesh: eyes and teeth that belong to the same mesh, lashes, cards of hair."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..array_types import FloatArray
from .carry import Carrier, follow
from .eyes import Eyeball, looks
from .inside import Inside
from .sources import Source

EYE_REACH = 1.6  # pieces within this many radii of the fitted head's eye may be an eye
FEWEST = 12  # vertices of an eye


def eye_pieces(carry: Carrier, guesses: Mapping[str, Eyeball]) -> list[FloatArray]:
    """Return the vertices (n, 3) of loose pieces that lie about an eye's centre, such as an eyeball's."""
    loose = np.flatnonzero(carry.loose)
    points, piece = carry.target.points[loose], carry.piece[loose]
    numbers, which, count = np.unique(piece, return_inverse=True, return_counts=True)
    found = []
    for ball in guesses.values():
        off = np.linalg.norm(points - ball.centre, axis=1)
        farthest = np.zeros(len(numbers))
        np.maximum.at(farthest, which, off)
        middles = np.stack([np.bincount(which, x, len(numbers)) / count for x in points.T], axis=1)
        central = np.linalg.norm(middles - ball.centre, axis=1) < 0.5 * ball.radius
        chosen = central & (farthest < EYE_REACH * ball.radius) & (count >= FEWEST)
        found += [points[which == k] for k in np.flatnonzero(chosen)]
    return found


def move_loose(carry: Carrier, on_skin: FloatArray, keys: Source, balls: Mapping[str, Eyeball], inside: Inside) -> None:
    """Move the loose pieces, in place: eyes turn, lower teeth go with the jaw, the rest follows the nearest skin."""
    points = carry.target.points
    meshed = np.zeros(len(points), bool)
    meshed[carry.target.faces] = True
    loose = np.flatnonzero(carry.loose)
    if not len(loose):
        return
    at = points[loose]
    _, which, count = np.unique(carry.piece[loose], return_inverse=True, return_counts=True)
    eye = np.zeros(len(count), bool)
    for ball in balls.values():
        held = ball.holds(at)
        eye |= np.bincount(which, held, len(count)) == count
    above, below = inside.distances(at)
    above, below = (np.bincount(which, d, len(count)) / count for d in (above, below))
    within = inside.near(np.minimum(above, below)) & ~eye
    kind = np.where(eye, 0, np.where(within & (below <= above), 1, np.where(within, 2, 3)))[which]
    kind[~meshed[loose]] = 3
    turning, lower, follower = loose[kind == 0], loose[kind == 1], loose[kind == 3]
    if len(turning):
        on_skin[:, turning] = looks(points[turning], balls, keys)
    if len(lower):
        on_skin[:, lower] = inside.lower(points[lower], tongue=False)
    anchor = np.flatnonzero(~carry.loose)
    if len(follower) and len(anchor):
        on_skin[:, follower] = follow(points[follower], points[anchor], on_skin[:, anchor])

"""The keys of an artist's own head: from its parts and named points to one field of offsets for each key and part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..array_types import FloatArray
from .carry import Carrier, carrier, follow
from .eyes import Eyeball, eyeballs, looks
from .fit import fit, frame_of
from .inside import Inside, inside_of
from .parts import HeadPart
from .prepare import check, prepare
from .sources import Source, source
from .template import template
from .transfer import close_lids, transfer

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class OwnHeadKeys:
    """The keys of a head.

    names      K names: the 29 open keys, or ARKit's 52 in Apple's order
    offsets    part name -> (K, V, 3) float32, the offset of each vertex at key = 1, in the artist's frame and units
    fit_mm     mean distance of the fitted face from the artist's skin, on a head of human size
    unmatched  one line for each thing that could not be done, such as lips that cannot part; often empty
    """

    names: tuple[str, ...]
    offsets: dict[str, FloatArray]
    fit_mm: float
    unmatched: tuple[str, ...]


def _quiet(_done: float, _what: str) -> None:
    pass


def make_keys(
    parts: Sequence[HeadPart],
    points: Mapping[str, FloatArray],
    *,
    names: Literal["open", "arkit"],
    symmetric: bool = False,
    progress: Progress = _quiet,
) -> OwnHeadKeys:
    """Make the keys of a head at rest from its parts and its named points (``landmarks.POINTS``, artist's frame).

    ``symmetric`` makes the right side's keys the mirror image of the left's where the mesh is symmetric. ``progress``
    takes the share that is done, and what is being done. Raises InputError, one line, if the head cannot be used.
    """
    skins = check(parts)
    frame = frame_of(points)
    progress(0.02, "preparing the mesh")
    skin = prepare(skins, points, frame)
    head = template()
    progress(0.08, "fitting the open head")
    fitted = fit(head, skin.target, lambda done: progress(0.08 + 0.5 * done, "fitting the open head"))
    progress(0.6, "transferring the keys")
    keys = source(names)
    offsets = transfer(head, fitted.skin, keys.offsets[:, head.skin])
    others = [p for p in parts if p.kind != "skin"]
    balls = eyeballs(head, fitted, [frame.to_model(p.vertices) for p in others if p.kind in ("eye_L", "eye_R")])
    for side, key in keys.blinks.items():
        ball = balls[side]
        offsets[key] = close_lids(
            head, fitted.skin, offsets[key], head.margins[f"eye_{side}"], ball.centre, ball.radius
        )
    progress(0.75, "carrying the keys to the mesh")
    carry = carrier(head, skin.target, fitted)
    on_skin = carry(offsets)
    inside = inside_of(head, fitted, keys)
    _loose_pieces(carry, on_skin, keys, balls, inside)
    out: dict[str, FloatArray] = {}
    for part, start in zip(skins, skin.starts):
        here = skin.joined[start : start + len(part.vertices)]
        out[part.name] = frame.to_artist(on_skin[:, here]).astype(np.float32)
    anchor = np.flatnonzero(~carry.loose)
    for part in others:
        placed = frame.to_model(part.vertices)
        moved = _part(part, placed, keys, balls, inside, skin.target.points[anchor], on_skin[:, anchor])
        out[part.name] = frame.to_artist(moved).astype(np.float32)
    progress(1.0, "done")
    return OwnHeadKeys(keys.names, {p.name: out[p.name] for p in parts}, fitted.fit_mm, ())


def _part(
    part: HeadPart,
    placed: FloatArray,
    keys: Source,
    balls: Mapping[str, Eyeball],
    inside: Inside,
    skin: FloatArray,
    on_skin: FloatArray,
) -> FloatArray:
    """Return the offsets (K, m, 3) of a part that is not skin."""
    if part.kind in ("eye_L", "eye_R"):
        return looks(placed, balls, keys)
    if part.kind == "teeth_upper":
        return np.zeros((len(keys.names), len(placed), 3))
    if part.kind in ("teeth_lower", "tongue"):
        return inside.lower(placed, tongue=part.kind == "tongue")
    return follow(placed, skin, on_skin)


def _loose_pieces(
    carry: Carrier, on_skin: FloatArray, keys: Source, balls: Mapping[str, Eyeball], inside: Inside
) -> None:
    """Move the skin's loose pieces, in place: eyes and teeth that belong to the same mesh, lashes, hair."""
    points = carry.target.points
    anchor = np.flatnonzero(~carry.loose)
    skin, moved = points[anchor], on_skin[:, anchor]
    meshed = np.zeros(len(points), bool)
    meshed[carry.target.faces] = True
    following = [np.flatnonzero(~meshed)]
    loose = np.flatnonzero(carry.loose & meshed)
    order = loose[np.argsort(carry.piece[loose], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(carry.piece[order])) + 1) if len(order) else []:
        at = points[members]
        if any(ball.holds(at) for ball in balls.values()):
            on_skin[:, members] = looks(at, balls, keys)
            continue
        place = inside.place(at)
        if place == "lower":
            on_skin[:, members] = inside.lower(at, tongue=False)
        elif place is None:
            following.append(members)
    these = np.concatenate(following)
    if len(these):
        on_skin[:, these] = follow(points[these], skin, moved)

"""The keys of an artist's own head: from its parts and named points to one field of offsets for each key and part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..array_types import FloatArray
from ..face.meshes import vertex_normals
from .carry import Carrier, carrier, follow
from .eyes import Eyeball, eyeballs, looks
from .fit import Fit, fit, frame_of
from .fused import fused_openings
from .inside import Inside, inside_of
from .lids import Eye, shut
from .loose import eye_pieces, move_loose
from .parts import HeadPart
from .prepare import check, prepare
from .sources import Source, source
from .symmetry import symmetrised
from .template import template
from .transfer import close_lids, transfer

SYMMETRIC_SHARE = 0.95  # of the face that has a mirror image

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
    fused = fused_openings(head, skin.target, fitted)
    carry = carrier(head, skin.target, fitted, np.concatenate([np.zeros(0, int), *(f.beside for f in fused)]))
    eyes = [frame.to_model(p.vertices) for p in others if p.kind in ("eye_L", "eye_R")]
    balls = eyeballs(head, fitted, eyes + eye_pieces(carry, eyeballs(head, fitted, [])))
    for side, key in keys.blinks.items():
        ball = balls[side]
        margin = head.margins[f"eye_{side}"]
        offsets[key] = close_lids(head, fitted.skin, offsets[key], margin, ball.centre, ball.radius)
    progress(0.75, "carrying the keys to the mesh")
    on_skin = carry(offsets)
    _shut_lids(carry, fitted, on_skin, keys, balls, {f.opening for f in fused})
    notes = [f.line for f in fused]
    notes += [
        f"there is no {name} eye: its lids slide over one of usual size"
        for side, name in (("L", "left"), ("R", "right"))
        if not balls[side].found
    ]
    inside = inside_of(head, fitted, keys)
    if symmetric:
        progress(0.9, "making the keys symmetric")
        on_skin, share = symmetrised(head, fitted, skin.target, keys, on_skin, carry.trusted)
        if share < SYMMETRIC_SHARE:
            notes.append(f"{100 * (1 - share):.0f} % of the face has no mirror image: its keys are not symmetric")
    move_loose(carry, on_skin, keys, balls, inside)
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
    return OwnHeadKeys(keys.names, {p.name: out[p.name] for p in parts}, fitted.fit_mm, tuple(notes))


def _shut_lids(
    carry: Carrier, fitted: Fit, on_skin: FloatArray, keys: Source, balls: Mapping[str, Eyeball], fused: set[str]
) -> None:
    """Change the blinks in place so that the artist's own lids meet."""
    head, target = template(), carry.target
    normals = vertex_normals(target.points, target.faces)
    assert head.head.landmarks is not None
    for side, key in keys.blinks.items():
        name = f"eye_{side}"
        if name in fitted.side and name not in fused:
            corners = fitted.skin[head.number[head.head.landmarks[[36, 39] if side == "R" else [42, 45]]]]
            margin = head.margins[name]
            edges = fitted.skin[margin.upper[0]], fitted.skin[margin.lower[0]]
            eye = Eye((corners[0], corners[1]), edges[0], edges[1], balls[side])
            on_skin[key] = shut(target.points, normals, target.edges, fitted.side[name], on_skin[key], eye)


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

"""Rings of vertices round an eye of a face model: the lining of the lids, the lids, the skin around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..array_types import BoolArray, IntArray
from .face_model import FaceModel

LID_ROWS = 6  # from the back edge of a lid's margin outwards: back edge, middle, front edge, three rows of skin
SKIN_ROWS = 3  # rings of the skin around the lids


def lid_rings(model: FaceModel, side: str) -> IntArray | None:
    """Return the rings (1 + LID_ROWS + SKIN_ROWS, M) round an eye: the lining's first row, the lids', the skin's.

    None if the model's lids are not such rings.
    """
    names = [f"{name}_{side}" for name in ("lid_lower", "lid_upper", "eye_socket")]
    if any(name not in model.regions for name in names) or model.faces.shape[1] != 4 or model.faces.min() < 0:
        return None
    lower, upper, socket = (_mask(model, model.regions[name]) for name in names)
    links = np.concatenate([np.stack([model.faces, np.roll(model.faces, -1, axis=1)], -1).reshape(-1, 2)])
    links = np.concatenate([links, links[:, ::-1]])
    lids = (lower | upper) & ~socket
    skin = _mask(model, model.regions.get("skin", np.empty(0, np.int32))) & ~lids & ~socket
    links = np.unique(links[(lids | socket | skin)[links].all(axis=1)], axis=0)

    def beside(ring: BoolArray, among: BoolArray) -> BoolArray:
        found = np.zeros_like(ring)
        found[links[ring[links[:, 0]], 1]] = True
        found &= among
        return found

    levels: list[BoolArray] = []
    left: BoolArray = lids | skin
    for k in range(LID_ROWS + SKIN_ROWS):
        levels.append(beside(levels[-1] if levels else socket, left & (lids if k < LID_ROWS else skin)))
        left &= ~levels[-1]
    first = _walk(links, levels[0], lower, upper)
    if first is None or (left & lids).any():
        return None
    rows = [first]
    for level in levels[1:]:
        rows.append(_facing(links, rows[-1], level))
    rows.insert(0, _facing(links, first, beside(levels[0], socket)))
    if any(len(set(row)) != len(first) for row in rows):
        return None
    return np.array(rows, np.int64)


def _facing(links: IntArray, ring: Sequence[int], level: BoolArray) -> list[int]:
    """Return the vertices of ``level`` that are linked to those of ``ring``; shorter where one has none or many."""
    inside = links[level[links[:, 1]]]
    ahead: dict[int, list[int]] = {}
    for a, b in inside.tolist():
        ahead.setdefault(a, []).append(b)
    return [ahead[v][0] for v in ring if len(ahead.get(v, [])) == 1]


def _walk(links: IntArray, ring: BoolArray, lower: BoolArray, upper: BoolArray) -> Sequence[int] | None:
    """Return the vertices of a ring from the inner corner along the lower lid to the outer corner and back."""
    inside = links[ring[links].all(axis=1)]
    beside: dict[int, list[int]] = {}
    for a, b in inside.tolist():
        beside.setdefault(a, []).append(b)
    outer = np.flatnonzero(ring & lower & upper)
    if len(outer) != 1 or any(len(each) != 2 for each in beside.values()) or ring.sum() % 2:
        return None
    corner = int(outer[0])
    onto_lower = [v for v in beside.get(corner, []) if not upper[v]]
    if len(onto_lower) != 1:
        return None
    path = [corner, onto_lower[0]]
    while len(path) < ring.sum():
        ahead = [v for v in beside[path[-1]] if v != path[-2]]
        path.append(ahead[0])
    half = len(path) // 2
    return [path[half - k] for k in range(len(path))]  # the inner corner first


def _mask(model: FaceModel, members: IntArray) -> BoolArray:
    """Return (V,) which of the model's vertices are ``members``."""
    out = np.zeros(model.vertex_count, bool)
    out[members] = True
    return out

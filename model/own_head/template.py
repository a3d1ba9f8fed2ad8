"""The open head as the deforming template: its skin, the lids' edges, and the sides of its openings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..builtin import OPEN
from ..face.face_model import FaceModel, triangles
from ..face.meshes import half_edges
from ..formats import open_face_model

CLOSED_MM = 0.01  # facing vertices of the lids coincide at lid = 1 within this
SIDE_REACH_MM = 45.0  # the sides of the mouth are told apart this far from the lips
OPENINGS = ("mouth", "eye_L", "eye_R")


@dataclass(frozen=True, eq=False)
class Margin:
    """The edges of one eye's lids: ``upper`` and ``lower`` (3, n) facing vertices, rows from the front to the back."""

    upper: IntArray
    lower: IntArray


@dataclass(frozen=True, eq=False)
class Template:
    """The open head's skin, with the inside of the mouth.

    ``skin`` (n,) are its vertices in the open head; everything else counts in these. ``triangles`` (t, 3); ``rest``
    (n, 3) mm. ``margins`` are the lids' edges. ``seeds`` of each opening are vertices (upper, lower) that mark its two
    sides. ``side`` (n,) of each opening is 1 above it, -1 below it, 0 far from it. ``data`` (n,) are the vertices that
    are fitted to a surface: neither sockets, nor nostrils, nor the inside of the mouth.
    """

    head: FaceModel
    skin: IntArray
    triangles: IntArray
    rest: FloatArray
    margins: dict[str, Margin]
    seeds: dict[str, tuple[IntArray, IntArray]]
    side: dict[str, IntArray]
    data: BoolArray
    number: IntArray  # (V,) from the open head's vertices to the skin's, -1 elsewhere


@cache
def open_head() -> FaceModel:
    """Return the open head with its 99 identity components, read once."""
    return open_face_model(OPEN)


@cache
def template() -> Template:
    """Return the template, made once."""
    head = open_head()
    skin = np.sort(np.concatenate([head.regions["skin"], head.regions["mouth_socket"]])).astype(int)
    number = np.full(head.vertex_count, -1)
    number[skin] = np.arange(len(skin))
    faces = number[triangles(head.faces)]
    faces = faces[(faces >= 0).all(axis=1)]
    rest = np.asarray(head.mean[skin], float)
    lids = {side: lid_margin(side) for side in "LR"}
    margins = {f"eye_{s}": Margin(number[m.upper], number[m.lower]) for s, m in lids.items()}
    seeds, sides = {}, {}
    for opening in OPENINGS:
        seeds[opening] = _seeds(head, number, rest, margins, opening)
        sides[opening] = sides_of(rest, edges_of(faces), *seeds[opening], SIDE_REACH_MM)
    hidden = np.zeros(len(skin), bool)
    for region in ("mouth_socket", "nostrils", "eye_socket_L", "eye_socket_R"):
        hidden[number[head.regions[region]]] = True
    for margin in margins.values():
        hidden[margin.upper[1:]] = hidden[margin.lower[1:]] = True
    return Template(head, skin, faces, rest, margins, seeds, sides, ~hidden, number)


@cache
def lid_margin(side: str) -> Margin:
    """Return the lids' edges of ``side`` (L or R) in the open head's vertices: pairs that meet where it is shut."""
    head = open_head()
    upper, lower = head.regions[f"lid_upper_{side}"], head.regions[f"lid_lower_{side}"]
    closed = head.mean + head.expression[head.expression_keys.index(f"lid_{side}")]
    gap = np.linalg.norm(closed[upper][:, None] - closed[lower][None], axis=2)
    apart = np.linalg.norm(head.mean[upper][:, None] - head.mean[lower][None], axis=2)
    i, j = np.nonzero((gap < CLOSED_MM) & (apart > 0.1))
    # A row is found by what is beside it: the front one touches the lid's outside, the back one the socket.
    edges = np.concatenate([edges_of(triangles(head.faces))[:, ::-1], edges_of(triangles(head.faces))])
    pairs, corners = upper[i], np.intersect1d(upper, lower)
    outside = np.setdiff1d(upper, np.concatenate([pairs, corners]))

    def beside(members: IntArray) -> BoolArray:
        touching = edges[np.isin(edges[:, 0], members), 1]
        found: BoolArray = np.isin(pairs, touching)
        return found

    front, back = beside(outside), beside(head.regions[f"eye_socket_{side}"])
    rows = []
    for row in (front, ~front & ~back, back & ~front):
        order = np.argsort(head.mean[pairs[row], 0])
        rows.append((pairs[row][order], lower[j][row][order]))
    return Margin(np.stack([up for up, _ in rows]), np.stack([low for _, low in rows]))


def edges_of(faces: IntArray) -> IntArray:
    """Return each edge of triangles (T, 3) once, (E, 2)."""
    both = np.sort(half_edges(faces), axis=1)
    count = int(faces.max()) + 1 if len(faces) else 0
    code = np.unique(both[:, 0].astype(np.int64) * count + both[:, 1])
    return np.column_stack([code // count, code % count]) if count else both


def pieces_of(edges: IntArray, count: int) -> IntArray:
    """Return for each of ``count`` vertices the number (V,) of the connected piece that ``edges`` (E, 2) make."""
    from scipy import sparse  # here: the named points are found where there is no SciPy, too
    from scipy.sparse.csgraph import connected_components

    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    piece: IntArray = connected_components(graph.tocsr(), directed=False)[1]
    return piece


def sides_of(points: FloatArray, edges: IntArray, upper: IntArray, lower: IntArray, reach: float) -> IntArray:
    """Return (n,) 1 where the way over the mesh to ``upper`` is shorter than to ``lower``, -1 where longer, 0 beyond.

    Ways lead round an opening, so lips and lids that touch are told apart.
    """
    from scipy import sparse  # here: the named points are found where there is no SciPy, too
    from scipy.sparse.csgraph import dijkstra

    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    n = len(points)
    graph = sparse.coo_matrix((np.maximum(length, 1e-9), (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    to = [dijkstra(graph, directed=False, indices=seeds, min_only=True, limit=reach) for seeds in (upper, lower)]
    near = np.isfinite(np.minimum(*to))
    side: IntArray = np.where(near, np.where(to[0] < to[1], 1, -1), 0)
    return side


def _seeds(
    head: FaceModel, number: IntArray, rest: FloatArray, margins: dict[str, Margin], opening: str
) -> tuple[IntArray, IntArray]:
    """Return skin vertices that mark the upper and the lower side of an opening."""
    assert head.landmarks is not None
    if opening == "mouth":
        marks = number[head.landmarks]
        return _outline(rest, marks[[49, 50, 51, 52, 53]]), _outline(rest, marks[[55, 56, 57, 58, 59]])
    side, margin = opening[-1], margins[opening]
    lids = [number[head.regions[f"lid_{which}_{side}"]] for which in ("upper", "lower")]
    both = np.intersect1d(lids[0], lids[1])
    out = []
    for lid, edge in zip(lids, (margin.upper, margin.lower)):
        own = np.setdiff1d(lid, np.concatenate([both, edge.ravel()]))
        near = np.linalg.norm(rest[own][:, None] - rest[edge[0, 3:-3]][None], axis=2).min(axis=1)
        out.append(own[(near > 1.0) & (near < 4.0)])
    return out[0], out[1]


def _outline(rest: FloatArray, marks: IntArray) -> IntArray:
    """Return the vertices near the line through landmarks, within 1.5 mm."""
    between = np.linspace(0, 1, 6)[:, None]
    line = np.concatenate([a + between * (b - a) for a, b in zip(rest[marks[:-1]], rest[marks[1:]])])
    near = np.linalg.norm(rest[:, None] - line[None], axis=2).min(axis=1)
    out: IntArray = np.union1d(np.flatnonzero(near < 1.5), marks)
    return out

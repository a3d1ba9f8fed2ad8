"""The artist's skin made ready for the fit: checked, in the model's frame, seams joined, faces turned outward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ..array_types import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..face.meshes import half_edges
from .fit import SPACING_MM, Frame, Target
from .parts import MAX_VERTICES, HeadPart
from .point_names import LABELS
from .surface import Surface
from .template import edges_of, pieces_of

MAX_OFF_MM = 15.0  # a named point lies at most this far from the skin
WELD = 1e-5  # of the skin's size: vertices on seams that are nearer than this are one
MAX_FANS = 0.2  # share of edges with three and more faces, above which the mesh is not a surface
LIP_LINE_MM = 6.0  # around the line between the corners of the mouth no seam is joined: it may be the mouth


@dataclass(frozen=True, eq=False)
class Skin:
    """All skin parts as one mesh in the model's frame.

    ``target`` has the joined vertices; ``joined`` (V,) says for each vertex of the parts, in their order, which of
    these it is. ``starts`` are the first vertices of the parts.
    """

    target: Target
    joined: IntArray
    starts: tuple[int, ...]


def check(parts: Sequence[HeadPart]) -> list[HeadPart]:
    """Return the skin parts. Raises InputError if parts cannot be used, or if none is skin."""
    if not parts:
        raise InputError("no meshes are given: choose the meshes of the head")
    names = [p.name for p in parts]
    if len(set(names)) < len(names):
        raise InputError("two parts have the same name: give each its own")
    count = sum(len(p.vertices) for p in parts)
    if count > MAX_VERTICES:
        raise InputError(
            f"the head has {count:,} vertices, more than {MAX_VERTICES:,}: decimate it or remove its subdivision"
        )
    for part in parts:
        _check_part(part)
    skin = [p for p in parts if p.kind == "skin"]
    if not skin:
        raise InputError("none of the meshes is skin: choose which one is the skin of the face")
    return skin


def prepare(parts: Sequence[HeadPart], points: Mapping[str, FloatArray], frame: Frame) -> Skin:
    """Return the skin parts as one surface with the points in its frame. Raises InputError if it cannot be fitted."""
    vertices = frame.to_model(np.concatenate([p.vertices for p in parts]))
    starts = np.concatenate([[0], np.cumsum([len(p.vertices) for p in parts])])
    faces = np.concatenate([p.triangles + start for p, start in zip(parts, starts[:-1])])
    places = {name: frame.to_model(np.asarray(at, float)) for name, at in points.items() if name in LABELS}
    joined, kept = _join_seams(vertices, faces, _beside_lips(vertices, places))
    faces = joined[faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    faces = _turned_alike(faces, len(kept))
    used = vertices[kept]
    surface = Surface(used, faces, SPACING_MM)
    names = list(places)
    distance = surface.nearest(np.array([places[n] for n in names])).distance
    worst = int(distance.argmax())
    if distance[worst] > MAX_OFF_MM:
        raise InputError(
            f"the point {LABELS[names[worst]]} lies {distance[worst]:.0f} mm off the skin: set it on the surface"
        )
    target = Target(used, faces, places, surface, edges_of(faces))
    return Skin(_facing_out(target), joined, tuple(int(s) for s in starts[:-1]))


def _check_part(part: HeadPart) -> None:
    vertices, triangles = part.vertices, part.triangles
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not np.isfinite(vertices).all():
        raise InputError(f"{part.name}: it has vertices without a place; clean up the mesh (Merge by Distance)")
    if len(triangles) == 0:
        raise InputError(f"{part.name}: it has no faces; leave it out or give it some")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise InputError(f"{part.name}: its faces name vertices that it does not have; check the mesh")
    if part.kind != "skin":
        return
    edges = np.sort(half_edges(triangles), axis=1)
    _, times = np.unique(edges[:, 0] * len(vertices) + edges[:, 1], return_counts=True)
    if (times > 2).mean() > MAX_FANS:
        raise InputError(
            f"{part.name}: {100 * (times > 2).mean():.0f} % of its edges have more than two faces; remove doubled and "
            "inner faces (Mesh > Clean Up)"
        )


def _beside_lips(vertices: FloatArray, places: Mapping[str, FloatArray]) -> BoolArray:
    """Return which vertices lie near the line between the corners of the mouth, (V,)."""
    right, left = places["mouth_corner_R"], places["mouth_corner_L"]
    along = left - right
    t = np.clip((vertices - right) @ along / max(float(along @ along), 1e-12), 0, 1)
    near: BoolArray = np.linalg.norm(vertices - right - t[:, None] * along, axis=1) < LIP_LINE_MM + 6 * (t > 0.1) * (
        t < 0.9
    )
    return near


def _join_seams(vertices: FloatArray, faces: IntArray, apart: BoolArray) -> tuple[IntArray, IntArray]:
    """Join open edges that lie on each other, as texture seams do: (V,) new numbers, and the vertices that are kept.

    An open edge near the lips (``apart``) may be a mouth that is shut, if it runs across the face.
    """
    every = np.arange(len(vertices))
    edges = half_edges(faces)
    code = np.sort(edges, axis=1) @ np.array([len(vertices), 1])
    _, first, times = np.unique(code, return_index=True, return_counts=True)
    rim = edges[first[times == 1]]
    step = np.abs(vertices[rim[:, 1]] - vertices[rim[:, 0]])
    lips = apart[rim].all(axis=1) & (step[:, 0] > step[:, 1])
    rim = rim[~lips]
    if not len(rim):
        return every, every
    cell = WELD * float(np.ptp(vertices, axis=0).max())
    on_rim = np.unique(rim)
    _, place = np.unique(np.round(vertices[on_rim] / cell).astype(np.int64), axis=0, return_inverse=True)
    cells = np.full(len(vertices), -1)
    cells[on_rim] = place.ravel()
    pairs = np.sort(cells[rim], axis=1)
    _, which, times = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    shared = np.unique(rim[times[which.ravel()] > 1])
    if not len(shared):
        return every, every
    order = shared[np.argsort(cells[shared], kind="stable")]
    leader = order[np.searchsorted(cells[order], cells[order])]
    owner = every.copy()
    owner[order] = leader
    kept, joined = np.unique(owner, return_inverse=True)
    return joined.ravel(), kept


def _turned_alike(faces: IntArray, count: int) -> IntArray:
    """Return the triangles with neighbours wound alike, as far as the mesh allows."""
    edges = half_edges(faces)
    owner = np.tile(np.arange(len(faces)), 3)
    low, high = edges.min(axis=1), edges.max(axis=1)
    order = np.argsort(low * count + high, kind="stable")
    code = (low * count + high)[order]
    _, first, times = np.unique(code, return_index=True, return_counts=True)
    pairs = first[times == 2]
    one, two = order[pairs], order[pairs + 1]
    same = (edges[one, 0] == edges[two, 0]).astype(int)  # both run the same way: one of the two is turned
    if not same.any():
        return faces
    a, b = owner[one], owner[two]
    graph = sparse.coo_matrix((1 + same, (a, b)), shape=(len(faces),) * 2).tocsr()
    graph = graph.maximum(graph.T)
    turned = np.zeros(len(faces), bool)
    _, piece = connected_components(graph, directed=False)
    for label in np.unique(piece[a[same == 1]]):
        members = np.flatnonzero(piece == label)
        order, before = breadth_first_order(graph, members[0], directed=False)
        parent = before.copy()
        parent[order[0]] = order[0]
        flip = np.zeros(len(faces), int)
        flip[order[1:]] = np.asarray(graph[order[1:], before[order[1:]]]).ravel() - 1
        while (parent[order] != order[0]).any():  # the parity up to the root, in doubling steps
            flip[order] ^= flip[parent[order]]
            parent[order] = parent[parent[order]]
        turned[order] = flip[order] == 1
        if turned[order].mean() > 0.5:
            turned[order] = ~turned[order]
    faces = faces.copy()
    faces[turned] = faces[turned][:, ::-1]
    return faces


def _facing_out(target: Target) -> Target:
    """Return the target with each connected piece's faces turned outward: to the front around the points."""
    middle = np.mean(list(target.places.values()), axis=0) - [0, 0, 60.0]
    piece = pieces_of(target.edges, len(target.points))
    a, b, c = (target.points[target.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    outward = np.einsum("ij,ij->i", normal, (a + b + c) / 3 - middle)
    vote = np.bincount(piece[target.faces[:, 0]], outward, piece.max() + 1)
    inward = vote[piece[target.faces[:, 0]]] < 0
    if not inward.any():
        return target
    faces = target.faces.copy()
    faces[inward] = faces[inward][:, ::-1]
    return Target(target.points, faces, target.places, Surface(target.points, faces, SPACING_MM), target.edges)

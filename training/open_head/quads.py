"""Operations on quad meshes: boundaries, loops, rings, and the mirror image of half a mesh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...model.array_types import AnyArray, BoolArray, FloatArray, IntArray
from .embedding import Embedding

Polygons = Sequence[Sequence[int]] | IntArray


def directed_boundary(faces: Polygons) -> dict[int, int]:
    """Return the boundary edges as start -> end, in the direction in which their face runs.

    Raises ValueError where three surfaces meet.
    """
    edges = Counter((int(a), int(b)) for f in faces for a, b in zip(f, (*f[1:], f[0])))
    following: dict[int, int] = {}
    for a, b in edges:
        if (b, a) not in edges:
            if a in following:
                raise ValueError(f"the boundary crosses itself at vertex {a}")
            following[a] = b
    return following


def boundary_loops(faces: Polygons) -> list[list[int]]:
    """Return the closed boundary loops, each in the direction of its faces."""
    following = directed_boundary(faces)
    loops = []
    while following:
        start = next(iter(following))
        loop = [start]
        while (b := following.pop(loop[-1])) != start:
            loop.append(b)
        loops.append(loop)
    return loops


def rings(faces: Polygons, loop: Sequence[int], count: int) -> list[list[int]]:
    """Return ``count`` adjacent rings of edges, starting after ``loop`` and going through ``faces``.

    Column k of every ring belongs to column k of the loop. Only regular regions can be traversed.
    """
    of_edge: dict[frozenset[int], list[Sequence[int]]] = {}
    for f in faces:
        for a, b in zip(f, (*f[1:], f[0])):
            of_edge.setdefault(frozenset((a, b)), []).append(f)
    used: set[tuple[int, ...]] = set()
    out: list[list[int]] = []
    ring = list(loop)
    for _ in range(count):
        step: dict[int, int] = {}
        crossed = []
        for a, b in zip(ring, (*ring[1:], ring[0])):
            (quad,) = [f for f in of_edge[frozenset((a, b))] if tuple(f) not in used]
            crossed.append(tuple(quad))
            i = list(quad).index(a)
            around = [quad[(i + k) % 4] for k in range(4)]
            c, d = (around[2], around[3]) if around[1] == b else (around[2], around[1])
            if step.setdefault(a, d) != d or step.setdefault(b, c) != c:
                raise ValueError(f"ring {len(out) + 1} is not regular at vertex {a}")
        used.update(crossed)
        ring = [step[v] for v in ring]
        out.append(ring)
    return out


def grown(faces: Polygons, start: Iterable[int], levels: int) -> list[Sequence[int]]:
    """Return the faces reached from the vertices ``start`` in ``levels`` steps over shared vertices."""
    reached, remaining, out = set(start), list(faces), []
    for _ in range(levels):
        near = [f for f in remaining if not reached.isdisjoint(f)]
        remaining = [f for f in remaining if reached.isdisjoint(f)]
        reached.update(v for f in near for v in f)
        out += near
    return out


def triangulated(faces: Polygons) -> IntArray:
    return np.array([(f[0], f[k], f[k + 1]) for f in faces for k in range(1, len(f) - 1)])


def crumpled(points: FloatArray, faces: IntArray) -> float:
    """Count the quads that are not convex or barely convex, each judged by its worst corner.

    A quad without an area or with an edge without a length counts ten.
    """
    edge = np.roll(points[faces], -1, axis=1) - points[faces]
    corner = np.cross(np.roll(edge, 1, axis=1), edge)
    length = np.linalg.norm(edge, axis=2)
    normal = corner.sum(axis=1)
    area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(area, 1e-12)[:, None]
    sine = (corner * normal[:, None]).sum(axis=2) / np.maximum(length * np.roll(length, 1, axis=1), 1e-12)
    return float(
        (0.25 - sine.min(axis=1)).clip(0, None).sum() + 10 * ((area < 0.02) | (length.min(axis=1) < 0.02)).sum()
    )


def without_collapsed(points: FloatArray, faces: IntArray) -> IntArray:
    """Return the faces without quads whose opposite corners coincide.

    Those corners become one vertex, so the neighbouring quads stay connected.
    """
    same = np.arange(len(points))
    gone = np.zeros(len(faces), bool)
    for a, b in ((0, 2), (1, 3)):
        shut = np.linalg.norm(points[faces[:, a]] - points[faces[:, b]], axis=1) < 0.02
        same[faces[shut, b]] = faces[shut, a]
        gone |= shut
    remaining: IntArray = same[faces[~gone]]
    return remaining


@dataclass(frozen=True)
class Half:
    """The x >= 0 half of one part.

    Holds embedded vertices, quads, which vertices lie on the plane x = 0, and named sets or grids of vertices that
    later steps use.
    """

    part: str
    embedding: Embedding
    faces: IntArray
    on_midline: BoolArray
    marks: dict[str, IntArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """All halves and their mirror images.

    Holds the quads and, for each vertex, its mirror image, its part and its side (1 left, 0 middle, -1 right). Holds
    also the marks of the left half.
    """

    embedding: Embedding
    faces: IntArray
    mirror: IntArray
    part: AnyArray
    side: IntArray
    marks: dict[str, IntArray]


def mirrored(halves: Sequence[Half], source_mirror: IntArray) -> Topology:
    corners, weights, faces, mirror, part, side = [], [], [], [], [], []
    marks: dict[str, IntArray] = {}
    base = 0
    for half in halves:
        n = len(half.embedding)
        left = np.flatnonzero(~half.on_midline)
        own = base + np.arange(n)
        other = own.copy()
        other[left] = base + n + np.arange(len(left))
        corners += [half.embedding.corners, source_mirror[half.embedding.corners[left]]]
        weights += [half.embedding.weights, half.embedding.weights[left]]
        faces += [own[half.faces], other[half.faces[:, ::-1]]]
        mirror += [other, own[left]]
        side += [np.where(half.on_midline, 0, 1), np.full(len(left), -1)]
        part += [half.part] * (n + len(left))
        marks |= {name: own[m] for name, m in half.marks.items()}
        base += n + len(left)
    return Topology(
        Embedding(np.concatenate(corners), np.concatenate(weights)),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(mirror),
        np.array(part),
        np.concatenate(side),
        marks,
    )

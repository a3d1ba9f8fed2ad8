"""The connected pieces of a mesh: eyes, teeth and lashes that are part of the head's own mesh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..array_types import FloatArray, IntArray
from .parts import HeadPart

SMALLEST = 24  # vertices of a piece that is looked at for itself
MOST = 60  # pieces of a mesh; the others stay together


def islands(triangles: IntArray, vertices: FloatArray) -> IntArray:
    """Return a number for each vertex (V,), the same for those that triangles connect.

    Vertices at one place are connected, too: a glTF file has several where a texture has a seam or faces are flat.
    """
    _, place = np.unique(vertices, axis=0, return_inverse=True)
    place = place.ravel()
    triangles = place[triangles]
    label: IntArray = np.arange(len(vertices))
    while True:
        least = label[triangles].min(1)
        before = label.copy()
        for corner in range(3):
            np.minimum.at(label, triangles[:, corner], least)
        label = np.minimum(label, label[label])
        label = label[label]
        if (label == before).all():
            return label[place]


def split(part: HeadPart) -> list[tuple[HeadPart, IntArray]]:
    """Return the pieces of a part, each with the indices (V,) of its vertices in the part.

    The largest keeps the name; the others get none, so that shape and place decide what they are. Small pieces, and
    vertices without triangles, belong to the largest.
    """
    if not len(part.triangles):
        return [(part, np.arange(len(part.vertices)))]
    label = islands(part.triangles, part.vertices)
    names, where, sizes = np.unique(label, return_inverse=True, return_counts=True)
    where = where.ravel()
    order = np.argsort(-sizes, kind="stable")
    own = [i for i in order[1:MOST] if sizes[i] >= SMALLEST]
    if not own:
        return [(part, np.arange(len(part.vertices)))]
    belongs = np.zeros(len(names), np.int64)
    for number, island in enumerate(own, 1):
        belongs[island] = number
    piece = belongs[where]
    return [
        (_piece(part, piece == number, first=number == 0), np.flatnonzero(piece == number))
        for number in range(len(own) + 1)
    ]


def _piece(part: HeadPart, chosen: IntArray, first: bool) -> HeadPart:
    place = np.cumsum(chosen) - 1
    triangles = place[part.triangles[chosen[part.triangles].all(1)]]
    return replace(part, name=part.name if first else "", vertices=part.vertices[chosen], triangles=triangles)

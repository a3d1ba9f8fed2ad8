"""The connected pieces of a mesh."""

from __future__ import annotations

import numpy as np

from expnet.model.own_head.islands import SMALLEST, split
from expnet.model.own_head.parts import HeadPart


def strip(x: float, quads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a strip of triangles, 2 * quads + 2 vertices."""
    vertices = np.array([[x + side, 0.0, step] for step in range(quads + 1) for side in (0.0, 1.0)])
    corners = np.array([[0, 1, 2], [1, 3, 2]])
    return vertices, np.concatenate([corners + 2 * step for step in range(quads)])


def two_strips() -> HeadPart:
    (long, long_faces), (short, short_faces) = strip(0.0, 40), strip(5.0, 20)
    return HeadPart(
        "head", np.concatenate([long, short]), np.concatenate([long_faces, short_faces + len(long)]), "skin"
    )


def test_pieces_that_do_not_touch_are_apart_and_the_largest_keeps_the_name() -> None:
    pieces = split(two_strips())
    assert [(piece.name, len(vertices)) for piece, vertices in pieces] == [("head", 82), ("", 42)]
    assert len(pieces[1][0].vertices) >= SMALLEST


def test_flat_faces_of_a_gltf_file_are_not_pieces() -> None:
    """There, every triangle has vertices of its own."""
    part = two_strips()
    corners = part.triangles.ravel()
    torn = HeadPart("head", part.vertices[corners], np.arange(len(corners)).reshape(-1, 3), "skin")
    pieces = split(torn)
    assert [(piece.name, len(piece.triangles)) for piece, _ in pieces] == [("head", 80), ("", 40)]

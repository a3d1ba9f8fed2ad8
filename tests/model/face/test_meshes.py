"""Normals of meshes, and the nearest point of a triangle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from expnet.model.face.meshes import nearest_in_triangles, vertex_normals

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
numbers = st.integers(-20, 20).map(lambda n: n / 4)


def test_normals_of_a_cube_point_away_from_its_middle() -> None:
    outward = (CUBE - 0.5) / np.linalg.norm(CUBE - 0.5, axis=1, keepdims=True)
    np.testing.assert_allclose(vertex_normals(CUBE, QUADS), outward, atol=1e-12)


@pytest.mark.parametrize("faces", [[[0, 1, 3]], [[0, 1, 3, 0]]], ids=["triangle", "triangle among quads"])
def test_a_vertex_without_a_face_has_no_normal(faces: list[list[int]]) -> None:
    normals = vertex_normals(CUBE, np.array(faces))
    np.testing.assert_allclose(normals[[0, 1, 3]], np.tile([-1.0, 0, 0], (3, 1)))
    assert not normals[[2, 4, 5, 6, 7]].any()


def test_the_first_corner_of_a_triangle_among_quads_counts_once() -> None:
    both = np.array([[0, 1, 3, 0], [0, 4, 5, 1]])  # a triangle and a quad at a right angle, with vertices 0 and 1
    normals = vertex_normals(CUBE, both)
    np.testing.assert_allclose(normals[0], normals[1])


@given(arrays.arrays(float, (1, 3), elements=numbers), arrays.arrays(float, (1, 3, 3), elements=numbers))
def test_no_point_of_a_triangle_is_nearer_than_the_nearest(point: np.ndarray, corners: np.ndarray) -> None:
    """Triangles without an area, and points on them, included."""
    share = nearest_in_triangles(point, corners)
    assert share.min() >= 0 and share.sum() == pytest.approx(1)
    grid = np.array([(i, j, 24 - i - j) for i in range(25) for j in range(25 - i)]) / 24
    nearest = np.linalg.norm(share[0] @ corners[0] - point[0])
    assert nearest <= np.linalg.norm(grid @ corners[0] - point[0], axis=1).min() + 1e-9

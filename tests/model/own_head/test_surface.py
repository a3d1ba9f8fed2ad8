from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from expnet.model.face.meshes import nearest_in_triangles
from expnet.model.own_head.surface import Surface
from expnet.model.own_head.template import edges_of, sides_of


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_the_nearest_point_is_that_of_a_search_through_all_triangles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-10, 10, (30, 3))
    faces = np.array([rng.choice(30, 3, replace=False) for _ in range(20)])
    queries = rng.uniform(-12, 12, (15, 3))
    found = Surface(points, faces, 0.7).nearest(queries)
    corners = points[np.tile(faces, (15, 1))]
    shares = nearest_in_triangles(np.repeat(queries, 20, axis=0), corners)
    every = np.linalg.norm(np.einsum("nk,nkc->nc", shares, corners) - np.repeat(queries, 20, axis=0), axis=1)
    assert (found.distance <= every.reshape(15, 20).min(axis=1) + 0.5).all()
    assert np.allclose(found.sampled(points), found.points)


def test_of_two_sheets_that_touch_the_one_that_faces_the_same_way_is_found() -> None:
    sheet = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    both = Surface(np.concatenate([sheet, sheet + [0, 0, 0.1]]), np.concatenate([faces, faces[:, ::-1] + 4]), 1.0)
    query, up = np.array([[5.0, 5, 0.09]]), np.array([[0.0, 0, 1]])
    assert both.nearest(query, up).points[0, 2] == 0 and both.nearest(query, -up).points[0, 2] == 0.1


def test_the_sides_of_a_slit_are_told_by_the_way_round_it() -> None:
    x, y = np.meshgrid(np.arange(11.0), np.arange(10.0))
    points = np.column_stack([x.ravel(), y.ravel(), np.zeros(110)])
    points[55:, 1] -= 1  # the rows 4 and 5 lie on each other
    cells = [(i, i + 1, i + 12, i + 11) for r in range(9) if r != 4 for i in range(11 * r, 11 * r + 10)]
    ends = [(44, 45, 56, 55), (53, 54, 65, 64)]
    faces = np.array([(a, b, c) for a, b, c, d in cells + ends] + [(a, c, d) for a, b, c, d in cells + ends])
    side = sides_of(points, edges_of(faces), np.array([104]), np.array([5]), 100.0)
    assert (side[:55] == -1).mean() > 0.85 and (side[55:] == 1).mean() > 0.85

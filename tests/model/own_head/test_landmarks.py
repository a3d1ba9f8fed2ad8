from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from expnet.model.own_head.landmarks import POINTS, from_ibug68, open_points, point_vertices
from expnet.model.own_head.point_names import LABELS, REQUIRED
from expnet.model.own_head.template import open_head


def test_each_point_has_a_label_and_a_vertex_of_its_own() -> None:
    assert set(LABELS) == set(POINTS) and set(REQUIRED) < set(POINTS)
    assert len(set(point_vertices().values())) == len(POINTS) == 28


@given(st.floats(0.001, 100), st.floats(-3, 3), st.floats(-1.4, 1.4))
def test_the_landmarks_of_a_moved_and_scaled_open_head_give_its_points(scale: float, yaw: float, pitch: float) -> None:
    head = open_head()
    turn = Rotation.from_euler("yx", [yaw, pitch]).as_matrix()
    moved = scale * head.mean @ turn.T + [4, 5, 6]
    found = from_ibug68(moved[head.landmarks])
    for name, vertex in point_vertices().items():
        assert np.allclose(found[name], moved[vertex], atol=1e-4 * scale), name


def test_points_are_mirror_images_of_each_other() -> None:
    points = open_points()
    for name, at in points.items():
        if name.endswith("_L"):
            assert np.allclose(points[name[:-2] + "_R"] * [-1, 1, 1], at, atol=0.05), name

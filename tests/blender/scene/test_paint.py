"""The painted pictures: what is where on a face."""

from __future__ import annotations

import numpy as np
import pytest

from expnet.expnet_addon.scene import paint


@pytest.fixture(scope="module")
def at(open_head):
    """Return the skin's colour at a vertex of the open head."""
    picture = paint.skin_picture(open_head)
    size = len(picture)

    def colour(vertex):
        face, corner = (a[0] for a in np.nonzero(open_head.faces == vertex))
        column, row = np.clip((open_head.uv[face, corner] * size).astype(int), 0, size - 1)
        return picture[row, column]

    return colour


def test_brows_are_dark(at, open_head):
    middle_of_left_brow, cheek = open_head.landmarks[24], open_head.landmarks[13]
    assert at(middle_of_left_brow).mean() < 0.75 * at(cheek).mean()


def test_lips_are_redder_than_the_chin(at, open_head):
    def redness(colour):
        return colour[0] / colour[1:].mean()

    lower_lip = open_head.neutral[open_head.landmarks[[57, 66]]].mean(axis=0)
    nearest = np.linalg.norm(open_head.neutral - lower_lip, axis=1).argmin()
    chin = open_head.landmarks[8]
    assert redness(at(nearest)) > 1.15 * redness(at(chin))


def test_skin_is_a_picture(open_head):
    picture = paint.skin_picture(open_head)
    assert picture.shape == (1024, 1024, 3)
    assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


def test_an_eye_has_pupil_iris_and_white():
    picture = paint.eye_picture()
    middle, iris = len(picture) // 2, int(0.7 * paint.IRIS_EDGE * len(picture))
    assert picture[middle, middle].max() < 0.1
    assert 0.1 < picture[middle, middle + iris].mean() < 0.6
    assert picture[middle, 4].min() > 0.7


def test_the_iris_lies_about_the_optical_axis():
    angle = np.radians(25)
    rim = np.array(
        [[np.sin(angle) * np.cos(a), np.sin(angle) * np.sin(a), np.cos(angle)] for a in np.linspace(0, 6, 9)]
    )
    uv = paint.eye_uv(np.concatenate([[[0, 0, 1]], rim]), iris_angle=angle)
    np.testing.assert_allclose(uv[0], [0.5, 0.5])
    np.testing.assert_allclose(np.linalg.norm(uv[1:] - 0.5, axis=1), paint.IRIS_EDGE)

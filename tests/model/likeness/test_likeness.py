"""A face's texture from pictures: where colours land, what light is removed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import expnet
from expnet.model.errors import InputError
from expnet.model.face.face_model import FaceModel
from expnet.model.formats import open_face_model
from expnet.model.likeness.chart import chart_of
from expnet.model.likeness.light import harmonics, light_of, shading
from expnet.model.likeness.texture import SKINS, texture_of
from expnet.model.likeness.views import alpha_of, views_of
from expnet.model.networks import engines
from expnet.model.sight.video import picture_at
from expnet.model.srgb import linear, srgb

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def estimator():
    return engines.start("open", "cpu", "auto").estimator


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a frame of the built-in clip, twice as large, with a green spot on the subject's right cheek."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    cv2.imwrite(str(path), cv2.resize(picture_at(DEMO, 0), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    return path


def test_the_chart_is_symmetric_and_covers_the_skin(model: FaceModel) -> None:
    chart = chart_of(model, 256)
    drawn = chart.picture(np.ones(len(chart.at), np.float32)) > 0
    assert drawn.mean() > 0.6
    assert (drawn == drawn[:, ::-1]).mean() > 0.99
    place = chart.picture(chart.values(model.neutral))
    both = drawn & drawn[:, ::-1]
    away = np.abs(place[both] - place[:, ::-1][both] * [-1, 1, 1]).max(-1)
    assert np.median(away) < 0.5 and np.percentile(away, 95) < 2


def test_known_light_is_found_and_removed() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(4000, 3))
    normals[:, 2] = np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo = np.float32([0.25, 0.3, 0.5]) * rng.uniform(0.9, 1.1, (4000, 1)).astype(np.float32)
    true = np.zeros((9, 3), np.float32)
    true[0], true[1], true[2] = 0.8, 0.35, 0.1
    colours = albedo * (harmonics(normals) @ true)
    colours[::50] *= 0.1  # hair
    weights = np.ones(4000, np.float32)
    light = light_of(colours, albedo, normals, weights)
    np.testing.assert_allclose(light[:3], true[:3], atol=0.06)
    flat = colours / shading(light, normals, weights)
    left, right = normals[:, 0] < -0.5, normals[:, 0] > 0.5

    def bias(c: np.ndarray) -> float:
        return float(abs(np.log(np.median(c[left], axis=0) / np.median(c[right], axis=0))).max())

    assert bias(flat) < 0.3 * bias(colours)


def test_srgb_and_linear_are_inverse() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    np.testing.assert_allclose(srgb(linear(values)), values, atol=1e-5)


@pytest.mark.slow
def test_a_mark_on_the_cheek_lands_on_the_cheek(model: FaceModel, estimator, photo: Path, tmp_path: Path) -> None:
    (view,) = views_of([str(photo)], estimator)
    assert view.landmarks is not None
    alpha = alpha_of([view], estimator)
    plain = texture_of([view], model, alpha)
    marked = view.image.copy()
    nose, ear = view.landmarks[33], view.landmarks[2]
    cv2.circle(marked, tuple((nose + 0.5 * (ear - nose)).astype(int).tolist()), 8, (0, 255, 0), -1)
    path = tmp_path / "marked.png"
    cv2.imwrite(str(path), marked)
    spotted = texture_of(views_of([str(path)], estimator), model, alpha)
    assert plain.picture.shape == (2048, 2048, 3) and plain.skin.lower() in SKINS and plain.seen > 0.3
    chart = chart_of(model)
    green = spotted.picture.reshape(-1, 3)[chart.at].astype(int)
    green = (green[:, 1] - green[:, [0, 2]].max(1)) > 60
    place = chart.values(model.neutral)[green]
    assert len(place) > 100
    x, y, z = np.median(place, axis=0)
    assert -60 < x < -20 and -35 < y < 25 and z > 20, "on the subject's right cheek, and nowhere else"


def test_a_photo_of_two_people_asks_which(estimator, photo: Path, tmp_path: Path) -> None:
    image = cv2.imread(str(photo))
    both = tmp_path / "both.png"
    cv2.imwrite(str(both), np.hstack([image, image[:, ::-1]]))
    with pytest.raises(InputError, match="shows 2 people: say which") as caught:
        views_of([str(both)], estimator)
    assert "\n" not in str(caught.value)
    assert len(views_of([str(both)], estimator, face=1)) == 1


def test_pictures_without_a_face_or_that_are_missing_are_one_line(estimator, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((120, 160, 3), 90, np.uint8))
    with pytest.raises(InputError, match="no face was found"):
        views_of([str(grey)], estimator)
    with pytest.raises(InputError, match="does not exist"):
        views_of([str(tmp_path / "none.png")], estimator)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no images"):
        views_of([str(tmp_path / "empty")], estimator)


@pytest.mark.slow
def test_a_clip_gives_views_from_several_sides(estimator) -> None:
    views = views_of([str(DEMO)], estimator)
    yaws = [float(np.arcsin(view.seen.rotation[0, 0, 2])) for view in views]
    assert len(views) >= 3 and np.ptp(yaws) > 0.4

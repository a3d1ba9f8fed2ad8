"""The labels of a sample other than the coefficients: dense points, visibility, detail."""

import numpy as np
import pytest

from expnet.model.camera import Camera, crop_of_pose
from expnet.model.face.dense_points import DENSE, DENSE_MIRROR
from expnet.model.formats import open_face_model
from expnet.model.rotations import rotation_of_euler
from expnet.training.synthetic import sample as engine
from expnet.training.synthetic.brows import sample_brows
from expnet.training.synthetic.degrade import degrade
from expnet.training.synthetic.pose import Pose
from expnet.training.synthetic.shape import landmarks_of
from expnet.training.synthetic.surface import build_surface

SIZE = 96
RIGHT_EYE, LEFT_EYE, PUPILS = slice(36, 42), slice(42, 48), slice(68, 70)


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


def seen(surface, yaw=0.0, seed=0, shut=0.0):
    """Which landmarks a head turned by ``yaw`` shows, averaged over hair, glasses and hands, (70,)."""
    model, camera = surface.model, Camera(1000, (SIZE - 1) / 2, (SIZE - 1) / 2)
    eta = np.zeros(29, np.float32)
    eta[5:7] = shut
    vertices = model.vertices(None, eta)
    rotation = rotation_of_euler(yaw, 0, 0)
    translation = np.array([0, 0, -2000.0]) - rotation @ [0, 0, 60]
    crop = crop_of_pose(rotation, translation, camera)
    pose = Pose(rotation, translation, camera, crop, crop)
    brows = sample_brows(np.random.default_rng(seed), surface, eta)
    marks = landmarks_of(surface, vertices, brows)
    distances = -(marks @ rotation[2] + translation[2])
    points, rngs = pose.in_crop(marks), (np.random.default_rng([seed, i]) for i in range(40))
    return np.mean(
        [engine.render(rng, surface, vertices, eta, brows, pose, SIZE, points, distances)[1] for rng in rngs], axis=0
    )


def test_dense_points_are_a_symmetric_set_of_the_face_skin(surface):
    mean, dense = surface.model.neutral, surface.dense
    assert dense.shape == (DENSE,) == (192,) and len(set(dense)) == DENSE
    np.testing.assert_allclose(mean[dense[DENSE_MIRROR]], mean[dense] * [-1, 1, 1], atol=1e-3)
    for region, least in {"lips": 56, "lid_upper_L": 12, "lid_lower_R": 12, "brow_L": 12}.items():
        assert np.isin(dense, surface.model.regions[region]).sum() >= least
    assert np.isin(dense, surface.model.regions["skin"]).all() and mean[dense, 2].min() > 0


def test_points_lie_among_the_landmarks(surface):
    samples = engine.sample_batch([np.random.default_rng([1, i]) for i in range(12)], surface, SIZE)
    for s in (s for s in samples if s.face):
        assert s.points.dtype == np.float16 and s.visible.dtype == np.uint8
        lips = s.points[np.isin(surface.dense, surface.model.regions["lips"])].astype(float)
        np.testing.assert_allclose(lips.mean(0), s.landmarks[48:68].mean(0), atol=0.05)


def test_a_face_in_front_shows_its_landmarks_and_a_turned_one_those_of_its_near_side(surface):
    front = seen(surface)
    assert front[17:68].mean() > 0.75 and front[PUPILS].mean() > 0.6
    turned = seen(surface, yaw=1.25)  # to the subject's left: its left eye is behind the nose
    assert turned[RIGHT_EYE].mean() > 0.7 and turned[LEFT_EYE].mean() < 0.2
    assert turned[68] > 0.5 and turned[69] < 0.2
    assert seen(surface, yaw=np.pi)[17:].max() == 0  # the back of the head


def test_shut_lids_hide_the_pupils_and_nothing_else(surface):
    shut = seen(surface, shut=1.0)
    assert shut[PUPILS].max() == 0 and shut[RIGHT_EYE].mean() > 0.7


def test_landmarks_outside_the_picture_or_under_its_borders_are_not_visible(surface):
    samples = engine.sample_batch([np.random.default_rng([2, i]) for i in range(60)], surface, SIZE)
    outside = np.array([((s.landmarks < 0) | (s.landmarks > 1)).any(1) for s in samples])
    visible = np.array([s.visible for s in samples], bool)
    assert outside.sum() > 20 and not visible[outside].any()


def test_detail_is_what_blur_and_small_pictures_leave():
    image = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    all_detail, sharpness = [], []
    for seed in range(200):
        out = degrade(np.random.default_rng(seed), image)
        assert 0 < out.detail <= SIZE
        all_detail.append(out.detail)
        sharpness.append(np.abs(np.diff(out.image.astype(float), axis=1)).mean())
    all_detail, sharpness = np.array(all_detail), np.array(sharpness)
    assert (all_detail == SIZE).mean() > 0.4 and all_detail.min() < 40
    assert np.median(sharpness[all_detail < 60]) < 0.5 * np.median(sharpness[all_detail == SIZE])


def test_some_pictures_are_thumbnails_that_end_where_the_face_ends():
    white = np.ones((SIZE, SIZE, 3), np.float32)
    small = [
        out for out in (degrade(np.random.default_rng(seed), white.copy()) for seed in range(600)) if out.detail < 48
    ]
    assert min(out.detail for out in small) < 11
    framed = [out for out in small if min(out.covered) > 0]
    assert len(framed) > 10
    black = [out for out in framed if out.image[0].mean() < 100]  # else the outermost pixels are repeated
    assert 0.3 < len(black) / len(framed) < 0.9
    for out in black:
        top, bottom, left, right = out.covered
        dark = out.image.mean(2) < 100
        assert not dark[top + 8 : SIZE - bottom - 8, left + 8 : SIZE - right - 8].any()
        for edge in (dark[: top // 2], dark[SIZE - bottom // 2 :], dark[:, : left // 2], dark[:, SIZE - right // 2 :]):
            assert edge.all()

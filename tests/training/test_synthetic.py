"""The synthetic face engine: seeded, labelled truthfully, inside the keys' bounds."""

import numpy as np
import pytest

from expnet.model.camera import Camera, crop_of_pose, pose_of_crop, project, rotation_in_crop
from expnet.model.face.semantics import LANDMARK_MIRROR, OPEN_KEYS
from expnet.model.formats import open_face_model
from expnet.model.rotations import rotation_of_euler
from expnet.training.dataset import mirrored
from expnet.training.synthetic import sample as engine
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.ingredients import Ingredients
from expnet.training.synthetic.shape import LIDS, PUPIL_DEPTH, blend, landmarks_of, sample_ways, shape_head
from expnet.training.synthetic.skin import wrinkle_depth
from expnet.training.synthetic.surface import build_surface


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


def faces(surface, count, seed=0):
    out, i = [], 0
    while len(out) < count:
        s = engine.sample(np.random.default_rng([seed, i]), surface)
        i += 1
        if s.face:
            out.append(s)
    return out


def test_the_same_seed_gives_the_same_picture_and_labels(surface):
    first, second = (make_shard(surface, seed=3, index=5, count=4, size=96) for _ in range(2))
    assert first["image"].shape == (4, 96, 96, 3) and first["image"].dtype == np.uint8
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_some_people_have_furrows_at_rest_that_are_no_expression(surface):
    rest, frown = np.zeros(29), np.zeros(29)
    frown[[OPEN_KEYS.index("browDown_L"), OPEN_KEYS.index("browDown_R")]] = 1
    depths = np.stack(
        [[wrinkle_depth(np.random.default_rng(i), surface, eta) for i in range(400)] for eta in (rest, frown)]
    )
    between_brows = np.flatnonzero(surface.wrinkle_drivers[:, OPEN_KEYS.index("browDown_L")] == 1)[0]
    at_rest, frowning = depths[:, :, between_brows]
    assert 0.1 < (at_rest > 0.3).mean() < 0.3
    assert (frowning > at_rest).all()  # the same person's furrow gets deeper
    pairs = surface.wrinkle_kind[:-1] == surface.wrinkle_kind[1:]
    left, right = depths[0][:, :-1][:, pairs], depths[0][:, 1:][:, pairs]
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.8


def test_turning_left_moves_the_nose_to_the_right_of_the_screen_and_up_lifts_it():
    nose = np.array([0, 0, 1.0])
    assert (rotation_of_euler(0.4, 0, 0) @ nose)[0] > 0.3  # the subject's left is the screen's right
    assert (rotation_of_euler(0, 0.4, 0) @ nose)[1] > 0.3
    up = rotation_of_euler(0, 0, 0.4) @ np.array([0, 1.0, 0])
    assert up[0] > 0.3  # leaning right on screen


def test_crop_and_rotation_labels_give_the_pose_back(surface):
    rng = np.random.default_rng(2)
    for _ in range(20):
        yaw, pitch, roll = engine.sample_angles(rng, True)
        pose = engine.sample_pose(rng, yaw, pitch, roll, 96, True)
        local = rotation_in_crop(pose.rotation, pose.camera, pose.own)
        rotation, translation = pose_of_crop(local, pose.camera, pose.own)
        np.testing.assert_allclose(rotation, pose.rotation, atol=1e-6)
        np.testing.assert_allclose(translation, pose.translation, rtol=1e-5, atol=1e-3)


def test_a_picture_without_a_face_shows_no_face_in_the_crops_place():
    rng = np.random.default_rng(4)
    for _ in range(200):
        angles = engine.sample_angles(rng, False)
        pose = engine.sample_pose(rng, *angles, 96, False)
        dx, dy, log_scale, _ = pose.given.offset_to(pose.own)
        back = abs(angles[0]) > 1.9
        assert back or np.hypot(dx, dy) > 0.7 or abs(log_scale) > 1


def test_landmarks_of_a_centred_frontal_face_lie_where_a_face_has_them(surface):
    camera = Camera(960, 47.5, 47.5)
    rotation, translation = np.eye(3), np.array([0, 0, -2000.0]) - [0, 0, 60]
    crop = crop_of_pose(rotation, translation, camera)
    vertices = surface.model.neutral @ rotation.T + translation
    points = crop.from_image(project(vertices[surface.model.landmarks], camera))
    eyes, mouth = points[36:48].mean(0), points[48:60].mean(0)
    assert np.allclose(eyes, [0.5, 0.33], atol=0.03) and np.allclose(mouth, [0.5, 0.67], atol=0.03)
    assert points[36, 0] < 0.4 < 0.6 < points[45, 0]  # the subject's right eye is left in the picture


def test_a_mirrored_batch_is_the_batch_seen_in_a_mirror(surface):
    batch = {k: np.stack([getattr(s, k) for s in faces(surface, 4)]) for k in engine.Sample.__dataclass_fields__}
    twice = mirrored(mirrored(batch))
    for name, value in batch.items():
        np.testing.assert_allclose(twice[name], value, atol=5e-4 if name == "points" else 1e-6)  # they are float16
    once = mirrored(batch)
    left = OPEN_KEYS.index("mouthSmile_L")
    np.testing.assert_array_equal(once["eta"][:, left], batch["eta"][:, left + 1])
    np.testing.assert_allclose(once["landmarks"][:, 36, 0], 1 - batch["landmarks"][:, 45, 0], atol=1e-6)
    assert sorted(LANDMARK_MIRROR) == list(range(70))


def test_an_expression_key_moves_the_landmarks_it_should(surface):
    eta = np.zeros((2, 29), np.float32)
    eta[1, OPEN_KEYS.index("jawOpen")] = 1
    a, b = heads(surface, eta)
    chin = surface.model.landmarks[8]
    assert a[chin, 1] - b[chin, 1] > 8
    assert np.abs((a - b)[surface.model.regions["eyeball_L"]]).max() < 1e-4


def plain_ways(count):
    """Of people who make every expression as the head does, and whose lids rest where the head's do, (count, 31)."""
    return np.repeat([[1.0] * 29 + [0.0] * 2], count, axis=0)


def heads(surface, eta):
    """One person making the expressions ``eta`` (B, 29), (B, V, 3)."""
    count = len(eta)
    gaze = np.zeros((count, 2), np.float32)
    persons, moves = blend(surface, np.zeros((count, 99), np.float32), eta, gaze, plain_ways(count))
    return [
        shape_head(np.random.default_rng(4), surface, *rows) for rows in zip(persons, moves, eta, gaze, strict=True)
    ]


def test_blending_is_eq_1_with_lids_that_follow_the_gaze(surface):
    rng = np.random.default_rng(0)
    alpha, eta = rng.normal(0, 1, (3, 99)).astype(np.float32), rng.uniform(0, 0.5, (3, 29)).astype(np.float32)
    gaze = np.array([[0, 0], [0, 0], [0, np.radians(30)]], np.float32)
    persons, moves = blend(surface, alpha, eta, gaze, plain_ways(3))
    expected = surface.model.vertices(alpha, eta)
    np.testing.assert_allclose((persons + moves)[:2], expected[:2], atol=1e-3)
    open_share = 1 - eta[2, 5:7].mean()
    np.testing.assert_allclose((persons + moves)[2], expected[2] + open_share * surface.model.gaze_lids[0], atol=1e-3)


def test_eyes_that_look_ahead_point_a_little_outwards_by_a_different_angle_in_each_person(surface):
    """Angle kappa: the line of sight lies on the nose's side of the eye's axis. The landmarks follow the iris."""
    still = np.zeros((1, 99), np.float32), np.zeros((1, 29), np.float32), np.zeros((1, 2), np.float32)
    persons, moves = blend(surface, *still, plain_ways(1))
    apart = []
    for seed in range(60):
        vertices = shape_head(np.random.default_rng(seed), surface, persons[0], moves[0], still[1][0], still[2][0])
        pupils = landmarks_of(surface, vertices)[68:]
        assert pupils[0, 0] + pupils[1, 0] == pytest.approx(0, abs=1e-3)
        apart.append(pupils[1, 0] - pupils[0, 0])
    straight = np.ptp(landmarks_of(surface, surface.model.neutral)[68:, 0])
    outwards = np.degrees(np.arcsin((np.array(apart) - straight) / 2 / PUPIL_DEPTH))
    assert outwards.mean() == pytest.approx(4.5, abs=0.8) and 1.4 < outwards.std() < 2.6


def test_lids_rest_differently_from_person_to_person_and_shut_fully_in_all(surface):
    count, top, bottom = 60, surface.model.landmarks[[43, 44]], surface.model.landmarks[[47, 46]]
    ways = np.stack([sample_ways(np.random.default_rng(i)) for i in range(count)])
    opening = {}
    for lid in (0.0, 1.0):
        eta = np.zeros((count, 29), np.float32)
        eta[:, LIDS] = lid
        still = np.zeros((count, 99), np.float32), eta, np.zeros((count, 2), np.float32)
        vertices = np.add(*blend(surface, *still, ways))
        opening[lid] = np.linalg.norm(vertices[:, top] - vertices[:, bottom], axis=2).mean(1)
        plain = np.add(*blend(surface, *still, plain_ways(count)))
        if lid:
            np.testing.assert_allclose(vertices, plain, atol=1e-3)  # shut as the head's own lids are
    assert 0.7 < opening[0].std() < 1.5  # mm; people's eye opening varies by 1.2
    assert opening[1].std() < 1e-3 and opening[1].max() < 0.3 * opening[0].min()


def test_natural_faces_look_ahead_in_plain_light_with_nothing_held_and_keep_their_detail(surface, monkeypatch):
    """They are what a webcam sees; other pictures, which may show anything, are drawn as well."""
    held, lights = [], []
    hand, light = engine.sample_held, engine.sample_light
    monkeypatch.setattr(engine, "sample_held", lambda *given: held.append(given) or hand(*given))
    monkeypatch.setattr(engine, "sample_light", lambda rng, natural: lights.append(natural) or light(rng, natural))
    monkeypatch.setattr(engine, "_patch_over", lambda *given: held.append(given) or np.zeros((96, 96), np.float32))
    natural = others = hands = 0
    for i in range(60):
        held.clear(), lights.clear()
        s = engine.sample(np.random.default_rng([10, i]), surface, 96)
        plain_with_a_hand = any(each[-1] is True for each in held)
        hands += plain_with_a_hand
        assert lights == [bool(s.natural) or plain_with_a_hand]
        if not s.natural:
            others += s.face
            continue
        natural += 1
        assert s.face == 1 and not held
        assert s.detail >= 80
        first, second = s.rotation.reshape(2, 3)
        ahead = np.cross(first, second)
        assert np.degrees(np.arccos(ahead[2])) < 40  # 30 of yaw, and what the lens and the pitch add
    assert natural > 20 and others > 8 and 0 < hands < 8


def test_natural_heads_are_turned_by_less_than_30_degrees():
    angles = np.array([engine.sample_angles(np.random.default_rng(i), True, natural=True) for i in range(3000)])
    assert np.degrees(np.abs(angles).max(0)).max() < 30
    assert (np.degrees(angles.std(0)) > [9, 5, 4]).all()


def test_samples_made_together_are_the_samples_made_alone(surface):
    together = engine.sample_batch([np.random.default_rng([8, i]) for i in range(3)], surface, 64)
    for i, sample in enumerate(together):
        alone = engine.sample(np.random.default_rng([8, i]), surface, 64)
        np.testing.assert_allclose(sample.landmarks, alone.landmarks, atol=1e-4)
        assert np.abs(sample.image.astype(int) - alone.image).mean() < 0.5  # rounding may tip a pixel


@pytest.mark.parametrize("ingredient", ["wrinkles", "hair", "covers", "degradations"])
def test_an_ingredient_can_be_left_out_of_otherwise_the_same_pictures(surface, ingredient):
    without = build_surface(surface.model, Ingredients(**{ingredient: False}))
    seeds = range(12)
    whole, lacking = (
        engine.sample_batch([np.random.default_rng([9, i]) for i in seeds], s, 64) for s in (surface, without)
    )
    for a, b in zip(whole, lacking, strict=True):
        for label in ("eta", "alpha", "rotation", "crop", "face"):
            np.testing.assert_array_equal(getattr(a, label), getattr(b, label))
        assert b.visible.sum() >= a.visible.sum() - 2
    assert any((a.image != b.image).any() for a, b in zip(whole, lacking, strict=True))
    if ingredient == "degradations":
        assert all(b.detail == 64 for b in lacking) and any(a.detail < 60 for a in whole)

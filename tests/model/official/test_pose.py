"""FacePoseNet's answers as poses in our camera: what it saw in the crop is seen there again, through any lens.

The truth is made with OpenCV's own camera (``projectPoints``, ``solvePnP``), which is what the network's labels were
made with.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from expnet.expnet_addon.scene.coordinates import object_pose
from expnet.model.camera import Camera, project
from expnet.model.errors import InputError
from expnet.model.face.alignment import similarity
from expnet.model.formats import open_face_model
from expnet.model.official.pose import (
    FLIP,
    GenericHead,
    generic_head,
    pose_of_facepose,
    pose_of_weak_perspective,
    read_generic_landmarks,
)
from expnet.model.rotations import rodrigues

K = np.array([[2880.0, 0, 112], [0, 2880.0, 112], [0, 0, 1]])
LEVEL = np.array([0.0, 0.0, 0.0, 0.0, 10.0, 3300.0])  # a head that looks into the camera


@cache
def open_landmarks() -> np.ndarray:
    """(68, 3) of the open head, mm."""
    model = open_face_model("open")
    return model.neutral[model.landmarks].astype(np.float64)


@cache
def basel_landmarks() -> np.ndarray:
    """(68, 3) of a head with the Basel mean's measures: outer eye corners at (-43, 26, 87), nose tip at z 132."""
    points = open_landmarks() * [43 / 44.6, 0.97, 0.97]
    return points + [0, 26, 87] - points[[36, 45]].mean(axis=0) + [0, 0, 3] * (np.arange(68)[:, None] == 30)


@cache
def generic_landmarks() -> np.ndarray:
    """(68, 3) of a generic head, y down, with what is known of the release's: another face than the two above."""
    points = open_landmarks() @ np.diag([39.5 / 44.6, 0.92, 0.95]) @ FLIP
    return points - [0, points[36, 1] + 31, points[30, 2] + 55]


def in_crop(pose: np.ndarray, head: GenericHead, model: np.ndarray) -> np.ndarray:
    """(N, 2) where the network says that the model's points are in the crop, 0 to 224."""
    points = head.scale * model @ head.rotation.T + head.translation
    return cv2.projectPoints(points, pose[:3], pose[3:], K, None)[0][:, 0]


def in_image(crop: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Points of the crop's 224 in the image. Its edges lie half a pixel outside its first and last pixels' middles."""
    return square[:2] - 0.5 + crop * square[2] / 224


def cameras_own(square: np.ndarray) -> Camera:
    """Return the camera that the network assumes of a crop, as one of the whole image."""
    return Camera(2880 * square[2] / 224, *(square[:2] + (square[2] - 1) / 2))


def poses(count: int, seed: int = 0) -> np.ndarray:
    """Poses as the release gives them: turned up to 60 degrees and more, 3.1 to 3.5 m away."""
    rng = np.random.default_rng(seed)
    turns = rng.uniform(-1, 1, (count, 3)) * [0.4, 1.1, 0.4]
    return np.concatenate([turns, rng.uniform([-20, -10, 3100], [20, 30, 3500], (count, 3))], axis=1)


def squares(count: int, seed: int = 1) -> np.ndarray:
    """Squares in and partly outside an image of 1280 x 720."""
    rng = np.random.default_rng(seed)
    side = rng.integers(80, 500, count)
    return np.stack([rng.integers(-100, 1280 - side // 2), rng.integers(-100, 720 - side // 2), side], 1).astype(float)


# --- where the head is seen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("landmarks", [open_landmarks, basel_landmarks])
def test_through_the_crops_own_camera_every_point_is_where_the_network_saw_it(landmarks) -> None:
    model = landmarks()
    for generic in (None, generic_landmarks()):
        head = generic_head(model, generic)
        given, cut = poses(40), squares(40)
        rotation, translation = pose_of_facepose(given, cut, [cameras_own(s) for s in cut], head)
        for i in range(40):
            seen = project(model @ rotation[i].T + translation[i], cameras_own(cut[i]))
            np.testing.assert_allclose(seen, in_image(in_crop(given[i], head, model), cut[i]), atol=1e-8)


@pytest.mark.parametrize("lens_mm", [24.0, 50.0, 85.0, 200.0])
def test_through_any_lens_the_head_keeps_its_place_and_size(lens_mm: float) -> None:
    """The anchor agrees to the last digit.

    The other landmarks differ by what no rigid pose can remove: at another distance near and far parts of a head have
    another proportion, and off the axis a lens stretches.
    """
    model = basel_landmarks()
    head = generic_head(model, generic_landmarks())
    camera = Camera.for_image(1280, 720, lens_mm)
    given, cut = poses(60), squares(60)
    rotation, translation = pose_of_facepose(given, cut, camera, head)
    for i in range(60):
        anchor = rotation[i] @ head.anchor + translation[i]
        middle = in_image(in_crop(given[i], head, head.anchor[None]), cut[i])[0]
        np.testing.assert_allclose(project(anchor, camera), middle, atol=1e-8)

        seen = project(model @ rotation[i].T + translation[i], camera) - middle
        wanted = in_image(in_crop(given[i], head, model), cut[i]) - middle
        distance, far = np.linalg.norm(anchor), 3000 / head.scale
        relief = np.abs((model - head.anchor) @ rotation[i].T @ anchor / distance)  # mm along the ray
        sideways = np.linalg.norm(model - head.anchor, axis=1)
        slope = np.linalg.norm(anchor[:2]) / -anchor[2]  # tangent of the angle off the axis
        stretch = (1 + slope**2) ** 0.25 - 1  # 1/sqrt(cos): what the two directions differ from their mean
        # First order: r relief |1/distance - 1/far|, r stretch; a ray's slope times depth cancels. Rest: second order.
        r = np.linalg.norm(wanted, axis=1) + 1e-9
        per_mm = camera.focal / -anchor[2]
        bound = (
            r * (relief / distance + stretch) * 1.5 + per_mm * slope * (relief + sideways) ** 2 / distance + 0.02 * r
        )
        assert (np.linalg.norm(seen - wanted, axis=1) <= bound).all(), i
        assert far > 2000


def test_a_photographed_head_is_found_again_from_its_crop() -> None:
    """The whole way round: a head before a 50 mm lens, what the generic head's solver makes of its crop, and back."""
    model, camera = basel_landmarks(), Camera.for_image(1920, 1080, 50)
    head = generic_head(model, generic_landmarks())
    for yaw, at in ((0.0, [0, 0, -900]), (0.5, [-180, 60, -1100]), (-0.7, [250, -90, -1200])):
        rotation = rodrigues(np.array([0.1, yaw, 0.05]))
        pixels = project(model @ rotation.T + at, camera)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        side = np.ceil(1.5 * (high - low).max())
        square = np.array([*np.floor((low + high - side) / 2), side])
        crop = (pixels + 0.5 - square[:2]) * 224 / side
        ok, r, t = cv2.solvePnP(generic_landmarks(), crop, K, None)
        assert ok
        pose = np.concatenate([r, t])[:, 0]
        found, moved = pose_of_facepose(pose[None], square[None], camera, head)
        error = project(model @ found[0].T + moved[0], camera) - pixels
        assert np.sqrt((error**2).sum(axis=1).mean()) < 0.02 * side, "of the crop; two faces' shapes and a near lens"
        turned = np.degrees(np.arccos((np.trace(found[0] @ rotation.T) - 1) / 2))
        assert turned < 4
        assert np.linalg.norm(moved[0] - at) < 0.08 * np.linalg.norm(at)


def test_off_the_axis_the_head_is_turned_to_its_ray_as_the_crop_shows_it() -> None:
    """The same crop at the edge of a wide picture is the same face, seen by an eye that looks there."""
    head, camera = generic_head(basel_landmarks()), Camera.for_image(1281, 721, 24)
    cut = np.array([[540.0, 260, 201], [1080, 60, 201]])
    (middle, edge), translation = pose_of_facepose(np.stack([LEVEL, LEVEL]), cut, camera, head)
    looks = edge @ middle.T @ [0, 0, 1]
    towards = -(edge @ head.anchor + translation[1])
    assert looks @ towards / np.linalg.norm(towards) > np.cos(np.radians(1)), "it still looks into the lens"


# --- directions -----------------------------------------------------------------------------------------------------


def looks_in_blender(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a head looks and where it stands in Blender: the camera is at the origin, looks along +Y, Z is up."""
    head = generic_head(basel_landmarks())
    square = np.array([[540.0, 260, 200]])
    location, (w, *v) = (
        a[0] for a in object_pose(*pose_of_facepose(pose[None], square, Camera.for_image(1280, 720), head))
    )
    face = np.array([0.0, -1.0, 0.0])
    return face + 2 * np.cross(v, np.cross(v, face) + w * face), location


def test_a_head_that_looks_to_the_images_left_does_so_in_blender() -> None:
    """Rodrigues about y, which points down: positive turns the nose, at -z, to -x."""
    pose = LEVEL + [0, 0.5, 0, 0, 0, 0]
    nose, brow = in_crop(pose, generic_head(basel_landmarks()), basel_landmarks()[[30, 27]])
    assert nose[0] < brow[0], "in the crop the nose points left"
    look, location = looks_in_blender(pose)
    assert look == pytest.approx([-np.sin(0.5), -np.cos(0.5), 0], abs=0.03)
    assert location[1] > 0


def test_a_head_that_looks_up_does_so_in_blender() -> None:
    """Rodrigues about x: the nose, at -z, goes to +y, which is down; so negative looks up."""
    pose = LEVEL - [0.3, 0, 0, 0, 0, 0]
    look, _ = looks_in_blender(pose)
    assert look[2] == pytest.approx(np.sin(0.3), abs=0.05)


def test_a_head_right_of_and_below_the_middle_is_there_in_blender() -> None:
    _, middle = looks_in_blender(LEVEL)
    _, moved = looks_in_blender(LEVEL + [0, 0, 0, 30, 20, 0])
    assert moved[0] > middle[0] and moved[2] < middle[2]


turn = st.floats(-1.2, 1.2)
millimetres = st.floats(-40, 40)


@given(turn, turn, turn, millimetres, millimetres, st.floats(1500, 6000), st.floats(20, 2000), st.floats(-500, 1500))
def test_the_network_s_own_numbers_come_back(rx, ry, rz, tx, ty, tz, side, x) -> None:
    """From the pose back to r and t by hand, for the crop's own camera."""
    head = generic_head(open_landmarks(), generic_landmarks())
    pose, square = np.array([rx, ry, rz, tx, ty, tz]), np.array([x, 40.0, side])
    (rotation,), (translation,) = pose_of_facepose(pose[None], square[None], cameras_own(square), head)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    generic = FLIP @ rotation @ head.rotation.T
    np.testing.assert_allclose(generic, cv2.Rodrigues(pose[:3])[0], atol=1e-12)
    np.testing.assert_allclose(head.scale * FLIP @ translation - generic @ head.translation, pose[3:], atol=1e-7)


@given(turn, turn, turn, millimetres, st.floats(15, 300), st.integers(-300, 1200))
def test_a_mirrored_image_has_the_mirrored_pose(rx, ry, rz, tx, lens_mm, x) -> None:
    head, camera = generic_head(open_landmarks()), Camera.for_image(1280, 720, lens_mm)
    pose = np.array([[rx, ry, rz, tx, 9, 3200], [rx, -ry, -rz, -tx, 9, 3200]])
    cut = np.array([[x, 80.0, 200], [1280 - x - 200, 80, 200]])
    rotation, translation = pose_of_facepose(pose, cut, camera, head)
    mirror = np.diag([-1.0, 1, 1])
    np.testing.assert_allclose(rotation[1], mirror @ rotation[0] @ mirror, atol=1e-6)  # the landmarks are symmetric to
    np.testing.assert_allclose(translation[1], mirror @ translation[0], atol=2e-2)  # a micrometre


@given(turn, turn, st.floats(0.1, 10), st.floats(15, 300))
def test_a_larger_copy_of_the_image_has_the_same_pose(rx, ry, times, lens_mm) -> None:
    head = generic_head(open_landmarks())
    pose = np.array([[rx, ry, 0.1, 5, 9, 3200]])
    square, camera = np.array([300.0, 80, 200]), Camera.for_image(1280, 720, lens_mm)
    larger = Camera(camera.focal * times, *(times * (np.array([camera.cx, camera.cy]) + 0.5) - 0.5))
    copied = np.array([*(times * square[:2]), times * square[2]])  # edges of pixels scale, middles do not
    for a, b in zip(
        pose_of_facepose(pose, square[None], camera, head), pose_of_facepose(pose, copied[None], larger, head)
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


# --- the newer network ----------------------------------------------------------------------------------------------

WEAK = np.array([8e-4, -0.15, 0.0, 0.0, 111.0, 114.0])  # the training labels' mean


def weak_in_image(pose: np.ndarray, square: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Its definition: pixels of 224 counted from 1, y from below, micrometres."""

    def about(axis: int, angle: float) -> np.ndarray:
        return cv2.Rodrigues(angle * np.eye(3)[axis])[0].T

    rotation = about(0, pose[1]) @ about(1, pose[2]) @ about(2, pose[3])
    seen = pose[0] * (model * 1000) @ rotation.T[:, :2] + pose[4:]
    from_one = np.stack([seen[:, 0], 225 - seen[:, 1]], axis=1)
    return in_image(from_one - 0.5, square)


def test_the_newer_network_s_head_is_where_it_saw_it() -> None:
    """A weak perspective is one from infinitely far: with a longer lens the landmarks come as near as one likes."""
    model = basel_landmarks()
    anchor = model[17:].mean(axis=0)
    rng = np.random.default_rng(3)
    pose = WEAK + rng.uniform(-1, 1, (30, 6)) * [3e-4, 0.4, 1.0, 0.4, 30, 20]
    cut = squares(30)
    worst = {}
    for lens_mm in (50.0, 500.0, 5e4):
        camera = Camera.for_image(1280, 720, lens_mm)
        rotation, translation = pose_of_weak_perspective(pose, cut, camera, anchor)
        errors = []
        for i in range(30):
            middle = weak_in_image(pose[i], cut[i], anchor[None])[0]
            np.testing.assert_allclose(project(rotation[i] @ anchor + translation[i], camera), middle, atol=1e-8)
            error = project(model @ rotation[i].T + translation[i], camera) - weak_in_image(pose[i], cut[i], model)
            errors.append(np.abs(error).max() / cut[i, 2])
        worst[lens_mm] = max(errors)
    assert worst[50.0] < 0.1 and worst[500.0] < 0.01 and worst[5e4] < 1e-4


@pytest.mark.parametrize(("change", "axis", "sign"), [([0, 0.4, 0, 0, 0, 0], 1, 1), ([0, 0, 0.4, 0, 0, 0], 0, -1)])
def test_the_newer_network_s_pitch_looks_up_and_its_yaw_to_the_images_left(change, axis, sign) -> None:
    anchor, camera = basel_landmarks()[30], Camera.for_image(224, 224, 5e4)
    pose = WEAK * [1, 0, 1, 1, 1, 1] + change
    rotation, _ = pose_of_weak_perspective(pose[None], np.array([[0.0, 0, 224]]), camera, anchor)
    assert sign * (rotation[0] @ [0, 0, 1])[axis] == pytest.approx(np.sin(0.4), abs=1e-3)


# --- the similarity between the heads -------------------------------------------------------------------------------


def test_with_all_landmarks_the_similarity_is_exact() -> None:
    turn = rodrigues(np.array([0.1, -0.02, 0.03]))
    generic = 0.91 * basel_landmarks() @ (turn @ FLIP).T + [1, 5, 66]
    head = generic_head(basel_landmarks(), generic)
    assert head.scale == pytest.approx(0.91)
    moved = head.scale * basel_landmarks() @ head.rotation.T + head.translation
    np.testing.assert_allclose(moved, generic, atol=1e-9)
    np.testing.assert_allclose(head.rotation, turn @ FLIP, atol=1e-12)
    np.testing.assert_allclose(head.translation, [1, 5, 66], atol=1e-9)


def test_a_reflection_is_no_similarity() -> None:
    points = open_landmarks()
    _, rotation, _ = similarity(points, points * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_with_the_few_numbers_that_are_known_they_are_met() -> None:
    head = generic_head(basel_landmarks())
    moved = head.scale * basel_landmarks() @ head.rotation.T + head.translation
    assert moved[[36, 45]] == pytest.approx(np.array([[-39.5, -31, moved[36, 2]], [39.5, -31, moved[36, 2]]]), abs=0.01)
    assert moved[30, 2] == pytest.approx(-55)


def test_what_is_assumed_costs_a_few_hundredths_of_the_crop() -> None:
    """The head from few numbers against the one from all landmarks, of a generic face with another shape."""
    few, all_of_them = generic_head(basel_landmarks()), generic_head(basel_landmarks(), generic_landmarks())
    for pose in poses(20):
        apart = in_crop(pose, few, basel_landmarks()) - in_crop(pose, all_of_them, basel_landmarks())
        assert np.linalg.norm(apart, axis=1).max() < 0.04 * 224


def test_the_generic_head_s_file(tmp_path: Path) -> None:
    path = tmp_path / "model3D_aug_-00_00_10.mat"
    struct = {"outA": K, "sizeU": [[224, 224]], "threedee": generic_landmarks().astype(np.float32), "indbad": []}
    savemat(
        path, {"model3D": struct | {"refU": np.zeros((32, 32, 3)), "facemask": np.ones((9, 1))}}, do_compression=True
    )
    np.testing.assert_allclose(read_generic_landmarks(path), generic_landmarks(), atol=1e-5)


def test_a_file_without_the_generic_head(tmp_path: Path) -> None:
    path = tmp_path / "other.mat"
    savemat(path, {"model3D": {"threedee": np.zeros((66, 3))}})
    with pytest.raises(InputError, match="other.mat: holds no 'threedee' of 68 landmarks"):
        read_generic_landmarks(path)
    savemat(path, {"model3D": {"threedee": np.zeros((68, 3))}})
    with pytest.raises(InputError, match="eye corners 0 mm apart"):
        read_generic_landmarks(path)


@pytest.mark.parametrize("landmarks", [np.zeros((5, 3)), np.full((68, 3), np.nan)])
def test_landmarks_of_no_face(landmarks: np.ndarray) -> None:
    with pytest.raises(InputError, match="no 68 points of three numbers"):
        generic_head(landmarks)


def test_a_face_model_in_metres() -> None:
    with pytest.raises(InputError, match="give millimetres"):
        generic_head(basel_landmarks() / 1000)


# --- answers that are none, and what is given -----------------------------------------------------------------------


def test_answers_that_are_no_pose_are_nan_and_leave_the_others_alone() -> None:
    head, camera = generic_head(basel_landmarks()), Camera.for_image(1280, 720)
    given, cut = poses(4), squares(4)
    alone = pose_of_facepose(given[:1], cut[:1], camera, head)
    given[1, 5], given[2, 0], given[3] = -3000, np.nan, np.inf
    rotation, translation = pose_of_facepose(given, cut, camera, head)
    assert np.isnan(rotation[1:]).all() and np.isnan(translation[1:]).all()
    np.testing.assert_array_equal(rotation[:1], alone[0])
    np.testing.assert_array_equal(translation[:1], alone[1])
    weak = np.stack([WEAK, -WEAK])
    rotation, _ = pose_of_weak_perspective(weak, cut[:2], camera, head.anchor)
    assert np.isfinite(rotation[0]).all() and np.isnan(rotation[1]).all()


def test_nothing_given_is_changed() -> None:
    """The release's own conversion turns its array over in place: asked twice, it says something else."""
    head, camera = generic_head(basel_landmarks()), Camera.for_image(1280, 720)
    given, cut = poses(4), squares(4)
    before = given.copy(), cut.copy()
    first = pose_of_facepose(given, cut, camera, head)
    second = pose_of_facepose(given, cut, [camera] * 4, head)
    pose_of_weak_perspective(given, cut, camera, head.anchor)
    np.testing.assert_array_equal(given, before[0])
    np.testing.assert_array_equal(cut, before[1])
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_no_faces_are_no_poses() -> None:
    head, camera = generic_head(basel_landmarks()), Camera.for_image(1280, 720)
    rotation, translation = pose_of_facepose(np.zeros((0, 6)), np.zeros((0, 3)), camera, head)
    assert rotation.shape == (0, 3, 3) and translation.shape == (0, 3)

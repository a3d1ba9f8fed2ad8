"""Conversion of the FacePoseNets' outputs to poses in our camera frame. Needs numpy only; inputs are not changed.

FacePoseNet (2017) gives r, t of *its* generic head. A point X of that head is at K (R(r) X + t) in the crop, enlarged
to 224 pixels, with K = [2880 0 112; 0 2880 112; 0 0 1] and R by Rodrigues' formula; x right, y down, z into the
scene, mm. The crop is a square of the image, so it has a camera of its own: focal length 2880 side/224, about the
square's centre. Its head differs from the user's face model in place and size: ``generic_head`` gives the similarity
between the two. The newer one (December 2018) gives a weak perspective of the Basel Face Model itself.

The scene has one camera for the whole image, with another focal length and principal point. So a pose is converted by
the appearance of the head's ``anchor``, the mean of its landmarks. The anchor keeps its pixel and its size, and the
head keeps its rotation against its view ray. Between equal cameras nothing changes.

Measured and assumed values:

- K, and the generic head's y down, outer eye corners at x = -39.5 and 39.5 and nose tip at z = -55 mm: from
  iacopomasi/face_specific_augm, models3d_new/model3D_aug_-00_00_10.mat. With that file (``read_generic_landmarks``) the
  similarity is fitted to all landmarks of the inner face, and nothing below is assumed.
- Without it: both heads are upright (no pitch between them), and the outer eye corners are 31 mm above the origin.
  The 31 mm are inferred in two ways. In 13 poses of the release for a published clip (Becomebright/Expression-Net,
  coeff.csv) the origin is in row 122 (spread 1.6) of 224, and the eyes are in row 94.5 of the release's mean image.
  In ICT's head, scaled to the same eye corners, the mean of the 68 landmarks lies 33 mm below them. So the
  head's height in the image is accurate to some 5 mm (4 of 224 pixels), its pitch to some degrees, the rest better.
- The edges of the crop are 0 and 224 for the older network (its principal point, 112, is their middle), 0.5 and 224.5
  for the newer one, whose training labels count pixels from 1. Either way it is half a pixel of 224.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..camera import Camera
from ..errors import InputError
from ..face.alignment import similarity
from ..formats.arrays import group_with
from ..formats.mat5 import stored_arrays
from ..rotations import rodrigues

SIZE = 224
FOCAL = 2880.0  # of the 224 pixel crop
FLIP = np.diag([1.0, -1.0, -1.0])  # OpenCV's axes (y down, z into the scene) to ours, and back

EYE_CORNERS = (36, 45)  # outer, the subject's right and left; iBUG's 68, from 0
NOSE_TIP = 30
INNER = slice(17, 68)  # brows, nose, eyes and mouth: the jaw line is not at a fixed place on a head
GENERIC_EYE_X = 39.5
GENERIC_EYE_Y = -31.0
GENERIC_NOSE_Z = -55.0


@dataclass(frozen=True, eq=False)
class GenericHead:
    """The similarity from a face model to FacePoseNet's generic head.

    X_generic = scale rotation X_model + translation, mm.

    anchor    (3,) the model's point whose place and size in the image are kept
    """

    scale: float
    rotation: FloatArray
    translation: FloatArray
    anchor: FloatArray


def generic_head(landmarks: FloatArray, generic: FloatArray | None = None) -> GenericHead:
    """Return the similarity from a face model to FacePoseNet's generic head.

    landmarks  (68, 3) of the model's neutral mean, mm, our axes (y up), iBUG's order
    generic    (68, 3) of the generic head, as ``read_generic_landmarks`` gives them; without them the few numbers that
               are known decide (see the module's text). Raises InputError for landmarks of no face.
    """
    landmarks = _landmarks(landmarks, "the face model's landmarks")
    anchor = landmarks[INNER].mean(axis=0)
    if generic is None:
        right, left = landmarks[list(EYE_CORNERS)]
        scale = float(2 * GENERIC_EYE_X / np.linalg.norm(left - right))
        eyes, nose = scale * FLIP @ (left + right) / 2, scale * FLIP @ landmarks[NOSE_TIP]
        shift = np.array([-eyes[0], GENERIC_EYE_Y - eyes[1], GENERIC_NOSE_Z - nose[2]])
        return GenericHead(scale, FLIP.copy(), shift, anchor)
    generic = _landmarks(generic, "the generic head's landmarks")
    scale, rotation, shift = similarity(landmarks[INNER], generic[INNER])
    return GenericHead(scale, rotation, shift, anchor)


def read_generic_landmarks(path: str | Path) -> FloatArray:
    """Read the landmarks (68, 3) mm, y down, in a ``model3D_aug_-00_00_10.mat`` of face_specific_augm.

    Raises InputError: no MAT-file, no such struct in it, or no landmarks of a face.
    """
    path = Path(path)
    group = group_with(stored_arrays(path), "threedee")
    if group is None or group["threedee"].shape != (68, 3):
        raise InputError(f"{path}: holds no 'threedee' of 68 landmarks; give model3D_aug_-00_00_10.mat")
    return _landmarks(group["threedee"].read(), f"{path}: threedee")


def pose_of_facepose(
    pose: FloatArray, square: FloatArray, camera: Camera | Sequence[Camera], head: GenericHead
) -> tuple[FloatArray, FloatArray]:
    """Return rotation (B, 3, 3) and translation (B, 3) mm of the face model, from FacePoseNet's outputs.

    pose    (B, 6) rx, ry, rz (radians), tx, ty, tz (mm), in the network's own units again (label std and mean applied)
    square  (B, 3) the square that was cut from the image and resized: its first column and row, which may lie outside
            the image, and its side, in pixels
    camera  of the whole image: one for all, or B
    head    of the face model whose pose is returned

    NaN where an output is no pose: not finite, or behind the camera.
    """
    pose, square = _answers(pose), _batch(square, 3, "square")
    # R and t for the generic head in OpenCV's axes, then for the model in ours. K(RX + t) does not change with scale.
    generic, shift = rodrigues(pose[:, :3]), pose[:, 3:]
    rotation = FLIP @ generic @ head.rotation
    translation = (generic @ head.translation + shift) @ FLIP / head.scale
    focal, centre = FOCAL * square[:, 2] / SIZE, _centre(square)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _placed(*_appearance(rotation, translation, focal, centre, head.anchor), camera, head.anchor)


def pose_of_weak_perspective(
    pose: FloatArray, square: FloatArray, camera: Camera | Sequence[Camera], anchor: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the Basel Face Model's rotation (B, 3, 3) and translation (B, 3) mm, from the newer FacePoseNet's outputs.

    pose    (B, 6) scale (pixels of 224 per micrometre), pitch, yaw, roll (radians), tx, ty (pixels of 224, y up)
    anchor  (3,) the model's point, mm, whose place and size are kept: the mean of its inner landmarks is suitable

    ``square`` and ``camera`` as in ``pose_of_facepose``. A point X of the model is in the crop at column s (R X)_x +
    tx and row 225 - (s (R X)_y + ty), counted from 1; R as in ``rotation_of_angles``. NaN where the scale is not
    positive or an output not finite.
    """
    pose, square = _answers(pose), _batch(square, 3, "square")
    anchor = np.asarray(anchor, np.float64)
    enlarged = square[:, 2] / SIZE
    local = rotation_of_angles(pose[:, 1:4])
    at = pose[:, :1] * 1000 * (local @ anchor)[:, :2] + pose[:, 4:]
    offset = np.stack([at[:, 0], SIZE + 1 - at[:, 1]], axis=1) - (SIZE + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(pose[:, 0] > 0, pose[:, 0] * 1000 * enlarged, np.nan)
        return _placed(local, _centre(square) + enlarged[:, None] * offset, size, camera, anchor)


def rotation_of_angles(angles: FloatArray) -> FloatArray:
    """Return (..., 3, 3) of (..., 3) pitch, yaw, roll, radians: Rx Ry Rz, each transposed, as in 300W-LP.

    In our frame: + pitch looks up, + yaw turns to the head's own right, + roll leans clockwise on screen.
    """
    (cx, cy, cz), (sx, sy, sz) = (np.moveaxis(f(np.asarray(angles, np.float64)), -1, 0) for f in (np.cos, np.sin))
    rows = [
        [cy * cz, cy * sz, -sy],
        [sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy],
        [cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


# --- one camera's view in another -----------------------------------------------------------------------------------
#
# An appearance is the head's rotation against the ray of view to its anchor, (B, 3, 3), the anchor's pixel (B, 2), and
# its size (B,) there, pixels per mm. Off the axis by an angle a, a disc that faces the ray at distance d is seen
# f/(d cos a) high across and f/(d cos^2 a) along the way outwards; the size is their geometric mean, so areas are kept.


def _appearance(
    rotation: FloatArray, translation: FloatArray, focal: FloatArray, centre: FloatArray, anchor: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the appearance of a posed head in pinhole cameras; NaN for heads behind them."""
    at = rotation @ anchor + translation
    at = np.where(at[:, 2:] < 0, at, np.nan)
    distance = np.linalg.norm(at, axis=1)
    ray = at / distance[:, None]
    pixel = centre + focal[:, None] * at[:, :2] / at[:, 2:] * [-1, 1]
    return _ray_rotations(ray).transpose(0, 2, 1) @ rotation, pixel, focal / (distance * (-ray[:, 2]) ** 1.5)


def _placed(
    local: FloatArray, pixel: FloatArray, size: FloatArray, camera: Camera | Sequence[Camera], anchor: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the pose that has this appearance in ``camera``: the inverse of ``_appearance``."""
    cameras = [camera] if isinstance(camera, Camera) else list(camera)
    if len(cameras) not in (1, len(local)):
        raise ValueError(f"{len(cameras)} cameras for {len(local)} poses")
    focal, cx, cy = np.array([(c.focal, c.cx, c.cy) for c in cameras], np.float64).reshape(-1, 3).T
    x, y = (pixel[:, 0] - cx) / focal, (cy - pixel[:, 1]) / focal
    ray = np.stack([x, y, np.full_like(x, -1.0)], axis=1)
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    distance = focal / (size * (-ray[:, 2]) ** 1.5)
    rotation = _ray_rotations(ray) @ local
    translation = distance[:, None] * ray - rotation @ anchor
    good = np.isfinite(translation).all(axis=1) & np.isfinite(rotation).all(axis=(1, 2))
    return np.where(good[:, None, None], rotation, np.nan), np.where(good[:, None], translation, np.nan)


def _ray_rotations(ray: FloatArray) -> FloatArray:
    """Apply ``camera.ray_rotation`` to unit rays (B, 3): the shortest rotations (B, 3, 3) of -z into them."""
    x, y, z = ray.T
    k = 1 / (1 - z)
    rows = [[1 - k * x * x, -k * x * y, -x], [-k * x * y, 1 - k * y * y, -y], [x, y, -z]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _centre(square: FloatArray) -> FloatArray:
    """Return the centres (B, 2) of squares of pixels, in pixels whose own centres are whole numbers."""
    return square[:, :2] + (square[:, 2:] - 1) / 2


def _answers(pose: FloatArray) -> FloatArray:
    """Return (B, 6), with NaN for values that are not finite."""
    pose = _batch(pose, 6, "pose")
    return np.where(np.isfinite(pose), pose, np.nan)


def _batch(values: FloatArray, width: int, what: str) -> FloatArray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != width:
        raise ValueError(f"{what} is {values.shape}, not (B, {width})")
    return values


def _landmarks(points: FloatArray, what: str) -> FloatArray:
    points = np.asarray(points, np.float64)
    if points.shape != (68, 3) or not np.isfinite(points).all():
        raise InputError(f"{what} are no 68 points of three numbers; give a face model with landmarks")
    # The distance of the eye corners in mm detects a face in other units or of other points.
    apart = np.linalg.norm(points[EYE_CORNERS[0]] - points[EYE_CORNERS[1]])
    if not 50 < apart < 150:
        raise InputError(f"{what} have outer eye corners {apart:.3g} mm apart, no face's; give millimetres")
    return points

"""The head's position and rotation, the camera, and the crop of a simulated finder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.array_types import FloatArray
from ...model.camera import Camera, Crop, crop_of_pose
from ...model.rotations import rotation_of_euler

BACK_YAW = 1.9  # radians beyond which a head shows no face


@dataclass(frozen=True, eq=False)
class Pose:
    """rotation (3, 3) and translation (3,) in the camera frame; ``own`` is the face's crop, ``given`` the picture."""

    rotation: FloatArray
    translation: FloatArray
    camera: Camera
    own: Crop
    given: Crop

    def lens(self) -> FloatArray:
        """Return (2, 3) float32 that maps (x / depth, y / depth, 1) in the camera frame to ``given``'s unit square."""
        c, s = np.cos(self.given.angle), np.sin(self.given.angle)
        turn = np.array([[c, s], [-s, c]]) / self.given.side
        centre = turn @ [self.camera.cx - self.given.cx, self.camera.cy - self.given.cy] + 0.5
        return np.column_stack([turn * [self.camera.focal, -self.camera.focal], centre]).astype(np.float32)

    def in_crop(self, points: FloatArray) -> FloatArray:
        """Points (..., 3) of the head to the unit square of ``given``, (..., 2)."""
        seen = points @ self.rotation.T + self.translation
        lens = self.lens()
        places: FloatArray = (seen[..., :2] / -seen[..., 2:]) @ lens[:, :2].T + lens[:, 2]
        return places


def sample_angles(rng: np.random.Generator, is_face: bool, natural: bool = False) -> tuple[float, float, float]:
    """Sample yaw (+ to the subject's left), pitch (+ up) and roll (+ leaning right on screen), radians.

    A ``natural`` head is rotated by less than 30 degrees.
    """
    if natural:
        yaw, pitch, roll = np.clip(rng.normal(0, [0.2, 0.12, 0.1]), [-0.45, -0.25, -0.3], [0.45, 0.25, 0.3])
        return float(yaw), float(pitch), float(roll)
    if not is_face and rng.random() < 0.5:
        return rng.uniform(2.0, 4.2), rng.normal(0, 0.2), rng.normal(0, 0.2)  # a head from behind has no face
    spread = rng.random()
    yaw = rng.normal(0, 0.22) if spread < 0.5 else rng.normal(0, 0.55) if spread < 0.8 else rng.uniform(-1.35, 1.35)
    return (
        float(np.clip(yaw, -1.4, 1.4)),
        float(np.clip(rng.normal(0, 0.2), -0.65, 0.65)),
        float(np.clip(rng.normal(0, 0.16), -0.7, 0.7)),
    )


def sample_pose(rng: np.random.Generator, yaw: float, pitch: float, roll: float, size: int, is_face: bool) -> Pose:
    """Return the head before a camera of 12-200 mm, and a crop as the finder or the last frame gives it."""
    rotation = rotation_of_euler(yaw, pitch, roll)
    distance = float(np.exp(rng.uniform(np.log(320), np.log(4000))))
    focal = size * distance / 200.0  # the head fills the crop's own size; the picture around it has no other use
    off = rng.uniform(-0.25, 0.25, 2) * distance
    translation = np.array([off[0], off[1], -distance]) - rotation @ np.array([0, 0, 60.0])
    camera = Camera(focal, (size - 1) / 2, (size - 1) / 2)
    own = crop_of_pose(rotation, translation, camera)
    wide = rng.random() < 0.3
    shift = rng.normal(0, 0.11 if wide else 0.035, 2)
    zoom, turn = rng.normal(0, 0.22 if wide else 0.07), rng.normal(0, 0.16 if wide else 0.05)
    if not is_face:  # not a face either: one that is far off the crop, or far too large or small
        way = rng.integers(3 if abs(yaw) > BACK_YAW else 2)  # the back of a head may lie in the crop's place, too
        if way == 0:
            angle = rng.uniform(0, 2 * np.pi)
            shift = rng.uniform(0.8, 1.3) * np.array([np.cos(angle), np.sin(angle)])
        elif way == 1:
            zoom = rng.uniform(1.1, 1.8) if rng.random() < 0.5 else rng.uniform(-2.0, -1.2)
    c, s = np.cos(own.angle + turn), np.sin(own.angle + turn)
    side = own.side * np.exp(zoom)
    given = Crop(
        own.cx + side * (c * shift[0] - s * shift[1]),
        own.cy + side * (s * shift[0] + c * shift[1]),
        side,
        own.angle + turn,
    )
    return Pose(rotation, translation, camera, own, given)

"""The measures of the field: mean absolute errors of yaw, pitch and roll, and the NME of 68 landmarks by yaw.

Angles are those of 300W-LP and AFLW2000-3D: R = Rx(pitch) Ry(yaw) Rz(roll), faces beyond 99 degrees are left out (Ruiz
et al. 2018). The NME is the mean distance of the landmarks over the square root of the area of the true landmarks'
bounding box, as a mean over the faces with |yaw| up to 30, 60 and 90 degrees, and their mean (Zhu et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANGLES = ("yaw", "pitch", "roll")
MOST_DEGREES = 99.0
YAWS = (0.0, 30.0, 60.0, 90.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PoseErrors:
    """Mean absolute errors in degrees, and of how many faces."""

    yaw: float
    pitch: float
    roll: float
    faces: int

    @property
    def mean(self) -> float:
        return (self.yaw + self.pitch + self.roll) / 3


@dataclass(frozen=True)
class LandmarkErrors:
    """NME in percent by range of yaw (NaN where there is no such face), the mean of the ranges, and over all faces."""

    by_yaw: tuple[float, ...]
    faces: tuple[int, ...]
    mean: float
    all: float


def angles_of(rotation: Floats) -> Floats:
    """Return yaw, pitch, roll (..., 3) in degrees of rotations (..., 3, 3); x right, y up, z towards the viewer."""
    yaw = np.arcsin(np.clip(-rotation[..., 0, 2], -1, 1))
    pitch = np.arctan2(rotation[..., 1, 2], rotation[..., 2, 2])
    roll = np.arctan2(rotation[..., 0, 1], rotation[..., 0, 0])
    angles: Floats = np.degrees(np.stack([yaw, pitch, roll], -1))
    return angles


def rotation_of(pitch: float, yaw: float, roll: float) -> Floats:
    """Return the rotation (3, 3) of angles in radians, in the order of AFLW2000-3D's ``Pose_Para``."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([pitch, yaw, roll]), np.cos([pitch, yaw, roll])
    x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    rotation: Floats = x @ y @ z
    return rotation


def pose_errors(rotation: Floats, truth: Floats) -> PoseErrors:
    """Compare rotations (N, 3, 3) with the true ones; faces whose true angles are beyond 99 degrees do not count."""
    true = angles_of(truth)
    counted = (np.abs(true) <= MOST_DEGREES).all(1)
    gap = (angles_of(rotation) - true + 180) % 360 - 180
    means = np.abs(gap[counted]).mean(0) if counted.any() else np.full(3, np.nan)
    yaw, pitch, roll = map(float, means)
    return PoseErrors(yaw, pitch, roll, int(counted.sum()))


def landmark_errors(points: Floats, truth: Floats, yaw: Floats) -> LandmarkErrors:
    """Compare landmarks (N, 68, 2) with the true ones; ``yaw`` (N,) true, degrees."""
    width = np.ptp(truth[..., 0], axis=1)
    height = np.ptp(truth[..., 1], axis=1)
    nme = 100 * np.linalg.norm(points - truth, axis=-1).mean(1) / np.sqrt(width * height)
    turn = np.abs(yaw)
    ranges = [(turn > low if low else turn >= 0) & (turn <= high) for low, high in zip(YAWS, YAWS[1:])]
    by_yaw = tuple(float(nme[chosen].mean()) if chosen.any() else float("nan") for chosen in ranges)
    known = [value for value in by_yaw if not np.isnan(value)]
    return LandmarkErrors(
        by_yaw, tuple(int(c.sum()) for c in ranges), float(np.mean(known)) if known else float("nan"), float(nme.mean())
    )

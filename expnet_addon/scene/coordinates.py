"""From the face model's and camera's axes to Blender's. numpy only.

Model and camera frame: millimetres, x right of the screen (the subject's left), y up, z towards the viewer.
Blender: metres, z up; a head with no rotation looks along -Y. ``M`` is the quarter turn between them.
"""

from __future__ import annotations

import numpy as np

from ...model.rotations import quaternions

M = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
METRES = 0.001


def to_blender(points: np.ndarray) -> np.ndarray:
    """Points or offsets (..., 3) in model mm to Blender metres, float32, computed in the points' own precision.

    Give positions as float64: then the only rounding is the last one, 7e-6 mm at 0.1 m.
    """
    points = np.asarray(points)
    out = np.empty(points.shape, np.float32)
    out[..., 0] = points[..., 0] * METRES
    out[..., 1] = points[..., 2] * -METRES
    out[..., 2] = points[..., 1] * METRES
    return out


def to_model(points: np.ndarray) -> np.ndarray:
    """The inverse of ``to_blender``, float64."""
    points = np.asarray(points, np.float64)
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1) / METRES


def object_pose(rotation: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Head poses in the camera frame, (..., 3, 3) and (..., 3) mm, as an object's location (..., 3) in metres and
    rotation quaternion (..., 4), w first, for a camera that stands at the world's origin (``scene.match_camera``)."""
    location = np.asarray(translation, np.float64) @ M.T * METRES
    return location, quaternions(M @ np.asarray(rotation, np.float64) @ M.T)


def continuous(rotations: np.ndarray) -> np.ndarray:
    """Quaternions (N, 4), each on its predecessor's side of the two signs: interpolation takes the short way."""
    flips = np.sum(rotations[1:] * rotations[:-1], -1) < 0
    sign = np.where(np.cumsum(np.concatenate([[False], flips])) % 2, -1.0, 1.0)
    return rotations * sign[:, None]

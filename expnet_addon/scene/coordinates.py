"""Convert the face model's and the camera's axes to Blender's. Needs numpy only.

Model and camera frame: millimetres, x right of the screen (the subject's left), y up, z towards the viewer.
Blender: metres, z up; a head without rotation looks along -Y. ``M`` is the 90 degree rotation between the frames.
"""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from ...model.rotations import quaternions

M = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
METRES = 0.001


def to_blender(points: FloatArray) -> FloatArray:
    """Convert points or offsets (..., 3) from model mm to Blender metres, float32.

    The computation has the precision of the input. For positions in float64 the only rounding is the final one, 7e-6 mm
    at 0.1 m.
    """
    points = np.asarray(points)
    out = np.empty(points.shape, np.float32)
    out[..., 0] = points[..., 0] * METRES
    out[..., 1] = points[..., 2] * -METRES
    out[..., 2] = points[..., 1] * METRES
    return out


def to_model(points: FloatArray) -> FloatArray:
    """Convert Blender metres to model mm, float64; the inverse of ``to_blender``."""
    points = np.asarray(points, np.float64)
    turned: FloatArray = np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1) / METRES
    return turned


def object_pose(rotation: FloatArray, translation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Convert head poses in the camera frame, (..., 3, 3) and (..., 3) mm, to an object's location and rotation.

    The location (..., 3) is in metres, the rotation a quaternion (..., 4), w first. The camera stands at the world's
    origin (``camera_and_light.match_camera``).
    """
    location = np.asarray(translation, np.float64) @ M.T * METRES
    return location, quaternions(M @ np.asarray(rotation, np.float64) @ M.T)


def continuous(rotations: FloatArray) -> FloatArray:
    """Flip signs of quaternions (N, 4) so that each is nearest to its predecessor and interpolation is the shortest."""
    flips = np.sum(rotations[1:] * rotations[:-1], -1) < 0
    sign = np.where(np.cumsum(np.concatenate([[False], flips])) % 2, -1.0, 1.0)
    same_side: FloatArray = rotations * sign[:, None]
    return same_side

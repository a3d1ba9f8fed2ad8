"""From the face model's and camera's axes to Blender's. numpy only.

Model and camera frame: millimetres, x right of the screen (the subject's left), y up, z towards the viewer.
Blender: metres, z up; a head with no rotation looks along -Y. ``M`` is the quarter turn between them.
"""

from __future__ import annotations

import numpy as np

M = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
METRES = 0.001


def to_blender(points: np.ndarray) -> np.ndarray:
    """Points or offsets (..., 3) in model millimetres to Blender metres, float32.

    float64 on the way, so that the only rounding is the last one: 7e-6 mm at 0.1 m.
    """
    points = np.asarray(points)
    out = np.empty(points.shape, np.float32)
    np.multiply(points[..., 0], METRES, out=out[..., 0], dtype=np.float64, casting="same_kind")
    np.multiply(points[..., 2], -METRES, out=out[..., 1], dtype=np.float64, casting="same_kind")
    np.multiply(points[..., 1], METRES, out=out[..., 2], dtype=np.float64, casting="same_kind")
    return out


def to_model(points: np.ndarray) -> np.ndarray:
    """The inverse of ``to_blender``, float64."""
    points = np.asarray(points, np.float64)
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1) / METRES


def object_pose(rotation: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Head poses in the camera frame, (..., 3, 3) and (..., 3) mm, as an object's location (..., 3) in metres and
    rotation quaternion (..., 4), w first, for a camera that stands at the world's origin (``scene.match_camera``)."""
    location = np.asarray(translation, np.float64) @ M.T * METRES
    return location, quaternion(M @ np.asarray(rotation, np.float64) @ M.T)


def quaternion(matrix: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) to unit quaternions (..., 4), w first, w >= 0."""
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # 4q.q' for every pair of components; the row with the largest diagonal is q up to scale, and never near zero.
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., 0, 0] = 1 + xx + yy + zz
    products[..., 1, 1] = 1 + xx - yy - zz
    products[..., 2, 2] = 1 - xx + yy - zz
    products[..., 3, 3] = 1 - xx - yy + zz
    for i, j, value in (
        (0, 1, m[..., 2, 1] - m[..., 1, 2]), (0, 2, m[..., 0, 2] - m[..., 2, 0]), (0, 3, m[..., 1, 0] - m[..., 0, 1]),
        (1, 2, m[..., 0, 1] + m[..., 1, 0]), (1, 3, m[..., 0, 2] + m[..., 2, 0]), (2, 3, m[..., 1, 2] + m[..., 2, 1]),
    ):  # fmt: skip
        products[..., i, j] = products[..., j, i] = value
    row = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), -1)
    q = np.take_along_axis(products, row[..., None, None], -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """(N, 4) with signs chosen so that each lies on its predecessor's side: interpolation takes the short way."""
    flips = np.sum(quaternions[1:] * quaternions[:-1], -1) < 0
    sign = np.where(np.cumsum(np.concatenate([[False], flips])) % 2, -1.0, 1.0)
    return quaternions * sign[:, None]

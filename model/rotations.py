"""Conversions between rotation matrices, unit quaternions, rotation vectors and Euler angles."""

from __future__ import annotations

import numpy as np

from .array_types import FloatArray


def euler_degrees(rotation: FloatArray) -> FloatArray:
    """Read yaw, pitch and roll, (..., 3) degrees, from rotations (..., 3, 3): R = Rz(-roll) Rx(-pitch) Ry(yaw).

    + yaw turns the head to its own left, + pitch looks up, + roll leans clockwise on screen, as ``camera.roll``.
    """
    pitch = np.arcsin(np.clip(-rotation[..., 2, 1], -1, 1))
    yaw = np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    roll = np.arctan2(rotation[..., 0, 1], rotation[..., 1, 1])
    angles: FloatArray = np.degrees(np.stack([yaw, pitch, roll], -1))
    return angles


def rotation_of_euler(yaw: FloatArray | float, pitch: FloatArray | float, roll: FloatArray | float) -> FloatArray:
    """Build rotations (..., 3, 3) from angles in radians, as ``euler_degrees`` reads them; NaN stays NaN."""
    return _about(2, -np.asarray(roll)) @ _about(0, -np.asarray(pitch)) @ _about(1, np.asarray(yaw))


def _about(axis: int, angle: FloatArray) -> FloatArray:
    """Build rotations (..., 3, 3) by ``angle`` (...) radians about x (axis 0), y (1) or z (2)."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out = np.zeros((*angle.shape, 3, 3))
    out[..., a, a] = out[..., b, b] = np.cos(angle)
    out[..., a, b], out[..., b, a] = -np.sin(angle), np.sin(angle)
    out[..., axis, axis] = 1 + 0 * angle  # NaN stays NaN
    return out


def quaternions(rotation: FloatArray) -> FloatArray:
    """Convert rotations (..., 3, 3) to unit quaternions (..., 4), w x y z, w >= 0."""
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(rotation, (-2, -1), (0, 1))
    # Four formulas for the same quaternion up to sign and length; the longest result is the most accurate.
    ways = [
        [1 + a + e + i, h - f, c - g, d - b],
        [h - f, 1 + a - e - i, b + d, c + g],
        [c - g, b + d, 1 - a + e - i, f + h],
        [d - b, c + g, f + h, 1 - a - e + i],
    ]
    ways = np.stack([np.stack(way, -1) for way in ways], -2)
    norms = np.linalg.norm(ways, axis=-1, keepdims=True)
    best = np.argmax(norms[..., 0], axis=-1)[..., None, None]
    q = (np.take_along_axis(ways, best, -2) / np.take_along_axis(norms, best, -2))[..., 0, :]
    unique: FloatArray = q * np.where(q[..., :1] < 0, -1.0, 1.0)
    return unique


def rotations(quaternion: FloatArray) -> FloatArray:
    """Convert quaternions (..., 4), w x y z, of any length, to rotations (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rodrigues(vector: FloatArray) -> FloatArray:
    """Build rotations (..., 3, 3) from rotation vectors (..., 3): an axis times an angle in radians."""
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)
    # np.sinc(a) is sin(pi a)/(pi a), and 1 at 0, so no angle is a special case.
    matrix: FloatArray = (
        np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross
    )
    return matrix


def rotation_of_columns(six: FloatArray) -> FloatArray:
    """Convert (B, 6) to (B, 3, 3): two columns made orthonormal (Zhou et al. 2019), the third by the cross product."""
    x, b = six[:, :3], six[:, 3:]
    x = x / np.sqrt((x * x).sum(1, keepdims=True))
    y = b - (x * b).sum(1, keepdims=True) * x
    y = y / np.sqrt((y * y).sum(1, keepdims=True))
    # np.cross, expanded: it takes longer than all other steps here
    z = x[:, [1, 2, 0]] * y[:, [2, 0, 1]] - x[:, [2, 0, 1]] * y[:, [1, 2, 0]]
    return np.stack([x, y, z], 2)

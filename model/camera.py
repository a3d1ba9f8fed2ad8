"""The pinhole camera and the crop that a posed face defines.

Camera frame: at the origin, looking along -z, x right, y up (as in Blender and OpenGL), millimetres.

A face with rotation R and translation t is at p_camera = R.p_model + t; R = identity looks into the camera.

Pixels: x right, y down, the centre of the first pixel is (0, 0), as in OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .array_types import FloatArray

# The crop is a square about ANCHOR, a point inside the head between eyes and mouth (model millimetres),
# SIDE_MM wide at the anchor's depth: eyes at a third of its height, mouth at two thirds, chin and hairline inside.
ANCHOR = np.array([0.0, 0.0, 60.0])
SIDE_MM = 200.0


@dataclass(frozen=True)
class Camera:
    """A pinhole without distortion: focal length and principal point in pixels."""

    focal: float
    cx: float
    cy: float

    @staticmethod
    def for_image(width: int, height: int, lens_mm: float = 50.0) -> Camera:
        """Return the camera that Blender makes of a 36 mm sensor (fit AUTO) and ``lens_mm`` for this image size."""
        return Camera(lens_mm / 36.0 * max(width, height), (width - 1) / 2, (height - 1) / 2)


@dataclass(frozen=True)
class Crop:
    """A square cut from an image: centre and side in pixels, turned clockwise on screen by ``angle`` radians."""

    cx: float
    cy: float
    side: float
    angle: float = 0.0

    def to_image(self, unit: FloatArray) -> FloatArray:
        """Map points (..., 2) of the unit square (x right, y down) to pixels."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        pixels: FloatArray = np.array([self.cx, self.cy]) + self.side * (unit - 0.5) @ np.array([[c, s], [-s, c]])
        return pixels

    def from_image(self, pixels: FloatArray) -> FloatArray:
        """Map pixels (..., 2) to the unit square."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        unit: FloatArray = (pixels - np.array([self.cx, self.cy])) / self.side @ np.array([[c, -s], [s, c]]) + 0.5
        return unit

    def matrix(self, size: int) -> FloatArray:
        """Return the (2, 3) matrix from pixels of a ``size`` x ``size`` crop to pixels of the image.

        It is the matrix that cv2.warpAffine takes with WARP_INVERSE_MAP.
        """
        k = self.side / size
        c, s = k * np.cos(self.angle), k * np.sin(self.angle)
        shift = (size - 1) / 2
        return np.array([[c, -s, self.cx - (c - s) * shift], [s, c, self.cy - (s + c) * shift]])

    def moved(self, dx: float, dy: float, log_scale: float, angle: float) -> Crop:
        """Return the crop whose centre is (dx, dy) sides from this one's, in this one's axes, scaled and turned."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return Crop(
            float(self.cx + self.side * (c * dx - s * dy)),
            float(self.cy + self.side * (s * dx + c * dy)),
            float(self.side * np.exp(log_scale)),
            float(self.angle + angle),
        )

    def offset_to(self, other: Crop) -> FloatArray:
        """Return (dx, dy, log_scale, angle) such that ``self.moved(*offset) == other``."""
        d = (other.cx - self.cx, other.cy - self.cy)
        c, s = np.cos(self.angle), np.sin(self.angle)
        turn = (other.angle - self.angle + np.pi) % (2 * np.pi) - np.pi
        return np.array(
            [(c * d[0] + s * d[1]) / self.side, (-s * d[0] + c * d[1]) / self.side,
             np.log(other.side / self.side), turn]
        )  # fmt: skip


def project(points: FloatArray, camera: Camera) -> FloatArray:
    """Project camera-frame points (..., 3) to pixels (..., 2)."""
    depth = -points[..., 2]
    return np.stack(
        [camera.cx + camera.focal * points[..., 0] / depth, camera.cy - camera.focal * points[..., 1] / depth], -1
    )


def roll(rotation: FloatArray) -> float:
    """Return the head's lean to the right of the screen, radians: the angle of the projected model y axis."""
    return float(np.arctan2(rotation[0, 1], rotation[1, 1]))


def ray_rotation(camera: Camera, x: float, y: float) -> FloatArray:
    """Return the shortest rotation (3, 3) that turns the camera's axis (-z) into the ray through pixel (x, y)."""
    right, up = (x - camera.cx) / camera.focal, -(y - camera.cy) / camera.focal
    forth = 1 / math.sqrt(right * right + up * up + 1)
    right, up = right * forth, up * forth
    k = 1 / (1 + forth)  # Rodrigues' formula, expanded: this runs for every face in every frame
    return np.array(
        [[1 - k * right * right, -k * right * up, -right], [-k * right * up, 1 - k * up * up, -up], [right, up, forth]]
    )


def roll_matrix(angle: float) -> FloatArray:
    """Return the rotation (3, 3) about the camera's z that turns clockwise on screen by ``angle``."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])


def crop_of_pose(rotation: FloatArray, translation: FloatArray, camera: Camera) -> Crop:
    """Return the crop that a posed face defines: the anchor's projection, its apparent size and its lean."""
    anchor = rotation @ ANCHOR + translation
    x, y = project(anchor, camera)
    local = ray_rotation(camera, x, y).T @ rotation
    return Crop(float(x), float(y), float(camera.focal * SIDE_MM / np.linalg.norm(anchor)), roll(local))


def rotation_in_crop(rotation: FloatArray, camera: Camera, crop: Crop, at: Crop | None = None) -> FloatArray:
    """Return the head's rotation as the crop shows it: without the crop's lean and the angle of its view ray.

    ``at`` is the face's own crop, whose centre gives the ray (default: the crop itself).
    """
    at = at or crop
    return roll_matrix(-crop.angle) @ ray_rotation(camera, at.cx, at.cy).T @ rotation


def pose_of_crop(local: FloatArray, camera: Camera, crop: Crop) -> tuple[FloatArray, FloatArray]:
    """Invert ``crop_of_pose``: return rotation (3, 3) and translation (3,) in the camera frame.

    ``local`` is the rotation seen in ``crop``, the face's own crop.
    """
    ray = ray_rotation(camera, crop.cx, crop.cy)
    rotation = ray @ roll_matrix(crop.angle) @ local
    distance = camera.focal * SIDE_MM / crop.side
    return rotation, ray @ np.array([0, 0, -distance]) - rotation @ ANCHOR

"""Photographs registered by 68 landmarks to the mean face's template."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.face.face_model import FaceModel

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
FACE_SHARE = 0.62  # of the template's side: the height from the brows to the chin
MIDDLE = (0.5, 0.55)  # of the template: where the middle of the landmarks lies


def template(model: FaceModel, size: int) -> Floats:
    """Return the mean face's landmarks (68, 2) from the front, in pixels of a picture of ``size``."""
    assert model.landmarks is not None
    at = model.neutral[model.landmarks][:, :2] * [1.0, -1.0]
    low, high = at.min(0), at.max(0)
    scale = FACE_SHARE * size / (high[1] - low[1])
    placed: Floats = (at - (low + high) / 2) * scale + np.array(MIDDLE) * size - 0.5
    return placed


def similarity_to(points: Floats, goal: Floats) -> Floats:
    """Return the (2, 3) matrix of the least-squares similarity in the plane from ``points`` (L, 2) to ``goal``."""
    z, w = points[:, 0] + 1j * points[:, 1], goal[:, 0] + 1j * goal[:, 1]
    centred = z - z.mean()
    factor = np.vdot(centred, w - w.mean()) / max(float(np.vdot(centred, centred).real), 1e-12)
    shift = w.mean() - factor * z.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def registered(image: Image, points: Floats, goal: Floats, size: int) -> Image:
    """Return ``image`` with its landmarks ``points`` (68, 2) brought to ``goal``, (size, size, 3)."""
    matrix = similarity_to(points, goal)
    # A picture that shrinks is averaged first, so that no pixels are skipped.
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 0.5:
        image = np.asarray(cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA), np.uint8)
        points = (points + 0.5) * 2 * scale - 0.5
        matrix = similarity_to(points, goal)
    warped: Image = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped

"""Values of the head's vertices as pictures of the chart that the engine paints on (``Surface.coords``)."""

from __future__ import annotations

import cv2
import numpy as np

from ...model.array_types import FloatArray
from ..synthetic.paint import PAINT
from ..synthetic.surface import Surface


def painted(surface: Surface, values: FloatArray) -> FloatArray:
    """Values of vertices (V,), triangle by triangle, 0 elsewhere: (PAINT, PAINT) float32."""
    picture = np.zeros((PAINT, PAINT), np.float32)
    corners = surface.triangles[: surface.inner]
    corners = corners[(surface.skin[corners] > 0).all(1)]
    points = surface.coords[corners] * PAINT
    fits = np.ptp(points[..., 0], axis=1) < PAINT / 4  # the chart is cut open at the back of the head
    for polygon, value in zip(points[fits].round().astype(np.int32), values[corners[fits]].mean(1), strict=True):
        cv2.fillConvexPoly(picture, polygon, float(value))
    return picture


def filled(surface: Surface, values: FloatArray) -> FloatArray:
    """As ``painted``, without steps from triangle to triangle."""
    blurred: FloatArray = cv2.GaussianBlur(painted(surface, values), (0, 0), 3.0)
    return blurred

"""Pictures at smaller scales."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def shrunk(image: Image, scale: float) -> Image:
    """Return ``image`` (H, W, 3) at ``scale``, at least one pixel a side."""
    if scale == 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small

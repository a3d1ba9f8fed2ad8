"""The background: gradients, blurred shapes, letters, stripes, textures."""

from __future__ import annotations

import cv2
import numpy as np

from ...model.array_types import FloatArray
from .noise import fractal


def sample_background(rng: np.random.Generator, size: int) -> FloatArray:
    """Draw a background, (size, size, 3) float32 BGR, 0..1."""
    color = rng.random(3, np.float32) if rng.random() < 0.6 else np.full(3, rng.random(), np.float32)
    image = cv2.resize(color[None, None], (size, size), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.6:
        corner = (rng.normal(0, 0.3, 3) * rng.uniform(-1, 1, (2, 2, 1))).astype(np.float32)
        image += cv2.resize(corner, (size, size))
    if rng.random() < 0.6:
        channels = 1 if rng.random() < 0.5 else 3
        texture = fractal(rng, size, int(rng.integers(2, 7)), channels, int(rng.integers(2, 9)))
        texture *= np.float32(rng.uniform(0.02, 0.3))
        image += texture if channels == 3 else cv2.cvtColor(texture, cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.65:
        for _ in range(rng.integers(1, 14)):
            _shape(rng, image)
    if rng.random() < 0.5:
        image = blurred(image, rng.uniform(0.35, size / 20))
    # rooms and streets are less saturated than random colours
    backdrop: FloatArray = np.clip(cv2.transform(image, saturation(rng.uniform(0.1, 1))), 0, 1)
    return backdrop


def saturation(amount: float) -> FloatArray:
    """Return a colour matrix (3, 3) for ``cv2.transform``: 0 gives grey, 1 changes nothing."""
    matrix: FloatArray = np.full((3, 3), (1 - amount) / 3) + amount * np.eye(3)
    return matrix


def blurred(image: FloatArray, sigma: float) -> FloatArray:
    """Return a Gaussian blur; a wide one works on a smaller picture, where it looks the same and costs a fraction."""
    height, width = image.shape[:2]
    shrink = 1 << max(0, int(np.log2(sigma / 1.5))) if sigma > 0 else 1
    if shrink == 1:
        near: FloatArray = cv2.GaussianBlur(image, (0, 0), sigma)
        return near
    small = cv2.resize(image, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA)
    wide: FloatArray = cv2.resize(
        cv2.GaussianBlur(small, (0, 0), sigma / shrink), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return wide


def _shape(rng: np.random.Generator, image: FloatArray) -> None:
    size = len(image)
    color = rng.random(3).tolist() if rng.random() < 0.5 else [rng.random()] * 3
    p = rng.integers(-size // 4, size + size // 4, 4).tolist()
    kind = rng.integers(5)
    width = -1 if rng.random() < 0.6 else int(rng.integers(1, max(2, size // 16)))
    if kind == 0:
        cv2.rectangle(image, (p[0], p[1]), (p[2], p[3]), color, width)
    elif kind == 1:
        axes = (abs(p[2]) // 2 + 1, abs(p[3]) // 2 + 1)
        cv2.ellipse(image, (p[0], p[1]), axes, float(rng.uniform(0, 180)), 0, 360, color, width)
    elif kind == 2:
        points = rng.integers(-size // 4, size + size // 4, (int(rng.integers(3, 7)), 1, 2)).astype(np.int32)
        cv2.fillPoly(image, [points], color)
    elif kind == 3:  # letters: an untrained network takes round ones for faces
        text = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(1, 4)))
        scale, font = rng.uniform(0.3, 4.5) * size / 96, int(rng.integers(0, 8))
        cv2.putText(image, text, (p[0], p[1] + size // 3), font, scale, color, int(rng.integers(1, max(2, size // 10))))
    else:
        cv2.line(image, (p[0], p[1]), (p[2], p[3]), color, max(1, abs(width)))

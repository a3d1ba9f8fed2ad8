"""What is behind the head: gradients, blurred shapes, letters, stripes, textures."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import fractal


def sample_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32 BGR, roughly 0..1."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = rng.uniform(0, 1, 3) if rng.random() < 0.6 else rng.uniform(0, 1)
    if rng.random() < 0.6:
        corner = (
            rng.normal(0, 0.3, 3).astype(np.float32) * np.ones((2, 2, 1), np.float32) * rng.uniform(-1, 1, (2, 2, 1))
        )
        image += cv2.resize(corner.astype(np.float32), (size, size))
    if rng.random() < 0.6:
        image += fractal(
            rng, size, int(rng.integers(2, 7)), int(rng.choice([1, 3])), int(rng.integers(2, 9))
        ) * rng.uniform(0.02, 0.3)
    if rng.random() < 0.65:
        for _ in range(rng.integers(1, 14)):
            _shape(rng, image)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, size / 20))
    grey = image.mean(2, keepdims=True)  # rooms and streets are duller than random numbers
    return np.clip(grey + (image - grey) * rng.uniform(0.1, 1), 0, 1).astype(np.float32)


def _shape(rng: np.random.Generator, image: np.ndarray) -> None:
    size = len(image)
    color = tuple(float(c) for c in (rng.uniform(0, 1, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0, 1))))
    p = [int(v) for v in rng.integers(-size // 4, size + size // 4, 4)]
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
    elif kind == 3:  # letters: round ones are what an untaught eye takes for faces
        text = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(1, 4)))
        scale, font = rng.uniform(0.3, 4.5) * size / 96, int(rng.integers(0, 8))
        cv2.putText(image, text, (p[0], p[1] + size // 3), font, scale, color, int(rng.integers(1, max(2, size // 10))))
    else:
        cv2.line(image, (p[0], p[1]), (p[2], p[3]), color, max(1, abs(width)))

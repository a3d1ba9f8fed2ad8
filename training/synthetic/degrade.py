"""What cameras, codecs and small pictures do to a face."""

from __future__ import annotations

import cv2
import numpy as np


def develop(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Exposure, tone curve, white balance, contrast, saturation: linear-ish render to display values."""
    image = image * np.exp(rng.normal(0.05, 0.18)) * np.exp(rng.normal(0, 0.04, 3)).astype(np.float32)
    image = np.clip(image, 0, 4) ** rng.uniform(0.6, 1.15)
    if rng.random() < 0.5:
        image = image / (1 + rng.uniform(0, 0.35) * image)  # highlights roll off
    image = (image - 0.5) * rng.uniform(0.7, 1.25) + 0.5 + rng.normal(0, 0.05)
    if rng.random() < 0.15:
        image = np.repeat(image.mean(2, keepdims=True), 3, 2)
    elif rng.random() < 0.6:
        grey = image.mean(2, keepdims=True)
        image = grey + (image - grey) * rng.uniform(0.3, 1.15)
    return np.clip(image, 0, 1).astype(np.float32)


def degrade(rng: np.random.Generator, image: np.ndarray, size: int) -> np.ndarray:
    """(S, S, 3) float 0..1 to (size, size, 3) uint8: blur, motion, shrinking, noise, JPEG, black borders."""
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.4) * len(image) / 192)
    if rng.random() < 0.1:
        image = _motion(rng, image)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.2:
        small = int(np.exp(rng.uniform(np.log(20), np.log(size))))
        up = [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST][rng.choice(3, p=[0.5, 0.45, 0.05])]
        tiny = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        if rng.random() < 0.5:
            tiny = _noise(rng, tiny)
        image = cv2.resize(tiny, (size, size), interpolation=up)
    if rng.random() < 0.06:
        border = rng.integers(0, size // 3, 4) * (rng.random(4) < 0.4)
        image[: border[0]] = 0
        image[size - border[1] :] = 0
        image[:, : border[2]] = 0
        image[:, size - border[3] :] = 0
    if rng.random() < 0.5:
        image = _noise(rng, image)
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.45:
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 96))])[1]
        out = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return out


def _noise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    level = rng.exponential(0.01)
    grain = rng.standard_normal(image.shape[:2] + (1 if rng.random() < 0.5 else 3,), dtype=np.float32)
    return image + grain * np.float32(level)


def _motion(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    length = int(rng.integers(3, max(4, len(image) // 14)))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))

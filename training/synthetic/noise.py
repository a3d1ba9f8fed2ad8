"""Smooth random fields."""

from __future__ import annotations

import cv2
import numba as nb
import numpy as np


def fractal(
    rng: np.random.Generator, size: int, octaves: int = 5, channels: int = 1, base: int = 2, gain: float = 0.6
) -> np.ndarray:
    """(size, size, channels) float32, zero mean, about unit variance; ``base`` cells across in the coarsest octave."""
    out = np.zeros((size, size, channels), np.float32)
    power = 0.0
    for octave in range(octaves):
        cells = min(size, base * 2**octave)
        layer = rng.standard_normal((cells, cells, channels), dtype=np.float32)
        out += gain**octave * cv2.resize(layer, (size, size), interpolation=cv2.INTER_CUBIC).reshape(out.shape)
        power += gain ** (2 * octave)
        if cells == size:
            break
    return out / np.float32(np.sqrt(power))


@nb.njit(fastmath=True, cache=True)
def _plane_waves(points, directions, phases):
    out = np.zeros(len(points), np.float32)
    for i in range(len(points)):
        total = np.float32(0)
        for k in range(len(phases)):
            total += np.sin(
                points[i, 0] * directions[k, 0]
                + points[i, 1] * directions[k, 1]
                + points[i, 2] * directions[k, 2]
                + phases[k]
            )
        out[i] = total
    return out


def wavy(rng: np.random.Generator, points: np.ndarray, wavelength: float, waves: int = 3) -> np.ndarray:
    """A smooth random number per point (N,) of space (N, 3), about unit variance: a few plane waves."""
    direction = rng.standard_normal((waves, 3))
    direction *= (
        2 * np.pi / (wavelength * rng.uniform(0.7, 1.6, (waves, 1))) / np.linalg.norm(direction, axis=1, keepdims=True)
    )
    phases = rng.uniform(0, 2 * np.pi, waves).astype(np.float32)
    return _plane_waves(points.astype(np.float32), direction.astype(np.float32), phases) * np.float32(
        np.sqrt(2 / waves)
    )

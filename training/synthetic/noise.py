"""Smooth random fields and white noise."""

from __future__ import annotations

from functools import cache

import cv2
import numba as nb
import numpy as np

from ...model.array_types import FloatArray

STOCK = 1 << 20


@cache
def _stock() -> FloatArray:
    return np.random.default_rng(20180515).standard_normal(STOCK, dtype=np.float32)


def grain(rng: np.random.Generator, *shape: int) -> FloatArray:
    """Return white noise of unit variance, float32, read-only.

    The noise is a random part of a fixed stock. Drawing new noise for every picture takes longer than the operations
    that use it.
    """
    count = int(np.prod(shape))
    start = int(rng.integers(STOCK - count))
    return _stock()[start : start + count].reshape(shape)


def fractal(
    rng: np.random.Generator, size: int, octaves: int = 5, channels: int = 1, base: int = 2, gain: float = 0.6
) -> FloatArray:
    """Return noise (size, size, channels) float32, zero mean, about unit variance.

    The coarsest octave has ``base`` cells across.
    """
    cells = min(size, base)
    out = grain(rng, cells, cells, channels)
    power, share = 1.0, 1.0
    for _ in range(1, octaves):
        if cells == size:
            break
        cells, share = min(size, 2 * cells), share * gain
        out = _enlarged(out, cells) + np.float32(share) * grain(rng, cells, cells, channels)
        power += share**2
    return _enlarged(out, size) * np.float32(1 / np.sqrt(power))


def _enlarged(image: FloatArray, size: int) -> FloatArray:
    enlarged: FloatArray = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, -1)
    return enlarged


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def add_wave(axes, x, y, z, phase, out):
    """Add sin(2 pi ((x, y, z) . point + phase)) for points as ``axes`` (3, N) to ``out`` (N,)."""
    half, peak, bend, correction = np.float32(0.5), np.float32(8), np.float32(16), np.float32(0.225)
    for i in range(len(out)):
        turn = axes[0, i] * x + axes[1, i] * y + axes[2, i] * z + phase
        turn -= np.floor(turn + half)
        arc = turn * (peak - bend * abs(turn))  # a sine to within 0.001, in a form that compiles to vectors
        out[i] += correction * (arc * abs(arc) - arc) + arc


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _waves(points, directions, phases, out):
    axes = np.empty((3, len(points)), np.float32)
    for i in range(len(points)):
        axes[0, i], axes[1, i], axes[2, i] = points[i, 0], points[i, 1], points[i, 2]
    for k in range(len(phases)):
        add_wave(axes, directions[k, 0], directions[k, 1], directions[k, 2], phases[k], out)


def plane_waves(rng: np.random.Generator, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Directions (N, 3), in turns per mm, of waves about as long as ``lengths`` (N,), and phases (N,) in turns."""
    directions = rng.standard_normal((len(lengths), 3))
    directions /= (lengths * rng.uniform(0.7, 1.6, len(lengths)) * np.sqrt((directions**2).sum(1)))[:, None]
    return directions.astype(np.float32), rng.random(len(lengths), np.float32)


def wavy(rng: np.random.Generator, points: FloatArray, wavelength: float, waves: int = 3) -> FloatArray:
    """Return a smooth random number per point (N,) of space (N, 3), about unit variance: a few plane waves."""
    out = np.zeros(len(points), np.float32)
    _waves(np.ascontiguousarray(points, np.float32), *plane_waves(rng, np.full(waves, wavelength)), out)
    out *= np.float32(np.sqrt(2 / waves))
    return out

"""99 identity components: principal components of the source's heads and their mirror images.

The source draws a head as z . modes with z ~ N(0, 1). The covariance of such heads together with their mirror images is
known exactly, so it is decomposed instead of sampled; each component is symmetric or antisymmetric.

The coordinates, how a component is mixed from the source's modes and their mirror images, are stored in
``alpha_coordinates.npy``. Alpha therefore means the same head for any topology, and trained weights stay valid for a
new one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray

COMPONENTS = 99
COORDINATES = Path(__file__).with_name("alpha_coordinates.npy")
PEOPLE = Path(__file__).with_name("people_alpha.npz")  # training/evaluation/proportions.py wrote it


def principal_coordinates(modes: FloatArray, flipped: FloatArray) -> FloatArray:
    """``modes`` (k, V, 3) and their mirror images -> (2k, 99) orthonormal, the strongest component first."""
    both = _stacked(modes, flipped)
    values, vectors = np.linalg.eigh(both @ both.T)
    chosen = vectors[:, np.argsort(values)[::-1][:COMPONENTS]]
    strongest = np.abs(chosen).argmax(axis=0)  # fixes the sign, which is arbitrary in an eigenvector
    signed: FloatArray = chosen * np.sign(chosen[strongest, np.arange(COMPONENTS)])
    return signed


def components(coordinates: FloatArray, modes: FloatArray, flipped: FloatArray) -> tuple[FloatArray, float]:
    """Return (99, V, 3) offsets per one sigma, and the part of the modes' variance that they keep."""
    both = _stacked(modes, flipped)
    mixed = coordinates.T @ both
    lost = ((both - coordinates @ mixed) ** 2).sum() / (both**2).sum()
    return mixed.reshape(COMPONENTS, *modes.shape[1:]), float(1 - lost)


def alpha_of(coordinates: FloatArray, z: FloatArray) -> FloatArray:
    """alpha (n, 99) of the source's heads z (n, 100)."""
    alpha: FloatArray = np.sqrt(2) * z @ coordinates[: z.shape[-1]]
    return alpha


def _stacked(modes: FloatArray, flipped: FloatArray) -> FloatArray:
    stacked: FloatArray = np.concatenate([modes, flipped]).reshape(2 * len(modes), -1) / np.sqrt(2)
    return stacked

"""Lashes as strips of quads, rooted in a ring of columns round an eye. Millimetres, in the model's axes. numpy only."""

from __future__ import annotations

import numpy as np

from ..array_types import FloatArray, IntArray
from .meshes import unit_vectors

UP = np.array([0.0, 1.0, 0.0])
TAPER = np.array([1.0, 0.85, 0.55, 0.12])
# A lash's points from root to tip, in shares of its length: out of the face, and along the lid's skin.
LOWER_CURVE = np.array([(0.0, 0.0), (0.29, 0.12), (0.52, 0.36), (0.64, 0.66)])
UPPER_CURVE = np.array([(0.0, 0.0), (0.36, 0.0), (0.66, 0.15), (0.84, 0.44)])
# Of the face model's own lashes, which have three pairs of vertices
OWN_CURVE = np.array([(0.0, 0.0), (0.48, 0.03), (0.84, 0.44)])
STRAND = 6  # vertices of such a lash


def upper_axes(root: FloatArray, centre: FloatArray, turned: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the axes of upper lashes (..., 2 M, 3): out of the face, up, along the lid towards the temple."""
    outward = unit_vectors(root - centre[..., None, :])
    away = unit_vectors(UP - outward[..., 1:2] * outward)
    cos, sin = np.cos(turned)[..., None], np.sin(turned)[..., None]
    return cos * outward + sin * away, cos * away - sin * outward, np.cross(away, outward)


def lower_axes(root: FloatArray, skin: FloatArray, centre: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the axes of lower lashes (..., 2 M, 3): out of the face, down along the skin, along the lid."""
    tangent = unit_vectors(np.roll(root, -2, axis=-2) - np.roll(root, 2, axis=-2))
    outward = root - centre[..., None, :]
    outward = unit_vectors(outward - (outward * tangent).sum(-1, keepdims=True) * tangent)
    away = skin - root
    return outward, unit_vectors(away - (away * tangent).sum(-1, keepdims=True) * tangent), tangent


def strands(
    places: FloatArray,
    root: FloatArray,
    axes: tuple[FloatArray, FloatArray, FloatArray],
    curve: FloatArray,
    length: FloatArray,
    width: float,
    taper: FloatArray,
) -> FloatArray:
    """Return lashes (..., n * 2 * points, 3) at ``places`` (n,), columns of the ring ``root`` (..., 2 M, 3).

    ``axes`` are three rings of directions: out of the face, away from the eye, along the lid. ``curve`` (points, 2) is
    the shape along the first two, in shares of ``length`` (n,); ``taper`` (points,) the shares of ``width`` mm.
    """
    count = root.shape[-2]
    i = np.floor(places).astype(int) % count
    part: FloatArray = (places % 1)[:, None]

    def there(ring: FloatArray) -> FloatArray:
        following: FloatArray = ring[..., (i + 1) % count, :]
        between: FloatArray = ring[..., i, :] + part * (following - ring[..., i, :])
        return between

    start, (outward, away, tangent) = there(root), (there(axis) for axis in axes)
    fan = _fans(len(places)) + np.linspace(-0.12, 0.32, len(places))
    out, along = (length[:, None] * curve[:, k] for k in (0, 1))
    aside = length[:, None] * fan[:, None] * curve.sum(axis=1) ** 1.5
    points = start[..., None, :]
    for amount, axis in ((out, outward), (along, away), (aside, tangent)):
        points = points + amount[..., None] * axis[..., None, :]
    # Each lash is a strip that is turned a little about itself, so that none is seen exactly from its edge.
    turn = 0.6 * np.sin(2.4 * np.arange(len(places)))[:, None]
    side = np.cos(turn) * tangent + np.sin(turn) * away
    half = (0.5 * width * taper)[:, None] * side[..., None, :]
    strips = np.stack([points - half, points + half], axis=-2)
    flat: FloatArray = strips.reshape(*strips.shape[:-4], -1, 3)
    return flat


def lash_places(number: int, first: float, last: float, seed: int) -> FloatArray:
    """Return places (number,) between ``first`` and ``last``, near to equal distances."""
    rng = np.random.default_rng(seed)
    step = (last - first) / number
    places: FloatArray = first + step * (np.arange(number) + 0.5 + rng.uniform(-0.35, 0.35, number))
    return places


def lash_lengths(number: int, seed: int, shortest: float) -> FloatArray:
    """Return lengths (number,): short at the inner corner, longest in the outer half."""
    rng = np.random.default_rng(seed)
    shape = shortest + (1 - shortest) * np.sin(np.pi * np.linspace(0.0, 0.85, number))
    lengths: FloatArray = shape * rng.uniform(0.78, 1.08, number)
    return lengths


def _fans(number: int) -> FloatArray:
    """Return how far lashes (number,) lean along the lid: groups of three or four incline towards each other."""
    index = np.arange(number)
    fans: FloatArray = 0.16 * (((index * 2) % 7) / 3.0 - 1.0) * np.cos(1.7 * index)
    return fans


def strand_faces(number: int, points: int) -> IntArray:
    """Return the quads (F, 4) of ``number`` strips with ``points`` pairs of vertices each."""
    pair = 2 * np.arange(points - 1)
    one = np.stack([pair, pair + 1, pair + 3, pair + 2], axis=1)
    faces: IntArray = (2 * points * np.arange(number)[:, None, None] + one).reshape(-1, 4)
    return faces

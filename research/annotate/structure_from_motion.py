"""Structure from motion with a free rigid shape (Tomasi and Kanade 1992): the baseline that needs no face model.

It fails where the head hardly turns: the shape's depth is then not determined, and the camera neither.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.face.alignment import similarity

Floats = NDArray[np.float64]


def factorised(points: Floats) -> tuple[Floats, Floats]:
    """Return a shape (P, 3) and rotations (F, 3, 3) of points (F, P, 2), scaled orthographic; x right, y up.

    The shape is in pixels and in a frame of its own; whether it or its mirror image in depth is right stays open.
    """
    centred = (points - points.mean(1, keepdims=True)) * [1.0, -1.0]
    count = len(points)
    u, s, vt = np.linalg.svd(centred.transpose(0, 2, 1).reshape(2 * count, -1), full_matrices=False)
    motion, shape = u[:, :3] * np.sqrt(s[:3]), np.sqrt(s[:3])[:, None] * vt[:3]
    a, b = motion[0::2], motion[1::2]
    rows = np.concatenate([_quadratic(a, a) - _quadratic(b, b), _quadratic(a, b)])
    unit = (_quadratic(a, a) + _quadratic(b, b)).sum(0)
    system = np.concatenate([rows, unit[None]])
    right = np.append(np.zeros(len(rows)), 2.0 * count)
    xx, xy, xz, yy, yz, zz = np.linalg.lstsq(system, right, rcond=None)[0]
    values, vectors = np.linalg.eigh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    root = vectors * np.sqrt(np.maximum(values, 1e-6 * values.max()))
    first, second = a @ root, b @ root
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second - (first * second).sum(1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    rotation = np.stack([first, second, np.cross(first, second)], 1)
    return np.linalg.solve(root, shape).T, rotation


def _quadratic(a: Floats, b: Floats) -> Floats:
    """Return the coefficients (F, 6) of aᵀ L b in the entries xx, xy, xz, yy, yz, zz of a symmetric L."""
    mixed = [a[:, i] * b[:, j] + (a[:, j] * b[:, i] if i != j else 0) for i in range(3) for j in range(i, 3)]
    return np.stack(mixed, 1)


def aligned(shape: Floats, rotation: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Return the shape in the frame of ``truth`` (P, 3), with its rotations; the nearer mirror image."""
    best: tuple[float, Floats, Floats] | None = None
    for sign in (1.0, -1.0):
        flip = np.diag([1.0, 1.0, sign])
        mirrored = shape @ flip
        scale, turn, shift = similarity(mirrored, truth)
        placed = scale * mirrored @ turn.T + shift
        turned = flip @ rotation @ flip @ turn.T if sign < 0 else rotation @ turn.T
        error = float(np.linalg.norm(placed - truth, axis=1).mean())
        if best is None or error < best[0]:
            best = error, placed, turned
    assert best is not None
    return best[1], best[2]

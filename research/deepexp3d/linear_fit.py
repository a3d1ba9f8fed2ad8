"""The baseline: a linear fit of the face model to 68 landmarks, after Huber et al. (VISAPP 2016).

Camera, identity and expression are solved in turn, each by linear least squares; the camera is scaled orthographic, and
coefficients are pulled towards zero by their standard deviations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 4
NOISE = 2.0  # pixels: what a landmark may be off by, against the priors


def linear_fit(points: Floats, mean: Floats, identity: Floats, expression: Floats, deviation: Floats) -> Floats:
    """Return expression coefficients (N, C) of landmarks ``points`` (N, L, 2), pixels.

    mean (L, 3), identity (Ks, L, 3) per sigma and expression (C, L, 3) are the model's landmarks, ``deviation`` (C,)
    the standard deviations of the coefficients.
    """
    image = points * [1.0, -1.0]
    image = image - image.mean(1, keepdims=True)
    found = np.zeros((len(points), len(expression)))
    person = np.zeros((len(points), len(identity)))
    for _ in range(ROUNDS):
        moved = mean + np.einsum("nk,klc->nlc", found, expression)
        camera = _cameras(moved + np.einsum("nk,klc->nlc", person, identity), image)
        person = _ridge(image, moved, camera, identity, np.ones(len(identity)))
        shape = mean + np.einsum("nk,klc->nlc", person, identity)
        found = _ridge(image, shape, camera, expression, deviation)
    return found


def _cameras(shape: Floats, image: Floats) -> Floats:
    """Return scaled orthographic cameras (N, 2, 3) of shapes (N, L, 3) seen at ``image`` (N, L, 2), both centred."""
    model = shape - shape.mean(1, keepdims=True)
    square = model.transpose(0, 2, 1) @ model + 1e-6 * np.eye(3)
    affine = np.linalg.solve(square, model.transpose(0, 2, 1) @ image).transpose(0, 2, 1)
    u, s, vt = np.linalg.svd(affine, full_matrices=False)
    cameras: Floats = s.mean(1)[:, None, None] * (u @ vt)
    return cameras


def _ridge(image: Floats, shape: Floats, camera: Floats, basis: Floats, deviation: Floats) -> Floats:
    """Return coefficients (N, K) of ``basis`` (K, L, 3) that bring ``shape`` (N, L, 3) nearest to the image."""
    centred = basis - basis.mean(1, keepdims=True)
    count = len(image)
    design = np.einsum("nij,klj->nlik", camera, centred).reshape(count, -1, len(basis))
    flat = shape - shape.mean(1, keepdims=True)
    gap = (image - np.einsum("nij,nlj->nli", camera, flat)).reshape(count, -1)
    square = design.transpose(0, 2, 1) @ design + NOISE**2 * np.diag(1 / np.maximum(deviation, 1e-9) ** 2)
    solution: Floats = np.linalg.solve(square, np.einsum("nrk,nr->nk", design, gap)[..., None])[..., 0]
    return solution

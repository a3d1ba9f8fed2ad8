"""Re-association of the face contour's landmarks with the visible silhouette.

The contour's landmarks (iBUG 0 to 16) are marked where the face ends in the picture. On a turned head that is another
place of the skin. Each of them gets a few candidates at its height, from the ear towards the nose, and in each step
the one that lies farthest out in the picture stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...model.camera import Camera
from ...model.face.face_model import FaceModel
from .eq2 import Floats, Labels, basis_at, fit_expressions, landmark_basis

SIDES = (*range(6), *range(11, 17))  # contour landmarks that move over the cheek; the chin's stay
CANDIDATES = 6
REACH_MM = 40.0  # from the landmark towards the nose
BAND_MM = 5.0  # of height in which candidates lie
STEPS = 3


def contour_candidates(model: FaceModel) -> NDArray[np.int64]:
    """Return the candidates' vertices (12, CANDIDATES) of the landmarks ``SIDES``; the first is the landmark itself."""
    assert model.landmarks is not None  # landmark_basis refuses such a model
    skin = np.asarray(model.regions.get("skin", np.arange(model.vertex_count)))
    at = model.neutral[skin]
    found = np.empty((len(SIDES), CANDIDATES), np.int64)
    for row, landmark in enumerate(model.landmarks[list(SIDES)]):
        here = model.neutral[landmark]
        inward = (at[:, 0] * np.sign(here[0]) <= abs(here[0]) + 1) & (at[:, 0] * np.sign(here[0]) > 0)
        near = inward & (np.abs(at[:, 1] - here[1]) < BAND_MM) & (at[:, 2] >= here[2] - 1)
        rows = np.flatnonzero(near)
        distance = np.linalg.norm(at[rows] - here, axis=1)
        level = np.abs(at[rows, 1] - here[1])
        found[row] = landmark
        if len(rows):
            wanted = np.linspace(0, REACH_MM, CANDIDATES)[1:, None]
            found[row, 1:] = skin[rows[(np.abs(distance - wanted) + level).argmin(1)]]
    return found


def fit_with_contour(
    model: FaceModel,
    points: Floats,
    alpha: Floats,
    rotation: Floats,
    translation: Floats,
    cameras: Sequence[Camera],
    *,
    weights: Floats | None = None,
    solve_pose: bool = False,
) -> Labels:
    """Fit eta as ``eq2.fit_expressions`` does, with the contour's landmarks on the silhouette. Landmarks: iBUG's 68."""
    basis = landmark_basis(model)
    candidates = contour_candidates(model)
    extra = basis_at(model, candidates.reshape(-1))
    both = basis.joined(extra)
    weights = np.ones(points.shape[:2]) if weights is None else weights
    everything = np.concatenate([points, np.repeat(points[:, SIDES], CANDIDATES, axis=1)], 1)
    rest = extra.at_rest(alpha)
    labels: Labels | None = None
    for _ in range(STEPS):
        if labels is not None:
            rotation, translation = labels.rotation, labels.translation
        chosen = outermost(rest, rotation, translation, cameras)
        each = np.concatenate([weights, (chosen * weights[:, SIDES, None]).reshape(len(points), -1)], 1)
        each[:, SIDES] = 0
        start = None if labels is None else labels.eta
        labels = fit_expressions(
            both, everything, alpha, rotation, translation, cameras, weights=each, solve_pose=solve_pose, start=start
        )
    assert labels is not None
    return labels


def outermost(rest: Floats, rotation: Floats, translation: Floats, cameras: Sequence[Camera]) -> Floats:
    """Return 1 for each landmark's candidate that lies farthest out in the picture, else 0: (N, 12, CANDIDATES)."""
    placed = rest @ rotation.transpose(0, 2, 1) + translation[:, None]
    focal = np.array([c.focal for c in cameras])[:, None]
    across = (rotation[:, :2, 0] / np.linalg.norm(rotation[:, :2, 0], axis=1, keepdims=True))[:, None]
    screen = (placed[..., :2] / -placed[..., 2:] * focal[..., None] * across).sum(-1)
    side = np.array([-1.0] * 6 + [1.0] * 6)[:, None]
    outward = screen.reshape(len(rest), len(SIDES), CANDIDATES) * side
    chosen: Floats = (outward.argmax(-1)[..., None] == np.arange(CANDIDATES)).astype(np.float64)
    return chosen

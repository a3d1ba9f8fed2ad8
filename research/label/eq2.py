"""Eq. (2) of Chang et al. 2018: the expression whose projected landmarks are nearest to the observed ones.

    eta* = argmin || p - Pi S'(alpha, eta) ||_2  with  low_j <= eta_j <= high_j

alpha is fixed. The camera Pi is given, or its 6 degrees of freedom are solved together with eta.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...model.array_types import IntArray
from ...model.camera import Camera
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.fitting.point_basis import PointBasis
from .bounded_newton import minimise

SIGMAS = 3.0  # the paper's bound: |eta_j| <= 3 delta_Ej
FREEDOM = 6  # of the pose: rotation vector (radians), translation (mm)
NEAREST = 10.0  # mm before the camera; nearer points are held there
BATCH = 256  # images whose matrices fit into a processor's cache
DEPTH_UNIT = 100.0  # mm: rescales the translation's unknowns to the size of the others

Floats = NDArray[np.float64]


def landmark_basis(model: FaceModel) -> PointBasis:
    """Return the basis at a model's landmarks. Raises InputError for a model without landmarks or expressions."""
    if model.landmarks is None:
        raise InputError(f"the face model {model.name} has no 68 landmarks: choose another for labels")
    if not len(model.expression):
        raise InputError(f"the face model {model.name} has no expressions: choose another for labels")
    return basis_at(model, model.landmarks)


def basis_at(model: FaceModel, vertices: IntArray) -> PointBasis:
    """Return the basis at any vertices (L,), about the model's own origin.

    The bounds are the keys' own range. Keys in units of sigma get the paper's, 3 standard deviations.
    """
    basis = PointBasis.at(model, vertices, np.zeros(3))
    return replace(basis, low=np.clip(basis.low, -SIGMAS, SIGMAS), high=np.clip(basis.high, -SIGMAS, SIGMAS))


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of N images.

    eta          (N, Ke);  at_bound (N, Ke) bool, held by a bound
    rotation     (N, 3, 3), translation (N, 3) mm, in the frame of ``model/camera.py``
    error        (N,) root mean square distance between observed and fitted landmarks, pixels
    converged    (N,) bool
    """

    eta: Floats
    at_bound: NDArray[np.bool_]
    rotation: Floats
    translation: Floats
    error: Floats
    converged: NDArray[np.bool_]


def fit_expressions(
    basis: PointBasis,
    points: Floats,
    alpha: Floats,
    rotation: Floats,
    translation: Floats,
    cameras: Sequence[Camera],
    *,
    weights: Floats | None = None,
    solve_pose: bool = False,
    start: Floats | None = None,
) -> Labels:
    """Fit eta to the landmarks ``points`` (N, L, 2), pixels, of N images, on all cores.

    ``alpha`` (N, Ks) is fixed. ``rotation`` (N, 3, 3) and ``translation`` (N, 3) mm are the poses, or with
    ``solve_pose`` where they start. ``weights`` (N, L) of the landmarks, 0 where one is hidden (default: 1). ``start``
    (N, Ke) is the first eta (default: 0).
    """
    points = np.asarray(points, np.float64)
    if points.shape[1:] != (len(basis.mean), 2):
        raise InputError(f"{points.shape[1]} landmarks where the face model has {len(basis.mean)}")
    if weights is None:
        weights = np.ones(points.shape[:2])
    if start is None:
        start = np.zeros((len(points), len(basis.low)))
    rest = basis.at_rest(alpha)

    def fit(part: slice) -> Labels:
        problem = _Problem.of(
            basis, points[part], rest[part], rotation[part], translation[part], cameras[part], weights[part], solve_pose
        )
        return _solved(basis, problem, start[part])

    parts = [slice(first, first + BATCH) for first in range(0, len(points), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        labels = list(threads.map(fit, parts))
    return Labels(*(np.concatenate([getattr(part, f.name) for part in labels]) for f in fields(Labels)))


def _solved(basis: PointBasis, problem: _Problem, start: Floats) -> Labels:
    keys = len(basis.low)
    free = torch.full((FREEDOM * problem.solve_pose,), torch.inf, dtype=torch.float64)
    low, high = (torch.as_tensor(v) for v in (basis.low, basis.high))
    x = torch.cat([torch.as_tensor(start), torch.zeros(len(start), len(free), dtype=torch.float64)], 1)
    found = minimise(problem.linearised, problem.residuals, x, torch.cat([low, -free]), torch.cat([high, free]))
    rotation, translation = problem.pose(found.x, torch.arange(len(x)))
    used = problem.weights.square().sum(1).clamp(min=1e-12)
    return Labels(
        found.x[:, :keys].numpy(),
        found.at_bound[:, :keys].numpy(),
        rotation.numpy(),
        translation.numpy(),
        (2 * found.cost / used).sqrt().numpy(),
        found.converged.numpy(),
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """N images: landmarks ``points`` (N, L, 2), faces at ``rest`` (N, L, 3), poses, cameras and root weights (N, L).

    ``motion`` (L, Ke, 3) is the landmarks' motion per unit of each key.
    """

    points: Tensor
    rest: Tensor
    motion: Tensor
    rotation: Tensor
    translation: Tensor
    camera: Tensor
    weights: Tensor
    solve_pose: bool

    @staticmethod
    def of(
        basis: PointBasis,
        points: Floats,
        rest: Floats,
        rotation: Floats,
        translation: Floats,
        cameras: Sequence[Camera],
        weights: Floats,
        solve_pose: bool,
    ) -> _Problem:
        seen = np.isfinite(points).all(-1) & (weights > 0)
        return _Problem(
            torch.as_tensor(np.where(seen[..., None], points, 0.0)),
            torch.as_tensor(rest),
            torch.as_tensor(np.ascontiguousarray(basis.expression.transpose(1, 0, 2))),
            torch.as_tensor(rotation),
            torch.as_tensor(translation),
            torch.tensor([[c.focal, c.cx, c.cy] for c in cameras], dtype=torch.float64),
            torch.as_tensor(np.where(seen, np.sqrt(weights), 0.0)),
            solve_pose,
        )

    def pose(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rotations (M, 3, 3) and translations (M, 3) of unknowns ``x``."""
        rotation, translation = self.rotation[which], self.translation[which]
        if not self.solve_pose:
            return rotation, translation
        turn = torch.linalg.matrix_exp(_skew(x[:, -FREEDOM:-3]))
        return turn @ rotation, translation + DEPTH_UNIT * x[:, -3:]

    def residuals(self, x: Tensor, which: Tensor) -> Tensor:
        return self._projected(x, which)[0]

    def linearised(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        r, placed, rotation, turned = self._projected(x, which)
        count, landmarks = placed.shape[:2]
        focal, depth = self.camera[which, 0, None], -placed[..., 2]
        # d(pixel)/d(camera-space point): rows u = cx + f x / depth, v = cy - f y / depth
        scale = focal / depth * self.weights[which]
        by_u = torch.stack([scale, torch.zeros_like(scale), scale * placed[..., 0] / depth], -1)
        by_v = torch.stack([torch.zeros_like(scale), -scale, -scale * placed[..., 1] / depth], -1)
        by_point = torch.stack([by_u, by_v], 2)  # (M, L, 2, 3)
        by_model = by_point @ rotation[:, None]
        keys = self.motion.shape[1]
        jacobian = torch.empty(count, landmarks, 2, x.shape[1], dtype=x.dtype)
        # One product per landmark: (M*2, 3) by (3, Ke).
        by_key = by_model.permute(1, 0, 2, 3).reshape(landmarks, -1, 3) @ self.motion.transpose(1, 2)
        jacobian[..., :keys] = by_key.reshape(landmarks, count, 2, keys).transpose(0, 1)
        if self.solve_pose:
            jacobian[..., -FREEDOM:-3] = -by_point @ _skew(turned)
            jacobian[..., -3:] = DEPTH_UNIT * by_point
        return r, jacobian.reshape(count, -1, x.shape[1])

    def _projected(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return residuals (M, 2L), camera-space points (M, L, 3), rotations, and the points before translation."""
        rotation, translation = self.pose(x, which)
        keys = self.motion.shape[1]
        moved = (x[:, :keys] @ self.motion.transpose(0, 1).reshape(keys, -1)).reshape(len(x), -1, 3)
        turned = (self.rest[which] + moved) @ rotation.transpose(1, 2)
        placed = turned + translation[:, None]
        placed = torch.cat([placed[..., :2], placed[..., 2:].clamp(max=-NEAREST)], -1)
        camera = self.camera[which, :, None]
        depth = -placed[..., 2]
        u = camera[:, 1] + camera[:, 0] * placed[..., 0] / depth
        v = camera[:, 2] - camera[:, 0] * placed[..., 1] / depth
        gap = (torch.stack([u, v], -1) - self.points[which]) * self.weights[which][..., None]
        return gap.reshape(len(x), -1), placed, rotation, turned


def _skew(v: Tensor) -> Tensor:
    """Return the matrices (..., 3, 3) of cross products with vectors (..., 3)."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape[:-1], 3, 3)


def pose_from_landmarks(rest: Floats, points: Floats, cameras: Sequence[Camera]) -> tuple[Floats, Floats]:
    """Return rotations (N, 3, 3) and translations (N, 3) mm of rigid landmarks ``rest`` (N, L, 3) at pixels (N, L, 2).

    The camera is approximated as scaled orthographic: an affine camera by least squares, its rotation by polar
    decomposition, the depth from its scale. NaN points take no part.
    """
    seen = np.isfinite(points).all(-1)[..., None]
    count = np.maximum(seen.sum(1, keepdims=True), 1)
    middle = np.where(seen, rest, 0).sum(1, keepdims=True) / count
    centre = np.where(seen, points, 0).sum(1, keepdims=True) / count
    model = np.where(seen, rest - middle, 0.0)
    image = np.where(seen, points - centre, 0.0) * [1.0, -1.0]
    square = model.transpose(0, 2, 1) @ model + 1e-6 * np.eye(3)
    affine = np.linalg.solve(square, model.transpose(0, 2, 1) @ image).transpose(0, 2, 1)  # (N, 2, 3)
    u, s, vt = np.linalg.svd(affine, full_matrices=False)
    two = u @ vt
    rotation = np.concatenate([two, np.cross(two[:, 0], two[:, 1])[:, None]], 1)
    camera = np.array([[c.focal, c.cx, c.cy] for c in cameras])
    depth = camera[:, 0] / np.maximum(s.mean(1), 1e-6)
    x = (centre[:, 0, 0] - camera[:, 1]) / camera[:, 0] * depth
    y = -(centre[:, 0, 1] - camera[:, 2]) / camera[:, 0] * depth
    at = np.stack([x, y, -depth], -1)
    return rotation, at - (rotation @ middle[:, 0, :, None])[..., 0]

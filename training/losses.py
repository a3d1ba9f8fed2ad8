"""Losses of the network.

Expression errors count by the millimetres they move: |W B (eta' - eta)| = |L^T (eta' - eta)| with L the Cholesky factor
of B^T W^2 B, 29 x 29, computed once. W increases the weight of lids and lips and sets that of the skull to zero. A
small coefficient term separates keys with similar motion.

Errors of identity count by the millimetres of the face's surface in the same way. An unweighted error of the 99 numbers
would be dominated by the many components with no visible effect. Points count by their likelihood, which allows hidden
points a high uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.array_types import FloatArray
from ..model.face.face_model import FaceModel
from ..model.face.semantics import FACE_FROM_MM, REGION_WEIGHTS
from ..model.networks.torch_engine.compact import rotation_matrix
from .dense_points import point_loss
from .glimpse_points import true_points

# Where the Huber losses change from squares to absolute values. Absolute errors beyond a tenth of a key were tried.
# Most keys of most faces are exactly 0, so the median of an ambiguous picture is 0, and faint keys are read still
# lower (mean gain 0.55 to 0.50, r 0.742 to 0.729 within 2,250 steps).
EXPRESSION_DELTA_MM, KEY_DELTA, IDENTITY_DELTA_MM = 2.0, 1.0, 2.0
HIDDEN_WEIGHT = 0.3  # of a landmark that something covers or that faces away


@dataclass(frozen=True)
class LossWeights:
    """Weights of the parts of ``total_loss``; parts of weight 0 are not computed."""

    vertex: float = 0.0
    coefficient: float = 0.0
    euclidean: float = 0.0  # the paper's: half the squared distance of eta
    gaze: float = 0.0
    rotation: float = 0.0
    crop: float = 0.0
    landmarks: float = 0.0
    dense: float = 0.0
    closer: float = 0.0  # the points of GlimpseNet's glimpses
    identity: float = 0.0
    alpha: float = 0.0
    variance: float = 0.0
    face: float = 0.0


@dataclass(frozen=True)
class Factors:
    """Factors that map errors of eta (29, 29) and of alpha (99, 99) to millimetres: ``error @ factor.T``."""

    expression: Tensor
    identity: Tensor


def factors(model: FaceModel, device: str = "cpu") -> Factors:
    return Factors(expression_factor(model).to(device), identity_factor(model).to(device))


def expression_factor(model: FaceModel) -> Tensor:
    """Return L^T (29, 29), which maps an error of eta to weighted root-mean-square millimetres."""
    weights = np.zeros(model.vertex_count)
    # Of the skin, the scalp does not count; lips, lids and brows are parts of the skin that count more.
    for region, weight in {"skin": 0.0, "scalp": 0.0, **REGION_WEIGHTS}.items():
        weights[model.regions.get(region, np.empty(0, np.int32))] = weight
    return _factor(model.expression, weights)


def identity_factor(model: FaceModel) -> Tensor:
    """Return L^T (99, 99), which maps an error of alpha to root-mean-square millimetres of the face's skin."""
    weights = np.zeros(model.vertex_count)
    skin = model.regions["skin"]
    weights[skin[model.neutral[skin, 2] > FACE_FROM_MM]] = 1.0
    return _factor(model.identity, weights)


def _factor(basis: FloatArray, weights: FloatArray) -> Tensor:
    weighted = (basis * weights[None, :, None]).reshape(len(basis), -1).astype(np.float64)
    gram = weighted @ weighted.T / (weights**2).sum()
    return torch.from_numpy(np.linalg.cholesky(gram + 1e-6 * np.eye(len(gram))).T.astype(np.float32))


def total_loss(
    out: dict[str, Tensor], batch: dict[str, Tensor], factors: Factors, weights: LossWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum and its parts, by name. ``out`` holds the network's outputs and those of ``DensePoints``.

    Everything but ``face`` counts only where there is a face. The likelihoods (``landmarks``, ``dense``, ``variance``)
    may be negative.
    """
    face = batch["face"]
    count = face.sum().clamp(min=1)
    error = out["eta"] - batch["eta"]

    def surface(error: Tensor, factor: Tensor, delta: float) -> Tensor:
        millimetres = error @ factor.T
        return F.huber_loss(millimetres, torch.zeros_like(millimetres), delta=delta, reduction="none").sum(1)

    def rotation() -> Tensor:
        truth = batch["rotation"].view(-1, 2, 3).transpose(1, 2)
        return (rotation_matrix(out["rotation"].float())[..., :2] - truth).abs().mean((1, 2))

    def landmarks() -> Tensor:
        seen = HIDDEN_WEIGHT + (1 - HIDDEN_WEIGHT) * batch["visible"]
        truth = batch["landmarks"]
        return point_loss(out["landmarks"].view_as(truth), out["landmark_log_scale"], truth, seen)

    def dense() -> Tensor:
        return point_loss(
            out["dense"], out["dense_log_scale"], batch["points"], torch.ones_like(out["dense_log_scale"])
        )

    def closer() -> Tensor:
        scales = out["closer_log_scale"]
        return point_loss(out["closer"], scales, true_points(batch), torch.ones_like(scales))

    def variance() -> Tensor:
        # The error is detached, so a high predicted variance does not weaken the training signal of a hard picture.
        # Outside the plausible range the slope is small, not zero, so that the gradient can return the value.
        said = out["eta_log_variance"]
        log_variance = torch.lerp(said, said.clamp(-8, 2), 0.95)
        return (error.detach().square() * torch.exp(-log_variance) + log_variance).mean(1)

    per_sample: dict[str, Callable[[], Tensor]] = {
        "vertex": lambda: surface(error, factors.expression, EXPRESSION_DELTA_MM),
        "coefficient": lambda: F.huber_loss(error, torch.zeros_like(error), delta=KEY_DELTA, reduction="none").mean(1),
        "euclidean": lambda: 0.5 * error.square().sum(1),
        "gaze": lambda: (out["gaze"] - batch["gaze"]).abs().mean(1),
        "rotation": rotation,
        "crop": lambda: (out["crop"] - batch["crop"]).abs().mean(1),
        "landmarks": landmarks,
        "dense": dense,
        "closer": closer,
        "identity": lambda: surface(out["alpha"] - batch["alpha"], factors.identity, IDENTITY_DELTA_MM),
        "alpha": lambda: (out["alpha"] - batch["alpha"]).square().mean(1),
        "variance": variance,
    }
    parts = {k: (loss() * face).sum() / count for k, loss in per_sample.items() if getattr(weights, k)}
    if weights.face:
        parts["face"] = F.binary_cross_entropy_with_logits(out["face"][:, 0], face)
    return torch.stack([getattr(weights, k) * v for k, v in parts.items()]).sum(), parts

"""What the network is told off for.

Expression errors count by the millimetres they move: |W B (eta' - eta)| = |L^T (eta' - eta)| with L the Cholesky
factor of B^T W^2 B, 29 x 29, computed once. W weighs lids and lips up, the skull to nothing. A small coefficient term
keeps keys apart that move alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.face_model import FaceModel
from ..model.networks.compact import rotation_matrix

REGION_WEIGHTS = {
    "skin": 0.5,
    "scalp": 0.0,
    "lips": 4.0,
    "lid_upper_L": 5.0,
    "lid_upper_R": 5.0,
    "lid_lower_L": 5.0,
    "lid_lower_R": 5.0,
    "brow_L": 3.0,
    "brow_R": 3.0,
}


@dataclass(frozen=True)
class LossWeights:
    vertex: float = 0.25
    coefficient: float = 60.0
    gaze: float = 1.5
    rotation: float = 2.0
    crop: float = 4.0
    landmarks: float = 10.0
    alpha: float = 0.03
    variance: float = 0.02
    face: float = 0.3


def expression_factor(model: FaceModel) -> Tensor:
    """L^T (29, 29): maps an error of eta to weighted root-mean-square millimetres."""
    weights = np.zeros(model.vertex_count)
    for region, weight in REGION_WEIGHTS.items():
        weights[model.regions.get(region, np.empty(0, np.int32))] = weight
    basis = (model.expression * weights[None, :, None]).reshape(len(model.expression), -1).astype(np.float64)
    gram = basis @ basis.T / (weights**2).sum()
    return torch.from_numpy(np.linalg.cholesky(gram + 1e-6 * np.eye(len(gram))).T.astype(np.float32))


def total_loss(
    out: dict[str, Tensor], batch: dict[str, Tensor], factor: Tensor, weights: LossWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum and its parts. Everything but ``face`` counts only where there is a face."""
    face = batch["face"]
    count = face.sum().clamp(min=1)

    def mean(per_sample: Tensor) -> Tensor:
        return (per_sample * face).sum() / count

    error = out["eta"] - batch["eta"]
    millimetres = error @ factor.T
    rotation = rotation_matrix(out["rotation"].float())[..., :2] - batch["rotation"].view(-1, 2, 3).transpose(1, 2)
    log_variance = out["eta_log_variance"].clamp(-8, 2)
    alpha = (out["alpha"] - batch["alpha"]).square().mean(1)
    points = out["landmarks"] - batch["landmarks"].flatten(1)
    parts = {
        "vertex": mean(F.huber_loss(millimetres, torch.zeros_like(millimetres), delta=2.0, reduction="none").sum(1)),
        "coefficient": mean(F.huber_loss(error, torch.zeros_like(error), delta=1.0, reduction="none").mean(1)),
        "gaze": mean((out["gaze"] - batch["gaze"]).abs().mean(1)),
        "rotation": mean(rotation.abs().mean((1, 2))),
        "crop": mean((out["crop"] - batch["crop"]).abs().mean(1)),
        "landmarks": mean(F.smooth_l1_loss(points, torch.zeros_like(points), beta=0.02, reduction="none").mean(1)),
        "alpha": mean(alpha),
        "variance": mean((error.detach().square() * torch.exp(-log_variance) + log_variance).mean(1)),
        "face": F.binary_cross_entropy_with_logits(out["face"][:, 0], face),
    }
    return sum((getattr(weights, k) * v for k, v in parts.items()), torch.zeros(())), parts

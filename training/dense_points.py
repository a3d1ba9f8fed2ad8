"""The training-only head: 192 dense points of the skin, and the expected error of each point and landmark.

After Wood et al. 2022, "3D face reconstruction with dense landmarks". Points teach the features where the surface lies.
Each has a scale of its own, so that hidden and blurred points do not dominate the loss. The head is not shipped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.face.dense_points import DENSE

LANDMARKS = 70


class DensePoints(nn.Module):
    """Map features (B, C) to dense points and the scales of their errors.

    ``dense`` (B, 192, 2) in the unit crop; ``dense_log_scale`` (B, 192) and ``landmark_log_scale`` (B, 70), logarithms
    of the expected distance in sides of the crop.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.points = nn.Linear(features, 2 * DENSE)
        self.log_scales = nn.Linear(features, DENSE + LANDMARKS)
        for layer, rest in ((self.points, 0.5), (self.log_scales, -3.0)):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, rest)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        dense_log_scale, landmark_log_scale = self.log_scales(features).split([DENSE, LANDMARKS], dim=1)
        return {
            "dense": self.points(features).unflatten(1, (DENSE, 2)),
            "dense_log_scale": dense_log_scale,
            "landmark_log_scale": landmark_log_scale,
        }


def point_loss(points: Tensor, log_scale: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Compute the negative log-likelihood (B,) of points (B, P, 2) under an isotropic Laplace density about ``truth``.

    It is the mean over points of ``weight`` (B, P). Points that are NaN do not count.
    """
    known = truth.isfinite().all(-1)
    weight = weight * known
    squared = (points - torch.where(known[..., None], truth, 0.0)).square().sum(-1)
    log_scale = log_scale.clamp(-6.5, 0.0)  # a fifth of a pixel … the whole crop
    likelihood = (squared + 1e-8).sqrt() * torch.exp(-log_scale) + 2 * log_scale
    return (likelihood * weight).sum(1) / weight.sum(1).clamp(min=1e-3)

"""Ground truth of GlimpseNet's points and their expected errors (training only, not shipped)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.networks.architectures import POINTS
from ..model.networks.glimpse_order import GLIMPSE_ORDER
from ..model.networks.torch_engine.glimpse import GlimpseNet

# Of the 70 landmarks followed by the 192 dense points.
ORDER = torch.tensor(GLIMPSE_ORDER)


def true_points(batch: dict[str, Tensor]) -> Tensor:
    """Return (B, POINTS, 2) in the unit crop; NaN where a shard has no dense points."""
    return torch.cat([batch["landmarks"], batch["points"]], 1)[:, ORDER.to(batch["points"].device)]


class GlimpseScales(nn.Module):
    """Map the head's input to ``closer_log_scale`` (B, POINTS), logs of the expected distance in sides of the crop."""

    def __init__(self, network: GlimpseNet) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(network.closer_width)
        self.log_scales = nn.Linear(network.closer_width, POINTS)
        nn.init.normal_(self.log_scales.weight, std=0.01)
        nn.init.constant_(self.log_scales.bias, -3.0)

    def forward(self, closer: Tensor) -> Tensor:
        return self.log_scales(self.norm(closer))

"""Ground truth of GlimpseNet's points and their expected errors (training only, not shipped)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.networks.architectures import LEFT_EYE, MOUTH, POINTS, RIGHT_EYE
from ..model.networks.torch_engine.glimpse import GlimpseNet
from .synthetic.dense import PER_SIDE, SIDE

_LIPS, _EYE = PER_SIDE["lips"], sum(PER_SIDE[k] for k in ("lid_upper_L", "lid_lower_L", "brow_L"))
_LANDMARKS = 70


def _dense(first: int, count: int) -> list[int]:
    return [_LANDMARKS + i for i in range(first, first + count)]


# Of the 70 landmarks followed by the 192 dense points (the left half's first, the right half's in the same order).
ORDER = torch.tensor(
    [
        *RIGHT_EYE, *_dense(SIDE + _LIPS, _EYE),
        *LEFT_EYE, *_dense(_LIPS, _EYE),
        *MOUTH, *_dense(0, _LIPS), *_dense(SIDE, _LIPS),
    ]
)  # fmt: skip


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

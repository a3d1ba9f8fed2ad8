"""CompactNet: one small residual trunk and one linear head for all outputs.

It is not the paper's ResNet-101 (that is the official pack). Its trunk of basic residual blocks (He et al. 2016) is
small enough for one CPU thread.

Input   (B, 3, size, size) float, BGR, x / 127.5 - 1, cut with ``camera.Crop.matrix(size)``.
Output  (B, OUT), split by name with ``split``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architectures import CompactConfig, as_config, output_widths


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; a stride shrinks the shortcut by averaging, which keeps small details."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class CompactNet(nn.Module):
    def __init__(self, config: CompactConfig | Mapping[str, Any] = CompactConfig()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.config = config = as_config(CompactConfig, config)
        c = config.channels
        self.stem = nn.Sequential(nn.Conv2d(3, c[0], 3, 2, 1, bias=False), nn.BatchNorm2d(c[0]), nn.ReLU(inplace=True))
        stages = []
        for stage, count in enumerate(config.blocks):
            for block in range(count):
                first = block == 0
                stages.append(ResidualBlock(c[stage] if first else c[stage + 1], c[stage + 1], 2 if first else 1))
        self.trunk = nn.Sequential(*stages)
        # Averaged over the map: with the map's positions kept, the head learned many times more slowly.
        self.widths = output_widths(config)
        self.head = nn.Linear(c[4], sum(self.widths.values()))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def features(self, x: Tensor) -> Tensor:
        """Compute the (B, channels[4]) float32 features of (B, 3, S, S), from which every output is read."""
        return self.trunk(self.stem(x)).float().mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features)

    def split(self, raw: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, each (B, width)."""
        return dict(zip(self.widths, raw.split(list(self.widths.values()), dim=-1), strict=True))


def rotation_matrix(six: Tensor) -> Tensor:
    """Convert (B, 6) to (B, 3, 3): two columns made orthonormal (Zhou et al. 2019), the third by the cross product."""
    x, y = rotation_columns(six)
    return torch.stack([x, y, torch.linalg.cross(x, y, dim=-1)], dim=-1)


def rotation_columns(six: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first two columns of ``rotation_matrix``, each (B, 3)."""
    a, b = six[..., :3], six[..., 3:]
    x = F.normalize(a, dim=-1)
    return x, F.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)

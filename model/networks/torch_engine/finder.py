"""FinderNet: face detection for every cell of a picture at once, without anchors (after CenterNet, Zhou et al. 2019).

It is small and fully convolutional. A trunk of residual blocks reduces the picture to a 16th, where the receptive
field covers a whole head. Its features are upsampled and added to those of an 8th.

Input   (B, 3, H, W) float, BGR, x / 127.5 - 1, H and W multiples of 16.
Output  (B, 6, H / 8, W / 8): face logit; dx, dy from the cell's centre in cells; log of the crop's side over
        ``UNIT_SIDE`` pixels; sine and cosine of its lean.

It finds faces whose crop is about 12-84 pixels wide; larger ones are found in a smaller copy of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architectures import FINDER_OUTPUTS, FinderConfig, as_config
from .compact import ResidualBlock


class FinderNet(nn.Module):
    def __init__(self, config: FinderConfig | Mapping[str, Any] = FinderConfig()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.config = config = as_config(FinderConfig, config)
        c = config.channels
        self.stem = nn.Sequential(nn.Conv2d(3, c[0], 3, 2, 1, bias=False), nn.BatchNorm2d(c[0]), nn.ReLU(inplace=True))
        self.fourth, self.eighth, self.sixteenth = (
            nn.Sequential(
                ResidualBlock(c[i], c[i + 1], 2), *(ResidualBlock(c[i + 1], c[i + 1], 1) for _ in range(count - 1))
            )
            for i, count in enumerate(config.blocks)
        )
        self.wide = nn.Sequential(nn.Conv2d(c[3], c[2], 1, bias=False), nn.BatchNorm2d(c[2]))
        self.join = nn.Sequential(
            nn.Conv2d(c[2], c[2], 3, 1, 1, bias=False), nn.BatchNorm2d(c[2]), nn.ReLU(inplace=True)
        )
        self.head = nn.Conv2d(c[2], FINDER_OUTPUTS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        nn.init.constant_(self.head.bias[:1], -4.0)  # faces are rare

    def forward(self, x: Tensor) -> Tensor:
        fine = self.eighth(self.fourth(self.stem(x)))
        wide = F.interpolate(self.wide(self.sixteenth(fine)), scale_factor=2.0, mode="nearest")
        features = self.join(F.relu(fine + wide))
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features.to(self.head.weight.dtype)).float()

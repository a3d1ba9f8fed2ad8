"""The regressor: a residual network with a linear layer, from a registered picture to expression coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ...model.networks.torch_engine.resnet101 import Bottleneck, pad_same


@dataclass(frozen=True)
class NetworkSize:
    """``pixels`` of the input's side, blocks of each stage, ``width`` of the first stage (64 in ResNet-50)."""

    pixels: int
    blocks: tuple[int, ...]
    width: int


RESNET50 = NetworkSize(224, (3, 4, 6, 3), 64)
TINY = NetworkSize(64, (1, 1, 1, 1), 16)


class ResidualRegressor(nn.Module):
    """Pictures (B, 3, S, S) uint8 BGR to coefficients (B, C) less their mean, in one unit for all."""

    def __init__(self, size: NetworkSize, outputs: int) -> None:
        super().__init__()
        self.size = size
        self.conv1 = nn.Conv2d(3, size.width, 7, 2, bias=False)
        self.bn_conv1 = nn.BatchNorm2d(size.width)
        blocks: list[nn.Module] = []
        inputs = size.width
        for stage, count in enumerate(size.blocks):
            width = size.width * 2**stage
            for i in range(count):
                blocks.append(Bottleneck(inputs, width, 2 if i == 0 and stage else 1, i == 0))
                inputs = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.float() / 127.5 - 1
        x = F.relu(self.bn_conv1(self.conv1(pad_same(x, 7, 2))))
        x = F.max_pool2d(pad_same(x, 3, 2, float("-inf")), 3, 2)
        coefficients: Tensor = self.head(self.blocks(x).mean((2, 3)))
        return coefficients

"""ResNet-101 as in the paper's networks: Caffe's layers, TensorFlow's padding (Chang et al. 2018; He et al. 2016).

Unlike torchvision's, a stage's stride is on the first 1x1 convolution, and padding is TensorFlow's SAME: where a
stride leaves an odd remainder, the larger half goes after the picture. Names follow Caffe's, see ``tensor_names``.

``Trunk``      pictures to 2048 features: ExpNet's and the shape net's, in two parts that can be shared
``ResNet101``  trunk and one linear head with the outputs of ``compact.CompactNet``, in the same terms
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architectures import CompactConfig, as_config, output_widths

FEATURES = 2048
WIDTHS = output_widths(CompactConfig())
BLOCKS = (
    "2a", "2b", "2c",
    "3a", "3b1", "3b2", "3b3",
    "4a", *(f"4b{i}" for i in range(1, 23)),
    "5a", "5b", "5c",
)  # fmt: skip
# The paper's two networks can share all blocks before these. ExpNet's from these on, and its head, are trained
# separately.
OWN_BLOCKS = ("5b", "5c")


@dataclass(frozen=True)
class ResNet101Config:
    """The config of ResNet101.

    ``size`` is the input in pixels. ``outputs`` are the outputs of CompactNet that are regressed. With ``mean_image``
    the input is the paper's: bytes less a mean picture, which is kept with the weights.
    """

    size: int = 224
    outputs: tuple[str, ...] = tuple(WIDTHS)
    mean_image: bool = False


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Apply TensorFlow's SAME padding to (B, C, H, W), so that ``kernel`` at ``stride`` gives ceil(side / stride)."""
    around = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        around += [total // 2, total - total // 2]
    return F.pad(x, around, value=value)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut, which is a projection (``branch1``) in a stage's first block."""

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        if project:
            self.branch1 = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.bn_branch1 = nn.BatchNorm2d(4 * width, eps=1e-5)
        self.branch2a = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn_branch2a = nn.BatchNorm2d(width, eps=1e-5)
        self.branch2b = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn_branch2b = nn.BatchNorm2d(width, eps=1e-5)
        self.branch2c = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn_branch2c = nn.BatchNorm2d(4 * width, eps=1e-5)
        self.project = project

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.bn_branch1(self.branch1(x)) if self.project else x
        y = F.relu(self.bn_branch2a(self.branch2a(x)))
        y = F.relu(self.bn_branch2b(self.branch2b(y)))
        return F.relu(self.bn_branch2c(self.branch2c(y)) + shortcut)


class Trunk(nn.Module):
    """The convolutions: (B, 3, S, S) to (B, 2048) float32, averaged over the map (7 x 7 for the paper's 224 pixels)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, bias=False)
        self.bn_conv1 = nn.BatchNorm2d(64, eps=1e-5)
        self.blocks = nn.ModuleDict()
        inputs = 64
        for name in BLOCKS:
            stage, first = int(name[0]), name[1:] == "a"
            width = 64 * 2 ** (stage - 2)
            self.blocks[name] = Bottleneck(inputs, width, 2 if first and stage > 2 else 1, first)
            inputs = 4 * width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def shared(self, x: Tensor) -> Tensor:
        """Run up to block 5a: two networks of the paper share it if their tensors are equal."""
        x = F.relu(self.bn_conv1(self.conv1(pad_same(x, 7, 2))))
        x = F.max_pool2d(pad_same(x, 3, 2, float("-inf")), 3, 2)
        for name, block in self.blocks.items():
            if name not in OWN_BLOCKS:
                x = block(x)
        return x

    def own(self, x: Tensor) -> Tensor:
        """Compute the features from the output of ``shared``."""
        for name in OWN_BLOCKS:
            x = self.blocks[name](x)
        return x.float().mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.own(self.shared(x))


def tensor_names() -> dict[str, str]:
    """Map the names of ``Trunk``'s tensors to those of the authors' 520 TensorFlow variables, without their scope.

    The scope is ``exprCNN/`` or ``shapeCNN/``. Convolutions are (height, width, in, out) there and (out, in, height,
    width) here: transpose by (3, 2, 0, 1). Their heads, ``exprCNN_fc1`` (29) and ``shapeCNN_fc1`` (198), are
    ``weights`` (2048, n), here transposed, and ``biases``.
    """
    layers = {"conv1": ("conv1", "bn_conv1")}
    for name in BLOCKS:
        branches = ("branch1", "branch2a", "branch2b", "branch2c")[0 if name[1:] == "a" else 1 :]
        for branch in branches:
            layers[f"blocks.{name}.{branch}"] = (f"res{name}_{branch}", f"bn{name}_{branch}")
    names = {}
    for ours, (conv, norm) in layers.items():
        names[f"{ours}.weight"] = f"{conv}/weights"
        path, _, layer = ours.rpartition(".")
        bn = f"{path}.bn_{layer}" if path else f"bn_{layer}"
        names |= {
            f"{bn}.weight": f"{norm}/scale",
            f"{bn}.bias": f"{norm}/offset",
            f"{bn}.running_mean": f"{norm}/mean",
            f"{bn}.running_var": f"{norm}/variance",
        }
    return names


class ResNet101(nn.Module):
    """A larger alternative to CompactNet: same input (BGR, x / 127.5 - 1), ``features``, ``head`` and ``split``."""

    mean_image: Tensor

    def __init__(self, config: ResNet101Config | Mapping[str, Any] = ResNet101Config()) -> None:
        super().__init__()
        self.config = config = as_config(ResNet101Config, config)
        self.trunk = Trunk()
        self.head = nn.Linear(FEATURES, sum(WIDTHS[name] for name in config.outputs))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        if config.mean_image:
            self.register_buffer("mean_image", torch.zeros(3, config.size, config.size))

    def features(self, x: Tensor) -> Tensor:
        """Compute the features of (B, 3, S, S), (B, 2048) float32."""
        if self.config.mean_image:
            x = ((x.float() + 1) * 127.5 - self.mean_image).to(self.trunk.conv1.weight.dtype)
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features)

    def split(self, raw: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, each (B, width).

        Outputs that are not regressed have neutral values: gaze ahead, an average head, the given crop, certainly a
        face.
        """
        widths = {name: WIDTHS[name] for name in self.config.outputs}
        known = dict(zip(widths, raw.split(list(widths.values()), dim=-1), strict=True))
        return {name: known[name] if name in known else self._unknown(name, raw) for name in WIDTHS}

    @staticmethod
    def _unknown(name: str, raw: Tensor) -> Tensor:
        value = raw.new_zeros(WIDTHS[name])
        if name == "rotation":
            value[[0, 4]] = 1.0
        elif name == "landmarks":
            value[:] = 0.5
        elif name == "face":
            value[:] = 10.0
        return value.expand(*raw.shape[:-1], -1)

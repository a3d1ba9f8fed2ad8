"""The newer FacePoseNet of December 2018: ResNet-101 and three linear layers (Chang et al. 2017, the later release)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .resnet101 import FEATURES, Trunk


class FacePoseResNet(nn.Module):
    """The newer FacePoseNet, from a crop to a pose.

    Maps (B, 3, 224, 224) float32, BGR 0..255 less the mean image, to (B, 6): scale, pitch, yaw, roll, tx, ty, each
    less its mean and in units of its standard deviation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.fc1 = nn.Linear(FEATURES, 2048)
        self.fc2 = nn.Linear(2048, 4096)
        self.fc3 = nn.Linear(4096, 6)

    def own(self, shared: Tensor) -> Tensor:
        """Compute the outputs from those of ``Trunk.shared``."""
        x = F.relu(self.fc1(self.trunk.own(shared)))
        return self.fc3(F.relu(self.fc2(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.own(self.trunk.shared(x))

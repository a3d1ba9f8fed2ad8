"""ExpNet and the shape net as released: ResNet-101 and one linear layer (Chang et al. 2018; Tran et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from .resnet101 import FEATURES, Trunk


class ExpNet(nn.Module):
    """ExpNet or the shape net, depending on the number of outputs.

    Maps (B, 3, 224, 224) float32, BGR 0..255 less a mean image, to (B, outputs): 29 of expression, or 99 of shape and
    99 of texture, all in sigmas.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = nn.Linear(FEATURES, outputs)

    def own(self, shared: Tensor) -> Tensor:
        """Compute the outputs from those of ``Trunk.shared``."""
        return self.head(self.trunk.own(shared))

    def forward(self, x: Tensor) -> Tensor:
        return self.own(self.trunk.shared(x))

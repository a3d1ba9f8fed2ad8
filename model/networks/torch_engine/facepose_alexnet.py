"""FacePoseNet of 2017: AlexNet with TensorFlow's conventions.

Sources: Chang et al. 2017, "FacePoseNet: Making a Case for Landmark-Free Face Alignment"; Krizhevsky et al. 2012.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

# TensorFlow multiplies the sum over the window by alpha, PyTorch the mean.
WINDOW = 5
ALPHA = 2e-5 * WINDOW


class FacePoseAlexNet(nn.Module):
    """The older FacePoseNet, from a crop to a pose.

    Maps (B, 3, 227, 227) float32, BGR 0..1 less the mean colour, to (B, 6): a rotation vector and a translation, each
    number less its mean and in units of its standard deviation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, 4, 4)  # SAME: 227 to 57
        self.conv2 = nn.Conv2d(96, 256, 5, 1, 2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, 1, 1)
        self.conv4 = nn.Conv2d(384, 384, 3, 1, 1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, 1, 1, groups=2)
        self.pool1, self.pool2, self.pool5 = (nn.MaxPool2d(3, 2) for _ in range(3))  # VALID
        self.norm1, self.norm2 = (nn.LocalResponseNorm(WINDOW, ALPHA, 0.75, 1.0) for _ in range(2))
        self.fc6 = nn.Linear(9216, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.pool1(F.relu(self.conv1(x))))
        x = self.norm2(self.pool2(F.relu(self.conv2(x))))
        x = F.relu(self.conv4(F.relu(self.conv3(x))))
        x = flat(self.pool5(F.relu(self.conv5(x))))
        return self.fc8(F.relu(self.fc7(F.relu(self.fc6(x)))))


def flat(maps: Tensor) -> Tensor:
    """Flatten (B, C, H, W) to (B, H·W·C), in TensorFlow's memory order."""
    return maps.permute(0, 2, 3, 1).flatten(1)

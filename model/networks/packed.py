"""Our networks' convolutions as oneDNN likes them best, for inference on a processor.

A plain convolution has its weights laid out anew at every call, which for one face at a time costs as much as the
convolution itself, and a ReLU or a sum goes over the whole picture again. Here weights are laid out once, and both are
done where the convolution writes its result. The operators are those that torch's own compiler (inductor) writes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .compact import CompactNet, ResidualBlock
from .glimpse import GlimpseNet


def can_pack(network: nn.Module, device: torch.device) -> bool:
    """Whether ``pack`` knows this network, and this torch has oneDNN and its fused operators."""
    known = isinstance(network, CompactNet | GlimpseNet) and device.type == "cpu"
    return (
        known
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight"))
    )


def pack(module: nn.Module) -> None:
    """Replace, in place, the convolutions of a network whose batch norms are folded."""
    if isinstance(module, GlimpseNet):  # its look at the whole begins with one convolution of the picture unhalved
        module.whole.stem[0] = PackedConv(module.whole.stem[0], averaged=2)
        module.halve = nn.Identity()
    for name, child in list(module.named_children()):
        if isinstance(child, ResidualBlock):
            setattr(module, name, PackedBlock(child))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, PackedConv(child))
        elif not isinstance(child, PackedConv):
            pack(child)
    if isinstance(module, nn.Sequential):
        _put_relus_into_convolutions(module)


def _put_relus_into_convolutions(layers: nn.Sequential) -> None:
    before: nn.Module | None = None
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU) and isinstance(before, PackedConv):
            before.then = "relu"
            layers[i] = nn.Identity()
        elif not isinstance(layer, nn.Identity):
            before = layer


class PackedConv(nn.Module):
    """A convolution; of a picture ``averaged`` over so many pixels each way, if that is more than 1. ``then`` is what
    follows it: none or relu."""

    def __init__(self, conv: nn.Conv2d, then: str = "none", averaged: int = 1) -> None:
        super().__init__()
        weight = conv.weight.detach() / averaged**2
        weight = weight.repeat_interleave(averaged, 2).repeat_interleave(averaged, 3)
        padding, stride = [averaged * int(n) for n in conv.padding], [averaged * n for n in conv.stride]
        self._place = padding, stride, [1, 1], conv.groups
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight.contiguous(), *self._place)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self.then = then

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise(x, self._weight, self._bias, *self._place, self.then, [], None)

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """ReLU of this convolution of x and ``other``."""
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._weight, self._bias, *self._place, "add", 1.0, "relu", [], None
        )


class PackedBlock(nn.Module):
    """``ResidualBlock``."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.first, self.second = PackedConv(block.conv1, "relu"), PackedConv(block.conv2)
        self.shortcut: nn.Module = nn.Identity()
        if isinstance(block.shortcut, nn.Sequential):
            averaged = block.conv1.stride[0]
            self.shortcut = PackedConv(block.shortcut[1], averaged=averaged)

    def forward(self, x: Tensor) -> Tensor:
        return self.second.added_to(self.shortcut(x), self.first(x))

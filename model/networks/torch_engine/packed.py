"""The open networks' layers in oneDNN's layout, for fast inference on a processor.

A plain convolution reorders its weights at every call, which for one face costs as much as the convolution itself. A
ReLU or a sum is a further pass over the whole picture. Here the weights are reordered once per shape of the input, and
the ReLU and the sum are fused into the convolution. The operators are those that torch's own compiler (inductor) uses.

The layers are plain callables. With modules, Python took a quarter of the time for one face, because a call of a
module or an attribute look-up in one costs microseconds. TorchScript, which runs without Python, cannot hold these
operators, and torch has deprecated it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .compact import CompactNet, ResidualBlock
from .glimpse import GlimpseNet

OPERATORS = ("_convolution_pointwise", "_reorder_convolution_weight", "_get_mkldnn_serialized_md")
Layer = Callable[[Tensor], Tensor]


def can_pack(network: nn.Module, device: torch.device) -> bool:
    """Return whether ``pack`` supports this network, and this torch has oneDNN and its fused operators."""
    known = isinstance(network, CompactNet | GlimpseNet) and device.type == "cpu"
    return known and torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)


def pack(network: nn.Module) -> None:
    """Replace, in place, the layers of a network that ``can_pack`` accepts and whose batch norms are folded."""
    if isinstance(network, GlimpseNet):
        _replace(network, stem=_packed_stem(network.stem), blocks=PackedBlocks(network.blocks))
        _replace(network, eye_map=PackedConv(network.eye_map), mouth_map=PackedConv(network.mouth_map))
        _replace(network, hidden=PackedLinear(network.hidden), closer_head=PackedLinear(network.closer_head))
        # The look at the whole begins with one convolution of the full-size picture.
        _replace(network, halve=lambda picture: picture)
        _pack_compact(network.whole, averaged=2)
    elif isinstance(network, CompactNet):
        _pack_compact(network)


def _pack_compact(network: CompactNet, averaged: int = 1) -> None:
    _replace(network, stem=_packed_stem(network.stem, averaged), trunk=PackedBlocks(network.trunk))
    _replace(network, head=PackedLinear(network.head))


def _replace(network: nn.Module, **layers: Layer) -> None:
    for name, layer in layers.items():
        delattr(network, name)  # torch allows only a module in a module's place
        setattr(network, name, layer)


def _packed_stem(stem: nn.Sequential, averaged: int = 1) -> PackedConv:
    """Pack a convolution, its folded norm and a ReLU."""
    convolution, _, _ = stem
    return PackedConv(convolution, "relu", averaged)


class PackedLinear:
    """A linear layer. One face needs a product with a vector, which has a faster operator."""

    def __init__(self, linear: nn.Linear) -> None:
        self._weight, self._bias = linear.weight.detach(), linear.bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) == 1:
            return torch.addmv(self._bias, self._weight, x[0])[None]
        return F.linear(x, self._weight, self._bias)


class PackedConv:
    """A convolution, with an optional average of its input and an optional ReLU.

    The picture is ``averaged`` over that many pixels each way, if more than 1. ``then`` is the next operation: none
    or relu.

    oneDNN chooses the layout of the weights by the processor, the shape of the input and the number of threads. In
    another layout it reorders them at every call: on a processor without AVX-512 that takes up to a hundred times as
    long as the convolution.
    """

    def __init__(self, conv: nn.Module, then: str = "none", averaged: int = 1) -> None:
        assert isinstance(conv, nn.Conv2d)
        weight = conv.weight.detach() / averaged**2
        self._plain = weight.repeat_interleave(averaged, 2).repeat_interleave(averaged, 3).contiguous()
        self._packed: dict[tuple[torch.Size, int], Tensor] = {}  # by the shape of the input and the number of threads
        self._packing = Lock()  # one thread finds faces while another reads them
        self._bias = None if conv.bias is None else conv.bias.detach()
        padding, stride = [averaged * int(n) for n in conv.padding], [averaged * n for n in conv.stride]
        self._place = padding, stride, [1, 1], conv.groups
        self._then = then
        # The overloads themselves, since overload resolution takes time at every call.
        self._convolve = torch.ops.mkldnn._convolution_pointwise.default
        self._convolve_and_add = torch.ops.mkldnn._convolution_pointwise.binary

    def __call__(self, x: Tensor) -> Tensor:
        return self._convolve(x, self._weight_for(x.shape), self._bias, *self._place, self._then, [], None)

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """Return the ReLU of this convolution of x plus ``other``."""
        weight = self._weight_for(x.shape)
        return self._convolve_and_add(x, other, weight, self._bias, *self._place, "add", 1.0, "relu", [], None)

    def _weight_for(self, shape: torch.Size) -> Tensor:
        case = shape, torch.get_num_threads()
        if case not in self._packed:
            with self._packing:
                weight = torch.ops.mkldnn._reorder_convolution_weight(self._plain, *self._place, list(shape))
                same = (other for other in self._packed.values() if _layout(other) == _layout(weight))
                self._packed[case] = next(same, weight)  # most shapes share a layout, and so the memory
        return self._packed[case]


def _layout(packed: Tensor) -> bytes:
    layout: bytes = torch.ops.mkldnn._get_mkldnn_serialized_md(packed).numpy().tobytes()
    return layout


class PackedBlocks:
    """A sequence of ``ResidualBlock``s."""

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        self._blocks = [_packed_block(block) for block in blocks]

    def __call__(self, x: Tensor) -> Tensor:
        for first, second, shortcut in self._blocks:
            x = second.added_to(x if shortcut is None else shortcut(x), first(x))
        return x


def _packed_block(block: nn.Module) -> tuple[PackedConv, PackedConv, PackedConv | None]:
    assert isinstance(block, ResidualBlock)
    shortcut = None
    if isinstance(block.shortcut, nn.Sequential):
        shortcut = PackedConv(block.shortcut[1], averaged=block.conv1.stride[0])
    return PackedConv(block.conv1, "relu"), PackedConv(block.conv2), shortcut

"""The convolutions of the open networks as ONNX models, built from the tensors that torch's modules load.

Nothing is exported beforehand and no second copy of the weights is kept. A model is built at load time (some
milliseconds), so both engines run the same trained weights, ours or a user's. Batch norms are folded into the
convolutions before them. The steps between the convolutions of GlimpseNet are in ``networks.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...array_types import FloatArray
from ...errors import InputError
from ..architectures import (
    EYE_POINTS,
    FINDER_OUTPUTS,
    MOUTH_POINTS,
    CompactConfig,
    FinderConfig,
    GlimpseConfig,
)
from .onnx import Graph

EPSILON = 1e-5  # of torch's batch norms
SHRINK = 32  # how much smaller than the picture CompactNet's last map is
SMALL = 2  # side of a map whose convolutions are faster as products with one matrix


@dataclass(frozen=True)
class Tensors:
    """A weights file's tensors by name; the error for a missing tensor names it and the file."""

    path: Path
    by_name: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self.by_name:
            raise InputError(f"{self.path}: tensor {name} is missing: the weights belong to another network")
        return self.by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def norm(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Return scale and shift of a trained batch norm."""
        scale = self[f"{name}.weight"] / np.sqrt(self[f"{name}.running_var"] + EPSILON)
        return scale, self[f"{name}.bias"] - scale * self[f"{name}.running_mean"]


def compact(tensors: Tensors, config: CompactConfig) -> bytes:
    """Build CompactNet's convolutions: a picture (1, 3, size, size) to the last map (1, C, side, side).

    Where ``products_of`` takes the last ones, it is two maps: those of the last stage's first convolution and shortcut.
    """
    layers = Layers(tensors, Graph(picture=(1, 3, config.size, config.size)))
    return layers.graph.model(*_compact(layers, "picture", config, ""))


def whole(tensors: Tensors, config: GlimpseConfig) -> bytes:
    """Build GlimpseNet's look at the whole: it halves a picture (1, 3, size, size); outputs as ``compact``."""
    layers = Layers(tensors, Graph(picture=(1, 3, config.size, config.size)))
    return layers.graph.model(*_compact(layers, layers.graph.average_pool("picture", 2), config.whole, "whole."))


def products_of(tensors: Tensors, config: CompactConfig, prefix: str) -> list[tuple[FloatArray, FloatArray]]:
    """Return matrix (out, in) and bias (out,) of each convolution after ``compact``; none where the map is large.

    They are the second one of the last stage's first block, and both of each further block.
    """
    side = config.size // SHRINK
    if side > SMALL:
        return []
    layers, width = Layers(tensors, Graph()), config.channels[-1]
    blocks = range(sum(config.blocks) - config.blocks[-1], sum(config.blocks))
    names = [(f"{prefix}trunk.{b}.conv{n}", f"{prefix}trunk.{b}.norm{n}") for b in blocks for n in (1, 2)]
    convolutions = [layers.folded(name, width, norm) for name, norm in names[1:]]
    return [(matrix_of(weight, side), np.repeat(bias, side * side)) for weight, bias in convolutions]


def matrix_of(weight: FloatArray, side: int) -> FloatArray:
    """Return a 3 x 3 convolution (out, in, 3, 3) of a map side x side, with zeros around it, as one matrix."""
    out, into = weight.shape[:2]
    matrix = np.zeros((out, side, side, into, side, side), np.float32)
    for y, x, v, u in np.ndindex(side, side, side, side):
        if max(abs(v - y), abs(u - x)) <= 1:
            matrix[:, y, x, :, v, u] = weight[:, :, v - y + 1, u - x + 1]
    return matrix.reshape(out * side * side, -1)


def closer(tensors: Tensors, config: GlimpseConfig) -> bytes:
    """Build GlimpseNet's closer look.

    Glimpses (3, 3, side, side) become features of each (3, width, side / 4, side / 4), and all three are read as an
    eye's map and as a mouth's.
    """
    layers = Layers(tensors, Graph(glimpses=(3, 3, config.glimpse, config.glimpse)))
    x = layers.stem("glimpses", "stem", config.stem)
    x = layers.block(x, "blocks.0", config.width, 2)
    x = layers.block(x, "blocks.1", config.width, 1)
    eyes, mouths = layers.conv(x, "eye_map", EYE_POINTS), layers.conv(x, "mouth_map", MOUTH_POINTS)
    return layers.graph.model(x, eyes, mouths)


def finder(tensors: Tensors, config: FinderConfig) -> bytes:
    """Build FinderNet for a picture of any size."""
    layers = Layers(tensors, Graph(picture=(1, 3, 64, 64)))
    stem, *channels = config.channels
    x = layers.stem("picture", "stem", stem)
    stages = []
    for name, width, count in zip(("fourth", "eighth", "sixteenth"), channels, config.blocks, strict=True):
        for i in range(count):
            x = layers.block(x, f"{name}.{i}", width, 1 if i else 2)
        stages.append(x)
    wide = layers.graph.twice_as_large(layers.conv(x, "wide.0", channels[1], "wide.1"))
    x = layers.graph.relu(layers.graph.add(stages[1], wide))
    x = layers.graph.relu(layers.conv(x, "join.0", channels[1], "join.1"))
    return layers.graph.model(layers.conv(x, "head", FINDER_OUTPUTS))


def _compact(layers: Layers, x: str, config: CompactConfig, prefix: str) -> tuple[str, ...]:
    stem, *channels = config.channels
    x = layers.stem(x, f"{prefix}stem", stem)
    stages = zip(channels, config.blocks, strict=True)
    widths = [(width, 1 if i else 2) for width, count in stages for i in range(count)]
    last = len(widths) - config.blocks[-1] if config.size // SHRINK <= SMALL else len(widths)
    for i, (width, stride) in enumerate(widths[:last]):
        x = layers.block(x, f"{prefix}trunk.{i}", width, stride)
    return (x,) if last == len(widths) else layers.halves(x, f"{prefix}trunk.{last}", *widths[last])


@dataclass(frozen=True)
class Layers:
    """The layers of the open networks, added to a graph by the names of their tensors."""

    tensors: Tensors
    graph: Graph

    def dense(self, name: str, width: int) -> tuple[FloatArray, FloatArray]:
        """Return weight and bias of a linear layer."""
        weight = self.tensors[f"{name}.weight"]
        if weight.ndim != 2 or len(weight) != width:
            raise self._misfit(f"{name}.weight", weight, f"{width} outputs")
        return weight, self.tensors[f"{name}.bias"]

    def folded(self, name: str, width: int, norm: str) -> tuple[FloatArray, FloatArray]:
        """Return weight and bias of a convolution to ``width`` channels and the batch norm after it."""
        weight = self.tensors[f"{name}.weight"]
        if weight.ndim != 4 or len(weight) != width:
            raise self._misfit(f"{name}.weight", weight, f"{width} channels")
        scale, shift = self.tensors.norm(norm)
        return weight * scale[:, None, None, None], shift

    def _misfit(self, name: str, tensor: FloatArray, expected: str) -> InputError:
        return InputError(
            f"{self.tensors.path}: tensor {name} has shape {tensor.shape}, "
            f"the network in the header's config has {expected} there"
        )

    def conv(self, x: str, name: str, width: int, norm: str = "", stride: int = 1) -> str:
        """Add a convolution to ``width`` channels and, where it is named, the batch norm after it."""
        if norm:
            return self.graph.conv(x, *self.folded(name, width, norm), stride)
        weight = self.tensors[f"{name}.weight"]
        if weight.ndim != 4 or len(weight) != width:
            raise self._misfit(f"{name}.weight", weight, f"{width} channels")
        return self.graph.conv(x, weight, self.tensors[f"{name}.bias"], stride)

    def stem(self, x: str, name: str, width: int) -> str:
        return self.graph.relu(self.conv(x, f"{name}.0", width, f"{name}.1", 2))

    def block(self, x: str, name: str, width: int, stride: int) -> str:
        """Add a ``networks.compact.ResidualBlock``."""
        y, x = self.halves(x, name, width, stride)
        return self.graph.relu(self.graph.add(self.conv(y, f"{name}.conv2", width, f"{name}.norm2"), x))

    def halves(self, x: str, name: str, width: int, stride: int) -> tuple[str, str]:
        """Add a block's first convolution and its shortcut."""
        y = self.graph.relu(self.conv(x, f"{name}.conv1", width, f"{name}.norm1", stride))
        if f"{name}.shortcut.1.weight" in self.tensors:
            x = self.graph.average_pool(x, stride) if stride > 1 else x
            x = self.conv(x, f"{name}.shortcut.1", width, f"{name}.shortcut.2")
        return y, x

"""CompactNet, GlimpseNet and FinderNet as ``torch_engine/`` defines them, run by OpenCV and numpy.

OpenCV runs the convolutions and numpy the small steps between them, all in float32. They take one picture at a time,
since a batch gains nothing here. numpy also runs the convolutions of the smallest map and the linear layers, as
products: OpenCV takes three times as long for them. The products are ``einsum``s, for a BLAS would wait for its own
threads, and its sums depend on their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from ...array_types import FloatArray
from ...errors import InputError
from ...opencv import cv2
from ...rotations import rotation_of_columns
from ..architectures import (
    EYE_GROUPS,
    EYE_POINTS,
    EYE_SIDE,
    EYE_TO_MIDDLE,
    MOUTH_GROUPS,
    MOUTH_POINTS,
    MOUTH_SIDE,
    PLACE_SCALE,
    REACH,
    CompactConfig,
    FinderConfig,
    GlimpseConfig,
    corrected_outputs,
    output_widths,
    split_outputs,
)
from . import graphs
from .graphs import Tensors
from .onnx import Graph


class Convolutions:
    """An ONNX model of ours, run by OpenCV on the CPU. Threads may share it: OpenCV runs it in one at a time."""

    def __init__(self, path: Path, model: bytes) -> None:
        """Load the model; ``path`` is the weights file, named in the error for weights that do not fit together."""
        self._path = path
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
        except cv2.error as error:
            raise self._misfit(error) from error
        self._outputs = self._net.getUnconnectedOutLayersNames()
        self._running = Lock()

    def __call__(self, x: FloatArray) -> tuple[FloatArray, ...]:
        try:
            with self._running:
                self._net.setInput(x)
                outputs: tuple[FloatArray, ...] = self._net.forward(self._outputs)
            return outputs
        except cv2.error as error:
            raise self._misfit(error) from error

    def _misfit(self, error: Exception) -> InputError:
        reason = " ".join(str(error).split())
        return InputError(f"{self._path}: these weights are not those of the network in their header ({reason})")


class Product:
    """A product with a matrix (out, in), plus a bias (out,)."""

    def __init__(self, weight: FloatArray, bias: FloatArray) -> None:
        self._weight, self._bias = np.ascontiguousarray(weight, np.float32), bias.astype(np.float32)

    def __call__(self, x: FloatArray) -> FloatArray:
        product: FloatArray = np.einsum("kn,n->k", self._weight, x)
        return product + self._bias


class LightCompact:
    """CompactNet, or GlimpseNet's look at the whole, whose tensors begin with ``prefix``."""

    def __init__(self, tensors: Tensors, config: CompactConfig, model: bytes = b"", prefix: str = "") -> None:
        self.widths = output_widths(config)
        self._convolutions = Convolutions(tensors.path, model or graphs.compact(tensors, config))
        self._products = [Product(*product) for product in graphs.products_of(tensors, config, prefix)]
        self._head = Product(*graphs.Layers(tensors, Graph()).dense(f"{prefix}head", sum(self.widths.values())))
        self._channels = config.channels[-1]

    def first_look(self, pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Map (1, 3, size, size) float32 to features (C,) and outputs (N,)."""
        maps = [output.ravel() for output in self._convolutions(pixels)]
        x = maps[0] if len(maps) == 1 else self._end_of_blocks(*maps)
        features = x.reshape(self._channels, -1).mean(1)
        return features, self._head(features)

    def _end_of_blocks(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """Return the last map, flat, from those of the last stage's first convolution and shortcut."""
        first, *others = self._products
        x = np.maximum(first(y) + x, 0)
        for one, other in zip(others[::2], others[1::2], strict=True):
            x = np.maximum(other(np.maximum(one(x), 0)) + x, 0)
        return x


class LightGlimpse:
    def __init__(self, tensors: Tensors, config: GlimpseConfig) -> None:
        self._whole = LightCompact(tensors, config.whole, graphs.whole(tensors, config), "whole.")
        self._closer = Convolutions(tensors.path, graphs.closer(tensors, config))
        scale, shift = tensors.norm("norm")
        weight, bias = tensors["hidden.weight"], tensors["hidden.bias"]
        self._hidden = Product(weight * scale, bias + weight @ shift)
        self.widths = self._whole.widths
        self._corrected = {name: self.widths[name] for name in corrected_outputs(config)}
        self._head = Product(*graphs.Layers(tensors, Graph()).dense("closer_head", sum(self._corrected.values())))
        cells = (np.arange(config.glimpse // 4, dtype=np.float32) + 0.5) / (config.glimpse // 4) - 0.5
        self._cells = REACH * np.stack(np.meshgrid(cells, cells), 2).reshape(-1, 2)
        self._pixels = (np.arange(config.glimpse, dtype=np.float32) + 0.5) / config.glimpse - 0.5
        self._eye_groups, self._mouth_groups = averages(EYE_GROUPS, EYE_POINTS), averages(MOUTH_GROUPS, MOUTH_POINTS)

    def first_look(self, pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Map (1, 3, size, size) float32 to features (C,) and outputs (N,) of the whole."""
        return self._whole.first_look(pixels)

    def closer_look(self, pixels: FloatArray, features: FloatArray, raw: FloatArray) -> dict[str, FloatArray]:
        """Return the final outputs by name, each (width,), and the glimpses' ``points``, from the first look."""
        out = split_outputs(raw, self.widths)
        frames, centres, layout = self._places(out)
        seen, eyes, mouths = self._closer(cut_glimpses(pixels[0], frames, centres, self._pixels))
        right, left = (self._read(eyes[i], seen[i], self._eye_groups) for i in (0, 1))
        mouth = self._read(mouths[2], seen[2], self._mouth_groups)
        everything = np.concatenate([features, *right, *left, *mouth, layout])
        hidden = self._hidden(everything)
        correction = self._head(hidden / (1 + np.exp(-hidden)))  # SiLU
        for name, change in split_outputs(correction, self._corrected).items():
            out[name] = out[name] + change
        glimpses = zip((right[1], left[1], mouth[1]), frames, centres, strict=True)
        points = [(at.reshape(-1, 2) / PLACE_SCALE) @ frame.T + centre for at, frame, centre in glimpses]
        out["points"] = np.concatenate(points).ravel().astype(np.float32)
        return out

    def _places(self, whole: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``GlimpseNet._places`` of one picture: matrices (3, 2, 2), centres (3, 2), six numbers."""
        points = whole["landmarks"].reshape(-1, 2)
        rotation = rotation_of_columns(whole["rotation"][None])[0]
        roll = np.arctan2(rotation[0, 1] - rotation[1, 0], rotation[0, 0] + rotation[1, 1])
        side = np.exp(np.clip(whole["crop"][2], -1, 1))
        cos, sin = np.cos(roll), np.sin(roll)
        right, down = np.array([cos, sin]), np.array([-sin, cos])
        eyes = [points[a : a + 6].mean(0) - EYE_TO_MIDDLE * side * down for a in (36, 42)]
        mouth = points[48:60].mean(0)
        frames = np.stack(
            [
                np.stack([mirror * right, down], 1) * (side * across)
                for mirror, across in ((1, EYE_SIDE), (-1, EYE_SIDE), (1, MOUTH_SIDE))
            ]
        )
        layout = np.concatenate([(mouth - (eyes[0] + eyes[1]) / 2) / side, (eyes[1] - eyes[0]) / side, [cos, sin]])
        return frames, np.stack([*eyes, mouth]), layout.astype(np.float32)

    def _read(self, maps: FloatArray, seen: FloatArray, groups: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``GlimpseNet._read`` of one glimpse: the features at each group of points, and the points' places."""
        weights = maps.reshape(len(maps), -1)
        weights = np.exp(weights - weights.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        at_groups = (groups @ weights) @ seen.reshape(len(seen), -1).T
        return at_groups.ravel(), PLACE_SCALE * (weights @ self._cells).ravel()


class LightFinder:
    """FinderNet for pictures (1, 3, H, W) of any size, to (6, H / 8, W / 8)."""

    def __init__(self, tensors: Tensors, config: FinderConfig) -> None:
        self._convolutions = Convolutions(tensors.path, graphs.finder(tensors, config))

    def __call__(self, pixels: FloatArray) -> FloatArray:
        outputs: FloatArray = self._convolutions(pixels)[0][0]
        return outputs


def cut_glimpses(picture: FloatArray, frames: FloatArray, centres: FloatArray, pixels: FloatArray) -> FloatArray:
    """Cut squares of a picture (3, S, S) float32, as torch's grid_sample does: (N, 3, P, P).

    ``frames`` (N, 2, 2) and ``centres`` (N, 2) place them in the unit crop. ``pixels`` (P,) are the places along
    their sides, -0.5…0.5. Values are interpolated between pixels, 0 outside. OpenCV's warpAffine is not used: it
    rounds places to 1/32 of a pixel, which changes the last digits of eta.
    """
    size = picture.shape[1]
    right, down = (size * frames[:, :, i, None] * pixels for i in (0, 1))  # (N, 2, P) each
    at = size * centres[:, :, None, None] + right[:, :, None, :] + down[:, :, :, None] + 0.5
    # The border is one pixel of zeros on the near side and two on the far one. Places farther out are clamped to it.
    np.clip(at, 0, size + 1, out=at)
    framed = np.zeros((3, size + 3, size + 3), np.float32)
    framed[:, 1 : size + 1, 1 : size + 1] = picture
    corner = at.astype(np.int32)
    across, along = (at - corner).astype(np.float32).swapaxes(0, 1)
    upper_left = corner[:, 1] * (size + 3) + corner[:, 0]
    out = np.empty((len(frames), 3, len(pixels), len(pixels)), np.float32)
    for channel, colour in enumerate(framed.reshape(3, -1)):
        upper = _between(colour.take(upper_left), colour[1:].take(upper_left), across)
        lower = _between(colour[size + 3 :].take(upper_left), colour[size + 4 :].take(upper_left), across)
        out[:, channel] = _between(upper, lower, along)
    return out


def _between(a: FloatArray, b: FloatArray, share: FloatArray) -> FloatArray:
    """Interpolate from a to b, in place of b."""
    b -= a
    b *= share
    b += a
    return b


def averages(groups: Sequence[Sequence[int]], points: int) -> FloatArray:
    """Return (groups, points): each row the average over one group."""
    matrix = np.zeros((len(groups), points), np.float32)
    for row, group in zip(matrix, groups, strict=True):
        row[list(group)] = 1 / len(group)
    return matrix

"""The emotion head: probabilities of emotions from what the open network computes for a face. numpy only.

The network itself stays as it is. The head has two readings, each with one hidden layer:

``full``   from eta, the logarithm of its expected variance, and the network's features of the whole face and of the
           glimpses (``torch_engine/estimator.py``, ``head_features``)
``eta``    from eta alone, where nothing else was kept, as in a take in Blender

``expnet research train-emotion-head`` trains it. The file is safetensors with the header of ``weights_file.py``. It
fits one network, by its fingerprint; the reading from eta alone fits all networks with the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..reading import check_regular, json_object, reading
from .weights.safetensors_file import read_safetensors

ARCHITECTURE = "emotion-head"
SHIPPED = Path(__file__).parents[1] / "data" / "open_emotions.safetensors"
MAX_EMOTIONS, MAX_WIDTH = 100, 100_000
FARTHEST = 6.0  # deviations from its mean at which an input is clipped
ETA, FULL = "eta", "full"
LAYERS = ("mean", "deviation", "hidden.weight", "hidden.bias", "out.weight", "out.bias")
AT_ONCE = 4096  # faces


@dataclass(frozen=True, eq=False)
class Reading:
    """One hidden layer, of I inputs, H units and C classes: tensors named as in ``LAYERS``."""

    tensors: Mapping[str, FloatArray]

    def probabilities(self, inputs: FloatArray) -> FloatArray:
        """Return the probabilities (N, C) for inputs (N, I)."""
        t = self.tensors
        rows = []
        for first in range(0, len(inputs), AT_ONCE):
            normal = (inputs[first : first + AT_ONCE] - t["mean"]) / t["deviation"]
            hidden = np.clip(normal, -FARTHEST, FARTHEST) @ t["hidden.weight"].T + t["hidden.bias"]
            hidden = hidden / (1 + np.exp(-np.clip(hidden, -60, 60)))  # SiLU
            logits = hidden @ t["out.weight"].T + t["out.bias"]
            shares = np.exp(logits - logits.max(1, keepdims=True))
            rows.append(shares / shares.sum(1, keepdims=True))
        return np.concatenate(rows) if rows else np.empty((0, len(t["out.bias"])))


@dataclass(frozen=True, eq=False)
class EmotionHead:
    """emotions (C), keys (K) names;  basis  of the coefficients;  network  fingerprint of the network.

    ``training_data`` says what it learned from.
    """

    emotions: tuple[str, ...]
    keys: tuple[str, ...]
    basis: str
    network: str
    training_data: str
    readings: Mapping[str, Reading]

    def strengths(self, eta: FloatArray) -> FloatArray:
        """Return the probability of each emotion, (N, C), from eta (N, K) alone."""
        return self.readings[ETA].probabilities(np.asarray(eta, np.float64))

    def probabilities(self, inputs: FloatArray) -> FloatArray:
        """Return the same from the ``full_inputs`` (N, I) of the network that the head fits."""
        return self.readings[FULL].probabilities(inputs)


def full_inputs(eta: FloatArray, deviation: FloatArray, features: FloatArray) -> FloatArray:
    """Return the inputs (N, I) of the full reading: eta (N, K), its expected deviation (N, K), features (N, F)."""
    inputs: FloatArray = np.concatenate([eta, 2 * np.log(np.maximum(deviation, 1e-6)), features], 1, dtype=np.float64)
    return inputs


def load_emotion_head(path: str | Path = SHIPPED) -> EmotionHead:
    """Read a head's file. Raises InputError."""
    path = Path(path)
    with reading(path, "emotion head", "train it again with 'expnet research train-emotion-head'"):
        check_regular(path)
        metadata, tensors = read_safetensors(path)
        if metadata["architecture"] != ARCHITECTURE:
            raise ValueError("these are weights of another kind")
        config = json_object(metadata["config"].encode())
        return _checked(path, metadata, config, tensors)


def _checked(
    path: Path, metadata: Mapping[str, str], config: dict[str, Any], tensors: Mapping[str, FloatArray]
) -> EmotionHead:
    emotions, keys = tuple(config["emotions"]), tuple(config["keys"])
    if not all(isinstance(name, str) and name for name in (*emotions, *keys, config["network"])):
        raise ValueError("its names are no text")
    if not (1 < len(emotions) <= MAX_EMOTIONS and len(set(emotions)) == len(emotions) and keys):
        raise ValueError(f"it has {len(emotions)} emotions of {len(keys)} coefficients")
    readings = {name: Reading(_layers(path, name, tensors, len(emotions))) for name in (ETA, FULL)}
    if len(readings[ETA].tensors["mean"]) != len(keys):
        raise ValueError("its reading of the coefficients has another number of them")
    return EmotionHead(emotions, keys, metadata["basis"], config["network"], metadata["training_data"], readings)


def _layers(path: Path, name: str, tensors: Mapping[str, FloatArray], classes: int) -> dict[str, FloatArray]:
    found = {layer: np.asarray(tensors[f"{name}.{layer}"]) for layer in LAYERS}
    hidden, inputs = found["hidden.weight"].shape
    if not (0 < inputs <= MAX_WIDTH and 0 < hidden <= MAX_WIDTH):
        raise ValueError(f"{name} has {inputs} inputs and {hidden} units")
    shapes = ((inputs,), (inputs,), (hidden, inputs), (hidden,), (classes, hidden), (classes,))
    for (layer, array), shape in zip(found.items(), shapes):
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{name}.{layer} has another shape or type, or holds NaN")
        found[layer] = array.astype(np.float64)
    if (found["deviation"] <= 0).any():
        raise ValueError(f"{name}.deviation is not positive")
    return found

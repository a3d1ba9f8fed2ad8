"""The light engine: the open network by OpenCV alone, offline and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...array_types import FloatArray, UInt8Array
from ...builtin import OPEN
from ...errors import InputError
from ...opencv import cv2
from ..architectures import CompactConfig, GlimpseConfig, as_config, outputs_for_person, split_outputs
from ..person import PersonReader
from ..two_looks import LooksTwice
from ..weights.open_pack import load_open, weights_path
from ..weights.weights_file import WeightsHeader
from .graphs import Tensors
from .networks import LightCompact, LightGlimpse

NETWORKS = {"compact": (CompactConfig, LightCompact), "glimpse": (GlimpseConfig, LightGlimpse)}


class LightEstimator(LooksTwice):
    """The counterpart of ``estimator.Estimator`` without torch: same weights, same numbers to 1e-4, on the CPU."""

    def __init__(
        self,
        header: WeightsHeader,
        network: LightCompact | LightGlimpse,
        person: PersonReader | None = None,
    ) -> None:
        super().__init__(header, person)
        self._network = network

    @staticmethod
    def load(source: str | Path = OPEN) -> LightEstimator:
        """Load the built-in estimator (``open``), one in a folder, or a safetensors file. Raises InputError."""
        path = weights_path(source)
        header, tensors, person = load_open(path, NETWORKS)
        kind, network = NETWORKS[header.architecture]
        try:
            config: Any = as_config(kind, {**header.config, "size": header.input_size})
            running = network(Tensors(path, tensors), config)
        except InputError:
            raise
        except (TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}: the header's config does not describe a network ({error})") from error
        reader = PersonReader.of(path, person, outputs_for_person(config)) if person else None
        return LightEstimator(header, running, reader)

    def split(self, outputs: FloatArray) -> dict[str, FloatArray]:
        return split_outputs(outputs, self._network.widths)

    def first_look(self, pixels: UInt8Array) -> tuple[FloatArray, FloatArray]:
        looks = [self._network.first_look(_blob(crop)) for crop in pixels]
        features, outputs = zip(*looks, strict=True)
        return np.stack(features), np.stack(outputs)

    def closer_look(self, pixels: UInt8Array, features: FloatArray, outputs: FloatArray) -> dict[str, FloatArray]:
        if isinstance(self._network, LightCompact):
            return self.split(outputs)
        first = zip(pixels, features, outputs, strict=True)
        looks = [self._network.closer_look(_blob(crop), *look) for crop, *look in first]
        return {name: np.stack([look[name] for look in looks]) for name in looks[0]}

    def _run(self, batch: Sequence[UInt8Array]) -> dict[str, FloatArray]:
        """Run the network on (B, size, size, 3) uint8 BGR; return its outputs by name."""
        pixels = np.stack(list(batch))
        return self.closer_look(pixels, *self.first_look(pixels))


def _blob(crop: UInt8Array) -> FloatArray:
    """Return (size, size, 3) uint8 BGR as the network takes it, (1, 3, size, size) float32."""
    blob: FloatArray = cv2.dnn.blobFromImage(crop, 1 / 127.5, mean=(127.5, 127.5, 127.5))
    return blob

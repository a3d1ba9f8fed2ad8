"""The light engine: the open network by OpenCV alone, offline and without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...builtin import OPEN
from ...camera import Camera, Crop
from ...errors import InputError
from ...face.semantics import OPEN_BASIS, OPEN_KEYS
from ...opencv import cv2
from ..architectures import CompactConfig, GlimpseConfig, as_config, outputs_for_person
from ..cutting import cut
from ..estimate import FaceEstimate, SeesAtAGlance, estimate_of
from ..person import PersonReader
from ..responses import responses_of
from ..weights.open_pack import load_open, weights_path
from ..weights.weights_file import WeightsHeader
from .graphs import Tensors
from .networks import LightCompact, LightGlimpse

NETWORKS = {"compact": (CompactConfig, LightCompact), "glimpse": (GlimpseConfig, LightGlimpse)}


class LightEstimator(SeesAtAGlance):
    """The counterpart of ``estimator.Estimator`` without torch: same weights, same numbers to 1e-4, on the CPU."""

    basis = OPEN_BASIS
    expression_keys = OPEN_KEYS

    def __init__(
        self,
        header: WeightsHeader,
        look: Callable[[np.ndarray], dict[str, np.ndarray]],
        person: PersonReader | None = None,
    ) -> None:
        self.header = header
        self.license = header.license
        self._responses = responses_of(header.responses, OPEN_KEYS)
        self.person = person
        self.size = header.input_size
        self._look = look

    @staticmethod
    def load(source: str | Path = OPEN) -> LightEstimator:
        """Load the built-in estimator (``open``), one in a folder, or a safetensors file. Raises InputError."""
        path = weights_path(source)
        header, tensors, person = load_open(path, NETWORKS)
        kind, network = NETWORKS[header.architecture]
        try:
            config: Any = as_config(kind, {**header.config, "size": header.input_size})
            look = network(Tensors(path, tensors), config)
        except InputError:
            raise
        except (TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}: the header's config does not describe a network ({error})") from error
        reader = PersonReader.of(path, person, outputs_for_person(config)) if person else None
        return LightEstimator(header, look, reader)

    def estimate(self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        """Look at one crop of each image, (H, W, 3) uint8 BGR."""
        batch = [cut(image, crop, self.size) for image, crop in zip(images, crops, strict=True)]
        return estimate_of(self._run(batch), crops, cameras, self.basis, self.expression_keys, self._responses)

    def _run(self, batch: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Run the network on (B, size, size, 3) uint8 BGR; return its outputs by name."""
        seen = [self._look(cv2.dnn.blobFromImage(crop, 1 / 127.5, mean=(127.5, 127.5, 127.5))) for crop in batch]
        return {name: np.stack([outputs[name] for outputs in seen]) for name in seen[0]}

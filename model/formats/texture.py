"""The vertex colours of a Basel Face Model: T = mean + components . beta."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..files import is_file
from . import arrays as a
from .npz import is_face_model
from .sidecars import stored_arrays


@dataclass(frozen=True, eq=False)
class Texture:
    """mean (V, 3) and components (Kt, V, 3) per one sigma, RGB 0..255, float32."""

    mean: FloatArray
    components: FloatArray

    def colours(self, beta: FloatArray) -> UInt8Array:
        """Return (V, 3) uint8 for at most Kt coefficients, truncated and not rounded, as the release writes them."""
        offset = np.tensordot(np.asarray(beta, np.float32), self.components[: len(beta)], 1)
        return np.clip(self.mean + offset, 0, 255).astype(np.uint8)


def read_texture(path: str | Path, vertices: int, components: int = 99) -> Texture | None:
    """Read the texture from a face model's file of V vertices; None where it has none. Raises InputError."""
    path = Path(path)
    if not is_file(path) or is_face_model(path):
        return None
    arrays = stored_arrays(path)
    group = a.group_with(arrays, "texMU", "texPC", "texEV") if arrays is not None else None
    if group is None or a.vertex_count(path, group, "texMU") != vertices:
        return None
    sigma = a.read_sigmas(path, group, "texEV", a.component_count(path, group, "texPC", vertices))[:components]
    mean = a.read_points(path, group, "texMU", vertices).astype(np.float32)
    return Texture(mean, a.read_basis(path, group, "texPC", vertices, sigma))

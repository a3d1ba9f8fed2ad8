"""The chart of the open head's texture: which point of the skin lies at each texel.

The UVs are mirror images of each other about u = 0.5, so a flipped texture is that of the mirrored face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..face.face_model import FaceModel

SIZE = 2048  # texels of a side, as the built-in skins


@dataclass(frozen=True, eq=False)
class Chart:
    """The drawn texels of a texture of ``size`` x ``size``, the first row at v = 1.

    at (N,) flat index of each drawn texel;  corners (N, 3) its triangle's vertices;  shares (N, 3) barycentric
    """

    size: int
    at: IntArray
    corners: IntArray
    shares: FloatArray

    def values(self, of_vertices: FloatArray) -> FloatArray:
        """Interpolate values (V, …) of the vertices at the drawn texels, (N, …) float32."""
        of_vertices = np.asarray(of_vertices, np.float32)
        mixed = self.shares[:, 0].reshape(-1, *[1] * (of_vertices.ndim - 1)) * of_vertices[self.corners[:, 0]]
        for k in (1, 2):
            mixed += (
                self.shares[:, k].reshape(mixed.shape[:1] + (1,) * (of_vertices.ndim - 1))
                * of_vertices[self.corners[:, k]]
            )
        whole: FloatArray = mixed
        return whole

    def picture(self, values: FloatArray) -> FloatArray:
        """Return values (N,) or (N, C) of the drawn texels as a picture (size, size[, C]); 0 elsewhere."""
        out = np.zeros((self.size * self.size, *values.shape[1:]), np.float32)
        out[self.at] = values
        return out.reshape(self.size, self.size, *values.shape[1:])


def chart_of(model: FaceModel, size: int = SIZE) -> Chart:
    """Return the chart of the model's skin. Of texels that several triangles cover, the outermost gets it."""
    return _chart(_Key(model), size)


class _Key:
    """A model as the key of a cache: by identity, since its arrays cannot be compared."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.model is self.model


@lru_cache(maxsize=1)
def _chart(key: _Key, size: int) -> Chart:
    model = key.model
    assert model.uv is not None
    skin = np.zeros(model.vertex_count, bool)
    skin[model.regions["skin"]] = True
    chosen = np.flatnonzero(skin[model.faces].all(axis=1))
    outward = np.hypot(model.neutral[:, 0], model.neutral[:, 2])[model.faces[chosen]].mean(axis=1)
    owner = np.full(size * size, -1, np.int64)
    shares = np.zeros((size * size, 3), np.float32)
    all_corners: list[IntArray] = []
    for face in chosen[np.argsort(outward)]:
        for three in ((0, 1, 2), (0, 2, 3)):
            texels = model.uv[face][list(three)].astype(np.float64) * [size, -size] + [-0.5, size - 0.5]
            where, weights = texels_in(texels, size)
            owner[where] = len(all_corners)
            shares[where] = weights
            all_corners.append(model.faces[face][list(three)])
    at = np.flatnonzero(owner >= 0)
    return Chart(size, at, np.array(all_corners)[owner[at]], shares[at])


def texels_in(p: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Return the flat indices of the texels in a triangle (3, 2), half a texel widened, and their shares (n, 3)."""
    low = np.maximum(np.floor(p.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(p.max(axis=0)).astype(int), size - 1)
    (ux, uy), (vx, vy) = p[1] - p[0], p[2] - p[0]
    area = ux * vy - uy * vx
    if (low > high).any() or abs(area) < 1e-9:
        return np.zeros(0, np.int64), np.zeros((0, 3))
    columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    dx, dy = columns - p[0, 0], rows - p[0, 1]
    w1, w2 = (dx * vy - dy * vx) / area, (ux * dy - uy * dx) / area
    weights = np.stack([1 - w1 - w2, w1, w2], -1)
    margin = 0.7 * np.array([np.hypot(*(p[2] - p[1])), np.hypot(vx, vy), np.hypot(ux, uy)]) / abs(area)
    inside = (weights >= -margin).all(axis=-1)
    return (rows * size + columns)[inside], weights[inside]


def region_mask(model: FaceModel, *names: str) -> BoolArray:
    """Return which vertices (V,) belong to one of the regions."""
    mask = np.zeros(model.vertex_count, bool)
    for name in names:
        mask[model.regions.get(name, np.zeros(0, np.int32))] = True
    return mask

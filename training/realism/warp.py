"""Map another head's texture to the open head.

The heads are registered. Each texel of the engine's chart then gets its position in the other head's texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ...model.array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ...model.bases.registration import register
from ...model.errors import InputError
from ...model.face.alignment import similarity
from ...model.face.face_model import FaceModel
from ..synthetic.paint import PAINT
from ..synthetic.surface import Surface

LONGEST = 0.2  # of the texture: a triangle larger than this crosses a seam


@dataclass(frozen=True, eq=False)
class Lookup:
    """Position of each texel of the chart in the other head's texture.

    uv is (PAINT, PAINT, 2). known (PAINT, PAINT) bool marks the texels that have a position.
    """

    uv: FloatArray
    known: BoolArray

    def resampled(self, picture: UInt8Array, texel: FloatArray) -> FloatArray:
        """Return a texture (H, W, 3) on the chart, float32. ``texel`` (PAINT, PAINT, 2): ``uv`` in its pixels."""
        at = texel.astype(np.float32)
        # texels of the chart are about as large as those of the textures: a little blur is enough against aliasing
        smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.6)
        colours: FloatArray = cv2.remap(
            smooth, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return colours


def look_up(surface: Surface, points: FloatArray, faces: IntArray, uv: FloatArray, inner: dict[int, int]) -> Lookup:
    """Return where the chart's texels lie in another head's texture.

    ``points`` (V, 3), ``faces`` (F, 3 or 4) and ``uv`` (V, 2) are the other head's. ``inner`` are its landmarks by
    iBUG's numbers, without jaw and brows, whose placement differs between authors.
    """
    return _on_chart(surface, place_of_vertices(surface.model, points, faces, uv, inner))


def place_of_vertices(
    head: FaceModel, points: FloatArray, faces: IntArray, uv: FloatArray, inner: dict[int, int]
) -> FloatArray:
    """Return where the vertices of ``head`` lie in another head's texture, (V, 2); not a number where unknown.

    The other head is given as for ``look_up``.
    """
    used = np.unique(faces)  # parts other than the skin would be matched to the face
    number = np.full(len(points), -1)
    number[used] = np.arange(len(used))
    inner = {k: int(number[v]) for k, v in inner.items()}
    if min(inner.values()) < 0:
        raise InputError("a landmark of the other head is no part of its skin")
    points, faces, uv = points[used], number[faces], uv[used]
    other = _as_model(head, points, faces, inner)
    found = register(head, other)
    at = np.full((head.vertex_count, 2), np.nan)
    at[found.vertices] = np.einsum("nkc,nk->nc", uv[found.corners], found.shares)
    spread = np.ptp(uv[found.corners], axis=1).max(1)
    at[found.vertices[spread > LONGEST]] = np.nan
    return at


def _as_model(open_head: FaceModel, points: FloatArray, faces: IntArray, inner: dict[int, int]) -> FaceModel:
    """Return the other head with 68 landmarks; missing ones get the positions of the open head's."""
    assert open_head.landmarks is not None
    mean = open_head.neutral[open_head.landmarks].astype(float)
    known = np.array(sorted(inner))
    scale, rotation, translation = similarity(mean[known], points[[inner[k] for k in known]], np.ones(len(known)))
    nearest = cKDTree(points).query(scale * mean @ rotation.T + translation)[1]
    nearest[known] = [inner[k] for k in known]
    none = np.zeros((0, len(points), 3), np.float32)
    return FaceModel(
        name="other", mean=points.astype(np.float32), identity=none, expression=none,
        expression_offset=np.zeros(points.shape, np.float32), faces=faces.astype(np.int32), expression_keys=(),
        expression_bounds=np.zeros((0, 2), np.float32), basis="", identity_sigma=np.zeros(0, np.float32),
        landmarks=nearest.astype(np.int32),
    )  # fmt: skip


def _on_chart(surface: Surface, at: FloatArray) -> Lookup:
    """Values of vertices (V, 2), not a number where unknown, over the chart: of several layers the foremost."""
    uv = np.zeros((PAINT, PAINT, 2), np.float32)
    depth = np.full((PAINT, PAINT), -np.inf)
    corners = surface.triangles[: surface.inner]
    corners = corners[(surface.skin[corners] > 0).all(1) & np.isfinite(at[corners]).all((1, 2))]
    chart = surface.coords.astype(float) * PAINT - 0.5
    far = np.hypot(*surface.model.neutral[:, [0, 2]].T) + 0.2 * surface.model.neutral[:, 2]
    for corner in corners:
        p = chart[corner]
        low, high = np.ceil(p.min(0)).astype(int), np.floor(p.max(0)).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, PAINT - 1)
        if (low > high).any() or np.ptp(p[:, 0]) > PAINT / 4:
            continue
        columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        (ux, uy), (vx, vy) = p[1] - p[0], p[2] - p[0]
        area = ux * vy - uy * vx
        if abs(area) < 1e-9:
            continue
        dx, dy = columns - p[0, 0], rows - p[0, 1]
        w1, w2 = (dx * vy - dy * vx) / area, (ux * dy - uy * dx) / area
        w0 = 1 - w1 - w2
        inside = (w0 >= -1e-6) & (w1 >= -1e-6) & (w2 >= -1e-6)
        z = w0 * far[corner[0]] + w1 * far[corner[1]] + w2 * far[corner[2]]
        inside &= z > depth[rows, columns]
        r, c = rows[inside], columns[inside]
        depth[r, c] = z[inside]
        uv[r, c] = np.stack([w0, w1, w2], -1)[inside] @ at[corner]
    return Lookup(uv, np.isfinite(depth))

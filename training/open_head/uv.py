"""Texture coordinates of our own, per face corner, in the unit square.

Skin: unrolled on a cylinder with the seam at the back, the face drawn larger. Round eyes and mouth the rings are laid
out as rings. Where the cylinder would fold (ears, nostrils, chin) the surface is relaxed until nothing overlaps.
Eyeballs: radial, the pupil in the middle. The other parts have separate materials and use the whole square.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from ...model.array_types import AnyArray, FloatArray, IntArray

AXIS_Z = 10.0  # of the cylinder, mm
ENLARGED = 1.35  # the scale in the middle, of what it would be
INNERMOST = 0.12  # size of the last ring round an opening, of the first
FOLD_MARGIN = 2  # rings of quads round a fold that are relaxed with it
MAX_ROUNDS = 12
MIN_STRETCH = 0.05  # a quad this small of what its size on the surface would give counts as folded


def corner_uv(
    mean: FloatArray,
    faces: IntArray,
    part: AnyArray,
    mirror: IntArray,
    eye_rings: IntArray,
    mouth_rings: IntArray,
    eye_uv: FloatArray,
) -> FloatArray:
    """Return the coordinates (F, 4, 2).

    ``eye_rings`` (r, M) and ``mouth_rings`` (r, K) are the left half's; ``eye_uv`` is an eyeball's.
    """
    uv = np.zeros((len(mean), 2))
    skin = part == "skin"
    uv[skin] = _cylinder(mean[skin], mean[skin, 1].min(), mean[skin, 1].max())
    _lay_rings(uv, mean, eye_rings, uv[eye_rings[0]].mean(axis=0))
    middle = uv[mouth_rings[0]].mean(axis=0) * (0, 1) + (0.5, 0)
    _lay_rings(uv, mean, mouth_rings, middle)
    for rings in (eye_rings, mouth_rings):
        uv[mirror[rings]] = uv[rings] * (-1, 1) + (1, 0)
    skin_faces = faces[skin[faces].all(axis=1)]
    _unfold(uv, mean, skin_faces[np.ptp(uv[skin_faces, 0], axis=1) < 0.5])
    for name in np.unique(part):
        members = part == name
        if name == "eyeball_L":
            uv[members] = eye_uv
        elif name == "eyeball_R":
            uv[members] = eye_uv * (-1, 1) + (1, 0)
        elif name != "skin":
            uv[members] = _flat(mean[members], name)
    corners = uv[faces]
    wraps = skin[faces[:, 0]] & (np.ptp(corners[..., 0], axis=1) > 0.5)
    seam = corners[wraps]
    u = seam[..., 0]
    left = mean[faces[wraps], 0].mean(axis=1, keepdims=True) > 0
    seam[..., 0] = np.where(left, np.maximum(u, 1 - u), np.minimum(u, 1 - u))
    corners[wraps] = seam
    return corners.clip(0, 1).astype(np.float32)


def _cylinder(points: FloatArray, low: float, high: float) -> FloatArray:
    x, y, z = points.T
    from_middle = np.stack([np.arctan2(x, z - AXIS_Z) / (2 * np.pi), (y - low) / (high - low) - 0.5], 1)
    uv: FloatArray = 0.5 + from_middle * (
        ENLARGED - 4 * (ENLARGED - 1) * from_middle**2
    )  # the border stays where it is
    return uv


def _lay_rings(uv: FloatArray, mean: FloatArray, rings: IntArray, middle: FloatArray) -> None:
    points = mean[rings]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    depth = np.r_[0, np.cumsum(steps)] / steps.sum()
    size = 1 - depth * (1 - INNERMOST)
    uv[rings] = middle + size[:, None, None] * (uv[rings[0]] - middle)


def _unfold(uv: FloatArray, mean: FloatArray, faces: IntArray) -> None:
    """Remove folds by Tutte's embedding.

    The vertices of folds, and a margin round them, move to the mean of their neighbours until no quad is folded.
    """
    i, j = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    edges = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (len(mean), len(mean))).tocsr()
    edges.data[:] = 1
    border = np.zeros(len(mean), bool)
    both = coo_matrix((np.ones(len(i)), (i, j)), edges.shape).tocsr()
    one_sided = (both - both.T).tocoo()
    border[one_sided.row[one_sided.data != 0]] = True
    d = mean[faces]
    size = np.linalg.norm(np.cross(d[:, 2] - d[:, 0], d[:, 3] - d[:, 1]), axis=1)
    free = np.zeros(len(mean), bool)
    for _ in range(MAX_ROUNDS):
        c = uv[faces]
        corner = [_cross(c[:, k] - c[:, k - 1], c[:, (k + 1) % 4] - c[:, k]) for k in range(4)]
        area = _cross(c[:, 2] - c[:, 0], c[:, 3] - c[:, 1])
        folded = (np.min(corner, axis=0) <= 0) | (area < MIN_STRETCH * size * np.median(area / size))
        marked = np.zeros(len(mean), bool)
        marked[faces[folded]] = True
        if not (marked & ~border).any():
            return
        for _ in range(FOLD_MARGIN):
            marked |= edges @ marked > 0
        free |= marked & ~border
        inner = np.flatnonzero(free)
        laplace = edges[inner]
        degree = np.asarray(laplace.sum(axis=1)).ravel()
        fixed = uv.copy()
        fixed[inner] = 0
        uv[inner] = spsolve((diags(degree) - laplace[:, inner]).tocsc(), laplace @ fixed)


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _flat(points: FloatArray, name: str) -> FloatArray:
    """Tongue, palate and lashes from above, gums, teeth and the mouth's lining from the front round the arch."""
    if name in ("tongue", "lashes_L", "lashes_R"):
        flat = points[:, [0, 2]]
    else:
        centre_z = np.quantile(points[:, 2], 0.15)
        flat = np.stack([np.arctan2(points[:, 0], points[:, 2] - centre_z + 20), points[:, 1]], 1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    uv: FloatArray = 0.02 + 0.96 * (flat - low) / (high - low)
    return uv

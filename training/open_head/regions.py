"""Named vertex sets of the open head. Parts share no vertex and cover all; the other regions lie on them."""

from __future__ import annotations

import numpy as np

from ...model.array_types import AnyArray, BoolArray, FloatArray, IntArray
from .embedding import nearest_on_polyline
from .lids import MARGIN_ROWS, LidGrid

PARTS = (
    "skin", "mouth_socket", "eyeball_L", "eyeball_R", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower",
    "tongue", "lashes_L", "lashes_R",
)  # fmt: skip

BROW_WIDTH_MM = 5.0
LID_ROWS = 3  # rings outside the margin that count as lid
INNER_LIP_ROWS = 3  # rings behind the line where the lips touch that are still lip
HAIRLINE_ABOVE_BROW_MM = 51.0
NOSTRIL_BOX = np.array([[1.0, -11.0, 103.0], [15.5, 9.5, 124.0]])
NOSTRIL_DEPTH_MM = 14.0


def regions(
    mean: FloatArray,
    part: AnyArray,
    mirror: IntArray,
    triangles: IntArray,
    landmarks: IntArray,
    lids: LidGrid,
    lips: IntArray,
    lip_contact: int,
    iris: IntArray,
) -> dict[str, IntArray]:
    """Return vertex indices by region.

    ``lips`` (rows, K) is the left half's grid of mouth rings and ``lip_contact`` the row where the lips touch. ``iris``
    are the left eye's vertices.
    """
    found: dict[str, IntArray] = {name: np.flatnonzero(part == name) for name in PARTS}
    skin = found["skin"]
    points = mean[landmarks]
    half = lids.rows.shape[1] // 2
    lid_rows = lids.rows[lids.margin - LID_ROWS : lids.margin + MARGIN_ROWS]
    eye_socket = lids.rows[lids.margin + MARGIN_ROWS :]
    brow_distance = nearest_on_polyline(mean[skin, :2], points[22:27, :2])[1]
    left = {
        "lid_upper": lid_rows[:, half:],
        "lid_lower": lid_rows[:, : half + 1],
        "eye_socket": eye_socket,
        # The socket lies behind the brow, out of sight.
        "brow": np.setdiff1d(skin[(brow_distance < BROW_WIDTH_MM) & (mean[skin, 2] > 60)], eye_socket),
        "iris": iris,
    }
    for name, members in left.items():
        members = np.unique(members)
        found[f"{name}_L"], found[f"{name}_R"] = members, np.unique(mirror[members])

    lip_rows = lips[: lip_contact + INNER_LIP_ROWS + 1]
    outline = points[48:60, :2]
    inside = _inside(mean[lip_rows, :2].reshape(-1, 2), outline).reshape(lip_rows.shape)
    inside |= np.arange(len(lip_rows))[:, None] >= lip_contact - 2
    found["lips"] = _both(lip_rows[inside], mirror)
    found["nostrils"] = _both(_nostril(mean, skin, triangles), mirror)
    y, z = mean[skin, 1], mean[skin, 2]
    above = y > points[19, 1] + HAIRLINE_ABOVE_BROW_MM
    behind = (z < 5) & (y > -20)
    ear = (np.abs(mean[skin, 0]) > 74) & (y < 42) & (z > -32)
    found["scalp"] = skin[(above | behind) & ~ear]
    return {name: np.sort(members).astype(np.int32) for name, members in found.items() if len(members)}


def _both(left: IntArray, mirror: IntArray) -> IntArray:
    both: IntArray = np.unique(np.r_[left.ravel(), mirror[left].ravel()])
    return both


def _inside(points: FloatArray, polygon: FloatArray) -> BoolArray:
    """Even-odd rule."""
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        crosses = (y0 > points[:, 1]) != (y1 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (points[:, 0] < (x1 - x0) * (points[:, 1] - y0) / (y1 - y0) + x0)
    return inside


def _nostril(mean: FloatArray, skin: IntArray, triangles: IntArray) -> IntArray:
    """Skin in a box under the nose that faces other skin."""
    candidates = skin[((mean[skin] > NOSTRIL_BOX[0]) & (mean[skin] < NOSTRIL_BOX[1])).all(axis=1)]
    corner = mean[triangles]
    near = (np.abs(corner - NOSTRIL_BOX.mean(0)).max(axis=(1, 2)) < 30) & np.isin(triangles, skin).all(axis=1)
    a, b, c = corner[near].transpose(1, 0, 2)
    e1, e2 = b - a, c - a
    normals = np.zeros_like(mean)
    np.add.at(normals, triangles[near].ravel(), np.repeat(np.cross(e1, e2), 3, axis=0))
    facing = []
    for v in candidates:
        d = normals[v] / np.linalg.norm(normals[v])
        p = np.cross(d, e2)
        det = (e1 * p).sum(axis=1)
        inv = 1 / np.where(np.abs(det) < 1e-12, 1e-12, det)
        s = mean[v] - a
        u = (s * p).sum(axis=1) * inv
        q = np.cross(s, e1)
        w, t = q @ d * inv, (e2 * q).sum(axis=1) * inv
        if ((u > 0) & (w > 0) & (u + w < 1) & (t > 0.3) & (t < NOSTRIL_DEPTH_MM)).any():
            facing.append(v)
    return np.array(facing, int)

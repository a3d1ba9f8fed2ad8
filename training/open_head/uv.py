"""Texture coordinates of our own, per face corner, in the unit square.

Skin: unrolled on a cylinder with the seam at the back; round eyes and mouth the rings are laid out as rings, so that
lids and lips do not overlap. Eyeballs: radial, the pupil in the middle. The other parts have their material for
themselves and use the whole square.
"""

from __future__ import annotations

import numpy as np

AXIS_Z = 10.0  # of the cylinder, mm
INNERMOST = 0.12  # size of the last ring round an opening, of the first


def corner_uv(
    mean: np.ndarray,
    faces: np.ndarray,
    part: np.ndarray,
    mirror: np.ndarray,
    eye_rings: np.ndarray,
    mouth_rings: np.ndarray,
    eye_uv: np.ndarray,
) -> np.ndarray:
    """(F, 4, 2). ``eye_rings`` (r, M) and ``mouth_rings`` (r, K) are the left half's; ``eye_uv`` an eyeball's."""
    uv = np.zeros((len(mean), 2))
    skin = part == "skin"
    uv[skin] = _cylinder(mean[skin], mean[skin, 1].min(), mean[skin, 1].max())
    _lay_rings(uv, mean, eye_rings, uv[eye_rings[0]].mean(axis=0))
    middle = uv[mouth_rings[0]].mean(axis=0) * (0, 1) + (0.5, 0)
    _lay_rings(uv, mean, mouth_rings, middle)
    for rings in (eye_rings, mouth_rings):
        uv[mirror[rings]] = uv[rings] * (-1, 1) + (1, 0)
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
    centre_left = mean[faces[wraps], 0].mean(axis=1) > 0
    seam[..., 0] = np.where(centre_left[:, None], np.maximum(seam[..., 0], 1 - seam[..., 0]), np.minimum(seam[..., 0], 1 - seam[..., 0]))
    corners[wraps] = seam
    return corners.clip(0, 1).astype(np.float32)


def _cylinder(points: np.ndarray, low: float, high: float) -> np.ndarray:
    x, y, z = points.T
    return np.stack([np.arctan2(x, z - AXIS_Z) / (2 * np.pi) + 0.5, (y - low) / (high - low)], 1)


def _lay_rings(uv: np.ndarray, mean: np.ndarray, rings: np.ndarray, middle: np.ndarray) -> None:
    points = mean[rings]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    depth = np.r_[0, np.cumsum(steps)] / steps.sum()
    size = 1 - depth * (1 - INNERMOST)
    uv[rings] = middle + size[:, None, None] * (uv[rings[0]] - middle)


def _flat(points: np.ndarray, name: str) -> np.ndarray:
    """Tongue, palate and lashes from above, gums, teeth and the mouth's lining from the front round the arch."""
    if name in ("tongue", "lashes_L", "lashes_R"):
        flat = points[:, [0, 2]]
    else:
        centre_z = np.quantile(points[:, 2], 0.15)
        flat = np.stack([np.arctan2(points[:, 0], points[:, 2] - centre_z + 20), points[:, 1]], 1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return 0.02 + 0.96 * (flat - low) / (high - low)

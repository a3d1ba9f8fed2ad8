"""What is inside the mouth: lower teeth and tongue move rigidly with the jaw, upper teeth rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..array_types import BoolArray, FloatArray
from ..face.alignment import similarity
from .fit import Fit
from .sources import Source
from .template import Template

UPPER, LOWER = ("teeth_upper", "gums_upper"), ("teeth_lower", "gums_lower", "tongue")
NEAR_MM = 8.0  # pieces whose vertices lie this near to the fitted head's teeth and tongue are inside the mouth
JAW_SHARE = 0.6  # skin that moves by this share of the most that any does goes with the jaw
TONGUE_OUT = 1.1  # how far the tip of the tongue comes out, in lengths of the tongue that is seen


@dataclass(frozen=True, eq=False)
class Inside:
    """The jaw's motions (rotation (3, 3), shift (3,)) by key, and the fitted head's teeth and tongue (n, 3)."""

    count: int
    motions: Mapping[int, tuple[FloatArray, FloatArray]]
    tongue_out: int | None
    upper_points: FloatArray
    lower_points: FloatArray

    def lower(self, points: FloatArray, tongue: bool) -> FloatArray:
        """Return offsets (K, m, 3) of points that go with the jaw."""
        out = np.zeros((self.count, len(points), 3))
        for key, (turn, shift) in self.motions.items():
            out[key] = points @ turn.T + shift - points
        if tongue and self.tongue_out is not None and len(points):
            out[self.tongue_out] = _stretched(points)
        return out

    def distances(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the distances (m,) of points from what is above and from what is below in the mouth."""
        return cKDTree(self.upper_points).query(points)[0], cKDTree(self.lower_points).query(points)[0]

    def near(self, distance: FloatArray) -> BoolArray:
        """Return which mean distances are those of pieces inside the mouth."""
        near: BoolArray = distance < NEAR_MM
        return near


def inside_of(template: Template, fitted: Fit, keys: Source) -> Inside:
    """Return the jaw's motions on the fitted head: those of the open head's lower gums, moved as the jaw was moved."""
    head = template.head
    gums = head.regions["gums_lower"]
    rest = head.mean[gums].astype(float)
    opened = np.linalg.norm(keys.offsets[keys.jaw_open][template.skin], axis=1)
    jaw = (opened > JAW_SHARE * opened.max()) & template.data
    scale, turn, shift = similarity(template.rest[jaw], fitted.skin[jaw])
    motions = {}
    for key in keys.jaw:
        _, own, step = similarity(rest, rest + keys.offsets[key][gums], scaled=False)
        there = turn @ own @ turn.T
        motions[key] = (there, scale * turn @ step + shift - there @ shift)
    around = template.number[head.regions["lips"]]
    mouth = similarity(template.rest[around], fitted.skin[around])

    def placed(regions: tuple[str, ...]) -> FloatArray:
        points = np.concatenate([head.mean[head.regions[r]] for r in regions]).astype(float)
        at: FloatArray = mouth[0] * points @ mouth[1].T + mouth[2]
        return at

    return Inside(len(keys.names), motions, keys.tongue_out, placed(UPPER), placed(LOWER))


def _stretched(points: FloatArray) -> FloatArray:
    """Return offsets (m, 3) that put a tongue out: its root rests, its tip comes forward and a little down."""
    low, high = points[:, 2].min(), points[:, 2].max()
    along = np.clip((points[:, 2] - low) / max(high - low, 1e-9), 0, 1)
    share = along**2 * (3 - 2 * along)
    length = 0.5 * (high - low) * TONGUE_OUT
    out = np.zeros_like(points)
    out[:, 2] = length * share
    out[:, 1] = -0.35 * length * share**3
    return out

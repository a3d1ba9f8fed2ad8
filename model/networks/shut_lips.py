"""Lips that are seen shut are shown shut.

The network reads eta from folds and shades, too, and finds the lips more exactly than it reads their keys: above shut
lips that tears press together, it reads a raised upper lip, and the head shows teeth. Here the gap between the inner
lips is measured from the points of the glimpses. Where it is shut, and the keys open it, the keys move by the least
change, in units of their deviations, that closes it (the measurement update of a Kalman filter, for one number).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..array_types import FloatArray
from ..camera import SIDE_MM
from ..face.semantics import OPEN_KEYS, open_bounds
from ..rotations import rotation_of_columns
from .architectures import EYE_POINTS, LANDMARK_ROWS, MOUTH

# Millimetres by which a key at 1 opens the lips of the open head, the mean of three places: tests/ measures them.
GAP_MM = {
    "jawOpen": 29.01, "mouthFunnel": 10.67, "mouthUpperUp": 6.97, "noseSneer": 6.39, "mouthLowerDown": 5.9,
    "cheekSquint": 0.4, "mouthFrown_L": -0.16, "mouthFrown_R": -0.16, "mouthStretch": -0.41, "mouthDimple_L": -0.76,
    "mouthDimple_R": -0.76, "mouthRoll": -0.92, "mouthPucker": -1.27, "mouthPress": -2.1, "mouthShrugLower": -6.42,
}  # fmt: skip
UPPER, LOWER = (61, 62, 63), (67, 66, 65)  # iBUG's landmarks on the upper inner lip, and below them on the lower one
# Chosen on new renders; docs/ACCURACY.md has the share of faces that change, and the errors before and after.
SHUT_MM, OPEN_MM = 1.5, 2.5  # up to the first, lips are shut; from the second, they are taken as they are read
TOLERANCE_MM, NOISE_MM = 1.0, 1.0  # by which points of shut lips are apart; deviation of the measured gap
LEAST_UP = 0.5  # of the head's upward axis in the picture: nearly from above or below, the gap cannot be seen

PASSES = 3  # a key that comes to its bound leaves the rest to the others

_LOW, _HIGH = open_bounds().T
GAP = np.array([GAP_MM.get(key, 0.0) for key in OPEN_KEYS])
_FIRST = 2 * EYE_POINTS  # of the mouth's points, after both eyes'
_UPPER, _LOWER = ([_FIRST + MOUTH.index(LANDMARK_ROWS.index(k)) for k in lip] for lip in (UPPER, LOWER))


def with_shut_lips(eta: FloatArray, deviation: FloatArray, outputs: Mapping[str, FloatArray]) -> FloatArray:
    """Return eta (B, 29) with the lips shut where the points show them shut.

    ``deviation`` (B, 29) is eta's; ``outputs`` are the network's by name, each (B, width). Without ``points``, and
    where the lips are seen open or the keys have them shut already, eta stays as it is. No key leaves its bounds.
    """
    if "points" not in outputs:
        return eta
    seen = gap_seen(outputs)
    shut = np.clip((OPEN_MM - seen) / (OPEN_MM - SHUT_MM), 0, 1)
    gap = eta @ GAP
    excess = shut * np.maximum(gap - np.maximum(seen - TOLERANCE_MM, 0), 0)
    if not excess.any():
        return eta
    goal = gap - excess
    low, high = np.minimum(eta, _LOW), np.maximum(eta, _HIGH)
    variance = np.where(np.isfinite(deviation), np.square(deviation), 0)
    moved = eta
    for _ in range(PASSES):
        free = np.where(GAP > 0, moved > low, moved < high)
        spread = variance * free * GAP
        excess = np.maximum(moved @ GAP - goal, 0)
        change = spread * (excess / (spread @ GAP + NOISE_MM**2))[:, None]
        moved = np.clip(moved - change, low, high)
    return moved


def gap_seen(outputs: Mapping[str, FloatArray]) -> FloatArray:
    """Return the gap (B,) between the inner lips, mm upwards in the head's frame; infinite where it cannot be seen."""
    points = np.asarray(outputs["points"], np.float64).reshape(len(outputs["points"]), -1, 2)
    across = (points[:, _UPPER] - points[:, _LOWER]).mean(1) * SIDE_MM / np.exp(outputs["crop"][:, 2:3])
    up = rotation_of_columns(np.asarray(outputs["rotation"], np.float64))[:, :2, 1] * [1, -1]
    length = np.square(up).sum(1)
    upwards = (across * up).sum(1)
    visible = (length > LEAST_UP**2) & np.isfinite(upwards)
    gap: FloatArray = np.where(visible, upwards / np.where(visible, length, 1), np.inf)
    return gap

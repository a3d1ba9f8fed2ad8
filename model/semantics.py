"""The open expression basis: 29 keys an artist can read, their bounds, mirror images and ARKit meaning.

L and R are the subject's. Signed keys: ``lid_*`` (+ closes, - opens wide), ``mouthSide`` and
``jawSide`` (+ to the subject's left).
"""

from __future__ import annotations

import numpy as np

OPEN_BASIS = "open-29"

OPEN_KEYS: tuple[str, ...] = (
    "browInnerUp", "browDown_L", "browDown_R", "browOuterUp_L", "browOuterUp_R",
    "lid_L", "lid_R", "eyeSquint_L", "eyeSquint_R",
    "cheekSquint", "noseSneer", "mouthUpperUp",
    "mouthSmile_L", "mouthSmile_R", "mouthDimple_L", "mouthDimple_R", "mouthFrown_L", "mouthFrown_R",
    "mouthLowerDown", "mouthStretch", "mouthPucker", "mouthFunnel", "mouthPress", "mouthRoll", "mouthShrugLower",
    "jawOpen", "mouthSide", "jawSide", "cheekPuff",
)  # fmt: skip

# A key is linear, so lid at -1 would be a whole blink turned inside out. A wide-open eye is about
# a third of a blink the other way.
LID_WIDE = 0.35

SIGNED_KEYS: tuple[str, ...] = ("mouthSide", "jawSide")


def open_bounds() -> np.ndarray:
    """The range of each open key, (29, 2): 0..1, signed keys -1..1, lids -LID_WIDE..1."""
    low = [-1.0 if k in SIGNED_KEYS else -LID_WIDE if k.startswith("lid_") else 0.0 for k in OPEN_KEYS]
    return np.array([low, np.ones(len(OPEN_KEYS))], np.float32).T


def mirror_open_eta(eta: np.ndarray) -> np.ndarray:
    """Coefficients (..., 29) of the mirrored face: L and R change places, sideways keys change sign."""
    order = [OPEN_KEYS.index(_other_side(k)) for k in OPEN_KEYS]
    sign = np.array([-1.0 if k in SIGNED_KEYS else 1.0 for k in OPEN_KEYS], eta.dtype)
    return eta[..., order] * sign


def _other_side(key: str) -> str:
    if key.endswith("_L"):
        return key[:-2] + "_R"
    if key.endswith("_R"):
        return key[:-2] + "_L"
    return key

"""The open expression basis: 29 named keys, their bounds, mirror images and ARKit equivalents.

L and R are the subject's. Signed keys: ``lid_*`` (+ closes, - opens wide), ``mouthSide`` and
``jawSide`` (+ to the subject's left).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..array_types import FloatArray

OPEN_BASIS = "open-29"
ICT_BASIS = "ict-53"  # ICT-FaceKit's shapes: ARKit's names with _L and _R

OPEN_KEYS: tuple[str, ...] = (
    "browInnerUp", "browDown_L", "browDown_R", "browOuterUp_L", "browOuterUp_R",
    "lid_L", "lid_R", "eyeSquint_L", "eyeSquint_R",
    "cheekSquint", "noseSneer", "mouthUpperUp",
    "mouthSmile_L", "mouthSmile_R", "mouthDimple_L", "mouthDimple_R", "mouthFrown_L", "mouthFrown_R",
    "mouthLowerDown", "mouthStretch", "mouthPucker", "mouthFunnel", "mouthPress", "mouthRoll", "mouthShrugLower",
    "jawOpen", "mouthSide", "jawSide", "cheekPuff",
)  # fmt: skip

# A key is linear, so lid at -1 is the negative of a full blink. A wide-open eye is about a third of that.
LID_WIDE = 0.35

# Weight of each region's surface error, in training and between bases. Mouth and eyes are small, but errors there are
# the most visible.
REGION_WEIGHTS = {
    "skin": 0.5,
    "lips": 4.0,
    "lid_upper_L": 5.0, "lid_upper_R": 5.0, "lid_lower_L": 5.0, "lid_lower_R": 5.0,
    "brow_L": 3.0, "brow_R": 3.0,
}  # fmt: skip
FACE_FROM_MM = 30.0  # z in the open head: skin behind this, at the ears, carries neither expression nor identity

SIGNED_KEYS: tuple[str, ...] = ("mouthSide", "jawSide")


def open_bounds() -> FloatArray:
    """Return the range of each open key, (29, 2): 0..1, signed keys -1..1, lids -LID_WIDE..1."""
    low = [-1.0 if k in SIGNED_KEYS else -LID_WIDE if k.startswith("lid_") else 0.0 for k in OPEN_KEYS]
    return np.array([low, np.ones(len(OPEN_KEYS))], np.float32).T


def _other_side(key: str) -> str:
    if key.endswith("_L"):
        return key[:-2] + "_R"
    if key.endswith("_R"):
        return key[:-2] + "_L"
    return key


OPEN_KEY_MIRROR = [OPEN_KEYS.index(_other_side(k)) for k in OPEN_KEYS]  # the number of each key's mirror image


def mirror_open_eta(eta: FloatArray) -> FloatArray:
    """Return the coefficients (..., 29) of the mirrored face: L and R are exchanged, sideways keys change sign."""
    sign = np.array([-1.0 if k in SIGNED_KEYS else 1.0 for k in OPEN_KEYS], eta.dtype)
    return eta[..., OPEN_KEY_MIRROR] * sign


# Odd components of the open head's identity: mirroring changes their sign. The others are symmetric. The components are
# computed from heads and their mirror images together (training/open_head/identity.py), so this is exact.
ODD_IDENTITY: tuple[int, ...] = (
    6, 19, 20, 27, 30, 38, 40, 46, 50, 53, 56, 59, 62, 64, 66, 69, 73, 74, 78, 83, 87, 88, 91, 94, 96,
)  # fmt: skip


def mirror_open_alpha(alpha: FloatArray) -> FloatArray:
    """Return the identity (..., 99) of the mirrored head: odd components change sign."""
    mirrored = np.array(alpha)
    mirrored[..., ODD_IDENTITY] *= -1
    return mirrored


def _arkit_sources() -> dict[str, tuple[str, float]]:
    """Map each ARKit name to (open key, factor). The weight is the positive part of factor times the key's value."""
    sources: dict[str, tuple[str, float]] = {}
    for key in OPEN_KEYS:
        name, side = key.removesuffix("_L").removesuffix("_R"), {"_L": "Left", "_R": "Right"}.get(key[-2:], "")
        if name == "lid":
            sources[f"eyeBlink{side}"] = (key, 1.0)
            sources[f"eyeWide{side}"] = (key, -1.0 / LID_WIDE)
        elif key in SIGNED_KEYS:
            sources[f"{key.removesuffix('Side')}Left"] = (key, 1.0)
            sources[f"{key.removesuffix('Side')}Right"] = (key, -1.0)
        elif key == "mouthRoll":
            sources["mouthRollUpper"] = sources["mouthRollLower"] = (key, 1.0)
        elif key in _ARKIT_PAIRS:
            sources[f"{key}Left"] = sources[f"{key}Right"] = (key, 1.0)
        else:
            sources[name + side] = (key, 1.0)
    return sources


# Open keys that move both sides, where ARKit has a Left and a Right.
_ARKIT_PAIRS = ("cheekSquint", "noseSneer", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthPress")
ARKIT_SOURCES = _arkit_sources()

# The 40 of ARKit's 52 blend shapes that the open basis drives. Not among them: the eight eyeLook* (gaze is separate),
# mouthClose, mouthShrugUpper, jawForward and tongueOut.
ARKIT_KEYS: tuple[str, ...] = tuple(ARKIT_SOURCES)


def arkit_weights(eta: FloatArray, keys: Sequence[str] = ARKIT_KEYS) -> FloatArray:
    """Convert open coefficients (..., 29) to the weights (..., K) of blend shapes with ARKit's names.

    keys  ARKit names (``eyeBlinkLeft``) or ICT-FaceKit's (``eyeBlink_L``, ``browInnerUp_R``), in the order wanted;
          names that the open basis does not drive get zeros
    """
    eta = np.asarray(eta)
    weights = np.zeros((*eta.shape[:-1], len(keys)), eta.dtype)
    for i, key in enumerate(keys):
        source = ARKIT_SOURCES.get(_arkit_name(key)) or ARKIT_SOURCES.get(key[:-2])
        if source is not None:
            weights[..., i] = np.maximum(eta[..., OPEN_KEYS.index(source[0])] * eta.dtype.type(source[1]), 0)
    return weights


def _arkit_name(key: str) -> str:
    if key[-2:] in ("_L", "_R"):
        return key[:-2] + ("Left" if key.endswith("_L") else "Right")
    return key


# iBUG's 68 landmarks as a mirror shows them: the number of each one's mirror image
IBUG_MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
LANDMARK_MIRROR = (*IBUG_MIRROR, 69, 68)  # and the two pupils

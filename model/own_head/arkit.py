"""ARKit's 52 shapes on the open head: most are the open keys; the rest are stored in ``data/arkit_keys.npz``.

``training/open_head/arkit.py`` learns that file from ICT-FaceKit. It has the parts of ARKit's shapes that the open keys
lack, each symmetric or antisymmetric, so that half the vertices suffice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..array_types import FloatArray, IntArray
from ..face.semantics import LID_WIDE
from ..performance.channels import ARKIT
from .template import open_head

FILE = Path(__file__).resolve().parents[1] / "data" / "arkit_keys.npz"
STEP_MM = 0.02  # the file's unit
# Open keys that ARKit has once for each side: the file has half the difference of the sides, left minus right.
PAIRED = ("cheekSquint", "noseSneer", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthPress")
# Shapes that are symmetric.
SYMMETRIC = ("mouthSidePart", "mouthRollUpper", "mouthClose", "mouthShrugUpper", "jawForward")
LOOKS = ("Up", "Down")  # of gaze_lids; then to the left, to the right


def mirror_of(mean: FloatArray) -> IntArray:
    """Return each vertex's mirror image (V,) on the open head, which is symmetric."""
    mirror: IntArray = cKDTree(mean).query(mean * [-1, 1, 1])[1]
    return mirror


def on_left(mean: FloatArray) -> IntArray:
    """Return the vertices that the file has: those of the left half and of the middle."""
    return np.flatnonzero(mean[:, 0] > -1e-4)


def arkit_keys() -> tuple[tuple[str, ...], FloatArray]:
    """Return ARKit's names in Apple's order, and their offsets (52, V, 3) on the open head in mm."""
    head = open_head()
    index = {key: k for k, key in enumerate(head.expression_keys)}
    key = {name: np.asarray(head.expression[k], float) for name, k in index.items()}
    extra = _stored()
    assert head.gaze_lids is not None
    left_half = np.asarray((head.mean[:, :1] > 0) + 0.5 * (np.abs(head.mean[:, :1]) < 1e-4), float)
    half = {"Left": left_half, "Right": 1 - left_half}
    up, down, to_left, to_right = (np.asarray(g, float) for g in head.gaze_lids)
    shapes: dict[str, FloatArray] = {"tongueOut": np.zeros(head.mean.shape)}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        letter = side[0]
        shapes[f"eyeBlink{side}"] = key[f"lid_{letter}"]
        shapes[f"eyeWide{side}"] = -LID_WIDE * key[f"lid_{letter}"]
        shapes[f"eyeLookUp{side}"], shapes[f"eyeLookDown{side}"] = up * half[side], down * half[side]
        outward, inward = (to_left, to_right) if side == "Left" else (to_right, to_left)
        shapes[f"eyeLookOut{side}"], shapes[f"eyeLookIn{side}"] = outward * half[side], inward * half[side]
        shapes[f"jaw{side}"] = sign * key["jawSide"]
        shapes[f"mouth{side}"] = sign * key["mouthSide"] + extra["mouthSidePart"]
        for name in PAIRED:
            shapes[f"{name}{side}"] = key[name] / 2 + sign * extra[name]
    for name in ("mouthRollUpper", "mouthClose", "mouthShrugUpper", "jawForward"):
        shapes[name] = extra[name]
    shapes["mouthRollLower"] = key["mouthRoll"] - extra["mouthRollUpper"]
    for name in ARKIT:
        if name not in shapes:
            shapes[name] = key[name.replace("Left", "_L").replace("Right", "_R")]
    return ARKIT, np.stack([shapes[name] for name in ARKIT])


def _stored() -> dict[str, FloatArray]:
    """Return the stored fields by name, (V, 3) mm each."""
    head = open_head()
    if not FILE.exists():
        return {name: np.zeros(head.mean.shape) for name in PAIRED + SYMMETRIC}
    with np.load(FILE, allow_pickle=False) as file:
        left = {name: file[name].astype(float) * STEP_MM for name in PAIRED + SYMMETRIC}
    mirror = mirror_of(head.mean)
    here = on_left(head.mean)
    out: dict[str, FloatArray] = {}
    for name, half in left.items():
        sign = -1 if name in PAIRED else 1
        field = np.zeros(head.mean.shape)
        field[mirror[here]] = sign * half * [-1, 1, 1]
        field[here] = half
        out[name] = field
    return out

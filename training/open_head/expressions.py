"""The 29 keys and the gaze shapes as linear combinations of the source's expression shapes, made exactly symmetric."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...model.array_types import FloatArray, IntArray
from ...model.face.semantics import OPEN_KEYS, SIGNED_KEYS, mirror_open_eta
from . import ict

# Only these move what is inside the mouth; the source's other shapes touch it by noise of up to 0.3 mm.
JAW_KEYS = ("jawOpen", "jawSide")

Field = Callable[[FloatArray], FloatArray]
Flip = Callable[[FloatArray], FloatArray]


def open_keys(shapes: Mapping[str, FloatArray], on_head: Field, flip: Flip) -> FloatArray:
    """Return (29, V, 3) offsets in mm in the order of OPEN_KEYS.

    ``on_head`` maps a field of the source to the open head's vertices. ``flip`` mirrors a field of the open head.
    """
    raw = np.stack([on_head(open_source_key(shapes, name)) for name in OPEN_KEYS])
    swap = mirror_open_eta(np.eye(len(OPEN_KEYS)))  # row k: the key that mirrors key k, with its sign
    other = np.einsum("kj,jvx->kvx", swap, np.stack([flip(shape) for shape in raw]))
    keys: FloatArray = (raw + other) / 2
    return keys


def gaze_lids(shapes: Mapping[str, FloatArray], on_head: Field, flip: Flip) -> FloatArray:
    """Return (4, V, 3): offsets of the lids when both eyes look up, down, to the subject's left, to the right."""

    def look(left: str, right: str) -> FloatArray:
        return on_head(shapes[f"eyeLook{left}_L"] + shapes[f"eyeLook{right}_R"])

    up, down, to_left, to_right = look("Up", "Up"), look("Down", "Down"), look("Out", "In"), look("In", "Out")
    up, down, to_left = (up + flip(up)) / 2, (down + flip(down)) / 2, (to_left + flip(to_right)) / 2
    return np.stack([up, down, to_left, flip(to_left)])


def open_source_key(shapes: Mapping[str, FloatArray], name: str) -> FloatArray:
    """Return an open key (N, 3) as a combination of the source's shapes."""
    if name in SIGNED_KEYS:
        stem = name.removesuffix("Side")
        return (shapes[f"{stem}Left"] - shapes[f"{stem}Right"]) / 2
    if name.startswith("lid_"):
        return shapes[f"eyeBlink_{name[-1]}"]
    if name == "mouthRoll":
        return shapes["mouthRollLower"] + shapes["mouthRollUpper"]
    if name in shapes:
        return shapes[name]
    return shapes[f"{name}_L"] + shapes[f"{name}_R"]


def mirror_field(field: FloatArray, mirror: IntArray) -> FloatArray:
    """Return the mirror image of offsets or positions (..., V, 3)."""
    mirrored: FloatArray = field[..., mirror, :] * ict.MIRROR
    return mirrored

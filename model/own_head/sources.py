"""The open head's keys as the source of a transfer: its own 29, or ARKit's 52."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ..array_types import FloatArray
from ..face.semantics import OPEN_KEYS, SIGNED_KEYS
from .arkit import arkit_keys
from .template import open_head

LOOK_DEGREES = 30.0  # as in FaceModel.gaze_lids
JAW_KEYS = ("jawOpen", "jawSide", "jawLeft", "jawRight", "jawForward")


@dataclass(frozen=True, eq=False)
class Source:
    """Keys on the open head.

    ``names`` K names; ``offsets`` (K, V, 3) mm, V the open head's vertices. ``blinks`` are the lids' keys by side,
    ``jaw`` those that move the jaw. ``looks`` maps keys of gaze to the eye and its rotation (3, 3). ``mirror`` has, for
    each key, that of the mirrored face and its sign.
    """

    names: tuple[str, ...]
    offsets: FloatArray
    blinks: Mapping[str, int]
    jaw: tuple[int, ...]
    jaw_open: int
    looks: Mapping[int, tuple[str, FloatArray]]
    tongue_out: int | None
    mirror: tuple[tuple[int, float], ...]


@cache
def source(names: Literal["open", "arkit"]) -> Source:
    """Return the keys of one naming, made once."""
    head = open_head()
    if names == "open":
        keys, offsets = OPEN_KEYS, np.asarray(head.expression, float)
        blinks = {side: keys.index(f"lid_{side}") for side in "LR"}
    else:
        keys, offsets = arkit_keys()
        blinks = {side: keys.index(f"eyeBlink{name}") for side, name in (("L", "Left"), ("R", "Right"))}
    looks = {}
    for k, key in enumerate(keys):
        if key.startswith("eyeLook"):
            side = "L" if key.endswith("Left") else "R"
            looks[k] = (side, _look(key.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right"), side))
    return Source(
        keys, offsets, blinks, tuple(k for k, key in enumerate(keys) if key in JAW_KEYS), keys.index("jawOpen"), looks,
        keys.index("tongueOut") if "tongueOut" in keys else None, _mirror(keys),
    )  # fmt: skip


def _mirror(keys: tuple[str, ...]) -> tuple[tuple[int, float], ...]:
    """Return the number of each key's mirror image, and -1 for the open keys that go sideways."""
    swap = {"_L": "_R", "_R": "_L", "Left": "Right", "Right": "Left"}
    found = []
    for key in keys:
        end = next((e for e in swap if key.endswith(e)), "")
        found.append((keys.index(key.removesuffix(end) + swap.get(end, "")), -1.0 if key in SIGNED_KEYS else 1.0))
    return tuple(found)


def _look(way: str, side: str) -> FloatArray:
    """Return the rotation (3, 3) of an eye of ``side``: the model's frame, x left, y up, z forward."""
    angle = np.radians(LOOK_DEGREES)
    cos, sin = np.cos(angle), np.sin(angle)
    if way in ("Up", "Down"):
        sin = sin if way == "Up" else -sin
        return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    to_left = (way == "Out") == (side == "L")
    sin = sin if to_left else -sin
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])

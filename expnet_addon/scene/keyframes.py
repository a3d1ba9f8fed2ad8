"""Read and write all keyframes of an F-curve at once, as a structured array."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...model.array_types import FloatArray, IntArray
from .. import compat

# A keyframe with Blender's names; ``co`` and the handles are (frame, value). Types of handles are set before handles.
KEY = np.dtype(
    [
        ("co", "f4", 2),
        ("interpolation", "i4"),
        ("easing", "i4"),
        ("back", "f4"),
        ("amplitude", "f4"),
        ("period", "f4"),
        ("handle_left_type", "i4"),
        ("handle_right_type", "i4"),
        ("type", "i4"),
        ("handle_left", "f4", 2),
        ("handle_right", "f4", 2),
    ]
)
KeyArray = NDArray[np.void]  # of dtype KEY


def _value(field: str, name: str) -> int:
    return int(bpy.types.Keyframe.bl_rna.properties[field].enum_items[name].value)


LINEAR = _value("interpolation", "LINEAR")
BEZIER = _value("interpolation", "BEZIER")
FREE = _value("handle_left_type", "FREE")
GENERATED = _value("type", compat.GENERATED_KEY)
AUTO = _value("handle_left_type", "AUTO_CLAMPED")
BREAKDOWN = _value("type", "BREAKDOWN")


def linear_keys(frames: FloatArray, values: FloatArray, types: IntArray | int = GENERATED) -> KeyArray:
    """Return keys (N,) with linear interpolation and automatic handles."""
    keys = np.zeros(len(frames), KEY)
    keys["co"][:, 0], keys["co"][:, 1] = frames, values
    keys["interpolation"] = LINEAR
    keys["easing"] = _value("easing", "AUTO")
    keys["handle_left_type"] = keys["handle_right_type"] = AUTO
    keys["handle_left"] = keys["handle_right"] = keys["co"]
    keys["type"] = types
    return keys


def bezier_keys(
    frames: FloatArray, values: FloatArray, left: FloatArray, right: FloatArray, types: IntArray | int = GENERATED
) -> KeyArray:
    """Return keys (N,) with Bézier interpolation and the handles ``left`` and ``right``, (N, 2) frame and value."""
    keys = linear_keys(frames, values, types)
    keys["interpolation"] = BEZIER
    keys["handle_left_type"] = keys["handle_right_type"] = FREE
    keys["handle_left"], keys["handle_right"] = left, right
    return keys


def read_keys(curve: Any) -> KeyArray:
    """Return the curve's keys (N,) of dtype ``KEY``."""
    points = curve.keyframe_points
    keys = np.zeros(len(points), KEY)
    for field in KEY.names or ():
        values = np.empty(keys[field].size, keys[field].dtype)
        points.foreach_get(field, values)
        keys[field] = values.reshape(keys[field].shape)
    return keys


def coordinates(curve: Any) -> FloatArray:
    """Return frame and value of the curve's keys, (N, 2) float32."""
    values = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", values)
    return values.reshape(-1, 2)


def is_plain(curve: Any) -> bool:
    """Return whether all keys have the attributes of ``linear_keys``."""
    points = curve.keyframe_points
    for field, usual in (
        ("interpolation", LINEAR), ("handle_left_type", AUTO), ("handle_right_type", AUTO),
    ):  # fmt: skip
        values = np.empty(len(points), KEY[field])
        points.foreach_get(field, values)
        if (values != usual).any():
            return False
    return True


def write_keys(curve: Any, keys: KeyArray) -> None:
    """Replace the curve's keys by ``keys`` (N,) of dtype ``KEY``, sorted by frame."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys))
    automatic = (keys["handle_left_type"] == AUTO).all() and (keys["handle_right_type"] == AUTO).all()
    for field in KEY.names or ():
        if automatic and field in ("handle_left", "handle_right"):
            continue  # ``update`` places them
        values = np.ascontiguousarray(keys[field]).ravel()
        if values.any() or field.endswith("_type"):  # new keys are zero, but for their handles' types
            points.foreach_set(field, values)
    curve.update()

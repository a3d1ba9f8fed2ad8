"""Write a take's keys again from its raw performance and its settings, without the network."""

from __future__ import annotations

from functools import lru_cache

import bpy
import numpy as np

from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import unpacked
from ...model.performance.treatment import Treatment, treated
from . import animation, rig
from .current_take import UNTREATED, take_of


def treatment_of(action: bpy.types.Action) -> Treatment:
    """Return the treatment that the take's settings describe."""
    take = action.expnet
    return Treatment(
        smoothing={region.name: region.smoothing for region in take.regions},
        neutral=take.neutral,
        neutral_frame=take.neutral_frame,
        gains={region.name: region.gain for region in take.regions if region.name not in UNTREATED},
    )


def apply_again(action: bpy.types.Action) -> str:
    """Write the take's keys again from its raw performance.

    Returns the error as a line, or an empty string. If a head plays the take, its ``note`` holds the error too.
    """
    head = _head_of(action)
    if head is None:
        return f"No face shows the take '{action.name}': there is nothing to write"
    take = action.expnet
    try:
        take.note = _write_again(head, action)
    except InputError as error:
        take.note = str(error)
        return take.note
    return ""


def _write_again(head: bpy.types.Object, action: bpy.types.Action) -> str:
    take = action.expnet
    raw = unpacked_performance(take.performance, action.name)
    performance = treated(raw, treatment_of(action), bounds_of(head), rest_of(head))
    errors = animation.Errors(take.key_error, take.angle_error, take.place_error) if take.decimate else None
    keys, before = animation.rewrite(head, performance, frames_of(action, raw), errors)
    return f"{keys} of {before} keys" if errors else ""


def frames_of(action: bpy.types.Action, performance: FacePerformance) -> np.ndarray:
    """Return the scene frames (F,) of the take's keys.

    ``rate`` is the clip's own rate. In takes of earlier versions it is the scene's.
    """
    frames = performance.frames if abs(action.expnet.rate - performance.fps) < 1e-3 else None
    if frames is None:
        frames = performance.times * action.expnet.rate
    return action.expnet.start + frames - frames[0]


def _head_of(action: bpy.types.Action) -> bpy.types.Object | None:
    return next((obj for obj in bpy.data.objects if take_of(obj) == action), None)


def bounds_of(head: bpy.types.Object) -> np.ndarray:
    """Return the ranges (Ke, 2) of the head's sliders; -10..10 for keys that the artist has removed."""
    blocks = head.data.shape_keys.key_blocks
    limits = [(blocks[k].slider_min, blocks[k].slider_max) if k in blocks else (-10, 10) for k in rig.model_keys(head)]
    return np.array(limits, np.float64)


def rest_of(head: bpy.types.Object) -> np.ndarray | None:
    """Return ``FaceModel.rest`` (Ke,) of the head's model; None for heads of versions that did not store it."""
    kept = head.get("expnet_rest")
    return None if kept is None else np.array(kept, np.float64)


@lru_cache(maxsize=4)
def unpacked_performance(content: bytes, name: str) -> FacePerformance:
    """Return the performance packed in ``content``, cached. ``name`` is used in errors. Raises InputError."""
    return unpacked(content, name)

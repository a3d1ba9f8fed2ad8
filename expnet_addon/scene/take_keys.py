"""Write a take's keys again from its raw performance and its settings, without the network."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import unpacked
from ...model.performance.treatment import FRAME, KeyTreatment, Treatment, treated
from .. import compat
from . import animation, hand_edits, head_root, rig
from .current_take import UNTREATED, head_action_of, player_of, take_of


def treatment_of(action: bpy.types.Action) -> Treatment:
    """Return the treatment that the take's settings describe."""
    take = action.expnet
    return Treatment(
        smoothing={region.name: region.smoothing for region in take.regions},
        neutral=take.neutral,
        neutral_frame=take.neutral_frame,
        gains={region.name: region.gain for region in take.regions if region.name not in UNTREATED},
        neutral_last=take.neutral_last,
        hold_mouth=take.hold_mouth,
        keys={key.name: KeyTreatment(key.on, key.gain, key.low, key.high) for key in take.key_settings},
    )


def list_keys(head: bpy.types.Object, action: bpy.types.Action) -> None:
    """Give the take settings for each key of its performance, with the sliders' ranges as limits."""
    take = action.expnet
    rate, take.rate = take.rate, 0  # without a rate, settings do not write keys
    take.key_settings.clear()
    for name, (low, high) in zip(rig.model_keys(head), bounds_of(head).tolist()):
        key = take.key_settings.add()
        key.name, key.low, key.high = name, low, high
    take.rate = rate


def apply_again(action: bpy.types.Action, discard: bool = False) -> str:
    """Write the take's keys again from its raw performance. Hand edits stay, unless ``discard``.

    Returns the error as a line, or an empty string. If a head plays the take, its ``note`` holds the error too.
    """
    head = player_of(action)
    if head is None:
        return f"No face shows the take '{action.name}': there is nothing to write"
    take = action.expnet
    try:
        take.note = _write_again(head, action, discard)
    except InputError as error:
        take.note = str(error)
        return str(take.note)
    return ""


def apply_head_motion(head: bpy.types.Object, action: bpy.types.Action) -> None:
    """Mute the curves of the head's place or rotation, as the take's head motion says. Keys and edits stay.

    What is muted rests: at the place of the first frame under the head's root, or where it is without a root.
    """
    motion = action.expnet.head_motion
    curves = compat.assigned_curves(head)
    for curve in curves if curves is not None else ():
        if curve.data_path == "location":
            curve.mute = motion != "FULL"
        elif curve.data_path == "rotation_quaternion":
            curve.mute = motion == "NONE"
    root = head_root.root_of(head)
    if motion != "FULL" and root is not None:
        head.location = root[head_root.PLACE]
    if motion == "NONE":
        head.rotation_quaternion = (1.0, 0.0, 0.0, 0.0)
    head.update_tag()


def motion_changed(action: bpy.types.Action) -> None:
    """Apply the take's head motion, if a head plays it."""
    head = player_of(action)
    if head is not None:
        apply_head_motion(head, action)


def recognise_edits(head: bpy.types.Object) -> None:
    """Record the generated keys of the head's current take if an earlier version wrote it, without such a record.

    The keys are generated again by the take's settings. Keys in the scene that are equal within 1e-4 count as
    generated, the others as hand edits. If most differ, the take was made by other code, and nothing is recorded: the
    next change of a setting then replaces all keys.
    """
    action = take_of(head)
    if action is None or action.expnet.written:
        return
    take = action.expnet
    try:
        raw = unpacked_performance(take.performance, action.name)
        frames = frames_of(action, raw)
        performance = treated(raw, treatment_of(action), bounds_of(head), rest_of(head))
        errors = _errors_of(take)
        written = animation.recognised(head, performance, frames, errors)
    except InputError:
        return
    if written is None:
        return
    take.written = hand_edits.pack(written)
    if (np.abs(frames - np.rint(frames)) > 1e-3).any():
        take.source_times = True


def _write_again(head: bpy.types.Object, action: bpy.types.Action, discard: bool) -> str:
    take = action.expnet
    raw = unpacked_performance(take.performance, action.name)
    if take.neutral == FRAME and not (take.neutral_frame < len(raw.times) and raw.seen[take.neutral_frame]):
        number = take.neutral_frame + 1
        raise InputError(f"There is no face in frame {number} of the clip: choose another one as neutral")
    performance = treated(raw, treatment_of(action), bounds_of(head), rest_of(head))
    errors = _errors_of(take)
    try:
        last = written_of(action)
    except InputError:
        if not discard:
            raise
        last = None
    if last is not None:
        moved = animation.moved_by(head, last, animation.current_curves(head))
        if moved:
            take.start += moved
            last = replace(last, frames=last.frames + np.float32(moved))
    again = animation.rewrite(
        head, performance, frames_of(action, raw), errors, take.source_times, None if discard else last
    )
    take.written = hand_edits.pack(again.written)
    return f"{again.keys} of {again.undecimated} keys\n{_said(errors)}" if errors else ""


def _errors_of(take: bpy.types.PropertyGroup) -> animation.Errors | None:
    """Return the errors that the take's curves may have with fewer keys, or None."""
    if not take.decimate:
        return None
    return animation.Errors(take.key_error, take.angle_error, take.place_error, take.bezier)


def _said(errors: animation.Errors) -> str:
    return (
        f"No curve is farther from the full one than {errors.key:.3g} of a slider, {np.degrees(errors.angle):.3g}° "
        f"or {1000 * errors.place:.3g} mm"
    )


def written_of(action: bpy.types.Action) -> hand_edits.Written | None:
    """Return the take's keys as they were generated last, or None for takes of earlier versions."""
    content = action.expnet.written
    return hand_edits.unpack(content, action.name) if content else None


def is_edited(head: bpy.types.Object, action: bpy.types.Action | None = None) -> bool:
    """Return whether a take of the head (default: the current one) has hand edits."""
    action = action or take_of(head)
    written = written_of(action) if action is not None else None
    body = head_action_of(head, action) if action is not None else None
    if action is None or written is None or body is None:
        return False
    curves = compat.action_curves(action, "KEY"), compat.action_curves(body, "OBJECT")
    if None in curves:
        return False
    moved = animation.moved_by(head, written, curves)
    return animation.is_edited(head, replace(written, frames=written.frames + np.float32(moved)), curves)


def frames_of(action: bpy.types.Action, performance: FacePerformance) -> FloatArray:
    """Return the scene frames (F,) of the take's keys.

    ``rate`` is the clip's own rate. In takes of earlier versions it is the scene's.
    """
    frames = performance.frames if abs(action.expnet.rate - performance.fps) < 1e-3 else None
    if frames is None:
        frames = performance.times * action.expnet.rate
    in_scene: FloatArray = action.expnet.start + frames - frames[0]
    return in_scene


def bounds_of(head: bpy.types.Object) -> FloatArray:
    """Return the ranges (Ke, 2) of the head's sliders; -10..10 for keys that the artist has removed."""
    blocks = head.data.shape_keys.key_blocks
    limits = [(blocks[k].slider_min, blocks[k].slider_max) if k in blocks else (-10, 10) for k in rig.model_keys(head)]
    return np.array(limits, np.float64)


def rest_of(head: bpy.types.Object) -> FloatArray | None:
    """Return ``FaceModel.rest`` (Ke,) of the head's model; None for heads of versions that did not store it."""
    kept = head.get("expnet_rest")
    return None if kept is None else np.array(kept, np.float64)


@lru_cache(maxsize=4)
def unpacked_performance(content: bytes, name: str) -> FacePerformance:
    """Return the performance packed in ``content``, cached. ``name`` is used in errors. Raises InputError."""
    return unpacked(content, name)

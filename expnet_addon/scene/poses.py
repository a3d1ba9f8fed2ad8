"""Poses of a head: mirrored, and kept as assets of the pose library."""

from __future__ import annotations

import bpy
import numpy as np

from ...model.errors import InputError
from ...model.face.semantics import SIGNED_KEYS
from .. import compat
from . import animation, rig
from .current_take import TAKE
from .heads import other_side
from .pose_preview import add_preview

POSE = "expnet_pose"  # custom property of an action: the basis of its keys
GAZE = ("gaze_yaw", "gaze_pitch")
FLIP, TO_RIGHT, TO_LEFT = "FLIP", "TO_RIGHT", "TO_LEFT"


def pose_of(head: bpy.types.Object) -> dict[str, float]:
    """Return the values of the head's expression keys and of its gaze, as the scene shows them."""
    blocks = head.data.shape_keys.key_blocks
    pose = {name: float(blocks[name].value) for name in rig.expression_keys(head)}
    return pose | {name: float(head[name]) for name in GAZE}


def mirrored(pose: dict[str, float], mode: str) -> dict[str, float]:
    """Mirror a pose. ``L`` is the head's own left.

    FLIP exchanges left and right. TO_RIGHT gives the right side what the left one does, TO_LEFT the other way round;
    what moves sideways then rests. Raises InputError if no key has a side.
    """
    if not any(other_side(name) in pose for name in pose if other_side(name) != name):
        raise InputError("The keys of this head have no left and right: there is nothing to mirror")
    result = dict(pose)
    for name in pose:
        other = other_side(name)
        if name in SIGNED_KEYS or name == "gaze_yaw":
            result[name] = -pose[name] if mode == FLIP else pose[name] if name == "gaze_yaw" else 0.0
        elif other != name and other in pose:
            copied = mode == FLIP or name.endswith("_R") == (mode == TO_RIGHT)
            result[name] = pose[other] if copied else pose[name]
    return result


def show_pose(head: bpy.types.Object, pose: dict[str, float], frame: float) -> None:
    """Apply a pose to the head. Where its keys or its gaze are animated, the pose is keyed at ``frame``."""
    keys, gaze = head.data.shape_keys, np.array([pose.get(name, head[name]) for name in GAZE])
    eta = {name: value for name, value in pose.items() if name in rig.expression_keys(head)}
    action = keys.animation_data.action if keys.animation_data is not None else None
    if action is not None and TAKE in action:
        animation.key_expression(head, eta, gaze, frame)
        return
    rig.set_expression(head, eta, gaze)
    if action is not None:
        for name in eta:
            keys.key_blocks[name].keyframe_insert("value", frame=frame)
    if compat.assigned_curves(head) is not None:
        for name in GAZE:
            head.keyframe_insert(f'["{name}"]', frame=frame)


def mirror(head: bpy.types.Object, mode: str, frame: float) -> str:
    """Mirror the head's pose at ``frame``. Returns a line for the user. Raises InputError as ``mirrored``."""
    before = pose_of(head)
    after = mirrored(before, mode)
    show_pose(head, after, frame)
    changed = sum(abs(after[name] - before[name]) > 1e-6 for name in before)
    return f"{changed} values of {head.name} are mirrored"


def keep_pose(
    head: bpy.types.Object,
    name: str,
    view: tuple[bpy.types.Scene, bpy.types.SpaceView3D, bpy.types.Region] | None = None,
) -> str:
    """Keep the head's current pose as an action that is an asset. Returns a line for the user."""
    keys, pose = head.data.shape_keys, pose_of(head)
    old, slot = _assigned(keys)
    action, curves = compat.new_actions(name, [keys])[0]
    for key in rig.expression_keys(head):
        curve = curves.new(f'key_blocks["{bpy.utils.escape_identifier(key)}"].value')
        curve.keyframe_points.insert(1.0, pose[key])
    if old is not None:
        compat.assign_action(keys, old, slot)
    else:
        keys.animation_data.action = None
    action[POSE] = head["expnet_basis"]
    for gaze in GAZE:
        action[gaze] = pose[gaze]
    action.asset_mark()
    action.asset_data.description = "A facial expression of ExpNet"
    action.asset_data.tags.new("ExpNet")
    if view is not None:
        add_preview(action, head, *view)
    return f"The pose '{action.name}' is in the asset library of this file"


def poses_for(head: bpy.types.Object) -> list[bpy.types.Action]:
    """Return the kept poses that fit the head."""
    return [action for action in bpy.data.actions if action.get(POSE) == head["expnet_basis"]]


def apply_pose(head: bpy.types.Object, name: str, frame: float) -> str:
    """Apply a kept pose to the head. Returns a line for the user. Raises InputError if there is no such pose."""
    action = next((each for each in poses_for(head) if each.name == name), None)
    curves = compat.action_curves(action, "KEY") if action is not None else None
    if action is None or curves is None:
        raise InputError(f"There is no pose '{name}' for {head.name}")
    pose = {}
    for key in rig.expression_keys(head):
        curve = curves.find(f'key_blocks["{bpy.utils.escape_identifier(key)}"].value')
        if curve is not None:
            pose[key] = float(curve.evaluate(1.0))
    show_pose(head, pose | {gaze: float(action.get(gaze, head[gaze])) for gaze in GAZE}, frame)
    return f"{head.name} has the pose '{name}'"


def _assigned(block: bpy.types.ID) -> tuple[bpy.types.Action | None, str | None]:
    data = block.animation_data
    return (data.action if data is not None else None), compat.slot_name(block)

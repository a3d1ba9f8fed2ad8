"""The state before a retarget (values, action, slot, rotation modes), stored on the data-block.

It is saved with the file, so that ``remove`` can restore it in another session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import bpy

from .. import compat
from .character import BEFORE, Character, state_of
from .plan import Plan

BEFORE_ACTION = "expnet_before_action"
TAKE_ACTION = "expnet_take_action"
RETARGET = "expnet_retarget"  # on an action that retargeting made: the source of the performance
_BONE_VALUES = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle")


def remember(block: bpy.types.ID, plan: Plan, drivers: Sequence[tuple[str, int]] = ()) -> None:
    """Store on the block what a retarget changes."""
    data = block.animation_data
    state: dict[str, Any] = {"drivers": list(drivers), "bare": data is None}
    if isinstance(block, bpy.types.Key):
        kept = [block.key_blocks[name] for name in plan.shapes[block]]
        state["keys"] = {k.name: [k.value, k.slider_min, k.slider_max] for k in kept}
    else:
        bones = [block.pose.bones[name] for name in plan.bones]
        state["bones"] = {b.name: [b.rotation_mode, *(list(getattr(b, v)) for v in _BONE_VALUES)] for b in bones}
    if data is not None and data.action is not None:
        block[BEFORE_ACTION] = data.action
        state["slot"] = compat.slot_name(block)
    block[BEFORE] = json.dumps(state)


def widen(block: bpy.types.ID, plan: Plan) -> None:
    """Extend the range of sliders to that of their rows, as Blender clamps values to it."""
    if not isinstance(block, bpy.types.Key):
        return
    for name, rows in plan.shapes[block].items():
        key = block.key_blocks[name]
        key.slider_min = max(-10.0, min(key.slider_min, *(row.low for row in rows)))
        key.slider_max = min(10.0, max(key.slider_max, *(row.high for row in rows)))


def remove(character: Character) -> int:
    """Restore the state before a retarget; return how many data-blocks had one.

    An action that the artist has put in place of the take stays; a take that is used elsewhere (in the NLA) is kept.
    """
    done = 0
    for block in character.blocks:
        if BEFORE not in block or not block.is_editable:
            continue
        done += 1
        state = state_of(block)
        data = block.animation_data
        if data is not None:
            there = {(curve.data_path, curve.array_index) for curve in data.drivers}
            for path, index in state.get("drivers", []):
                if (path, max(index, 0)) in there:
                    block.driver_remove(path, index)
            take, before = block.get(TAKE_ACTION), block.get(BEFORE_ACTION)
            if take is not None and data.action == take:
                if before is not None:
                    compat.assign_action(block, before, state.get("slot"))
                else:
                    data.action = None
        for name in (TAKE_ACTION, BEFORE_ACTION, BEFORE):
            if name in block:
                del block[name]
        _restore_values(block, state)
        if state.get("bare") and data is not None and _empty(data):
            block.animation_data_clear()
        block.update_tag()
    _drop_unused_takes()
    return done


def _empty(data: bpy.types.AnimData) -> bool:
    return data.action is None and not data.drivers and not data.nla_tracks


def _restore_values(block: bpy.types.ID, state: Mapping[str, Any]) -> None:
    for name, (value, low, high) in state.get("keys", {}).items():
        key = block.key_blocks.get(name)
        if key is not None:
            key.slider_min, key.slider_max = low, high
            key.value = value
    for name, (mode, *values) in state.get("bones", {}).items():
        bone = block.pose.bones.get(name)
        if bone is not None:
            bone.rotation_mode = mode
            for what, numbers in zip(_BONE_VALUES, values):
                setattr(bone, what, numbers)


def _drop_unused_takes() -> None:
    for action in list(bpy.data.actions):
        if RETARGET in action and action.users == int(action.use_fake_user) and action.library is None:
            bpy.data.actions.remove(action)

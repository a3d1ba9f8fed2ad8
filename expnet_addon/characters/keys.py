"""A performance as keyframes on a character's shape keys and bones.

Design notes: a retarget stores what it changes on the data-block itself (``restore.py``). A take is a new action. Where
the artist already animates the block, it starts as a copy of the artist's action, so that their other F-curves still
play and theirs is neither edited nor lost. A property with another driver is left alone. A second application removes
the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.retargeting.row import Row
from ...model.retargeting.table import row_values
from .. import compat
from .axes import head_axes
from .bones import bone_curves
from .character import Character
from .motion import Motion
from .plan import Plan, Report, bone_path, key_path
from .restore import RETARGET, TAKE_ACTION, remember, remove, widen


def apply_keys(character: Character, rows: Sequence[Row], motion: Motion) -> Report:
    """Key the character with a motion by the table's rows. An earlier retarget is removed first.

    Raises InputError, with nothing changed, when no row has a target in the character.
    """
    plan = Plan(character, rows)
    remove(character)
    curves: dict[bpy.types.ID, dict[tuple[str, int], FloatArray]] = {}
    for key, targets in plan.shapes.items():
        curves[key] = {
            (key_path(name), 0): np.sum([row_values(row, motion.values) for row in mine], axis=0)
            for name, mine in targets.items()
        }
    if plan.bones:
        assert character.armature is not None
        axes = head_axes(character.armature)
        mine: dict[tuple[str, int], FloatArray] = {}
        for name, bone_rows in plan.bones.items():
            bone = character.armature.pose.bones[name]
            for what, numbers in bone_curves(bone, bone_rows, motion.values, axes).items():
                mine |= {(f"{bone_path(name)}.{what}", i): column for i, column in enumerate(numbers.T)}
        curves[character.armature] = mine
    for block in curves:
        remember(block, plan)
        widen(block, plan)
    for block, into in _take_actions(motion, {block: set(paths) for block, paths in curves.items()}):
        for (path, index), column in curves[block].items():
            _write(into, path, index, motion.frames, column)
        block.update_tag()
    return plan.report()


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def _write(curves: Any, path: str, index: int, frames: FloatArray, values: FloatArray) -> None:
    """Add an F-curve through (frames, values) with linear interpolation."""
    curve = curves.new(path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    co = np.stack([frames, values], 1).astype(np.float32)
    points.foreach_set("co", co.ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
    curve.update()


def _take_actions(motion: Motion, paths: Mapping[bpy.types.ID, set[tuple[str, int]]]) -> list[tuple[bpy.types.ID, Any]]:
    """Return each block with the F-curves of its take's action, those on ``paths`` removed."""
    fresh, out = [], []
    for block in paths:
        theirs = compat.assigned_curves(block)
        if theirs is None or not len(theirs):
            fresh.append(block)
            continue
        data = block.animation_data
        action = data.action.copy()
        action.name = f"{motion.name} {block.name}"
        compat.assign_action(block, action)
        curves = compat.assigned_curves(block)
        assert curves is not None  # the copy plays by the slot that theirs did
        for curve in list(curves):
            if (curve.data_path, curve.array_index) in paths[block]:
                curves.remove(curve)
        out.append((block, action, curves))
    if fresh:
        made = compat.new_actions(f"{motion.name} {fresh[0].name}", fresh)
        out += [(block, action, curves) for block, (action, curves) in zip(fresh, made)]
    for block, action, _ in out:
        action[RETARGET] = motion.source
        block[TAKE_ACTION] = action
    return [(block, curves) for block, _, curves in out]

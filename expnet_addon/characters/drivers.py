"""Live drivers on a character's shape keys and bones that follow a head.

The expressions need no Python, so they run where scripts may not. A second application removes the first, as with keys
(``keys.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import bpy

from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.performance.channels import CHANNELS, SIGNALS
from ...model.retargeting.row import ROTATIONS, Row
from ...model.retargeting.table import expression
from .axes import head_axes
from .bones import (
    EXACT,
    GAZE,
    HEAD_QUATERNION,
    driven_components,
    driven_mode,
    is_askew,
    quaternion_expressions,
)
from .character import Character
from .motion import check_face
from .plan import Plan, Report, bone_path, key_path
from .restore import remember, remove, widen

_HEAD_TURNS = {"headYaw": ("ROT_Z", "{}"), "headPitch": ("ROT_X", "(-{})"), "headRoll": ("ROT_Y", "{}")}
MAX_EXPRESSION = 256  # characters, Blender's own


def apply_drivers(character: Character, rows: Sequence[Row], head: bpy.types.Object) -> Report:
    """Drive the character by a head, live. An earlier retarget is removed first.

    Head, eyes and bones with one or two rows of rotation turn however they lie. Of other bones, rows that turn them
    about an axis askew to their own are left out and reported. Raises InputError, with nothing changed, when no row is
    left that has a target in the character.
    """
    check_face(head)
    blocks = head.data.shape_keys.key_blocks
    gone = [row for row in rows if any(t.signal in OPEN_KEYS and t.signal not in blocks for t in CHANNELS[row.channel])]
    plan = Plan(character, [row for row in rows if row not in gone], live=True)
    plan.left += [f"{row.target} (the head has no key for {row.channel})" for row in gone if row.enabled]
    quaternions = _quaternions(plan, character)
    plan.left += _without_askew(plan, character, quaternions)
    if not plan.shapes and not plan.bones:
        raise InputError(f"no driver can move this character: {plan.left[-1]}")
    drivers: dict[bpy.types.ID, dict[tuple[str, int], str]] = {}
    for key, targets in plan.shapes.items():
        drivers[key] = {(key_path(name), -1): _sum((row, 1.0) for row in mine) for name, mine in targets.items()}
    modes: dict[str, str] = {}
    if plan.bones:
        assert character.armature is not None
        axes = head_axes(character.armature)
        mine: dict[tuple[str, int], str] = {}
        for name, bone_rows in plan.bones.items():
            if name in quaternions:
                modes[name] = "QUATERNION"
                path = f"{bone_path(name)}.rotation_quaternion"
                mine |= {(path, i): text for i, text in enumerate(quaternions[name])}
                bone_rows = [row for row in bone_rows if row.component not in ROTATIONS]
            bone = character.armature.pose.bones[name]
            components = driven_components(bone, bone_rows, axes)
            mode = driven_mode(list(components))
            if mode:
                modes[name] = mode
            for (what, index), parts in components.items():
                mine[f"{bone_path(name)}.{what}", index] = _sum(parts)
        drivers[character.armature] = mine
    remove(character)
    for block, expressions in drivers.items():
        remember(block, plan, list(expressions))
        widen(block, plan)
        if block == character.armature:
            for name, mode in modes.items():
                block.pose.bones[name].rotation_mode = mode
        for (path, index), text in expressions.items():
            _drive(block, path, index, text, head)
        block.update_tag()
    return plan.report()


def _quaternions(plan: Plan, character: Character) -> dict[str, list[str]]:
    """Return the expressions of the quaternions of bones that do not turn about their own axes, where there are any."""
    found = {}
    for name, rows in plan.bones.items():
        assert character.armature is not None
        bone, axes = character.armature.pose.bones[name], head_axes(character.armature)
        if any(is_askew(bone, row, axes, EXACT) for row in rows):
            turns = [row for row in rows if row.component in ROTATIONS]
            texts = quaternion_expressions(bone, turns, axes, _names())
            if texts is not None and max(map(len, texts)) < MAX_EXPRESSION:
                found[name] = texts
    return found


def _without_askew(plan: Plan, character: Character, done: Collection[str]) -> list[str]:
    """Remove from the plan's bones the rows that a driver cannot turn; return an entry of the report for each bone."""
    left = []
    for name, rows in list(plan.bones.items()):
        if name in done:
            continue
        assert character.armature is not None
        bone, axes = character.armature.pose.bones[name], head_axes(character.armature)
        askew = [row for row in rows if is_askew(bone, row, axes)]
        channels = ", ".join(row.channel for row in askew)
        if askew:
            left.append(f"{channels} of '{name}' (the bone lies askew to the character's axes: use keys)")
        plan.bones[name] = [row for row in rows if row not in askew]
        if not plan.bones[name]:
            del plan.bones[name]
    return left


def _sum(parts: Iterable[tuple[Row, float]]) -> str:
    """Return the sum of rows as one expression of signals."""
    texts = []
    for row, factor in parts:
        text = expression(row, _names())
        texts.append(text if factor == 1.0 else f"{factor:.6g}*{text}")
    total = "+".join(texts)
    if len(total) >= MAX_EXPRESSION:
        target = row.target
        raise InputError(f"'{target}' has too many rows for one driver: use keys, or fewer rows")
    return total


def _names() -> dict[str, str]:
    return {signal: _variable(signal) for signal in SIGNALS}


def _variable(signal: str) -> str:
    return f"s{SIGNALS.index(signal)}"


def _drive(block: bpy.types.ID, path: str, index: int, text: str, head: bpy.types.Object) -> None:
    curve = block.driver_add(path, index) if index >= 0 else block.driver_add(path)
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    driver = curve.driver
    driver.type = "SCRIPTED"
    for signal in SIGNALS:
        name = _variable(signal)
        if name not in _words(text):
            continue
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        if signal in _HEAD_TURNS:
            turn, sign = _HEAD_TURNS[signal]
            variable.type = "TRANSFORMS"
            target.id = head
            target.transform_type, target.rotation_mode, target.transform_space = turn, "ZXY", "WORLD_SPACE"
            text = text.replace(name, sign.format(name))
        elif signal in OPEN_KEYS:
            variable.type = "SINGLE_PROP"
            target.id_type, target.id = "KEY", head.data.shape_keys
            target.data_path = key_path(signal)
        else:
            variable.type = "SINGLE_PROP"
            target.id = head
            target.data_path = '["gaze_yaw"]' if signal == "gazeYaw" else '["gaze_pitch"]'
    for name in sorted(_words(text) & {*HEAD_QUATERNION, *GAZE.values()}):
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id = head
        if name in HEAD_QUATERNION:
            variable.type = "TRANSFORMS"
            target.transform_type, target.rotation_mode = f"ROT_{name[1].upper()}", "QUATERNION"
            target.transform_space = "WORLD_SPACE"
        else:
            variable.type = "SINGLE_PROP"
            target.data_path = '["gaze_yaw"]' if name == GAZE["gazeYaw"] else '["gaze_pitch"]'
    driver.expression = text


def _words(text: str) -> set[str]:
    for sign in "()+-*/,":
        text = text.replace(sign, " ")
    return set(text.split())

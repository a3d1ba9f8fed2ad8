"""A performance on any character: keys or live drivers on its shape keys and bones, and back to what was there.

Design notes: what a retarget touches it remembers on the data-block itself (values, action, slot, rotation modes), so
that ``remove`` brings back what was there, in another session too. A take is an action of its own; where the artist
already animates the block it begins as a copy of theirs, so that their other curves play on, and theirs is neither
edited nor lost. A property that somebody else's driver moves is left alone. Applying again first takes back what was
applied before. Drivers are expressions without Python: they run where scripts may not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS
from ...model.performance.channels import CHANNELS, SIGNALS, is_signed, signals
from ...model.performance.face_performance import FacePerformance
from ...model.retargeting.name_schemes import AUTO, match, match_bones, tokens
from ...model.retargeting.row import SHAPE_KEY, Row
from ...model.retargeting.table import expression, row_values
from .. import compat
from ..scene.animation import TAKE, scene_frames
from ..scene.heads import is_rig
from .bones import bone_curves, driven_components, driven_mode
from .character import BEFORE, Character

BEFORE_ACTION = "expnet_before_action"
TAKE_ACTION = "expnet_take_action"
RETARGET = "expnet_retarget"  # on an action: it is a take on a character, of this source


@dataclass(frozen=True, eq=False)
class Motion:
    """What moves a character: ``values`` (F, len(SIGNALS)) at the scene's ``frames`` (F,), without gaps."""

    name: str
    source: str
    frames: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Report:
    """How many shape keys and bones follow, and what was left out and why, in words."""

    shape_keys: int
    bones: int
    left: tuple[str, ...]  # "target (why)"

    def reasons(self) -> dict[str, list[str]]:
        """Why -> the targets that were left out for it."""
        out: dict[str, list[str]] = {}
        for said in self.left:
            target, _, why = said.rstrip(")").rpartition(" (")
            out.setdefault(why, []).append(target)
        return out

    def __str__(self) -> str:
        parts = [f"{self.shape_keys} shape keys"] * bool(self.shape_keys) + [f"{self.bones} bones"] * bool(self.bones)
        return " and ".join(parts)


# The table ----------------------------------------------------------------------------------------------------------


def matched_rows(character: Character, scheme: str = AUTO) -> tuple[str, list[Row]]:
    """The scheme of names that the character follows, and a row for each shape key and bone that it explains.

    A row's range is that of the shape key's slider.
    """
    blocks: dict[str, bpy.types.ShapeKey] = {}
    for key in character.keys:
        for block in list(key.key_blocks)[1:]:
            blocks.setdefault(block.name, block)
    found, matches = match(blocks, scheme)
    rows = []
    for m in matches:
        block = blocks[m.target]
        low = block.slider_min if is_signed(m.channel) else max(0.0, block.slider_min)
        rows.append(Row(m.channel, m.target, gain=m.gain, low=_tidy(low), high=_tidy(block.slider_max)))
    if character.armature is not None:
        jaw = not any(row.channel in ("jawOpen", "aa") for row in rows)
        names = [bone.name for bone in character.armature.data.bones]
        rows += match_bones(names, _gaze_distance(character.armature), jaw)
    return found, rows


def _tidy(value: float) -> float:
    return round(float(value), 6)


def _gaze_distance(armature: bpy.types.Object) -> float:
    """Metres from the eyes to the bone they look at, or 1."""
    bones = armature.data.bones
    target = next((row.target for row in match_bones(bones.keys()) if row.channel == "gazeYaw"), None)
    if target is None:
        return 1.0
    eyes = [b for b in bones if "eye" in tokens(b.name) and {"org", "mch", "master", "def"} & set(tokens(b.name))]
    if not eyes:
        return 1.0
    return float(min((bones[target].head_local - eye.head_local).length for eye in eyes)) or 1.0


# What moves it ------------------------------------------------------------------------------------------------------


def performance_motion(
    scene: bpy.types.Scene, performance: FacePerformance, start_frame: float | None = None
) -> Motion:
    """A performance at the scene's rate, its first frame at ``start_frame`` (default: the scene's first)."""
    values = signals(performance)
    seen = performance.seen
    if not seen.any():
        raise InputError(f"no face was seen in {performance.source}: there is nothing to retarget")
    name = Path(performance.source).stem or "take"
    return Motion(name, performance.source, scene_frames(scene, performance, start_frame)[seen], values[seen])


def face_motion(head: bpy.types.Object) -> Motion:
    """The keys of one of our heads, as they are now, with what the artist changed in them."""
    check_face(head)
    key_curves, head_curves = compat.assigned_curves(head.data.shape_keys), compat.assigned_curves(head)
    sources: dict[str, Any] = {}
    for name in OPEN_KEYS:
        path = _key_path(name)
        sources[name] = key_curves.find(path) if key_curves is not None else None
    for signal, name in (("gazeYaw", "gaze_yaw"), ("gazePitch", "gaze_pitch")):
        sources[signal] = head_curves.find(f'["{name}"]') if head_curves is not None else None
    turns = [head_curves.find("rotation_quaternion", index=i) if head_curves is not None else None for i in range(4)]
    keyed = [_points(curve) for curve in [*sources.values(), *turns] if curve is not None]
    if not keyed:
        raise InputError(f"'{head.name}' has no keys yet: animate it from footage first")
    frames = np.unique(np.concatenate(keyed).round(4))

    def sample(curve: Any, otherwise: float) -> np.ndarray:
        if curve is None:
            return np.full(len(frames), otherwise)
        return np.array([curve.evaluate(float(f)) for f in frames])

    blocks = head.data.shape_keys.key_blocks
    columns = [sample(sources[name], blocks[name].value if name in blocks else 0.0) for name in OPEN_KEYS]
    columns += [sample(sources[s], head[p]) for s, p in (("gazeYaw", "gaze_yaw"), ("gazePitch", "gaze_pitch"))]
    quaternion = np.stack([sample(curve, head.rotation_quaternion[i]) for i, curve in enumerate(turns)], 1)
    action = head.data.shape_keys.animation_data.action if key_curves is not None else None
    source = str(action.get(TAKE, action.name)) if action is not None else head.name
    columns += list(_head_angles(quaternion).T)
    return Motion(Path(source).stem or head.name, source, frames, np.stack(columns, 1))


def check_face(head: bpy.types.Object | None) -> None:
    """Raises InputError unless ``head`` is one of our heads with the open keys."""
    if not is_rig(head):
        raise InputError("choose the face that the character shall follow: one that ExpNet added")
    assert head is not None
    if head["expnet_basis"] != OPEN_BASIS:
        raise InputError(
            f"'{head.name}' has the expression basis '{head['expnet_basis']}', whose keys have no names: "
            "retargeting needs the open head"
        )


def _head_angles(quaternion: np.ndarray) -> np.ndarray:
    """(F, 3) yaw, pitch, roll in radians of a head's rotation in Blender: Ry(roll) Rx(-pitch) Rz(yaw)."""
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    pitch = -np.arcsin(np.clip(2 * (w * x - y * z), -1, 1))
    yaw = np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    roll = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    return np.unwrap(np.stack([yaw, pitch, roll], 1), axis=0)


def _points(curve: Any) -> np.ndarray:
    co = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", co)
    return co[::2].astype(np.float64)


# Keys ---------------------------------------------------------------------------------------------------------------


def apply_keys(character: Character, rows: Sequence[Row], motion: Motion) -> Report:
    """Key the character with a motion, as the rows say. What an earlier retarget did is taken back first.

    Raises InputError, with nothing changed, when no row has a target in the character.
    """
    plan = _Plan(character, rows)
    remove(character)
    curves: dict[bpy.types.ID, dict[tuple[str, int], np.ndarray]] = {}
    for key, targets in plan.shapes.items():
        curves[key] = {
            (_key_path(name), 0): np.sum([row_values(row, motion.values) for row in mine], axis=0)
            for name, mine in targets.items()
        }
    if plan.bones:
        assert character.armature is not None
        mine: dict[tuple[str, int], np.ndarray] = {}
        for name, bone_rows in plan.bones.items():
            bone = character.armature.pose.bones[name]
            for what, numbers in bone_curves(bone, bone_rows, motion.values).items():
                mine |= {(f"{_bone_path(name)}.{what}", i): column for i, column in enumerate(numbers.T)}
        curves[character.armature] = mine
    for block in curves:
        _remember(block, plan)
        _widen(block, plan)
    for block, into in _take_actions(motion, {block: set(paths) for block, paths in curves.items()}):
        for (path, index), column in curves[block].items():
            _write(into, path, index, motion.frames, column)
        block.update_tag()
    return plan.report()


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def _write(curves: Any, path: str, index: int, frames: np.ndarray, values: np.ndarray) -> None:
    """A new curve through (frames, values) in straight lines."""
    curve = curves.new(path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    co = np.stack([frames, values], 1).astype(np.float32)
    points.foreach_set("co", co.ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
    curve.update()


def _take_actions(motion: Motion, paths: Mapping[bpy.types.ID, set[tuple[str, int]]]) -> list[tuple[bpy.types.ID, Any]]:
    """For each block its take's collection of F-curves, without curves on ``paths``."""
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


# Drivers ------------------------------------------------------------------------------------------------------------

_HEAD_TURNS = {"headYaw": ("ROT_Z", "{}"), "headPitch": ("ROT_X", "(-{})"), "headRoll": ("ROT_Y", "{}")}
MAX_EXPRESSION = 256  # characters, Blender's own


def apply_drivers(character: Character, rows: Sequence[Row], head: bpy.types.Object) -> Report:
    """Let the character follow one of our heads, live. What an earlier retarget did is taken back first.

    Raises InputError, with nothing changed, when no row has a target in the character, or a bone lies askew.
    """
    check_face(head)
    blocks = head.data.shape_keys.key_blocks
    gone = [row for row in rows if any(t.signal in OPEN_KEYS and t.signal not in blocks for t in CHANNELS[row.channel])]
    plan = _Plan(character, [row for row in rows if row not in gone])
    plan.left += [f"{row.target} (the face has no key for {row.channel})" for row in gone if row.enabled]
    drivers: dict[bpy.types.ID, dict[tuple[str, int], str]] = {}
    for key, targets in plan.shapes.items():
        drivers[key] = {(_key_path(name), -1): _sum((row, 1.0) for row in mine) for name, mine in targets.items()}
    modes: dict[str, str] = {}
    if plan.bones:
        assert character.armature is not None
        mine: dict[tuple[str, int], str] = {}
        for name, bone_rows in plan.bones.items():
            components = driven_components(character.armature.pose.bones[name], bone_rows)
            mode = driven_mode(list(components))
            if mode:
                modes[name] = mode
            for (what, index), parts in components.items():
                mine[f"{_bone_path(name)}.{what}", index] = _sum(parts)
        drivers[character.armature] = mine
    remove(character)
    for block, expressions in drivers.items():
        _remember(block, plan, list(expressions))
        _widen(block, plan)
        if block == character.armature:
            for name, mode in modes.items():
                block.pose.bones[name].rotation_mode = mode
        for (path, index), text in expressions.items():
            _drive(block, path, index, text, head)
        block.update_tag()
    return plan.report()


def _sum(parts: Iterable[tuple[Row, float]]) -> str:
    """The sum of rows as one expression of signals."""
    names = {signal: _variable(signal) for signal in SIGNALS}
    texts = []
    for row, factor in parts:
        text = expression(row, names)
        texts.append(text if factor == 1.0 else f"{factor:.6g}*{text}")
    total = "+".join(texts)
    if len(total) >= MAX_EXPRESSION:
        target = row.target
        raise InputError(f"'{target}' has too many rows for one driver: use keys, or fewer rows")
    return total


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
            target.data_path = _key_path(signal)
        else:
            variable.type = "SINGLE_PROP"
            target.id = head
            target.data_path = '["gaze_yaw"]' if signal == "gazeYaw" else '["gaze_pitch"]'
    driver.expression = text


def _words(text: str) -> set[str]:
    for sign in "()+-*,":
        text = text.replace(sign, " ")
    return set(text.split())


# Before and after ---------------------------------------------------------------------------------------------------


class _Plan:
    """Which rows have a target in the character: ``shapes`` by Key and key name, ``bones`` by name, and what is
    ``left`` and why. Raises InputError when there is nothing to do."""

    def __init__(self, character: Character, rows: Sequence[Row]) -> None:
        self.shapes: dict[bpy.types.Key, dict[str, list[Row]]] = {}
        self.bones: dict[str, list[Row]] = {}
        self.left: list[str] = []
        for block in character.blocks:
            if block.library is not None or not block.is_editable:
                raise InputError(f"'{block.name}' is linked from another file: make it local or override it first")
        asked = [row for row in rows if row.enabled]
        driven = {block: _driven_paths(block) for block in character.blocks}
        for row in asked:
            if not CHANNELS[row.channel]:
                self.left.append(f"{row.target} (not read from footage)")
            elif row.kind == SHAPE_KEY:
                self._plan_shape(character, row, driven)
            else:
                self._plan_bone(character, row, driven)
        if not self.shapes and not self.bones:
            why = f": {self.left[0]}" if self.left else ""
            raise InputError(f"nothing in the table has a target in this character{why}")

    def _plan_shape(self, character: Character, row: Row, driven: Mapping[bpy.types.ID, set[str]]) -> None:
        holders = [key for key in character.keys if row.target in key.key_blocks]
        free = [key for key in holders if _key_path(row.target) not in driven[key]]
        for key in free:
            self.shapes.setdefault(key, {}).setdefault(row.target, []).append(row)
        if not holders:
            self.left.append(f"{row.target} (no such shape key)")
        elif not free:
            self.left.append(f"{row.target} (it has a driver of its own)")

    def _plan_bone(self, character: Character, row: Row, driven: Mapping[bpy.types.ID, set[str]]) -> None:
        armature = character.armature
        if armature is None or row.target not in armature.pose.bones:
            self.left.append(f"{row.target} (no such bone)")
        elif any(path.startswith(_bone_path(row.target) + ".") for path in driven[armature]):
            self.left.append(f"{row.target} (it has a driver of its own)")
        else:
            self.bones.setdefault(row.target, []).append(row)

    def report(self) -> Report:
        return Report(sum(map(len, self.shapes.values())), len(self.bones), tuple(self.left))


def _driven_paths(block: bpy.types.ID) -> set[str]:
    """What drivers that are not ours move in a block."""
    data = block.animation_data
    ours = {path for path, _ in _state(block).get("drivers", [])}
    return {curve.data_path for curve in data.drivers} - ours if data is not None else set()


def _state(block: bpy.types.ID) -> dict[str, Any]:
    try:
        state = json.loads(block.get(BEFORE, "{}"))
    except (TypeError, ValueError):  # an artist's own property of that name
        state = {}
    return state if isinstance(state, dict) else {}


_BONE_VALUES = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle")


def _remember(block: bpy.types.ID, plan: _Plan, drivers: Sequence[tuple[str, int]] = ()) -> None:
    """Keep, on the block, what a retarget will change."""
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


def _widen(block: bpy.types.ID, plan: _Plan) -> None:
    """Let sliders reach as far as their rows do: Blender would clamp."""
    if not isinstance(block, bpy.types.Key):
        return
    for name, rows in plan.shapes[block].items():
        key = block.key_blocks[name]
        key.slider_min = max(-10.0, min(key.slider_min, *(row.low for row in rows)))
        key.slider_max = min(10.0, max(key.slider_max, *(row.high for row in rows)))


def remove(character: Character) -> int:
    """Bring back what was there before a retarget; how many data-blocks there were to do.

    An action that the artist has put in place of the take stays; a take that is used elsewhere (in the NLA) is kept.
    """
    done = 0
    for block in character.blocks:
        if BEFORE not in block:
            continue
        done += 1
        state = _state(block)
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


def _key_path(name: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def _bone_path(name: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"]'

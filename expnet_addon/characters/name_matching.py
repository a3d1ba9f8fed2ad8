"""The rows of the retarget table for a character, by the names of its shape keys and bones."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ...model.performance.channels import LOOK, is_signed
from ...model.retargeting.name_schemes import AUTO, JAW_OPEN, match_bones, match_meshes, tokens
from ...model.retargeting.row import SHAPE_KEY, Row
from .axes import head_axes
from .character import Character
from .doubles import moves_again

_JAW_SHAPES = ("jawOpen", "aa")
_GAZE_SHAPES = ("eyeLook", "look")  # channels begin so


def matched_rows(character: Character, scheme: str = AUTO) -> tuple[str, list[Row]]:
    """Return the scheme of names that the character follows, and a row for each shape key and bone that it explains.

    Each mesh is matched for itself. A row's range is that of the shape key's slider. A row that would move once more
    what another one moves comes switched off.
    """
    keys = character.keys
    found, matched = match_meshes([[block.name for block in _shapes(key)] for key in keys], scheme)
    rows: dict[str, Row] = {}
    for key, matches in zip(keys, matched):
        for m in matches:
            block = key.key_blocks[m.target]
            low = block.slider_min if is_signed(m.channel) else max(0.0, block.slider_min)
            row = Row(m.channel, m.target, gain=m.gain, low=_tidy(low), high=_tidy(block.slider_max))
            if m.spare:
                row = Row(m.channel, m.target, gain=m.gain, low=row.low, high=row.high, enabled=False)
            rows.setdefault(m.target, row)
    shapes = list(rows.values())
    return found, shapes + (_bone_rows(character, shapes) if character.armature is not None else [])


def unmatched_names(character: Character, rows: Sequence[Row]) -> list[str]:
    """Return the character's shape keys that no row of the table drives."""
    driven = {row.target for row in rows if row.kind == SHAPE_KEY}
    names = dict.fromkeys(block.name for key in character.keys for block in _shapes(key))
    return [name for name in names if name not in driven]


def _shapes(key: bpy.types.Key) -> list[bpy.types.ShapeKey]:
    return list(key.key_blocks)[1:]


def _bone_rows(character: Character, shapes: Sequence[Row]) -> list[Row]:
    """Return rows for the bones of the face, those switched off that would move again what shapes move."""
    armature = character.armature
    assert armature is not None
    names = [bone.name for bone in armature.data.bones]
    jaw = [row.target for row in shapes if row.enabled and row.channel in _JAW_SHAPES]
    gaze = [row.target for row in shapes if row.enabled and row.channel.startswith(_GAZE_SHAPES)]
    rows = match_bones(names, _gaze_distance(armature))
    of_jaw = {row.target for row in rows if row.channel == "jawOpen"}
    of_gaze = {row.target for row in rows if row.channel.startswith("gaze")}
    again = any(moves_again(armature, bone, character.meshes, jaw, JAW_OPEN) for bone in of_jaw) if jaw else False
    gaze_again = any(moves_again(armature, bone, character.meshes, gaze, LOOK) for bone in of_gaze) if gaze else False
    return match_bones(names, _gaze_distance(armature), jaw=not again, gaze=not gaze_again)


def _tidy(value: float) -> float:
    return round(float(value), 6)


def _gaze_distance(armature: bpy.types.Object) -> float:
    """Return the metres from the eyes to the bone that they look at, or 1."""
    bones = armature.data.bones
    target = next((row.target for row in match_bones(bones.keys()) if row.channel == "gazeYaw"), None)
    if target is None:
        return 1.0
    eyes = [b for b in bones if "eye" in tokens(b.name) and {"org", "mch", "master", "def"} & set(tokens(b.name))]
    if not eyes:
        return 1.0
    units = min((bones[target].head_local - eye.head_local).length for eye in eyes)
    return float(units) * head_axes(armature).metres or 1.0

"""The rows of the retarget table for a character, by the names of its shape keys and bones."""

from __future__ import annotations

import bpy

from ...model.performance.channels import is_signed
from ...model.retargeting.name_schemes import AUTO, match, match_bones, tokens
from ...model.retargeting.row import Row
from .character import Character


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

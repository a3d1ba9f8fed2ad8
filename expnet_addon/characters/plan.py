"""Which rows of the table have a target in the character, and which are left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bpy

from ...model.errors import InputError
from ...model.performance.channels import CHANNELS
from ...model.retargeting.row import SHAPE_KEY, Row
from .character import Character, state_of


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


class Plan:
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
        free = [key for key in holders if key_path(row.target) not in driven[key]]
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
        elif any(path.startswith(bone_path(row.target) + ".") for path in driven[armature]):
            self.left.append(f"{row.target} (it has a driver of its own)")
        else:
            self.bones.setdefault(row.target, []).append(row)

    def report(self) -> Report:
        return Report(sum(map(len, self.shapes.values())), len(self.bones), tuple(self.left))


def _driven_paths(block: bpy.types.ID) -> set[str]:
    """What drivers that are not ours move in a block."""
    data = block.animation_data
    ours = {path for path, _ in state_of(block).get("drivers", [])}
    return {curve.data_path for curve in data.drivers} - ours if data is not None else set()


def key_path(name: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def bone_path(name: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"]'

"""Which rows of the table have a target in the character, which of these will move, and what is left out and why."""

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
    """How many shape keys and bones move, and what does not and why.

    left  one entry for each, as "target (reason, and what to do)"
    """

    shape_keys: int
    bones: int
    left: tuple[str, ...]

    def reasons(self) -> dict[str, list[str]]:
        """Return the targets that do not move, by reason."""
        out: dict[str, list[str]] = {}
        for entry in self.left:
            target, _, why = entry.removesuffix(")").rpartition(" (")
            out.setdefault(why, []).append(target)
        return out

    def __str__(self) -> str:
        parts = [f"{self.shape_keys} shape keys"] * bool(self.shape_keys) + [f"{self.bones} bones"] * bool(self.bones)
        return " and ".join(parts) or "nothing that moves"


class Plan:
    """The rows that have a target: ``shapes`` by Key and key name, ``bones`` by name; ``left`` says what does not move.

    live  the character is moved by drivers, which the NLA does not hold back

    A target that something in the file holds still, such as a muted shape key, is keyed all the same and moves as soon
    as the artist lets it. It does not count. Raises InputError when no row has a target.
    """

    def __init__(self, character: Character, rows: Sequence[Row], live: bool = False) -> None:
        self.shapes: dict[bpy.types.Key, dict[str, list[Row]]] = {}
        self.bones: dict[str, list[Row]] = {}
        self.left: list[str] = []
        self._still_shapes: set[tuple[bpy.types.Key, str]] = set()
        self._still_bones = False
        usable = self._usable(character)
        asked = [row for row in rows if row.enabled]
        driven = {block: _driven_paths(block) for block in usable}
        for row in asked:
            if not CHANNELS[row.channel]:
                self._leave(row.target, "not read from footage")
            elif row.kind == SHAPE_KEY:
                self._plan_shape(character, row, driven)
            else:
                self._plan_bone(character, row, driven)
        if not self.shapes and not self.bones:
            why = f": {self.left[0]}" if self.left else ""
            raise InputError(f"nothing in the table has a target in this character{why}")
        for key in self.shapes:
            self._find_still_shapes(character, key, live)
        armature = character.armature
        if self.bones and armature is not None and not live and _solo_track(armature):
            self._still_bones = True
            self._leave(f"all bones of '{armature.name}'", _SOLO)

    def _leave(self, target: str, why: str) -> None:
        entry = f"{target} ({why})"
        if entry not in self.left:
            self.left.append(entry)

    def _usable(self, character: Character) -> list[bpy.types.ID]:
        """Return the blocks that can be edited; say which cannot, and raise InputError where none can."""
        usable: list[bpy.types.ID] = []
        for mesh in character.meshes:
            key = mesh.data.shape_keys
            if key in usable:
                continue
            if key.library is None and key.is_editable:
                usable.append(key)
            elif mesh.library is None:
                self._leave(
                    f"'{mesh.name}'",
                    "its mesh is still linked from another file: make a library override of the mesh too, or make it "
                    "local",
                )
            else:
                self._leave(f"'{mesh.name}'", "linked from another file: make it local, or override object and mesh")
        armature = character.armature
        if armature is not None:
            if armature.library is None and armature.is_editable:
                usable.append(armature)
            else:
                self._leave(f"'{armature.name}'", "linked from another file: make it local or override it")
        if not usable and self.left:
            raise InputError(self.left[0])
        return usable

    def _plan_shape(self, character: Character, row: Row, driven: Mapping[bpy.types.ID, set[str]]) -> None:
        holders = [key for key in character.keys if row.target in key.key_blocks]
        editable = [key for key in holders if key in driven]
        free = [key for key in editable if key_path(row.target) not in driven[key]]
        for key in free:
            self.shapes.setdefault(key, {}).setdefault(row.target, []).append(row)
        if not holders:
            self._leave(row.target, "no such shape key")
        elif editable and not free:
            self._leave(row.target, "it has a driver of its own")

    def _plan_bone(self, character: Character, row: Row, driven: Mapping[bpy.types.ID, set[str]]) -> None:
        armature = character.armature
        if armature is None or row.target not in armature.pose.bones:
            self._leave(row.target, "no such bone")
        elif armature not in driven:
            return  # said once for the whole armature
        elif any(path.startswith(bone_path(row.target) + ".") for path in driven[armature]):
            self._leave(row.target, "it has a driver of its own")
        else:
            self.bones.setdefault(row.target, []).append(row)

    def _find_still_shapes(self, character: Character, key: bpy.types.Key, live: bool) -> None:
        """Note which planned shape keys of a mesh cannot be seen to move, and say why."""
        names = self.shapes[key]
        users = [mesh for mesh in character.meshes if mesh.data.shape_keys == key]
        label = f"all shape keys of '{users[0].name}'"
        if not key.use_relative:
            self._leave(label, "they are absolute: switch on Relative in its Shape Keys panel")
            self._still_shapes |= {(key, name) for name in names}
        elif not live and _solo_track(key):
            self._leave(label, _SOLO)
            self._still_shapes |= {(key, name) for name in names}
        elif all(mesh.show_only_shape_key for mesh in users):
            self._leave(label, "it shows its active shape key alone: switch off Solo Active Shape Key")
            self._still_shapes |= {(key, name) for name in names}
        else:
            for name in names:
                if key.key_blocks[name].mute:
                    self._leave(name, "muted: tick it in the Shape Keys panel")
                    self._still_shapes.add((key, name))

    def report(self) -> Report:
        """Count what moves."""
        shapes = sum(map(len, self.shapes.values())) - len(self._still_shapes)
        return Report(shapes, 0 if self._still_bones else len(self.bones), tuple(self.left))


_SOLO = "a solo NLA track plays instead of the keys: switch its star off in the Nonlinear Animation editor"


def _solo_track(block: bpy.types.ID) -> bool:
    """Return whether the NLA of a block plays one track alone."""
    data = block.animation_data
    return data is not None and data.use_nla and any(track.is_solo for track in data.nla_tracks)


def _driven_paths(block: bpy.types.ID) -> set[str]:
    """Return the data paths that drivers other than ours move in a block."""
    data = block.animation_data
    ours = {path for path, _ in state_of(block).get("drivers", [])}
    return {curve.data_path for curve in data.drivers} - ours if data is not None else set()


def key_path(name: str) -> str:
    """Return the data path of a shape key's value, seen from its Key."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def bone_path(name: str) -> str:
    """Return the data path of a pose bone, seen from its object."""
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"]'

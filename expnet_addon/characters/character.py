"""What a performance is retargeted to: meshes with shape keys and the armature they hang on. The panel asks this module
at every redraw, so it needs no numpy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from ..scene.heads import has_shape_keys

BEFORE = "expnet_before"  # on a data-block: what a retarget found there


@dataclass(frozen=True)
class Character:
    """What is retargeted to: meshes with shape keys, and the armature whose bones follow, if any."""

    meshes: tuple[bpy.types.Object, ...]
    armature: bpy.types.Object | None = None

    @property
    def keys(self) -> list[bpy.types.Key]:
        """The meshes' shape keys, each once though objects may share them."""
        return list(dict.fromkeys(mesh.data.shape_keys for mesh in self.meshes if mesh.data.shape_keys))

    @property
    def blocks(self) -> list[bpy.types.ID]:
        return [*self.keys, *([self.armature] if self.armature else [])]


def character_of(obj: bpy.types.Object, others: Iterable[bpy.types.Object] = ()) -> Character:
    """The character that ``obj``, a mesh or an armature, belongs to, with ``others``.

    An armature brings its meshes along, a mesh the armature that deforms it.
    """
    chosen = list(dict.fromkeys([obj, *others]))
    armature = next((o for o in chosen if o.type == "ARMATURE"), None)
    meshes = [o for o in chosen if has_shape_keys(o)]
    if armature is None:
        armature = next((found for mesh in meshes if (found := _deformer(mesh))), None)
    if obj.type == "ARMATURE":
        meshes += [o for o in bpy.data.objects if has_shape_keys(o) and _deformer(o) == armature and o not in meshes]
    return Character(tuple(meshes), armature)


def _deformer(mesh: bpy.types.Object) -> bpy.types.Object | None:
    for modifier in mesh.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            return modifier.object
    parent = mesh.parent
    return parent if parent is not None and parent.type == "ARMATURE" else None


def is_retargeted(character: Character) -> bool:
    """Whether a retarget is on the character."""
    return any(BEFORE in block for block in character.blocks)


def state_of(block: bpy.types.ID) -> dict[str, Any]:
    """What a retarget remembered on a data-block; empty where there is none."""
    try:
        state = json.loads(block.get(BEFORE, "{}"))
    except (TypeError, ValueError):  # an artist's own property of that name
        state = {}
    return state if isinstance(state, dict) else {}

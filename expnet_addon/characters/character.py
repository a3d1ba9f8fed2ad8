"""A character: meshes with shape keys, and the armature that deforms them.

The panel uses this module at every redraw, so it needs no numpy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Vector

from ..scene.heads import has_shape_keys

BEFORE = "expnet_before"  # on a data-block: what a retarget found there


@dataclass(frozen=True)
class Character:
    """Meshes with shape keys, and the armature whose bones follow, if any."""

    meshes: tuple[bpy.types.Object, ...]
    armature: bpy.types.Object | None = None

    @property
    def keys(self) -> list[bpy.types.Key]:
        """Return the meshes' shape keys; objects that share a mesh share one entry."""
        return list(dict.fromkeys(mesh.data.shape_keys for mesh in self.meshes if mesh.data.shape_keys))

    @property
    def blocks(self) -> list[bpy.types.ID]:
        return [*self.keys, *([self.armature] if self.armature else [])]


def character_of(obj: bpy.types.Object, others: Iterable[bpy.types.Object] = ()) -> Character:
    """Return the character that ``obj``, a mesh or an armature, belongs to.

    others  meshes that the artist names: with any, the character has these and ``obj`` only

    Otherwise a mesh brings the other meshes of its head along: those of its armature, those below it or beside it in
    the hierarchy, and loose meshes at the same place with shape keys of the same names. An armature brings its meshes.
    """
    chosen = list(dict.fromkeys([obj, *others]))
    armature = next((o for o in chosen if o.type == "ARMATURE"), None)
    meshes = [o for o in chosen if has_shape_keys(o)]
    if armature is None:
        armature = next((found for mesh in meshes if (found := deforming_armature(mesh))), None)
    if len(chosen) == 1 or obj.type == "ARMATURE":
        found = _meshes_of_armature(obj) if obj.type == "ARMATURE" else _meshes_of_head(obj)
        meshes += [mesh for mesh in found if mesh not in meshes]
    if armature is None:
        armature = next((found for mesh in meshes if (found := deforming_armature(mesh))), None)
    return Character(tuple(meshes), armature)


def parts_without_shape_keys(character: Character) -> list[bpy.types.Object]:
    """Return the meshes that move with a character but have no shape keys to drive: eyeballs, body, hair."""

    def belongs(obj: bpy.types.Object) -> bool:
        if character.armature is not None and deforming_armature(obj) == character.armature:
            return True
        above = obj.parent
        while above is not None and above not in character.meshes:
            above = above.parent
        return above is not None

    return [o for o in bpy.data.objects if o.type == "MESH" and o not in character.meshes and belongs(o)]


def deforming_armature(mesh: bpy.types.Object) -> bpy.types.Object | None:
    """Return the armature that deforms a mesh or one of its parents, or that is one of its parents."""
    above: bpy.types.Object | None = mesh
    while above is not None:
        if above.type == "ARMATURE":
            return above
        for modifier in above.modifiers:
            if modifier.type == "ARMATURE" and modifier.object is not None:
                return modifier.object
        above = above.parent
    return None


def _meshes_of_armature(armature: bpy.types.Object) -> list[bpy.types.Object]:
    meshes = [o for o in bpy.data.objects if has_shape_keys(o) and deforming_armature(o) == armature]
    return list(dict.fromkeys([*meshes, *(_meshes_of_head(meshes[0]) if meshes else [])]))


def _meshes_of_head(mesh: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the other meshes with shape keys that belong to the head of which ``mesh`` is one."""
    armature, top = deforming_armature(mesh), _top(mesh)
    named = top if has_shape_keys(top) else mesh

    def belongs(other: bpy.types.Object) -> bool:
        others = deforming_armature(other)
        if others is not None:
            return bool(others == armature)
        if _top(other) == top:
            return True
        return top.parent is None and top.type == "MESH" and other.parent is None and _is_loose_part(named, other)

    return [o for o in bpy.data.objects if o != mesh and has_shape_keys(o) and belongs(o)]


def _top(obj: bpy.types.Object) -> bpy.types.Object:
    """Return the parent of the highest mesh above an object, or that mesh where it has no parent."""
    top, above = obj, obj.parent
    while above is not None:
        if above.type == "MESH":
            top = above
        above = above.parent
    return top.parent if top.parent is not None else top


def _is_loose_part(mesh: bpy.types.Object, other: bpy.types.Object) -> bool:
    return _same_names(mesh, other) and _near(mesh, other)


def _near(mesh: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Return whether the boxes around two objects touch, with a tenth of the larger one's size between them."""
    boxes = [[o.matrix_world @ Vector(corner) for corner in o.bound_box] for o in (mesh, other)]
    low, high = ([Vector(map(pick, zip(*box))) for box in boxes] for pick in (min, max))
    gap = 0.1 * max((b - a).length for a, b in zip(low, high))
    return all(max(low[0][i], low[1][i]) <= min(high[0][i], high[1][i]) + gap for i in range(3))


def _same_names(mesh: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Return whether two meshes share the name of a shape key, a prefix such as ``blendShape1.`` left out."""
    first, second = ({_bare(b.name) for b in list(o.data.shape_keys.key_blocks)[1:]} for o in (mesh, other))
    return bool(first & second)


def _bare(name: str) -> str:
    return _COPY.sub("", name).rpartition(".")[2].casefold()


_COPY = re.compile(r"\.\d{3,}$")  # Blender's number of a copy


def is_retargeted(character: Character) -> bool:
    """Return whether the character has been retargeted."""
    return any(BEFORE in block for block in character.blocks)


def state_of(block: bpy.types.ID) -> dict[str, Any]:
    """Return what a retarget stored on a data-block; empty where there is none."""
    try:
        state = json.loads(block.get(BEFORE, "{}"))
    except (TypeError, ValueError):  # an artist's own property with that name
        state = {}
    return state if isinstance(state, dict) else {}

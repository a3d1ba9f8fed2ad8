"""Which objects are the artist's head. The panel calls it at every redraw, so it needs no numpy."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
from mathutils import Vector

from ...model.errors import InputError
from ..scene.heads import is_rig

POINT = "expnet_point"  # on an empty: the point that it marks
NEAR = 0.1  # of the larger object's size: a gap between two parts of one head


def own_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the head that the active object is, or is a part or a point of; None for anything else."""
    active = context.active_object
    if active is None:
        return None
    if POINT in active and active.parent is not None:
        active = active.parent
    if active.type != "MESH" or is_rig(active):
        return None
    if active.expnet_own_head.parts:
        return active
    for obj in context.scene.objects:
        if any(part.mesh == active for part in obj.expnet_own_head.parts):
            return obj
    return active


def parts_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the meshes of a head, the head first: those in its list that still exist."""
    found = [part.mesh for part in head.expnet_own_head.parts if part.mesh is not None]
    return list(dict.fromkeys([head, *found]))


def choose_parts(context: bpy.types.Context) -> bpy.types.Object:
    """Fill the list of parts of the head that is selected, and return its object, the largest mesh.

    Several selected meshes are the head, with what is parented to them. A single one brings along the meshes of its
    family and those of its collection that are close to it. A list that is there stays, unless several are selected.
    Raises InputError, with nothing changed, if no head is selected.
    """
    active = own_head(context)
    selected = [obj for obj in context.selected_objects if _is_part(obj)]
    if active is None and not selected:
        raise InputError(_why_not(context.active_object))
    several = len(selected) > 1 and any(obj not in (parts_of(active) if active else []) for obj in selected)
    if active is not None and active.expnet_own_head.parts and not several:
        return active
    found = _with_children(selected) if len(selected) > 1 else _belonging(context, active or selected[0])
    return set_parts(found)


def set_parts(objects: Iterable[bpy.types.Object]) -> bpy.types.Object:
    """Make a list of parts of these meshes, and return the object that has it, the largest. Raises InputError."""
    found = largest_first(objects)
    before = {part.mesh: part.kind for obj in found for part in obj.expnet_own_head.parts}
    for obj in found:
        obj.expnet_own_head.parts.clear()
    for obj in found:
        part = found[0].expnet_own_head.parts.add()
        part.mesh, part.kind = obj, before.get(obj, "AUTO")
    return found[0]


def largest_first(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """Return the meshes of a head, the largest first. Raises InputError for what is no mesh."""
    found = list(dict.fromkeys(objects))
    for obj in found:
        if not _is_part(obj):
            raise InputError(_why_not(obj))
    if not found:
        raise InputError(_why_not(None))
    head = max(found, key=_size)
    return [head, *(each for each in found if each != head)]


def kinds_of(parts: Iterable[bpy.types.Object]) -> list[str]:
    """Return what the artist says each part is, ``auto`` where nothing is said."""
    parts = list(parts)
    said = {part.mesh: part.kind for part in parts[0].expnet_own_head.parts} if listed(parts[0]) else {}
    lower = [said.get(obj, "AUTO").lower() for obj in parts]
    return [f"{kind[:-1]}{kind[-1].upper()}" if kind.startswith("eye_") else kind for kind in lower]


def listed(head: bpy.types.Object) -> bool:
    """Return whether the head has settings with a list of its parts: not in a script without the registered panel."""
    return hasattr(head, "expnet_own_head") and bool(head.expnet_own_head.parts)


def _is_part(obj: bpy.types.Object) -> bool:
    return obj.type == "MESH" and not is_rig(obj)


def _why_not(obj: bpy.types.Object | None) -> str:
    if obj is None:
        return "Select the mesh of your head"
    if obj.type == "MESH":
        return f"'{obj.name}' is a face of ExpNet, which has its keys: select a head of your own"
    return f"'{obj.name}' is no mesh: select the mesh of your head"


def _with_children(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    found = dict.fromkeys(objects)
    for obj in list(found):
        found.update(dict.fromkeys(child for child in obj.children_recursive if _is_part(child)))
    return list(found)


def _belonging(context: bpy.types.Context, obj: bpy.types.Object) -> list[bpy.types.Object]:
    """Return ``obj`` with its family, and the meshes of its collections that are close to it and visible."""
    top = obj
    while top.parent is not None:
        top = top.parent
    family = [each for each in (top, *top.children_recursive) if _is_part(each)]
    own = [each for collection in obj.users_collection for each in collection.objects]
    close = [each for each in own if _is_part(each) and each.visible_get() and _near(obj, each)]
    shown = [each for each in family if each == obj or each.visible_get()]
    return list(dict.fromkeys([obj, *shown, *close]))


def _near(obj: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Return whether the box of ``other`` touches that of ``obj`` and is not much larger."""
    (low, high), (other_low, other_high) = _box(obj), _box(other)
    gap = NEAR * max(high - low)
    close = all(max(low[i], other_low[i]) <= min(high[i], other_high[i]) + gap for i in range(3))
    return close and max(other_high - other_low) < 3 * max(high - low)


def _box(obj: bpy.types.Object) -> tuple[Vector, Vector]:
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    return Vector(map(min, zip(*corners))), Vector(map(max, zip(*corners)))


def _size(obj: bpy.types.Object) -> float:
    low, high = _box(obj)
    return float((high - low).length)

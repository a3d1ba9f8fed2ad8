"""The points of a head's face as empties, which the artist moves and which stay on the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
from mathutils import Vector

from ...model.errors import InputError
from ...model.own_head.point_names import LABELS, REQUIRED
from .chosen import POINT

SIZE = 0.008  # of a handle, relative to the head's height
COLLECTION = "ExpNet Points"


def handles_of(head: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """Return the head's handles by the names of their points."""
    return {obj[POINT]: obj for obj in head.children if obj.type == "EMPTY" and isinstance(obj.get(POINT), str)}


def places_of(head: bpy.types.Object) -> dict[str, tuple[float, float, float]]:
    """Return where the head's handles are in the world, by the names of their points."""
    bpy.context.view_layer.update()
    return {name: tuple(obj.matrix_world.translation) for name, obj in handles_of(head).items()}


def missing_of(head: bpy.types.Object) -> list[str]:
    """Return what the points are called that the head lacks, of those without which no keys can be made."""
    there = handles_of(head)
    return [LABELS[name] for name in REQUIRED if name not in there]


def place(head: bpy.types.Object, name: str, at: Sequence[float]) -> bpy.types.Object:
    """Put a handle at a place (world) on the head's surface: a new one, or the one that is there."""
    handle = handles_of(head).get(name)
    if handle is None:
        handle = bpy.data.objects.new(LABELS[name], None)
        handle[POINT] = name
        handle.empty_display_type, handle.show_in_front = "SPHERE", True
        handle.empty_display_size = SIZE * max(1e-9, _height(head)) / max(1e-9, max(head.matrix_world.to_scale()))
        _collection().objects.link(handle)
        handle.parent = head
        snap = handle.constraints.new("SHRINKWRAP")
        snap.name, snap.target, snap.shrinkwrap_type = "On the Surface", head, "NEAREST_SURFACE"
    handle.matrix_parent_inverse.identity()
    handle.location = head.matrix_world.inverted_safe() @ Vector(at)
    return handle


def place_all(head: bpy.types.Object, found: Mapping[str, Sequence[float]]) -> None:
    """Replace the head's handles by ``found``, places in the world by name."""
    remove_all(head)
    for name, at in found.items():
        place(head, name, at)


def remove(head: bpy.types.Object, name: str) -> None:
    """Remove a handle, if it is there."""
    handle = handles_of(head).get(name)
    if handle is not None:
        bpy.data.objects.remove(handle)
        _remove_empty_collection()


def remove_all(head: bpy.types.Object) -> int:
    """Remove the head's handles, and return how many there were."""
    handles = handles_of(head)
    for handle in handles.values():
        bpy.data.objects.remove(handle)
    _remove_empty_collection()
    return len(handles)


def hit_from_view(
    head: bpy.types.Object, context: bpy.types.Context, origin: Vector, direction: Vector
) -> Vector | None:
    """Return the place (world) where a ray from the view meets the head's surface, or None."""
    evaluated = head.evaluated_get(context.evaluated_depsgraph_get())
    back = head.matrix_world.inverted_safe()
    local = back @ origin
    towards = (back @ (origin + direction) - local).normalized()
    hit, at, _, _ = evaluated.ray_cast(local, towards)
    return head.matrix_world @ at if hit else None


def nearest_on(head: bpy.types.Object, context: bpy.types.Context, at: Sequence[float]) -> Vector:
    """Return the place (world) on the head's surface that is nearest to ``at``. Raises InputError without a surface."""
    evaluated = head.evaluated_get(context.evaluated_depsgraph_get())
    hit, place, _, _ = evaluated.closest_point_on_mesh(head.matrix_world.inverted_safe() @ Vector(at))
    if not hit:
        raise InputError(f"'{head.name}' has no surface to put a point on: select the mesh of your head")
    return head.matrix_world @ place


def _height(head: bpy.types.Object) -> float:
    corners = [head.matrix_world @ Vector(corner) for corner in head.bound_box]
    return float(max(max(c[i] for c in corners) - min(c[i] for c in corners) for i in range(3)))


def _collection() -> bpy.types.Collection:
    collection = bpy.data.collections.get(COLLECTION)
    if collection is None or collection.library is not None:
        collection = bpy.data.collections.new(COLLECTION)
    root = bpy.context.scene.collection
    if collection not in list(root.children_recursive):
        root.children.link(collection)
    return collection


def _remove_empty_collection() -> None:
    collection = bpy.data.collections.get(COLLECTION)
    if collection is not None and collection.library is None and not collection.all_objects:
        bpy.data.collections.remove(collection)

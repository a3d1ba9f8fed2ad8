"""Objects that are hidden, excluded or not selectable, shown for a while: Blender's exporters work on the selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import bpy

from ...model.errors import InputError

Undo = Callable[[], None]


def show(context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> list[Undo]:
    """Make objects visible and selectable in the context's view layer; return how to undo it.

    Raises InputError, with nothing changed, where there are no objects or one is not in the scene.
    """
    scene, layer = context.scene, context.view_layer
    if not objects:
        raise InputError("there is no object to export")
    for obj in objects:
        if scene.objects.get(obj.name) != obj:
            raise InputError(f"'{obj.name}' is not in the scene '{scene.name}': link it to a collection of the scene")
    undo = [_keep_exclusions(layer.layer_collection)]
    wanted = set(objects)
    for layer_collection in _walk(layer.layer_collection):
        collection = layer_collection.collection
        if wanted.isdisjoint(collection.all_objects):
            continue
        for owner, name in (
            (layer_collection, "exclude"), (layer_collection, "hide_viewport"),
            (collection, "hide_viewport"), (collection, "hide_select"),
        ):  # fmt: skip
            _change(undo, owner, name, False)
    for obj in objects:
        _change(undo, obj, "hide_viewport", False)
        _change(undo, obj, "hide_select", False)
    layer.update()
    for obj in objects:
        if obj.hide_get():
            undo.append(partial(obj.hide_set, True))
            obj.hide_set(False)
    layer.update()
    return undo


def restore(undo: Sequence[Undo]) -> None:
    """Bring back what ``show`` changed, the last first."""
    for step in reversed(undo):
        step()


def _walk(layer_collection: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    yield layer_collection
    for child in layer_collection.children:
        yield from _walk(child)


def _keep_exclusions(root: bpy.types.LayerCollection) -> Undo:
    """Return how to bring back which collections are excluded, from the top: a collection takes its children along."""
    before = [(each, each.exclude) for each in _walk(root) if each != root]

    def undo() -> None:
        for each, excluded in before:
            if each.exclude != excluded:
                each.exclude = excluded

    return undo


def _keep(owner: bpy.types.bpy_struct, name: str) -> Undo:
    value = getattr(owner, name)
    return lambda: setattr(owner, name, value)


def _change(undo: list[Undo], owner: bpy.types.bpy_struct, name: str, value: bool) -> None:
    if getattr(owner, name) != value:
        undo.append(_keep(owner, name))
        setattr(owner, name, value)

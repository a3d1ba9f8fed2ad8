"""Temporarily show hidden, excluded or unselectable objects: Blender's exporters work on the selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import bpy

from ...model.errors import InputError

Undo = Callable[[], None]


def show(context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> list[Undo]:
    """Make objects visible and selectable in the context's view layer. Returns the steps that undo it.

    Raises InputError, with nothing changed, if ``objects`` is empty or an object is not in the scene.
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
    """Undo the changes of ``show``, in reverse order."""
    for step in reversed(undo):
        step()


def _walk(layer_collection: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    yield layer_collection
    for child in layer_collection.children:
        yield from _walk(child)


def _keep_exclusions(root: bpy.types.LayerCollection) -> Undo:
    """Return a function that restores the excluded collections, parents first: excluding one excludes its children."""
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

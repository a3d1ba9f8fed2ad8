"""The panels. They draw properties and the running task's progress, and compute nothing."""

from __future__ import annotations

import bpy

from . import (
    compare,
    confidence,
    engine,
    footage_overlay,
    keys,
    live,
    own_head,
    poses,
    presets,
    render,
    retarget,
    sidebar,
    takes,
)

# In the order in which the tab shows them
CLASSES = (
    *presets.CLASSES,
    *takes.CLASSES,
    *sidebar.CLASSES,
    *live.CLASSES,
    *keys.CLASSES,
    *confidence.CLASSES,
    *compare.CLASSES,
    *engine.CLASSES,
    *retarget.CLASSES,
    *own_head.CLASSES,
    *poses.CLASSES,
    *render.CLASSES,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    footage_overlay.register()


def unregister() -> None:
    footage_overlay.unregister()
    _unregister_classes()

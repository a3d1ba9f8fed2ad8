"""The panels. They draw properties and the running task's progress, and compute nothing."""

from __future__ import annotations

import bpy

from . import engine, retarget, sidebar, takes

register, unregister = bpy.utils.register_classes_factory(
    (*takes.CLASSES, *sidebar.CLASSES, *engine.CLASSES, *retarget.CLASSES)
)

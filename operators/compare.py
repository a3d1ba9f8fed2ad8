"""Operators that compare footage and head."""

from __future__ import annotations

import bpy

from ..expnet_addon.scene import compare
from .reporting import reports


class EXPNET_OT_toggle_footage(bpy.types.Operator):
    bl_idname = "expnet.toggle_footage"
    bl_label = "Toggle Head and Footage"
    bl_description = "Show the footage alone, or head and footage as Compare says"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_footage(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        look = context.scene.expnet.compare
        look.footage_only = not look.footage_only
        return {"FINISHED"}


class EXPNET_OT_open_footage_beside(bpy.types.Operator):
    bl_idname = "expnet.open_footage_beside"
    bl_label = "Open Footage Beside"
    bl_description = "Split the 3D view and show the footage in a Movie Clip editor, in step with the scene's frame"
    bl_options = {"REGISTER"}  # the .blend's data is not changed

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("Use it in a 3D view")
            return False
        return _has_footage(cls, context)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return compare.open_beside(context.window, context.area)


def _has_footage(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if context.scene is None or compare.footage_of(context.scene) is None:
        operator.poll_message_set("Animate the face from footage first")
        return False
    return True


CLASSES = (EXPNET_OT_toggle_footage, EXPNET_OT_open_footage_beside)

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.properties import preferences
from .task import TaskOperator, idle


class EXPNET_OT_try_it(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.try_it"
    bl_label = "Try It"
    bl_description = "Add a head and animate it with the clip that comes with the extension"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import try_it

        return try_it.try_it(context.scene, preferences.device())

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.engine.tasks import Task
from .task import TaskOperator, idle, is_there


class EXPNET_OT_add_face(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.add_face"
    bl_label = "Add Face"
    bl_description = "Add a head with expression shape keys, made from the chosen face model"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return is_there(cls, context.scene.expnet.chosen_head()) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import capture

        return capture.add_face(context.scene, context.scene.expnet.chosen_head().path)

from __future__ import annotations

import bpy

from ..expnet_addon import capture, chosen
from ..expnet_addon.tasks import Task
from .task import TaskOperator, has_face, idle, is_there, seeing


class EXPNET_OT_estimate_expression(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.estimate_expression"
    bl_label = "Estimate Expression"
    bl_description = "Read the expression in the source image and key it on the face at the current frame"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.expnet.source:
            cls.poll_message_set("Choose an image as the source first")
            return False
        return is_there(cls, context.scene.expnet.chosen_network()) and has_face(cls, context) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task:
        settings = context.scene.expnet
        return capture.estimate_image(
            context.scene, chosen.face(context), settings.source_path(), seeing(settings), settings.identity
        )

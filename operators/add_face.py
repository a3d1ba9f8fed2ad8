from __future__ import annotations

import bpy

from ..expnet_addon import capture
from ..expnet_addon.tasks import Task
from ..model.errors import InputError
from .task import TaskOperator, idle


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
        settings = context.scene.expnet
        if settings.face_model == "FILE" and not settings.face_model_path:
            cls.poll_message_set("Choose the face model's file first")
            return False
        return idle(cls)

    def task(self, context: bpy.types.Context) -> Task:
        settings = context.scene.expnet
        if not settings.face_model_name():
            raise InputError("No face model is given: choose its file")
        return capture.add_face(context.scene, settings.face_model_name())

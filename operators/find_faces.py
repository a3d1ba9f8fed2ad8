from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.capture import chosen, faces
from ..expnet_addon.engine.tasks import Task
from .task import TaskOperator, estimator_options, has_source, idle, is_there


class EXPNET_OT_find_faces(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.find_faces"
    bl_label = "Find Faces"
    bl_description = "Show the faces in the first picture of the source, to choose from"
    bl_options = {"REGISTER"}  # the .blend is not changed

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_source(cls, context) and is_there(cls, context.scene.expnet.chosen_network()) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        return faces.find_faces(chosen.source_in_range(context), estimator_options(context.scene.expnet))

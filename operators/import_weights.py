from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.engine import packs
from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.properties import preferences
from .task import TaskOperator, idle


class EXPNET_OT_import_weights(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.import_weights"
    bl_label = "Import Weights"
    bl_description = (
        "Check the authors' own networks in the release's folder and convert them, once, to the official pack"
    )
    bl_options = {"REGISTER"}  # preferences are not in the .blend: there is nothing to undo

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not preferences.release()[0]:
            cls.poll_message_set("Choose the folder of the ExpNet release first")
            return False
        return idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        return packs.import_weights(*preferences.release(), keep=preferences.keep_official)

    def keep(self, context: bpy.types.Context, result: str) -> None:
        preferences.keep_import_report(result)

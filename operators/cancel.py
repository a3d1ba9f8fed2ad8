from __future__ import annotations

import bpy

from ..expnet_addon.engine import tasks


class EXPNET_OT_cancel(bpy.types.Operator):
    bl_idname = "expnet.cancel"
    bl_label = "Cancel"
    bl_description = "Stop reading the footage. Nothing is changed in the scene"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if tasks.under_way() is None:
            cls.poll_message_set("Nothing is under way")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        tasks.cancel()  # the modal operator checks this and ends
        return {"FINISHED"}

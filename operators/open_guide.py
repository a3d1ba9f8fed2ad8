from __future__ import annotations

import bpy

from .reporting import reports


class EXPNET_OT_open_guide(bpy.types.Operator):
    bl_idname = "expnet.open_guide"
    bl_label = "Open Guide"
    bl_description = "Show the guide of the extension in the web browser. It is on this computer"
    bl_options = {"REGISTER"}  # the .blend is not changed

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.window_manager is not None

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.user_files import guide

        bpy.ops.wm.url_open(url=guide.written_guide().as_uri())
        return ""

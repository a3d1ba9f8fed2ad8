from __future__ import annotations

import bpy

from .reporting import reports
from .take_operator import TakeOperator, write_keys


class EXPNET_OT_apply_again(TakeOperator, bpy.types.Operator):
    bl_idname = "expnet.apply_again"
    bl_label = "Apply Again"
    bl_description = (
        "Write the take's keys anew from what the network saw, as the settings say. "
        "Keys that were changed, added or removed by hand stay as they are"
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        write_keys(context, discard=False)
        return ""

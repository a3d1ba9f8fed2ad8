from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take
from ..model.errors import InputError
from .reporting import reports
from .task import has_take, idle


class EXPNET_OT_apply_again(bpy.types.Operator):
    bl_idname = "expnet.apply_again"
    bl_label = "Apply Again"
    bl_description = (
        "Write the take's keys anew from what the network saw, as the settings say. "
        "Keys that were changed, added or removed by hand stay as they are"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context) and idle(cls)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import take_keys

        action = current_take.take_of(chosen.face(context))
        assert action is not None
        problem = take_keys.apply_again(action)
        if problem:
            raise InputError(problem)
        return ""

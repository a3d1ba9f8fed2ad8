from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take
from ..model.errors import InputError
from .reporting import reports
from .task import has_take, idle


class EXPNET_OT_discard_edits(bpy.types.Operator):
    bl_idname = "expnet.discard_edits"
    bl_label = "Discard Hand Edits"
    bl_description = (
        "Write all keys of the take anew from what the network saw. "
        "Keys that were changed, added or removed by hand are replaced"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context) and idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        confirmed: set[str] = context.window_manager.invoke_confirm(self, event)
        return confirmed

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import take_keys

        action = current_take.take_of(chosen.face(context))
        assert action is not None
        problem = take_keys.apply_again(action, discard=True)
        if problem:
            raise InputError(problem)
        return f"{action.name}: hand edits are discarded"

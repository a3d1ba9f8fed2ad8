from __future__ import annotations

import bpy

from .reporting import reports
from .take_operator import ConfirmedTakeOperator, write_keys


class EXPNET_OT_discard_edits(ConfirmedTakeOperator, bpy.types.Operator):
    bl_idname = "expnet.discard_edits"
    bl_label = "Discard Hand Edits"
    bl_description = (
        "Write all keys of the take again from the raw performance.  "
        "Keys that were changed, added or removed by hand are replaced"
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        action = write_keys(context, discard=True)
        return f"{action.name}: hand edits are discarded"

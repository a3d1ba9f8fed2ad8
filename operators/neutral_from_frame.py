from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from .reporting import reports
from .take_operator import TakeOperator


class EXPNET_OT_neutral_from_frame(TakeOperator, bpy.types.Operator):
    bl_idname = "expnet.neutral_from_frame"
    bl_label = "Neutral from Current Frame"
    bl_description = "Use the face in the footage at the current frame as the actor's face at rest"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import takes

        return takes.make_neutral(chosen.face(context), context.scene.frame_current_final)

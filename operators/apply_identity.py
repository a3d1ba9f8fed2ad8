from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from .reporting import reports
from .task import has_face, idle


class EXPNET_OT_apply_identity(bpy.types.Operator):
    bl_idname = "expnet.apply_identity"
    bl_label = "Apply Face Shape"
    bl_description = (
        "Shape the head by the numbers in its custom property 'alpha', after you changed them. Keys are kept"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_face(cls, context) and idle(cls)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import capture

        return capture.apply_identity(chosen.face(context))

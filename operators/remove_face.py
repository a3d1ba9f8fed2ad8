from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..expnet_addon.capture import chosen
from .reporting import of_scene, reports_in
from .task import has_face, idle


class EXPNET_OT_remove_face(bpy.types.Operator):
    bl_idname = "expnet.remove_face"
    bl_label = "Remove Face"
    bl_description = "Remove the head with its eyes, its root, its takes, their sound and markers"
    bl_options = {"REGISTER", "UNDO"}

    takes: BoolProperty(  # type: ignore[valid-type]
        name="Takes",
        description="Delete the head's takes, too. Off: they stay in the file as actions",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return has_face(cls, context) and idle(cls)

    @reports_in(of_scene)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import remove_head

        return remove_head.remove_head(context.scene, chosen.face(context), self.takes)

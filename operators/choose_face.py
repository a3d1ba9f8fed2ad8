from __future__ import annotations

import bpy


class EXPNET_OT_choose_face(bpy.types.Operator):
    bl_idname = "expnet.choose_face"
    bl_label = "Choose Face"
    bl_description = "Follow this face"
    bl_options = {"REGISTER", "UNDO"}

    face: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Face", description="Its place by size, from 0: the largest", min=0, options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.expnet
        settings.use_box, settings.face = False, self.face
        return {"FINISHED"}

"""Render the head from the panel, with light, a camera, and the footage if it is requested."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..expnet_addon.capture import chosen
from ..model.errors import InputError
from .task import has_face, idle


class EXPNET_OT_render_head(bpy.types.Operator):
    bl_idname = "expnet.render_head"
    bl_label = "Render"
    bl_description = "Render with the scene's camera and renderer"
    bl_options = {"REGISTER", "UNDO"}

    animation: BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="All frames of the scene's range instead of the current one",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        what = "Render the current frame"
        if properties.animation:
            what = "Render all frames of the scene's range to the folder of Output Properties"
        return f"{what}. A scene without lights or without a camera gets them first"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_face(cls, context) and idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._render(context, "EXEC_DEFAULT")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._render(context, "INVOKE_DEFAULT")

    def _render(self, context: bpy.types.Context, how: str) -> set[str]:
        from ..expnet_addon.scene import ready_to_render

        scene, settings = context.scene, context.scene.expnet
        try:
            message = ready_to_render.make_ready(scene, chosen.face(context), settings.render_footage)
            bpy.ops.render.render(how, animation=self.animation)
        except (InputError, RuntimeError) as error:  # Blender's own message: an output that cannot be written
            settings.result = str(error).strip().removeprefix("Error: ")
            self.report({"ERROR"}, settings.result)
            return {"CANCELLED"}
        if message:
            self.report({"INFO"}, message)
        return {"FINISHED"}

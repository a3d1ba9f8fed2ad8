"""The panel "Render": the head, with the footage behind it or without."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import compare
from .sidebar import Sidebar


class EXPNET_PT_render(Sidebar, bpy.types.Panel):
    bl_label = "Render"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return chosen.face(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        found = compare.footage_of(context.scene)
        row = layout.row()
        row.enabled = found is not None and found[0] == context.scene.camera
        row.prop(context.scene.expnet, "render_footage")
        row = layout.row(align=True)
        row.operator("expnet.render_head", text="Image", icon="RENDER_STILL").animation = False
        row.operator("expnet.render_head", text="Animation", icon="RENDER_ANIMATION").animation = True


CLASSES = (EXPNET_PT_render,)

"""The panel "Keys": each expression key of the take, on or off, with its gain and limits."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.engine import tasks
from ..expnet_addon.scene import current_take
from .sidebar import Sidebar


class EXPNET_UL_keys(bpy.types.UIList):
    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
    ) -> None:
        row = layout.row(align=True)
        row.prop(item, "on", text="")
        split = row.split(factor=0.6, align=True)
        split.active = item.on
        split.label(text=item.name, translate=False)
        split.prop(item, "gain", text="")


class EXPNET_PT_keys(Sidebar, bpy.types.Panel):
    bl_label = "Keys"
    bl_parent_id = "EXPNET_PT_take"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        action = current_take.take_of(chosen.face(context))
        return action is not None and bool(action.expnet.key_settings)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = tasks.under_way() is None
        action = current_take.take_of(chosen.face(context))
        assert action is not None
        take = action.expnet
        layout.template_list("EXPNET_UL_keys", "", take, "key_settings", take, "active_key", rows=6)
        if 0 <= take.active_key < len(take.key_settings):
            key = take.key_settings[take.active_key]
            row = layout.row(align=True)
            row.active = key.on
            row.prop(key, "low")
            row.prop(key, "high")
            layout.prop(key, "value", slider=True)
        layout.prop(context.scene.expnet, "x_mirror", icon="MOD_MIRROR", toggle=True)


CLASSES = (EXPNET_UL_keys, EXPNET_PT_keys)

"""The panel "Compare": how footage and head are shown together."""

from __future__ import annotations

import bpy

from ..expnet_addon.scene import compare
from .sidebar import Sidebar


class EXPNET_PT_compare(Sidebar, bpy.types.Panel):
    bl_label = "Compare"
    bl_parent_id = "EXPNET_PT_take"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return compare.footage_of(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, look = self.layout, context.scene.expnet.compare
        column = layout.column()
        column.active = not look.footage_only
        column.grid_flow(row_major=True, columns=2, even_columns=True, align=True).prop(look, "mode", expand=True)
        slider = {"BEHIND": "opacity", "OVER": "over_opacity", "WIPE": "wipe"}.get(look.mode)
        if slider:
            column.prop(look, slider)
        column = layout.column(align=True)
        column.operator("expnet.toggle_footage", icon="FILE_MOVIE", depress=look.footage_only)
        column.operator("expnet.open_footage_beside", icon="WINDOW")


CLASSES = (EXPNET_PT_compare,)

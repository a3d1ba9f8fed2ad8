"""The panel "Character": the active mesh or armature follows a head."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..expnet_addon.properties import character_settings as characters
from ..model.retargeting.row import BONE
from ..operators.retarget import is_character
from .sidebar import Sidebar
from .text import say


class EXPNET_UL_retarget(bpy.types.UIList):
    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
        index: int,
    ) -> None:
        row = layout.row(align=True)
        row.prop(item, "enabled", text="")
        row = row.row(align=True)
        row.active = item.enabled
        what = item.target or "?"
        what += "" if item.channel == item.target else f" ← {item.channel}"
        row.label(text=what, icon="BONE_DATA" if item.kind == BONE else "NONE", translate=False)
        if item.gain == 1 and not item.invert:
            return
        number = row.row(align=True)
        number.alignment = "RIGHT"
        number.ui_units_x = 3.2 if item.invert else 2.2
        number.label(text=f"{item.gain:.4g}", icon="ARROW_LEFTRIGHT" if item.invert else "NONE", translate=False)

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.PropertyGroup, property_name: str
    ) -> tuple[list[int], list[int]]:
        rows = getattr(data, property_name)
        wanted = self.filter_name.lower()
        if not wanted:
            return [], []
        shown = [self.bitflag_filter_item if wanted in f"{r.channel} {r.target}".lower() else 0 for r in rows]
        return shown, []


class EXPNET_MT_retarget_presets(bpy.types.Menu):
    bl_label = "Presets"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for path in characters.presets():
            layout.operator("expnet.load_retarget_preset", text=path.stem, translate=False).name = path.stem
        layout.separator()
        layout.operator("expnet.save_retarget_preset", icon="ADD")
        layout.operator("expnet.import_retarget_preset", icon="IMPORT")
        layout.operator("expnet.export_retarget_preset", icon="EXPORT")


class EXPNET_PT_character(Sidebar, bpy.types.Panel):
    bl_label = "Character"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if not is_character(context.object):
            say(layout, context, iface("Select a mesh with shape keys or an armature"), "INFO")
            return
        settings = context.object.expnet_character
        layout.label(text=context.object.name, icon=f"{context.object.type}_DATA", translate=False)
        layout.operator("expnet.drive_character", icon="PLAY")
        row = layout.row(align=True)
        row.prop(settings, "scheme", text="")
        row.operator("expnet.match_names")

        row = layout.row()
        row.template_list("EXPNET_UL_retarget", "", settings, "rows", settings, "active_row", rows=6)
        column = row.column(align=True)
        column.operator("expnet.retarget_row_add", text="", icon="ADD")
        column.operator("expnet.retarget_row_remove", text="", icon="REMOVE")
        column.separator()
        column.menu("EXPNET_MT_retarget_presets", text="", icon="PRESET")
        if 0 <= settings.active_row < len(settings.rows):
            self._draw_row(layout, settings.rows[settings.active_row])

        layout.operator("expnet.character_meshes", icon="MESH_DATA")
        column = layout.column(align=True)
        for item in settings.meshes:
            column.prop(item, "mesh", text="")

        column = layout.column()
        column.row().prop(settings, "source", expand=True)
        column.prop(settings, "face" if settings.source == "FACE" else "file", text="")
        row = column.row()
        row.prop(settings, "output", expand=True)
        layout.operator("expnet.retarget", icon="CON_TRANSLIKE")
        layout.operator("expnet.remove_retarget", icon="LOOP_BACK")
        say(layout, context, settings.result)

    @staticmethod
    def _draw_row(layout: bpy.types.UILayout, row: bpy.types.PropertyGroup) -> None:
        column = layout.column(align=True)
        column.row(align=True).prop(row, "kind", expand=True)
        column.prop(row, "channel")
        column.prop(row, "target")
        if row.kind == BONE:
            column.prop(row, "component", text="")
            column.row(align=True).prop(row, "axes", expand=True)
        numbers = column.row(align=True)
        numbers.prop(row, "gain")
        numbers.prop(row, "offset")
        numbers = column.row(align=True)
        numbers.prop(row, "low")
        numbers.prop(row, "high")
        column.prop(row, "invert")


class EXPNET_PT_live_link(Sidebar, bpy.types.Panel):
    bl_label = "Live Link Face"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("expnet.import_live_link", icon="IMPORT")
        self.layout.operator("expnet.export_live_link", icon="EXPORT")


CLASSES = (EXPNET_UL_retarget, EXPNET_MT_retarget_presets, EXPNET_PT_character, EXPNET_PT_live_link)

"""The panel "Keys on My Head": the parts of an artist's head, the points of its face, its keys."""

from __future__ import annotations

import bpy

from ..expnet_addon.engine import tasks
from ..expnet_addon.own_head import chosen
from .sidebar import Sidebar, draw_progress
from .text import say


class EXPNET_UL_head_keys(bpy.types.UIList):
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
        row.label(text=item.name, translate=False)
        row.prop(item, "strength", text="", slider=True)


class EXPNET_PT_own_head(Sidebar, bpy.types.Panel):
    bl_label = "Keys on My Head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        task = tasks.under_way()
        if task is not None:
            draw_progress(layout, context, task)
            return
        head = chosen.own_head(context)
        if head is None:
            say(layout, context, "Select the mesh of your head, with its eyes and teeth", "INFO")
            return
        settings = head.expnet_own_head
        layout.label(text=head.name, icon="MESH_DATA", translate=False)
        if settings.parts:
            _draw_parts(layout, settings)
        column = layout.column(align=True)
        column.operator("expnet.find_head_points", icon="VIEWZOOM")
        column.operator("expnet.click_head_points", icon="RESTRICT_SELECT_OFF")
        column.operator("expnet.remove_head_points", icon="X")
        if settings.parts:
            _say_points(layout, context, head)
        layout.row(align=True).prop(settings, "names", expand=True)
        row = layout.row()
        row.prop(settings, "symmetric")
        row.prop(settings, "without_eyes")
        layout.operator("expnet.make_head_keys", icon="SHAPEKEY_DATA")
        if settings.keys:
            layout.prop(settings, "preview", slider=True)
            layout.label(text=settings.previewed or "At rest", translate=False)
            layout.template_list("EXPNET_UL_head_keys", "", settings, "keys", settings, "active_key", rows=5)
        say(layout, context, context.scene.expnet.result)


def _draw_parts(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    for part in settings.parts:
        if part.mesh is None:
            continue
        row = column.row(align=True)
        row.label(text=part.mesh.name, translate=False)
        row.prop(part, "kind", text="")
        if part.kind == "AUTO" and part.guess:
            row.label(text=part.guess, translate=False)


def _say_points(layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Say how many points there are, and which are missing."""
    from ..expnet_addon.own_head import points  # numpy

    say(layout, context, f"{len(points.handles_of(head))} points", dim=True)
    missing = points.missing_of(head)
    if missing:
        say(layout, context, f"Missing: {', '.join(missing)}", "ERROR")


CLASSES = (EXPNET_UL_head_keys, EXPNET_PT_own_head)

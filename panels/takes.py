"""The list of a head's takes."""

from __future__ import annotations

from pathlib import PurePath

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take
from .text import say


class EXPNET_UL_takes(bpy.types.UIList):
    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.BlendData,
        item: bpy.types.Action,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
    ) -> None:
        row = layout.split(factor=0.68)  # the rest, which does not fit, stands below the list
        row.prop(item, "name", text="", emboss=False, icon="ACTION")
        first, last = item.frame_range
        row.label(text=f"{first:.0f}\u2013{last:.0f}", translate=False)

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.BlendData, property: str
    ) -> tuple[list[int], list[int]]:
        head = chosen.face(context)
        names = {action.name for action in current_take.takes_of(head)} if head is not None else set()
        wanted = self.filter_name.lower()
        return [
            self.bitflag_filter_item if action.name in names and wanted in action.name.lower() else 0
            for action in data.actions
        ], []


def draw_takes(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the list with its buttons."""
    row = layout.row()
    row.template_list("EXPNET_UL_takes", "", bpy.data, "actions", context.window_manager, "expnet_take", rows=3)
    column = row.column(align=True)
    column.operator("expnet.take_duplicate", text="", icon="DUPLICATE")
    column.operator("expnet.take_delete", text="", icon="X")
    column.separator()
    column.operator("expnet.take_push_down", text="", icon="NLA_PUSHDOWN")
    action = current_take.take_of(chosen.face(context))
    if action is not None:
        clip = PurePath(str(action.get(current_take.TAKE, ""))).name
        say(layout, context, ", ".join(each for each in (clip, action.expnet.made) if each), dim=True)


CLASSES = (EXPNET_UL_takes,)

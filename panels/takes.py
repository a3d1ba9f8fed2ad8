"""The list of a head's takes."""

from __future__ import annotations

from pathlib import PurePath

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take


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
        names = layout.split(factor=0.45)
        names.prop(item, "name", text="", emboss=False, icon="ACTION")
        facts = names.row()
        first, last = item.frame_range
        facts.label(text=f"{first:.0f}\u2013{last:.0f}", translate=False)
        clip = PurePath(str(item.get(current_take.TAKE, "")))
        if clip.stem != item.name:
            facts.label(text=clip.name, translate=False)
        facts.label(text=item.expnet.made[5:10], translate=False)  # month and day: the year does not fit

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
    row.template_list("EXPNET_UL_takes", "", bpy.data, "actions", context.scene.expnet, "take_index", rows=3)
    column = row.column(align=True)
    column.operator("expnet.take_duplicate", text="", icon="DUPLICATE")
    column.operator("expnet.take_delete", text="", icon="X")
    column.separator()
    column.operator("expnet.take_push_down", text="", icon="NLA_PUSHDOWN")


CLASSES = (EXPNET_UL_takes,)

"""What sees: the engine, its version and device, and a test of them."""

from __future__ import annotations

import textwrap

import bpy

from ..expnet_addon import engine_status, preferences
from .sidebar import InClipEditor, Sidebar

COLUMNS = 42  # of text, in a sidebar as wide as Blender makes it


class EnginePanel:
    layout: bpy.types.UILayout
    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        status = engine_status.status(preferences.worker_python(), preferences.device())
        column = layout.column(align=True)
        for i, line in enumerate(textwrap.wrap(status.line, COLUMNS)):
            icon = "BLANK1" if i else "CHECKMARK" if status.ready else "ERROR"
            column.label(text=line, icon=icon, translate=False)
        row = layout.row()
        row.operator("expnet.test_engine")
        if preferences.enabled():
            row.operator("preferences.addon_show", text="Preferences").module = preferences.PACKAGE


class EXPNET_PT_engine(Sidebar, EnginePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_capture"


class EXPNET_PT_clip_engine(InClipEditor, EnginePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_clip_capture"


CLASSES = (EXPNET_PT_engine, EXPNET_PT_clip_engine)

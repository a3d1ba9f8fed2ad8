"""The panel "Engine": the engine, its version, its device, and a test button."""

from __future__ import annotations

import bpy

from ..expnet_addon.engine import status as engine_status
from ..expnet_addon.properties import preferences
from .sidebar import InClipEditor, Sidebar
from .text import say


class EnginePanel:
    layout: bpy.types.UILayout
    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        status = engine_status.status(preferences.worker_python(), preferences.device())
        say(layout, context, status.line, "CHECKMARK" if status.ready else "ERROR")
        row = layout.row()
        row.operator("expnet.test_engine")
        if preferences.enabled():
            row.operator("preferences.addon_show", text="Preferences").module = preferences.PACKAGE


class EXPNET_PT_engine(Sidebar, EnginePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_capture"


class EXPNET_PT_clip_engine(InClipEditor, EnginePanel, bpy.types.Panel):
    bl_parent_id = "EXPNET_PT_clip_capture"


CLASSES = (EXPNET_PT_engine, EXPNET_PT_clip_engine)

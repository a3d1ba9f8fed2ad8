"""The panel "Live"."""

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.capture import watched
from ..expnet_addon.engine import tasks
from .text import say


class EXPNET_PT_live(bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ExpNet"
    bl_label = "Live"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.expnet.live
        task = tasks.under_way()
        if task is not None and task.title == "Live":
            _draw_running(layout, context, task)
            return
        column = layout.column()
        column.enabled = task is None
        column.row().prop(settings, "kind", expand=True)
        if settings.kind == "CAMERA":
            for camera in settings.cameras:
                row = column.row()
                row.label(text=f"{camera.number}: {camera.name}", icon="CAMERA_DATA", translate=False)
            row = column.row(align=True)
            row.prop(settings, "camera")
            row.operator("expnet.find_cameras", text="", icon="VIEWZOOM")
        elif settings.kind == "LIVELINK":
            column.prop(settings, "port")
            column.prop(settings, "network")
        column.prop(settings, "send")
        if settings.send != "NONE":
            row = column.row(align=True)
            row.prop(settings, "send_host", text="")
            row.prop(settings, "send_port", text="")
        column.prop(settings, "smoothing")
        column.prop(settings, "record")
        layout.operator("expnet.live", icon="PLAY")


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, task: Any) -> None:
    icon = watched.icon()
    if icon:
        layout.template_icon(icon, scale=6)
    row = layout.row(align=True)
    row.operator("expnet.live_pause", icon="PAUSE", depress=task.paused)
    row.operator("expnet.live_record", icon="REC", depress=task.recording)
    layout.operator("expnet.live_neutral", icon="USER")
    layout.operator("expnet.live_stop", icon="SNAP_FACE")
    say(layout, context, task.status)


CLASSES = (EXPNET_PT_live,)

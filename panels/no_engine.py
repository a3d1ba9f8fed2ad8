"""The note at the top of a panel where no engine is installed, with the buttons that get one."""

from __future__ import annotations

import bpy

from ..expnet_addon.engine import status as engine_status
from ..expnet_addon.engine import tasks
from ..expnet_addon.properties import preferences
from .text import say


def draw_without_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what is missing and *Install Runtime*, if there is no engine; else nothing."""
    status = engine_status.status(preferences.worker_python(), preferences.device())
    if status.ready:
        return
    box = layout.box()
    box.alert = True
    say(box, context, status.line, "ERROR")
    if tasks.under_way() is not None:
        return  # its progress is drawn below
    row = box.row()
    row.operator("expnet.install_runtime", icon="IMPORT")
    if preferences.enabled():
        row.operator("preferences.addon_show", text="Preferences").module = preferences.PACKAGE

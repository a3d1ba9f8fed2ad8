"""Runs inside the real Blender (``--python``): opens the ExpNet tab and answers run.py's questions.

A question is a file ``N.ask`` of Python code in the folder $GUI_DIALOGUE; the answer ``N.answer`` is JSON: the variable
``result``, or the error. Everything that an artist would do comes from the mouse and the keyboard instead.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import bpy

DIALOGUE = Path(os.environ["GUI_DIALOGUE"])


def sidebar() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                return window, area, next(region for region in area.regions if region.type == "UI")
    raise LookupError("there is no 3D view")


def open_tab() -> bool:
    """The tabs exist only once the sidebar was drawn, so this is asked until it works."""
    _, area, region = sidebar()
    area.spaces.active.show_region_ui = True
    try:
        region.active_panel_category = "ExpNet"
    except (AttributeError, TypeError):
        area.tag_redraw()
        return False
    area.tag_redraw()
    return True


def rectangle(region: bpy.types.Region) -> list[int]:
    """left, top, right, bottom on the screen, y down."""
    window = sidebar()[0]
    top = window.y + window.height - region.y - region.height
    return [window.x + region.x, top, window.x + region.x + region.width, top + region.height]


def answer_questions() -> float:
    for ask in sorted(DIALOGUE.glob("*.ask")):
        names = {"bpy": bpy, "sidebar": sidebar, "open_tab": open_tab, "rectangle": rectangle}
        try:
            exec(ask.read_text(), names)
            answer = {"result": names.get("result")}
        except Exception:
            answer = {"error": traceback.format_exc()}
        ask.unlink()
        part = ask.with_suffix(".part")
        part.write_text(json.dumps(answer))
        part.rename(ask.with_suffix(".answer"))
    return 0.05


bpy.app.timers.register(answer_questions, first_interval=0.5, persistent=True)

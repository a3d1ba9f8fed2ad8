"""Wrap text in a sidebar, because Blender cuts lines that do not fit."""

from __future__ import annotations

import textwrap

import bpy

MARGIN = 60  # pixels of a sidebar's width without text, at scale 1
CHARACTER = 5.9  # mean pixel width of a letter in Blender's default font, at scale 1
FEWEST = 16


def say(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", dim: bool = False
) -> None:
    """Draw ``text`` wrapped to the sidebar's width, with the icon on the first line; ``dim`` draws it greyed out."""
    room = context.region.width / context.preferences.system.ui_scale - MARGIN
    columns = max(int(room / CHARACTER) - (4 if icon != "NONE" else 0), FEWEST)
    column = layout.column(align=True)
    column.active = not dim
    for paragraph in text.splitlines():
        for line in textwrap.wrap(paragraph, columns):
            column.label(text=line, icon=icon, translate=False)
            icon = "NONE" if icon == "NONE" else "BLANK1"

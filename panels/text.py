"""Lines of text in a sidebar, which Blender cuts where they do not fit."""

from __future__ import annotations

import textwrap

import bpy

MARGIN = 60  # pixels of a sidebar beside its text, at scale 1
CHARACTER = 5.9  # pixels of a letter, likewise: the mean of Blender's own font
FEWEST = 16


def say(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", dim: bool = False
) -> None:
    """``text`` in as many lines as the sidebar is narrow, the first one with the icon; ``dim`` like an aside."""
    room = context.region.width / context.preferences.system.ui_scale - MARGIN
    columns = max(int(room / CHARACTER) - (4 if icon != "NONE" else 0), FEWEST)
    column = layout.column(align=True)
    column.active = not dim
    for paragraph in text.splitlines():
        for line in textwrap.wrap(paragraph, columns):
            column.label(text=line, icon=icon, translate=False)
            icon = "NONE" if icon == "NONE" else "BLANK1"

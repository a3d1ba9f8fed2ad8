"""The shortcuts of the extension. The preferences list them, and the artist can change them there."""

from __future__ import annotations

import bpy

# name of the key map, its space, operator, key, shift, alt
SHORTCUTS = (
    ("3D View", "VIEW_3D", "expnet.toggle_footage", "F8", False, False),
    ("Frames", "EMPTY", "expnet.next_doubtful", "RIGHT_ARROW", True, True),
    ("Frames", "EMPTY", "expnet.previous_doubtful", "LEFT_ARROW", True, True),
)

_added: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    config = bpy.context.window_manager.keyconfigs.addon
    if config is None:  # Blender without a window
        return
    for keymap, space, operator, key, shift, alt in SHORTCUTS:
        items = config.keymaps.new(name=keymap, space_type=space)
        _added.append((items, items.keymap_items.new(operator, key, "PRESS", shift=shift, alt=alt)))


def unregister() -> None:
    for keymap, item in _added:
        keymap.keymap_items.remove(item)
    _added.clear()

"""The presets of the panels "Settings" and "Take", as Blender's own."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel


class EXPNET_PT_settings_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Settings Presets"
    preset_subdir = "expnet/settings"
    preset_operator = "script.execute_preset"
    preset_add_operator = "expnet.settings_preset_add"


class EXPNET_PT_take_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Take Presets"
    preset_subdir = "expnet/take"
    preset_operator = "script.execute_preset"
    preset_add_operator = "expnet.take_preset_add"


CLASSES = (EXPNET_PT_settings_presets, EXPNET_PT_take_presets)

"""Presets: Blender's own files of settings, in the user's scripts folder."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase
from bpy.props import BoolProperty, StringProperty

from ..model.files import write_whole

SETTINGS = (
    "smoothing", "identity", "estimate_shape", "scene_timing", "match_camera", "stay", "sound", "head_motion",
    "markers", "fit", "move_along",
)  # fmt: skip


class _Preset(AddPresetBase):
    bl_options = {"REGISTER", "INTERNAL"}  # writes a file of presets, and nothing in the .blend

    name: StringProperty(  # type: ignore[valid-type]
        name="Name", description="Name of the preset", maxlen=64, options={"SKIP_SAVE"}
    )
    remove_name: BoolProperty(  # type: ignore[valid-type]
        name="Remove", description="Remove the preset of this name", options={"HIDDEN", "SKIP_SAVE"}
    )
    remove_active: BoolProperty(  # type: ignore[valid-type]
        name="Remove Active", description="Remove the preset that was used last", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None


class EXPNET_OT_settings_preset_add(_Preset, bpy.types.Operator):
    bl_idname = "expnet.settings_preset_add"
    bl_label = "Add Settings Preset"
    bl_description = "Keep the settings of the capture under a name, for this and other files"

    preset_menu = "EXPNET_PT_settings_presets"
    preset_subdir = "expnet/settings"
    preset_values = tuple(f"bpy.context.scene.expnet.{name}" for name in SETTINGS)


class EXPNET_OT_take_preset_add(_Preset, bpy.types.Operator):
    bl_idname = "expnet.take_preset_add"
    bl_label = "Add Take Preset"
    bl_description = "Keep smoothing, gains, keys and errors of the take under a name, for this and other takes"

    preset_menu = "EXPNET_PT_take_presets"
    preset_subdir = "expnet/take"

    def add(self, context: bpy.types.Context, filepath: str) -> None:
        """Write the preset; Blender's own way would replace the lists of parts and keys."""
        take = context.scene.expnet.shown_take()
        tuning = take.tuning() if take is not None else None
        lines = ["import bpy", "take = bpy.context.scene.expnet.shown_take()"]
        if tuning is not None:
            lines += ["if take is not None:", f"    take.tune({tuning!r})"]
        write_whole(filepath, "\n".join([*lines, ""]).encode())


CLASSES = (EXPNET_OT_settings_preset_add, EXPNET_OT_take_preset_add)

"""Operators for the retarget table: its rows, its meshes and its presets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..expnet_addon.properties.character_settings import preset_file
from ..expnet_addon.scene.heads import has_shape_keys
from ..model.files import make_folder
from ..model.retargeting.row import Row
from .reporting import reports, reports_in
from .retarget import has_character, settings_of


class _OfCharacter:
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_character(cls, context)


class _OfRow:
    poll_message_set: Callable[[str], None]  # from bpy.types.Operator

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_character(cls, context):
            return False
        if not settings_of(context).rows:
            cls.poll_message_set("The table is empty")
            return False
        return True


class EXPNET_OT_retarget_row_add(_OfCharacter, bpy.types.Operator):
    bl_idname = "expnet.retarget_row_add"
    bl_label = "Add Row"
    bl_description = "Add a row to the table"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = settings_of(context)
        settings.rows.add().set_row(Row("jawOpen", ""))
        settings.active_row = len(settings.rows) - 1
        return {"FINISHED"}


class EXPNET_OT_retarget_row_remove(_OfRow, bpy.types.Operator):
    bl_idname = "expnet.retarget_row_remove"
    bl_label = "Remove Row"
    bl_description = "Remove the chosen row from the table"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = settings_of(context)
        settings.rows.remove(min(settings.active_row, len(settings.rows) - 1))
        settings.active_row = max(0, settings.active_row - 1)
        return {"FINISHED"}


class EXPNET_OT_character_meshes(_OfCharacter, bpy.types.Operator):
    bl_idname = "expnet.character_meshes"
    bl_label = "Meshes from Selection"
    bl_description = "Move only this mesh and the other selected meshes with shape keys: teeth, brows, lashes"
    bl_options = {"REGISTER", "UNDO"}

    @reports_in(settings_of)
    def execute(self, context: bpy.types.Context) -> str:
        settings = settings_of(context)
        settings.meshes.clear()
        for obj in context.selected_objects:
            if obj != context.object and has_shape_keys(obj):
                settings.meshes.add().mesh = obj
        count = len(settings.meshes)
        if count:
            return f"{count} other meshes"
        return "No other selected mesh has shape keys: those of the same head are found by themselves"


# Presets ------------------------------------------------------------------------------------------------------------


def _save(context: bpy.types.Context, path: Path) -> str:
    from ..model.retargeting.table import save_preset

    rows = settings_of(context).table()
    save_preset(rows, path)
    return f"{path.name}: {len(rows)} rows"


def _load(context: bpy.types.Context, path: Path) -> str:
    from ..model.retargeting.table import load_preset

    rows = load_preset(path)
    settings_of(context).set_table(rows)
    return f"{path.name}: {len(rows)} rows"


class EXPNET_OT_save_retarget_preset(_OfRow, bpy.types.Operator):
    bl_idname = "expnet.save_retarget_preset"
    bl_label = "Save Preset"
    bl_description = "Save the table under a name, for this and other files"
    bl_options = {"REGISTER"}

    name: StringProperty(name="Name", description="Name of the preset")  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.name = self.name or context.object.name
        answer: set[str] = context.window_manager.invoke_props_dialog(self)
        return answer

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        path = preset_file(self.name)
        make_folder(path.parent)
        return _save(context, path)


class EXPNET_OT_load_retarget_preset(_OfCharacter, bpy.types.Operator):
    bl_idname = "expnet.load_retarget_preset"
    bl_label = "Load Preset"
    bl_description = "Replace the table with a saved one"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", description="Name of the preset")  # type: ignore[valid-type]

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return _load(context, preset_file(self.name))


class EXPNET_OT_export_retarget_preset(_OfRow, bpy.types.Operator, ExportHelper):
    bl_idname = "expnet.export_retarget_preset"
    bl_label = "Export Table"
    bl_description = "Write the table to a file, to share it"
    bl_options = {"REGISTER"}

    filename_ext = ".json"
    filter_glob: StringProperty(  # type: ignore[valid-type]
        name="Files", description="File name filter", default="*.json", options={"HIDDEN"}
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return _save(context, Path(self.filepath))


class EXPNET_OT_import_retarget_preset(_OfCharacter, bpy.types.Operator, ImportHelper):
    bl_idname = "expnet.import_retarget_preset"
    bl_label = "Import Table"
    bl_description = "Replace the table with one from a file"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(  # type: ignore[valid-type]
        name="Files", description="File name filter", default="*.json", options={"HIDDEN"}
    )

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return _load(context, Path(self.filepath))


CLASSES = (
    EXPNET_OT_retarget_row_add,
    EXPNET_OT_retarget_row_remove,
    EXPNET_OT_character_meshes,
    EXPNET_OT_save_retarget_preset,
    EXPNET_OT_load_retarget_preset,
    EXPNET_OT_export_retarget_preset,
    EXPNET_OT_import_retarget_preset,
)

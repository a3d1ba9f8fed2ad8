"""Dropping a movie or an image on the 3D viewport makes it the panel's source."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .reporting import reports
from .task import idle

EXTENSIONS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")


class EXPNET_OT_drop_clip(bpy.types.Operator):
    bl_idname = "expnet.drop_clip"
    bl_label = "Use as ExpNet Source"
    bl_description = "Make the dropped image or movie the source of ExpNet's panel"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(  # type: ignore[valid-type]
        name="File", description="The dropped file", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return str(context.scene.expnet.use_file(self.filepath))


class EXPNET_FH_clip(bpy.types.FileHandler):
    bl_idname = "EXPNET_FH_clip"
    bl_label = "Use as ExpNet Source"
    bl_import_operator = "expnet.drop_clip"
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (EXPNET_OT_drop_clip,)

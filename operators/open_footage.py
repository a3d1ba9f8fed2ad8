"""Choosing the footage in a file browser that shows movies and images, with thumbnails."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .reporting import reports
from .task import idle


class EXPNET_OT_open_footage(bpy.types.Operator):
    bl_idname = "expnet.open_footage"
    bl_label = "Open Footage"
    bl_description = "Choose an image or a movie as the source; the file browser shows only these, with thumbnails"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(  # type: ignore[valid-type]
        name="File", description="The image or movie", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_folder: BoolProperty(  # type: ignore[valid-type]
        name="Folders", description="Show folders", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_movie: BoolProperty(  # type: ignore[valid-type]
        name="Movies", description="Show movies", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_image: BoolProperty(  # type: ignore[valid-type]
        name="Images", description="Show images", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    display_type: EnumProperty(  # type: ignore[valid-type]
        name="Display",
        description="How the file browser shows files",
        items=[
            ("DEFAULT", "Default", "As the file browser was used last"),
            ("LIST_VERTICAL", "Short List", "Names"),
            ("LIST_HORIZONTAL", "Long List", "Names, sizes and dates"),
            ("THUMBNAIL", "Thumbnails", "Pictures"),
        ],
        default="THUMBNAIL",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or context.scene.expnet.source
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        return str(context.scene.expnet.use_file(self.filepath))


CLASSES = (EXPNET_OT_open_footage,)

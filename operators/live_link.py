"""Operators that import a recording of the Live Link Face app to a head, and export a head as such a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..expnet_addon.capture import chosen
from .reporting import of_scene, reports, reports_in
from .task import has_face, idle


class EXPNET_OT_import_live_link(bpy.types.Operator, ImportHelper):
    bl_idname = "expnet.import_live_link"
    bl_label = "Import Live Link Face"
    bl_description = "Key the face with a recording of the Live Link Face app (CSV)"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: StringProperty(  # type: ignore[valid-type]
        name="Files", description="Which files are shown", default="*.csv", options={"HIDDEN"}
    )
    fps: FloatProperty(  # type: ignore[valid-type]
        name="Frame Rate", description="The recording's true frame rate. 0: the rate of its time code", min=0.0
    )
    swap_sides: BoolProperty(  # type: ignore[valid-type]
        name="Swap Jaw and Mouth",
        description="Exchange left and right of jaw and mouth, which some versions of the app name the wrong way round",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_face(cls, context) and idle(cls)

    @reports_in(of_scene)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import capture
        from ..expnet_addon.capture.keying import AS_RECORDED
        from ..model.performance.live_link import read_live_link

        keying = replace(AS_RECORDED, source_times=False)
        performance = read_live_link(self.filepath, self.fps or None, self.swap_sides)
        return capture.key_performance(context.scene, chosen.face(context), performance, keying)


class EXPNET_OT_export_live_link(bpy.types.Operator, ExportHelper):
    bl_idname = "expnet.export_live_link"
    bl_label = "Export Live Link Face"
    bl_description = "Write the face's keys as the Live Link Face app does: ARKit's 52 shapes, head and eyes (CSV)"
    bl_options = {"REGISTER"}

    filename_ext = ".csv"
    filter_glob: StringProperty(  # type: ignore[valid-type]
        name="Files", description="Which files are shown", default="*.csv", options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_face(cls, context) and idle(cls)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.motion import face_motion
        from ..expnet_addon.scene.animation import scene_fps
        from ..model.performance.live_link import write_signals

        motion = face_motion(chosen.face(context))
        rate = scene_fps(context.scene)
        write_signals(motion.values, (motion.frames - motion.frames[0]) / rate, rate, self.filepath)
        return f"{Path(self.filepath).name}: {len(motion.frames)} frames"


CLASSES = (EXPNET_OT_import_live_link, EXPNET_OT_export_live_link)

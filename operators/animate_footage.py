from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.engine.tasks import Task
from .task import TaskOperator, estimator_options, has_face, has_source, idle, is_there


class EXPNET_OT_animate_footage(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.animate_footage"
    bl_label = "Animate from Footage"
    bl_description = "Follow the face through the source clip and key expression, gaze and head pose on every frame"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        network = context.scene.expnet.chosen_network()
        return has_source(cls, context) and is_there(cls, network) and has_face(cls, context) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task:
        from ..expnet_addon.capture import capture
        from ..expnet_addon.capture.keying import Keying

        settings, head = context.scene.expnet, chosen.face(context)
        keying = Keying(
            smoothing=settings.smoothing,
            identity=settings.identity,
            scene_timing=settings.scene_timing,
            match_camera=settings.match_camera,
            sound=settings.sound,
        )
        source = chosen.source_in_range(context)
        return capture.animate_clip(context.scene, head, source, estimator_options(settings, head), keying)

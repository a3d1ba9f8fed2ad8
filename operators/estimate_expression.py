from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.engine.tasks import Task
from .task import TaskOperator, estimator_options, has_face, has_source, idle, is_there


class EXPNET_OT_estimate_expression(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.estimate_expression"
    bl_label = "Estimate Expression"
    bl_description = (
        "Read the expression in the source image, or in the footage at the current frame, and key it there. "
        "On an animated face this changes the current frame of the take only"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        network = context.scene.expnet.chosen_network()
        return has_source(cls, context) and is_there(cls, network) and has_face(cls, context) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import capture

        settings, head = context.scene.expnet, chosen.face(context)
        picture = chosen.source(context).at(context.scene)
        assert head is not None
        data = head.data.shape_keys.animation_data
        animated = data is not None and (data.action is not None or bool(data.nla_tracks))
        shape = settings.estimate_shape if animated else settings.identity
        return capture.estimate_picture(context.scene, head, picture, estimator_options(settings, head), shape)

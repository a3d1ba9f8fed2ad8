from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy

from ..expnet_addon.capture import chosen, faces
from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.scene.skins import has_skins
from .task import TaskOperator, estimator_options, has_face, has_source, idle, is_there


class EXPNET_OT_actor_face(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.actor_face"
    bl_label = "Actor's Face"
    bl_description = (
        "Give the head the shape, skin and eye colour of the person in the source: a photo, a folder of photos, or a "
        "clip. The skin is saved as a PNG beside the .blend"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        network = context.scene.expnet.chosen_network()
        if not (has_face(cls, context) and has_source(cls, context) and is_there(cls, network) and idle(cls)):
            return False
        head = chosen.face(context)
        if head is None or not has_skins(head["expnet_model"]):
            cls.poll_message_set("Select an open head: the skin is made for it")
            return False
        return True

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import likeness

        settings, head, path = context.scene.expnet, chosen.face(context), chosen.source(context).path
        assert head is not None
        options = estimator_options(settings)
        if settings.face == 0 and faces.found().source != path:
            options = replace(options, face=None)  # nobody has chosen: a photo of several people asks which
        return likeness.dress_like(head, [path], options)

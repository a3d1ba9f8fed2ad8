"""Operators that find everyone in a clip, give each person a take, and forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..expnet_addon.capture import chosen, everyone
from ..expnet_addon.engine.tasks import Task
from ..model.errors import InputError
from .animate_footage import panel_keying
from .reporting import of_scene, reports_in
from .task import TaskOperator, estimator_options, has_source, idle, is_there

if TYPE_CHECKING:
    from ..expnet_addon.capture.sources import Source


class EXPNET_OT_find_people(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.find_people"
    bl_label = "Find People"
    bl_description = "Follow everyone through the source clip, and list them with a picture each"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_source(cls, context) and is_there(cls, context.scene.expnet.chosen_network()) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        options = estimator_options(context.scene.expnet)
        return everyone.find_people(context.scene, chosen.source_in_range(context), options)


class EXPNET_OT_animate_people(bpy.types.Operator):
    bl_idname = "expnet.animate_people"
    bl_label = "Animate People"
    bl_description = "Give each person of the list a take on their head. People without a head get a new one"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.expnet.people:
            cls.poll_message_set("Find people first")
            return False
        return idle(cls)

    @reports_in(of_scene)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import capture

        settings = context.scene.expnet
        message = everyone.animate_people(context.scene, panel_keying(settings), _source(context))
        if chosen.face(context) is None:  # else the panel would show no take
            capture.select(settings.people[0].head)
        return message


class EXPNET_OT_forget_people(bpy.types.Operator):
    bl_idname = "expnet.forget_people"
    bl_label = "Forget People"
    bl_description = "Empty the list of people. Heads and takes stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(context.scene.expnet.people)

    def execute(self, context: bpy.types.Context) -> set[str]:
        everyone.forget(context.scene)
        return {"FINISHED"}


def _source(context: bpy.types.Context) -> Source | None:
    """Return the chosen source if the people were found in it, else None."""
    if chosen.source_missing(context):
        return None
    try:
        source = chosen.source_in_range(context)
    except InputError:
        return None
    return source if source.path == context.scene.expnet.people[0].source else None


CLASSES = (EXPNET_OT_find_people, EXPNET_OT_animate_people, EXPNET_OT_forget_people)

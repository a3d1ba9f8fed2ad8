"""Operators that follow a face live: start and stop, pause, neutral, record; and the list of cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.engine import tasks
from ..expnet_addon.engine.tasks import Task
from ..model.errors import InputError
from ..model.worker.messages import Cameras, CamerasResult
from .animate_footage import panel_keying
from .reporting import reports
from .task import TaskOperator, estimator_options, has_face, idle, is_there


def live_task() -> Any:
    """Return the live task that is under way, or None."""
    task = tasks.under_way()
    return task if task is not None and task.title == "Live" else None


class EXPNET_OT_live(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.live"
    bl_label = "Start Live"
    bl_description = "Let the face follow a camera, a file played in real time, or an iPhone's Live Link Face"
    bl_options = {"REGISTER", "UNDO"}

    interval = 1 / 60

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = context.scene.expnet
        if not (has_face(cls, context) and is_there(cls, settings.chosen_network()) and idle(cls)):
            return False
        if settings.live.kind == "FILE" and chosen.source_missing(context):
            cls.poll_message_set(chosen.source_missing(context))
            return False
        return True

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.capture import live

        settings, head = context.scene.expnet, chosen.face(context)
        assert head is not None
        path = chosen.source(context).path if settings.live.kind == "FILE" else ""
        options = replace(estimator_options(settings), face=settings.face or None)
        return live.LiveTask(
            context.scene,
            head,
            settings.live.source(path),
            options,
            live.live_keying(panel_keying(settings)),
            settings.live.targets(),
            settings.live.host(),
            record=settings.live.record,
            smoothing=settings.live.smoothing,
        )


class LiveOperator:
    bl_options = {"INTERNAL"}
    poll_message_set: Callable[[str], None]  # from bpy.types.Operator

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if live_task() is None:
            cls.poll_message_set("Start Live first")
            return False
        return True


class EXPNET_OT_live_stop(LiveOperator, bpy.types.Operator):
    bl_idname = "expnet.live_stop"
    bl_label = "Stop"
    bl_description = "End live. A recording becomes a take; without one the face is as it was before"

    def execute(self, context: bpy.types.Context) -> set[str]:
        live_task().stopping = True
        return {"FINISHED"}


class EXPNET_OT_live_pause(LiveOperator, bpy.types.Operator):
    bl_idname = "expnet.live_pause"
    bl_label = "Pause"
    bl_description = "Hold the face still, or go on. What happens meanwhile is not recorded"

    def execute(self, context: bpy.types.Context) -> set[str]:
        task = live_task()
        task.paused = not task.paused
        return {"FINISHED"}


class EXPNET_OT_live_record(LiveOperator, bpy.types.Operator):
    bl_idname = "expnet.live_record"
    bl_label = "Record"
    bl_description = "Record from now on, or stop to record. Stop then writes the take"

    def execute(self, context: bpy.types.Context) -> set[str]:
        task = live_task()
        task.recording = not task.recording
        return {"FINISHED"}


class EXPNET_OT_live_neutral(LiveOperator, bpy.types.Operator):
    bl_idname = "expnet.live_neutral"
    bl_label = "Neutral"
    bl_description = "Make the face as it is now the head's rest"

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        live_task().take_neutral()
        return "This face is neutral"


class EXPNET_OT_find_cameras(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.find_cameras"
    bl_label = "Find Cameras"
    bl_description = "List the cameras of this machine"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        uid = context.scene.session_uid

        def write(reply: CamerasResult, job: object) -> str:
            if not reply.cameras:
                raise InputError("No camera was found: plug one in, or allow this program to see it")
            scene = next(each for each in bpy.data.scenes if each.session_uid == uid)
            found = scene.expnet.live.cameras
            found.clear()
            for camera in reply.cameras:
                each = found.add()
                each.name, each.number = camera.name, camera.number
            return f"{len(reply.cameras)} cameras" if len(reply.cameras) > 1 else f"Camera: {reply.cameras[0].name}"

        return Task("Find cameras", Cameras(), write)


CLASSES = (
    EXPNET_OT_live,
    EXPNET_OT_live_stop,
    EXPNET_OT_live_pause,
    EXPNET_OT_live_record,
    EXPNET_OT_live_neutral,
    EXPNET_OT_find_cameras,
)

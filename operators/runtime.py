"""Operators for the engine: install its runtime, remove it, check another Python, test the engine."""

from __future__ import annotations

from typing import Any

import bpy

from ..expnet_addon.engine import jobs, runtime
from ..expnet_addon.engine import status as engine_status
from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.properties import preferences
from ..model.files import exists
from .reporting import reports
from .task import TaskOperator, idle, redraw


class EngineOperator(TaskOperator):
    def keep(self, context: bpy.types.Context, result: str) -> None:
        preferences.keep_engine_report(result)

    def _fail(self, context: bpy.types.Context, error: Exception) -> set[str]:
        preferences.keep_engine_report(str(error))
        return super()._fail(context, error)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return idle(cls)


class EXPNET_OT_install_runtime(EngineOperator, bpy.types.Operator):
    bl_idname = "expnet.install_runtime"
    bl_label = "Install Runtime"
    bl_description = (
        "Make a Python environment of the extension's own and put torch into it. "
        "ESC or Cancel stops it and removes its files"
    )
    bl_options = {"REGISTER"}

    def task(self, context: bpy.types.Context) -> Task[Any]:
        from ..expnet_addon.engine import installation

        build, wheels = preferences.runtime_choice()
        jobs.end_waiting_worker()
        return installation.install(runtime.folder(), build, bpy.app.online_access, wheels)


class EXPNET_OT_remove_runtime(bpy.types.Operator):
    bl_idname = "expnet.remove_runtime"
    bl_label = "Remove Runtime"
    bl_description = "Delete the environment that Install Runtime made, and what was downloaded for it"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        root = runtime.folder()
        if root is None or not exists(root):
            cls.poll_message_set("There is no runtime")
            return False
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        answer: set[str] = context.window_manager.invoke_confirm(self, event)
        return answer

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        root = runtime.folder()
        assert root is not None
        jobs.end_waiting_worker()
        runtime.remove(root)
        preferences.keep_engine_report("")
        redraw(context)
        return "The runtime is removed"


class EXPNET_OT_check_python(EngineOperator, bpy.types.Operator):
    bl_idname = "expnet.check_python"
    bl_label = "Check"
    bl_description = "Check which engines, versions and devices this Python has"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not preferences.worker_python():
            cls.poll_message_set("Choose a Python first")
            return False
        return idle(cls)

    def task(self, context: bpy.types.Context) -> Task[Any]:
        return engine_status.check_python(preferences.worker_python())


class EXPNET_OT_test_engine(EngineOperator, bpy.types.Operator):
    bl_idname = "expnet.test_engine"
    bl_label = "Test"
    bl_description = "Read one frame of the demo clip, and show engine, version, device and time"
    bl_options = {"REGISTER"}

    def keep(self, context: bpy.types.Context, result: str) -> None:
        preferences.keep_engine_report("")  # the status shows the result

    def task(self, context: bpy.types.Context) -> Task[Any]:
        return engine_status.test(preferences.worker_python(), preferences.device())


CLASSES = (EXPNET_OT_install_runtime, EXPNET_OT_remove_runtime, EXPNET_OT_check_python, EXPNET_OT_test_engine)

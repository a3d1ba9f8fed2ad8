"""The base of operators with a task: run it to its end, or follow it from a modal operator's timer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..expnet_addon.capture import chosen, watched
from ..expnet_addon.engine import requests, tasks
from ..expnet_addon.engine.jobs import WorkerFault
from ..expnet_addon.engine.packs import Choice
from ..expnet_addon.engine.tasks import Task
from ..expnet_addon.properties import preferences
from ..expnet_addon.properties.scene_settings import ExpNetSceneProperties
from ..expnet_addon.scene import current_take
from ..expnet_addon.scene.heads import rigs_in
from ..model.builtin import OPEN
from ..model.errors import InputError
from ..model.worker.messages import EstimatorOptions
from ..model.worker.protocol import Progress

STATUS_KEYS = "ESC over the panel cancels"
SHOWS_PROGRESS = {("VIEW_3D", "UI"), ("CLIP_EDITOR", "UI"), ("PREFERENCES", "WINDOW")}


class TaskOperator:
    """An operator that runs one Task: blocking in ``execute``, or in the background in ``modal``.

    Both write the scene once, at the end, in the operator's one undo step.
    """

    report: Callable[[set[str], str], None]  # from bpy.types.Operator
    _timer: bpy.types.Timer | None = None
    _task: Task[Any] | None = None
    _shown: Progress | None = None
    interval = 0.1  # seconds between two steps

    def task(self, context: bpy.types.Context) -> Task[Any]:
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self._succeed(context, self.task(context).run(preferences.worker_python()))
        except (InputError, WorkerFault) as error:
            return self._fail(context, error)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            self._task = self.task(context)
            if not self._task.needs_worker:
                return self._succeed(context, self._task.run())
            self._task.start(preferences.worker_python())
        except (InputError, WorkerFault) as error:
            return self._fail(context, error)
        tasks.follow(self._task)
        manager = context.window_manager
        manager.progress_begin(0, 100)
        self._timer = manager.event_timer_add(self.interval, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if tasks.under_way() is not self._task:  # Cancel was pressed, or another file is being opened
            return self._cancelled(context)
        if event.type == "ESC" and event.value == "PRESS" and _is_for_task(context, event):
            return self._cancelled(context)
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        assert self._task is not None
        try:
            if self._task.step():
                self._show_progress(context)
                return {"PASS_THROUGH"}
            watched.forget()  # a head that moved along rests before it is keyed
            result = self._task.finish()
        except (InputError, WorkerFault) as error:
            self._end(context)
            return self._fail(context, error)
        except Exception:
            self._end(context)
            raise
        self._end(context)
        return self._succeed(context, result)

    def cancel(self, context: bpy.types.Context) -> None:
        """End the task. Blender calls this if the window is closed, another file is opened, or Blender quits."""
        self._end(context)

    def _cancelled(self, context: bpy.types.Context) -> set[str]:
        title = self._task.title if self._task else ""
        self._end(context)
        message = iface("{}: cancelled, nothing was changed").format(iface(title))
        self.keep(context, message)
        self.report({"WARNING"}, message)
        return {"CANCELLED"}

    def keep(self, context: bpy.types.Context, result: str) -> None:
        """Store the result for the panel."""
        context.scene.expnet.result = result

    def _succeed(self, context: bpy.types.Context, result: str) -> set[str]:
        self.keep(context, result)
        self.report({"INFO"}, result.replace("\n", ". "))
        return {"FINISHED"}

    def _fail(self, context: bpy.types.Context, error: Exception) -> set[str]:
        if isinstance(error, WorkerFault) and error.details:
            print(error.details)  # the worker's traceback goes to the console
        self.keep(context, str(error))
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _show_progress(self, context: bpy.types.Context) -> None:
        assert self._task is not None
        progress = self._task.progress
        if progress is self._shown:
            return
        self._shown = progress
        watched.show(progress.look)
        context.window_manager.progress_update(100 * progress.fraction)
        context.workspace.status_text_set(f"{self._task.title}: {self._task.status}    {STATUS_KEYS}")
        redraw(context)

    def _end(self, context: bpy.types.Context) -> None:
        tasks.end(self._task)
        watched.forget()
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        if context.workspace:
            context.workspace.status_text_set(None)
        redraw(context)
        redraw_for_a_while()


def _is_for_task(context: bpy.types.Context, event: bpy.types.Event) -> bool:
    """Return whether ESC is meant for the task: the pointer is over its panel, or nothing else uses the key."""
    for area in context.window.screen.areas if context.window else []:
        for region in area.regions:
            inside = 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
            if inside and (area.type, region.type) in SHOWS_PROGRESS:
                return True
    return not _uses_escape(context)


def _uses_escape(context: bpy.types.Context) -> bool:
    """Return whether something else in the window reacts to ESC: a running tool, playback, or a full-screen area."""
    window = context.window
    if window is None:
        return False
    screen = window.screen
    others = [running for running in window.modal_operators if not running.bl_idname.startswith("EXPNET_OT_")]
    return bool(others) or screen.is_animation_playing or screen.show_fullscreen


def redraw(context: bpy.types.Context) -> None:
    """Redraw the side panels, which show the task's progress, but not the main regions, which are slow to redraw."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in SHOWS_PROGRESS:
                    region.tag_redraw()


def redraw_for_a_while() -> None:
    """Redraw the side panels at intervals for half a minute.

    A button that Blender has drawn grey under the pointer stays grey until the panel is redrawn after the pointer has
    left. Without these redraws, the button of a finished task can look disabled.
    """
    left = iter(range(60))

    def again() -> float | None:
        redraw(bpy.context)
        return None if next(left, None) is None else 0.5

    bpy.app.timers.register(again, first_interval=0.5)


def idle(operator: type[bpy.types.Operator]) -> bool:
    """Poll whether no task is running."""
    task = tasks.under_way()
    if task is not None:
        operator.poll_message_set(iface("Wait for '{}' to end, or cancel it").format(iface(task.title)))
    return task is None


def is_there(operator: type[bpy.types.Operator], choice: Choice) -> bool:
    """Poll whether the chosen network or head can be used."""
    if choice.missing:
        operator.poll_message_set(choice.missing)
    return not choice.missing


def has_face(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll whether the choice of the head is unambiguous."""
    if chosen.face(context) is not None:
        return True
    several = rigs_in(context.scene)
    operator.poll_message_set("Select one of the faces first" if several else "Add a face first")
    return False


def has_take(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll whether the chosen head has a take."""
    if not has_face(operator, context):
        return False
    if current_take.take_of(chosen.face(context)) is None:
        operator.poll_message_set("Animate the face from footage first")
        return False
    return True


def has_source(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll whether a source is chosen."""
    missing = chosen.source_missing(context)
    if missing:
        operator.poll_message_set(missing)
    return not missing


def estimator_options(settings: ExpNetSceneProperties, head: bpy.types.Object | None = None) -> EstimatorOptions:
    """Return the estimator's options from the scene's settings and the preferences, for the pose of ``head``."""
    model = head["expnet_model_path"] if head is not None else OPEN
    return EstimatorOptions(
        estimator=settings.chosen_network().path,
        device=preferences.device(),
        box=requests.box_of(settings.box) if settings.use_box else None,
        face=None if settings.use_box else settings.face,
        face_model=model if model == OPEN else bpy.path.abspath(model),
        preprocessing="release" if settings.preprocessing == "RELEASE" else "paper",
        jpeg=settings.preprocessing == "RELEASE",
    )


@bpy.app.handlers.persistent
def end_before_load(*_: object) -> None:
    """Cancel the running task before another file is opened, and print one line about it."""
    task = tasks.cancel()
    if task is not None:
        print(f"{task.title}: cancelled, the file was closed")

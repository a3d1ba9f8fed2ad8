"""Tasks: a request to the worker, and the writing of its result into the scene.

``finish`` writes the scene once, at the end. A task that is cancelled or fails writes nothing. An operator's
``execute`` calls ``run``, and a modal operator's timer calls ``start``, ``step`` and ``finish`` of the same task.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ...model.worker.messages import Request
from ...model.worker.protocol import Progress
from .jobs import Job

Result = TypeVar("Result")


class Process(Protocol):
    """The process of a task: a worker's Job, or another process that can be ended."""

    progress: Progress

    def poll(self, timeout: float = 0.0) -> bool: ...

    def wait(self) -> Any: ...

    def close(self) -> None: ...


class Task(Generic[Result]):
    """A request to the worker, and the function that writes its result.

    request   for the worker; None if there is no work for it
    write     ``write(reply, job)`` writes the result into Blender's data and returns lines for the user
    unit      the unit of the worker's progress, if its speed is shown
    begin     ``begin(preferred Python)`` starts another process instead of a worker's job

    All methods may raise InputError or WorkerFault.
    """

    def __init__(
        self,
        title: str,
        request: Request[Result] | None,
        write: Callable[[Any, Any], str],
        unit: str = "",
        begin: Callable[[str], Process] | None = None,
    ) -> None:
        self.title = title
        self.unit = unit
        self._began: tuple[float, int] | None = None  # time of the first progress, and its number of done steps
        self._begin = begin
        if begin is None and request is not None:
            self._begin = lambda python: Job(request, python)
        self._write = write
        self._job: Process | None = None

    @property
    def needs_worker(self) -> bool:
        return self._begin is not None

    @property
    def progress(self) -> Progress:
        return self._job.progress if self._job else Progress()

    @property
    def status(self) -> str:
        """Return the progress as text, with speed and remaining time if they are known."""
        progress = self.progress
        if not self.unit or not progress.done:
            return str(progress)
        now = time.monotonic()
        if self._began is None:
            self._began = now, progress.done
        seconds, done = now - self._began[0], progress.done - self._began[1]
        if seconds < 0.5 or done <= 0:
            return str(progress)
        speed = done / seconds
        left = f", {_duration((progress.total - progress.done) / speed)} left" if progress.total else ""
        return f"{progress}, {speed:.0f} {self.unit}/s{left}"

    def start(self, preferred_python: str = "") -> None:
        """Start the worker, or the process of ``begin``, without waiting for it."""
        if self._begin is not None:
            self._job = self._begin(preferred_python)

    def step(self) -> bool:
        """Process the worker's events without waiting; False once it is done and ``finish`` may be called."""
        return self._job is not None and self._job.poll()

    def finish(self) -> str:
        """Wait for the worker, write the result, and return the message for the user."""
        try:
            return self._write(self._job.wait() if self._job else None, self._job)
        finally:
            self.cancel()

    def run(self, preferred_python: str = "") -> str:
        """Start the task, wait for it and write its result."""
        self.start(preferred_python)
        return self.finish()

    def cancel(self) -> None:
        """End the worker and remove its files. Idempotent."""
        if self._job:
            self._job.close()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class _UnderWay:
    """The task that an operator follows. The panel shows it, and ESC or the Cancel button ends it."""

    task: Task[Any] | None = None


_under_way = _UnderWay()


def under_way() -> Task[Any] | None:
    """Return the task that an operator follows, or None."""
    return _under_way.task


def follow(task: Task[Any]) -> None:
    """Make ``task``, which has started, the one that the operator follows."""
    _under_way.task = task


def end(task: Task[Any] | None) -> None:
    """End ``task``; another task that is under way continues. Idempotent."""
    if task is not None:
        task.cancel()
        if _under_way.task is task:
            _under_way.task = None


def cancel() -> Task[Any] | None:
    """End the task that is under way, and return it. Its modal operator then ends, too."""
    task = _under_way.task
    end(task)
    return task

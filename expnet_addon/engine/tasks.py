"""A task: a request to the worker, and what is written into the scene once the worker has answered.

The scene is written once, at the end, by ``finish``; a task that is cancelled or fails has written nothing. The same
task is driven by an operator's ``execute`` (``run``) and by a modal operator's timer (``start``, ``step``, ``finish``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ...model.worker.protocol import Progress, Request
from .jobs import Job

Result = TypeVar("Result")


class Process(Protocol):
    """What a task follows: a worker's Job, or another process that can be ended."""

    progress: Progress

    def poll(self, timeout: float = 0.0) -> bool: ...

    def wait(self) -> Any: ...

    def close(self) -> None: ...


class Task(Generic[Result]):
    """A request to the worker, and what is written once it has answered.

    request   for the worker; None where there is only something to write
    write     ``write(reply, job)`` puts the result into Blender's data and returns lines for the user
    unit      what the worker counts, where its speed is shown
    begin     ``begin(preferred Python)`` starts another process instead of a worker's job

    All steps may raise InputError or WorkerFault.
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
        self._began: tuple[float, int] | None = None  # when, and how much was done by then
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
        """The progress in words, with speed and time left as far as they are known."""
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
        """Start the worker, or what ``begin`` starts; does not wait for it."""
        if self._begin is not None:
            self._job = self._begin(preferred_python)

    def step(self) -> bool:
        """Take in news from the worker; False once it is done and ``finish`` may be called. Does not wait."""
        return self._job is not None and self._job.poll()

    def finish(self) -> str:
        """Wait for the worker and write the result; what to tell the user."""
        try:
            return self._write(self._job.wait() if self._job else None, self._job)
        finally:
            self.cancel()

    def run(self, preferred_python: str = "") -> str:
        """Start the task, wait for it and write its result."""
        self.start(preferred_python)
        return self.finish()

    def cancel(self) -> None:
        """End the worker and remove its files. Harmless when the task is over."""
        if self._job:
            self._job.close()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class _UnderWay:
    """The one task that an operator follows: the panel shows it, ESC and the Cancel button end it."""

    task: Task[Any] | None = None


_under_way = _UnderWay()


def under_way() -> Task[Any] | None:
    """Return the task that an operator follows, or None."""
    return _under_way.task


def follow(task: Task[Any]) -> None:
    """Make ``task``, which has started, the one that is under way."""
    _under_way.task = task


def end(task: Task[Any] | None) -> None:
    """End ``task``; another one that is under way goes on. Harmless when it is over."""
    if task is not None:
        task.cancel()
        if _under_way.task is task:
            _under_way.task = None


def cancel() -> Task[Any] | None:
    """End the task that is under way, and return it. Its modal operator sees that and ends."""
    task = _under_way.task
    end(task)
    return task

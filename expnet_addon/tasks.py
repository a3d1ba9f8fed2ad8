"""A task: what the worker is asked, and what is written into the scene once it has answered.

The scene is written once, at the end, by ``finish``; a task that is cancelled or fails has written nothing. The same task is
driven by an operator's ``execute`` and the command line (``run``) and by a modal operator's timer (``step``).
"""

from __future__ import annotations

from collections.abc import Callable

from .jobs import Job, Progress


class Task:
    """``request`` is for the worker (None: nothing to see, only to write); ``write(reply, job)`` puts the result into
    Blender's data and returns a line or two for the user."""

    def __init__(
        self, title: str, request: dict | None, write: Callable[[dict, Job | None], str], worker_python: str = ""
    ) -> None:
        self.title = title
        self._write = write
        self._job = Job(request, worker_python) if request is not None else None

    @property
    def progress(self) -> Progress:
        return self._job.progress if self._job else Progress()

    @property
    def worker_pid(self) -> int | None:
        return self._job.pid if self._job else None

    def step(self) -> bool:
        """Take in news from the worker; False when it is done and ``finish`` may be called. Never waits."""
        return self._job is not None and self._job.poll()

    def finish(self) -> str:
        """Write the result; what to tell the user."""
        try:
            return self._write(self._job.wait() if self._job else {}, self._job)
        finally:
            self.cancel()

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> str:
        """The whole task, waiting for the worker."""
        try:
            if self._job:
                self._job.wait(on_progress)
            return self.finish()
        finally:
            self.cancel()

    def cancel(self) -> None:
        """End the worker and remove its files. Harmless when the task is over."""
        if self._job:
            self._job.close()


# The one task that an operator has under way: the panel shows it, ESC and the Cancel button end it.
running: Task | None = None

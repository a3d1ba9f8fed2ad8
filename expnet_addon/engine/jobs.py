"""The client of the worker process: choosing its Python, starting, following and cancelling it.

Blender's own process never imports torch, OpenCV or SciPy. So a network that runs out of memory or is killed does not
crash Blender. This module needs neither Blender nor numpy.

The worker reads request lines and answers with event lines (``model/worker/protocol.py``). Threads here only move lines
from its pipes into a queue. They never access Blender's data, so a modal operator's timer may call ``poll``.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Protocol, TypeVar

from ...model.errors import InputError
from ...model.isolation import isolated_environment
from ...model.worker.messages import Request
from ...model.worker.protocol import Done, Envelope, Failure, Progress, Seen, parse_event, request_line
from . import runtime
from .pipes import report_broken_pipe

Result = TypeVar("Result")

WORKER = Path(__file__).resolve().parents[2] / "model" / "worker" / "__main__.py"
SILENT_SECONDS = 600.0  # timeout without a line from the worker, which reports progress during all work
# Modules that each engine needs besides numpy; the full engine first
NEEDED = {"full": ("torch", "cv2"), "light": ("cv2",)}


class WorkerFault(RuntimeError):
    """The worker failed by an internal fault, or died. ``details`` is its traceback or its last lines on stderr."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Cancelled(Exception):
    """The job was cancelled, and its files are removed."""


def _program(path: str) -> str | None:
    """Return the program at ``path`` or of that name, or None."""
    return shutil.which(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises for an unknown user


def worker_python(preferred: str = "") -> str:
    """Return the interpreter that runs the worker.

    It is the first that exists of:

    1. ``preferred``, *Use This Python* in the preferences: an explicit choice;
    2. the runtime, if it is installed and complete: also the user's choice;
    3. this Python if it has torch and OpenCV, as in a pip install (the modules are searched for, not imported);
    4. the environment variable EXPNET_PYTHON, for render farms;
    5. this Python if it has OpenCV, for the light engine.

    Raises InputError if there is none.
    """
    if preferred:
        found = _program(preferred)
        if not found:
            raise InputError(f"'{preferred}' is not a Python interpreter: correct 'Use This Python' in the preferences")
        return found
    if installed := runtime.python():
        return installed
    if engine_here() == "full":
        return sys.executable
    named = os.environ.get("EXPNET_PYTHON", "")
    if named:
        found = _program(named)
        if not found:
            raise InputError(f"EXPNET_PYTHON names '{named}', which is not a Python interpreter")
        return found
    if engine_here() == "light":
        return sys.executable
    raise InputError(
        "There is no Python with OpenCV (and torch): 'Install Runtime' or 'Use This Python' in the extension's "
        "preferences, or name one in the environment variable EXPNET_PYTHON"
    )


def engine_here() -> str | None:
    """Return the engine that this Python can run, by its modules: full, light or None."""
    for engine, modules in NEEDED.items():
        if sys.executable and all(importlib.util.find_spec(name) for name in modules):
            return engine
    return None


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="expnet-"))
    except OSError as error:
        raise InputError(f"No temporary folder can be made: {error}") from error


class Worker:
    """A worker process, its pipes, and the threads that read them.

    It runs in ``folder``, which also holds the folders of its jobs. If this process is killed, the worker removes it.
    ``ahead`` is the request that it got before its first job and has not answered yet.
    """

    def __init__(self, python: str, folder: Path | None = None) -> None:
        self.python = python
        self.folder = folder or _temporary_folder()
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stderr_tail: deque[str] = deque(maxlen=40)
        self.ahead: Request[Any] | None = None
        try:
            self._process = subprocess.Popen(
                [python, "-u", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=worker_environment(python) | {"EXPNET_WORKER_FOLDER": str(self.folder)},
                cwd=self.folder,
                start_new_session=os.name == "posix",  # its own process group, so that its children are killed with it
            )
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise InputError(f"'{python}' cannot be started: {error.strerror}") from error
        self._threads = [
            threading.Thread(target=self._read_replies, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_stderr, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def ask(self, envelope: Envelope) -> None:
        assert self._process.stdin is not None
        try:
            with report_broken_pipe():
                self._process.stdin.write((request_line(envelope) + "\n").encode())
                self._process.stdin.flush()  # stdin stays open, because the worker stops when it is closed
        except OSError:
            pass  # it has already ended; ``lines`` has the reason

    def exit_reason(self) -> WorkerFault | InputError:
        """Return the reason for the worker's exit, once ``lines`` has ended without an answer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)  # stdout closes shortly before the process ends
        end_process(self._process)
        self._threads[1].join(timeout=5)
        code = self._process.returncode
        last = next((line for line in reversed(self.stderr_tail) if line.strip()), "").strip()
        if code == 0 and not last:  # a worker of expnet never exits like this
            return InputError(f"'{self.python}' is no Python: choose the program of one that has torch or OpenCV")
        return WorkerFault(f"The worker {ending(code)}{': ' + last if last else ''}", "\n".join(self.stderr_tail))

    def end(self, keep_folder: bool = False) -> None:
        """Kill the worker if it still runs, and remove its folder. Idempotent."""
        end_process(self._process)
        try:
            with report_broken_pipe():
                self._process.stdin.close()  # type: ignore[union-attr]
        except OSError:
            pass  # the worker no longer reads it
        for thread in self._threads:
            thread.join(
                timeout=1
            )  # with a timeout, because an escaped child process may hold the other end of the pipe
        if not keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _read_replies(self, pipe: IO[bytes]) -> None:
        with pipe:  # closed in the reading thread: closing in another thread would block until the end of the pipe
            for line in pipe:
                self.lines.put(line.decode(errors="replace"))
        self.lines.put(None)

    def _read_stderr(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.stderr_tail.append(line.decode(errors="replace").rstrip())


class _WaitingWorker:
    """The worker that has finished its job and waits for the next one, if workers are kept."""

    def __init__(self) -> None:
        self.keeps = False
        self._worker: Worker | None = None

    @property
    def waits(self) -> bool:
        return self._worker is not None and self._worker.runs

    def take(self, python: str) -> Worker | None:
        """Remove and return the waiting worker, if it still runs and uses this Python; else None."""
        worker, self._worker = self._worker, None
        if worker and not (worker.runs and worker.python == python):
            worker.end()
            return None
        if worker:
            worker.stderr_tail.clear()  # it is from an earlier request
        return worker

    def put(self, worker: Worker) -> bool:
        """Let ``worker`` wait for the next job. False if it has to end instead."""
        if not self.keeps or self._worker is not None or not worker.runs:
            return False
        self._worker = worker
        return True

    def end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.end()


_waiting = _WaitingWorker()


def keep_worker() -> None:
    """Keep workers from now on: a worker that has finished its job waits for the next one, which starts at once."""
    _waiting.keeps = True


def start_ahead(request: Request[Any], preferred_python: str = "") -> None:
    """Start a worker for the next job and give it ``request``, which loads what the job needs.

    Does nothing if workers are not kept or one waits already. Like every waiting worker, it ends after ten minutes
    without a job. Its reply is not used: if loading fails, the job tells why. Raises InputError where there is no
    Python for it.
    """
    if not _waiting.keeps or _waiting.waits:
        return
    worker = Worker(worker_python(preferred_python))
    worker.ahead = request
    worker.ask(Envelope(request, str(worker.folder / "ahead.npz"), stay=True))
    if not _waiting.put(worker):
        worker.end()


def end_kept_worker() -> None:
    """Stop keeping workers, and end the waiting one, if there is one."""
    _waiting.keeps = False
    _waiting.end()


def end_waiting_worker() -> None:
    """End the waiting worker, because the files that it has loaded are about to be replaced or removed."""
    _waiting.end()


class Followable(Protocol):
    """Work in another process: a Job, or an installation."""

    progress: Progress
    reply: Any

    def poll(self, timeout: float = 0.0) -> bool: ...


def followed(work: Followable, on_progress: Callable[[Progress], None] | None = None) -> Any:
    """Wait for ``work``, report its progress, and return its reply; errors as in its ``poll``."""
    shown = work.progress
    while work.poll(timeout=0.2):
        if on_progress and work.progress is not shown:
            shown = work.progress
            on_progress(shown)
    assert work.reply is not None
    return work.reply


def ending(code: int) -> str:
    """Describe a process's exit code or signal."""
    return f"was killed (signal {-code})" if code < 0 else f"stopped (exit code {code})"


class Job(Generic[Result]):
    """A request in progress on a worker.

    Its result file ``out`` is in ``folder``, which is removed with the job: use it as a context, or call ``close``.
    ``request`` may also be a function that writes files for the worker into ``folder`` and returns the request.
    """

    def __init__(
        self, request: Request[Result] | Callable[[Path], Request[Result]], preferred_python: str = ""
    ) -> None:
        python = worker_python(preferred_python)
        waiting = _waiting.take(python)
        self._worker = waiting or Worker(python)
        self.folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._worker.folder))
        self.out = self.folder / "result.npz"
        self._may_be_dying = waiting is not None  # until its first line: a killed process may run on for a moment
        self.pid = self._worker.pid
        self._heard = time.monotonic()
        self.progress = Progress()
        self.seen: deque[Seen] = deque()  # live faces that the client has not taken yet
        self.reply: Result | None = None
        self._answered = self._closed = False
        if not isinstance(request, Request):
            try:
                request = request(self.folder)
            except BaseException:
                self._worker.end()
                raise
        self._envelope = Envelope(request, str(self.out), stay=_waiting.keeps)
        self._worker.ask(self._envelope)

    def poll(self, timeout: float = 0.0) -> bool:
        """Process the worker's events; False once it is done and ``reply`` is set.

        Raises InputError (bad input, with the worker's message) or WorkerFault (it failed or died).
        ``timeout`` is the time to wait for an event, in seconds.
        """
        while self.reply is None:
            try:
                line = self._worker.lines.get(timeout=timeout) if timeout else self._worker.lines.get_nowait()
            except queue.Empty:
                if time.monotonic() - self._heard > SILENT_SECONDS:
                    raise WorkerFault(
                        f"The worker did not answer for {SILENT_SECONDS / 60:.0f} minutes, and is stopped"
                    ) from None
                return True
            self._heard = time.monotonic()
            self._take(line)
        return False

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Wait for the worker's reply and return it; errors as in ``poll``."""
        result: Result = followed(self, on_progress)
        return result

    def close(self) -> None:
        """End the worker if it still works, and remove the job's folder. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if not (self._answered and _waiting.put(self._worker)):
            self._worker.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Job[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, line: str | None) -> None:
        if line is None and self._may_be_dying:
            self._ask_another()
            return
        if line is None:
            raise self._worker.exit_reason()
        if self._worker.ahead is not None:
            self._take_ahead(line, self._worker.ahead)
            return
        self._may_be_dying = False
        try:
            event = parse_event(line, self._envelope.request.result)
        except InputError as error:
            raise WorkerFault(f"The worker's answer is not understood: {error}", line[:2000]) from error
        if event is None:
            self._worker.stderr_tail.append(line)  # a library that prints to stdout
        elif isinstance(event, Progress):
            self.progress = event
        elif isinstance(event, Seen):
            self.seen.append(event)
        elif isinstance(event, Done):
            self._answered = True
            self.reply = event.result
        else:
            self._fail(event)

    def _take_ahead(self, line: str, request: Request[Any]) -> None:
        """Take a line of the answer to the request before this one."""
        with suppress(InputError):  # an answer that is not understood: the next one is this job's
            event = parse_event(line, request.result)
            if isinstance(event, Progress):
                self.progress = event
            if event is None or isinstance(event, Progress | Seen):
                return
        self._worker.ahead = None

    def _fail(self, failure: Failure) -> None:
        if failure.fault:
            raise WorkerFault(f"The worker failed: {failure.message}", failure.traceback)
        self._answered = True
        raise InputError(failure.message)

    def _ask_another(self) -> None:
        """Start another worker, because the waiting one has ended independently of this request."""
        self._may_be_dying = False
        self._worker.end(keep_folder=True)
        self._worker = Worker(self._worker.python, self._worker.folder)
        self.pid = self._worker.pid
        self._worker.ask(self._envelope)


def worker_environment(python: str) -> dict[str, str]:
    """Return this process's environment without the variables that point Python to Blender's own libraries.

    For Blender's own Python it adds the folders of the extension's wheels, which only Blender itself searches.
    """
    environment = isolated_environment()
    for name in ("PYTHONHOME", "PYTHONSTARTUP"):
        environment.pop(name, None)
    if python == sys.executable:
        folders = [*_wheel_folders(), *filter(None, [environment.get("PYTHONPATH")])]
        if folders:
            environment["PYTHONPATH"] = os.pathsep.join(folders)
    # the worker's folder must not come first on its path: it holds modules named like others' (camera, formats)
    return {**environment, "PYTHONIOENCODING": "utf-8"}


def _wheel_folders() -> list[str]:
    usual = {os.path.realpath(folder) for folder in site.getsitepackages()}
    specs = [importlib.util.find_spec(name) for names in NEEDED.values() for name in names]
    origins = [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    found = dict.fromkeys(str(o.parents[1] if o.name == "__init__.py" else o.parent) for o in origins)
    return [folder for folder in found if os.path.realpath(folder) not in usual]


def end_process(process: subprocess.Popen[Any]) -> None:
    """Kill a process that still runs, and on POSIX its process group."""
    if process.poll() is None and os.name == "posix":
        # It may just have ended: macOS refuses a group whose last process has.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()

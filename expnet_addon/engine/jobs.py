"""The client of the worker process: which Python runs it, starting, following and cancelling it.

Blender's own process never imports torch, OpenCV or SciPy: a network that runs out of memory or is killed cannot take
the artist's scene along. This module needs neither Blender nor numpy.

The worker reads request lines and answers with event lines (``model/worker/protocol.py``). Threads here only move lines
from its pipes into a queue; they never touch Blender's data, so ``poll`` may be called from a modal operator's timer.
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
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Protocol, TypeVar

from ...model.errors import InputError
from ...model.worker.protocol import Done, Envelope, Failure, Progress, Request, parse_event, request_line
from . import runtime
from .isolation import isolated_environment
from .pipes import report_broken_pipe

Result = TypeVar("Result")

WORKER = Path(__file__).resolve().parents[2] / "model" / "worker" / "__main__.py"
SILENT_SECONDS = 600.0  # without a line from the worker, which tells of every frame
# What an engine's Python has, beside numpy; the fuller engine first
NEEDED = {"full": ("torch", "cv2"), "light": ("cv2",)}


class WorkerFault(RuntimeError):
    """The worker failed by a fault of ours, or died. ``details`` is its traceback or its last lines on stderr."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Cancelled(Exception):
    """The job was cancelled; nothing of it is left."""


def worker_python(preferred: str = "") -> str:
    """Return the interpreter that runs the worker: the first of

    1. the preferred one, 'Use this Python' in the preferences: said by name, for here and now;
    2. the runtime, where one is installed: asked for, too, and known to be whole;
    3. this one if it has torch and OpenCV (looked for, not imported): what happens to be there, as in a pip install;
    4. the one named by the environment variable EXPNET_PYTHON, a farm's way to say it;
    5. this one if it has OpenCV, for the light engine.

    Raises InputError when there is none.
    """
    if preferred:
        found = shutil.which(os.path.expanduser(preferred))
        if not found:
            raise InputError(f"'{preferred}' is not a Python interpreter: correct 'Use this Python' in the preferences")
        return found
    if installed := runtime.python():
        return installed
    if engine_here() == "full":
        return sys.executable
    named = os.environ.get("EXPNET_PYTHON", "")
    if named:
        found = shutil.which(os.path.expanduser(named))
        if not found:
            raise InputError(f"EXPNET_PYTHON names '{named}', which is not a Python interpreter")
        return found
    if engine_here() == "light":
        return sys.executable
    raise InputError(
        "There is no Python with OpenCV (and torch): 'Install Runtime' or 'Use this Python' in the extension's "
        "preferences, or name one in the environment variable EXPNET_PYTHON"
    )


def engine_here() -> str | None:
    """Return the engine that this very Python can run, by the modules it has: full, light or None."""
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
    """A worker process, its pipes, and the threads that empty them.

    It runs in ``folder``, which holds the folders of its jobs too: where this process is killed, the worker removes it.
    """

    def __init__(self, python: str, folder: Path | None = None) -> None:
        self.python = python
        self.folder = folder or _temporary_folder()
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stderr_tail: deque[str] = deque(maxlen=40)
        try:
            self._process = subprocess.Popen(
                [python, "-u", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=worker_environment(python) | {"EXPNET_WORKER_FOLDER": str(self.folder)},
                cwd=self.folder,
                start_new_session=os.name == "posix",  # a group of its own, so that its end reaches its children
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
                self._process.stdin.flush()  # and stays open: a closed stdin tells the worker to stop
        except OSError:
            pass  # it is gone already; ``lines`` says why

    def exit_reason(self) -> WorkerFault | InputError:
        """Return why the worker has ended, once ``lines`` has ended without an answer."""
        try:
            self._process.wait(timeout=5)  # stdout closes a moment before the process is gone
        except subprocess.TimeoutExpired:
            pass
        end_process(self._process)
        self._threads[1].join(timeout=5)
        code = self._process.returncode
        last = next((line for line in reversed(self.stderr_tail) if line.strip()), "").strip()
        if code == 0 and not last:  # as no worker ends
            return InputError(f"'{self.python}' is no Python: choose the program of one that has torch or OpenCV")
        return WorkerFault(f"The worker {ending(code)}{': ' + last if last else ''}", "\n".join(self.stderr_tail))

    def end(self, keep_folder: bool = False) -> None:
        """Kill it if it still runs, and remove its folder. Harmless when called again."""
        end_process(self._process)
        try:
            with report_broken_pipe():
                self._process.stdin.close()  # type: ignore[union-attr]
        except OSError:
            pass  # nobody reads it any more
        for thread in self._threads:
            thread.join(timeout=1)  # not longer: a process that got away may hold the other end of its pipe
        if not keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _read_replies(self, pipe: IO[bytes]) -> None:
        with pipe:  # closed here, where it is read: elsewhere that would wait for its end
            for line in pipe:
                self.lines.put(line.decode(errors="replace"))
        self.lines.put(None)

    def _read_stderr(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.stderr_tail.append(line.decode(errors="replace").rstrip())


class _WaitingWorker:
    """The worker that has done its job and waits for the next one, where workers are kept at all."""

    def __init__(self) -> None:
        self.keeps = False
        self._worker: Worker | None = None

    def take(self, python: str) -> Worker | None:
        """Return the worker that waits, if it still runs and is of that Python; it waits no longer."""
        worker, self._worker = self._worker, None
        if worker and not (worker.runs and worker.python == python):
            worker.end()
            return None
        if worker:
            worker.stderr_tail.clear()  # it belongs to an earlier request
        return worker

    def put(self, worker: Worker) -> bool:
        """Let ``worker`` wait for the next job. False where it has to end instead."""
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
    """From here on a worker that has done its job waits for the next one, which then starts at once."""
    _waiting.keeps = True


def end_kept_worker() -> None:
    """Keep no workers any more, and end the one that waits, if there is one."""
    _waiting.keeps = False
    _waiting.end()


def end_waiting_worker() -> None:
    """End the worker that waits: what it has loaded is about to be replaced or removed."""
    _waiting.end()


class Followable(Protocol):
    """Work in another process: a Job, or an installation."""

    progress: Progress
    reply: Any

    def poll(self, timeout: float = 0.0) -> bool: ...


def followed(work: Followable, on_progress: Callable[[Progress], None] | None = None) -> Any:
    """Wait for ``work``, telling of its progress, and return its reply; errors as in its ``poll``."""
    shown = work.progress
    while work.poll(timeout=0.2):
        if on_progress and work.progress is not shown:
            shown = work.progress
            on_progress(shown)
    assert work.reply is not None
    return work.reply


def ending(code: int) -> str:
    """Say how a process ended, by its exit code."""
    return f"was killed (signal {-code})" if code < 0 else f"stopped (exit code {code})"


class Job(Generic[Result]):
    """A request that a worker works on.

    Its result file ``out`` lies in ``folder``, which goes with the job: use it as a context, or call ``close``.
    """

    def __init__(self, request: Request[Result], preferred_python: str = "") -> None:
        python = worker_python(preferred_python)
        waiting = _waiting.take(python)
        self._worker = waiting or Worker(python)
        self.folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._worker.folder))
        self.out = self.folder / "result.npz"
        self._may_be_dying = waiting is not None  # until it says something: a process that was killed runs on a moment
        self.pid = self._worker.pid
        self._heard = time.monotonic()
        self.progress = Progress()
        self.reply: Result | None = None
        self._answered = self._closed = False
        self._envelope = Envelope(request, str(self.out), stay=_waiting.keeps)
        self._worker.ask(self._envelope)

    def poll(self, timeout: float = 0.0) -> bool:
        """Take in what the worker said; False once it is done and ``reply`` is set.

        Raises InputError (bad input, in the worker's words) or WorkerFault (it failed or died).
        ``timeout`` is how long to wait for news, in seconds.
        """
        while self.reply is None:
            try:
                line = self._worker.lines.get(timeout=timeout) if timeout else self._worker.lines.get_nowait()
            except queue.Empty:
                if time.monotonic() - self._heard > SILENT_SECONDS:
                    raise WorkerFault(f"The worker said nothing for {SILENT_SECONDS / 60:.0f} minutes") from None
                return True
            self._heard = time.monotonic()
            self._take(line)
        return False

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Follow the worker to its end and return its reply; errors as in ``poll``."""
        result: Result = followed(self, on_progress)
        return result

    def close(self) -> None:
        """End what still runs, and remove the job's folder. Harmless when called again."""
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
        self._may_be_dying = False
        try:
            event = parse_event(line, self._envelope.request.result)
        except InputError as error:
            raise WorkerFault(f"The worker's answer is not understood: {error}", line[:2000]) from error
        if event is None:
            self._worker.stderr_tail.append(line)  # a library that prints to stdout
        elif isinstance(event, Progress):
            self.progress = event
        elif isinstance(event, Done):
            self._answered = True
            self.reply = event.result
        else:
            self._fail(event)

    def _fail(self, failure: Failure) -> None:
        if failure.fault:
            raise WorkerFault(f"The worker failed: {failure.message}", failure.traceback)
        self._answered = True
        raise InputError(failure.message)

    def _ask_another(self) -> None:
        """Start another worker: the one that waited has ended, not because of this request."""
        self._may_be_dying = False
        self._worker.end(keep_folder=True)
        self._worker = Worker(self._worker.python, self._worker.folder)
        self.pid = self._worker.pid
        self._worker.ask(self._envelope)


def worker_environment(python: str) -> dict[str, str]:
    """Return this process's environment without what ties a Python to Blender's own libraries.

    For Blender's own Python it names the folders of the extension's wheels, which only Blender itself looks into.
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


def end_process(process: subprocess.Popen) -> None:
    """Kill it, and on POSIX the group that it leads, if it still runs."""
    if process.poll() is None and os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it has just ended: macOS refuses a group whose last process has
    elif process.poll() is None:
        process.kill()
    process.wait()

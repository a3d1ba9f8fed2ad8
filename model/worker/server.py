"""The worker process: request lines on stdin, event lines on stdout, results in files.

``__main__.py`` starts it: ``python -m expnet.model.worker``. ``messages.py`` defines the requests, ``protocol.py`` the
lines, and ``handlers.py`` does the work.

Progress is sent at most ten times a second. The exit status is 0 after a result, 2 after bad input and 1 after a fault.
Keep stdin open: closing it cancels the request, and no partial files remain. Output of libraries goes to stderr. After
a request with ``stay`` the worker waits for another one, so that Python starts and torch loads only once. It exits when
stdin is closed, or after ten minutes without a request.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from .protocol import Done, Event, Failure, Look, Progress, event_line, parse_request

if TYPE_CHECKING:
    from .chosen_estimator import EstimatorCache

PROGRESS_SECONDS = 0.1
LOOK_SECONDS = 0.3
CANCEL_GRACE_SECONDS = 3.0
STAY_SECONDS = 600.0


class Cancelled(Exception):
    """Stdin was closed: the client cancelled the request."""


class Channel:
    """Sends events to the client, and holds its request to cancel."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._last = self._last_look = 0.0
        self.cancelled = threading.Event()

    def send(self, event: Event) -> None:
        try:
            self._events.write(event_line(event) + "\n")
            self._events.flush()
        except (BrokenPipeError, ValueError):  # the client is gone
            self.cancelled.set()

    def progress(
        self, done: int, total: int | None, message: str = "", look: Callable[[], Look | None] | None = None
    ) -> None:
        """Report progress; raises Cancelled after a request to cancel. The output is rate-limited.

        ``look`` is called only when its result is sent.
        """
        if self.cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS or done == total:
            self._last = now
            shows = look is not None and now - self._last_look >= LOOK_SECONDS
            if shows:
                self._last_look = now
            self.send(Progress(done, total, message, look() if look is not None and shows else None))


def answer(line: str, channel: Channel, estimators: EstimatorCache) -> tuple[int, bool]:
    """Serve one request line. Returns the exit status, and whether the worker waits for another request."""
    from ..errors import InputError, one_line
    from .handlers import HANDLERS, LIBRARIES, Work

    stay = False
    try:
        envelope = parse_request(line)
        stay = envelope.stay
        work = Work(envelope.out, channel.progress, estimators, channel.send)
        result = HANDLERS[type(envelope.request)](envelope.request, work)
        if channel.cancelled.is_set():
            raise Cancelled
        channel.send(Done(result))
        return 0, stay
    except InputError as error:
        message = one_line(error)
    except Cancelled:
        message = "cancelled"
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        if name not in LIBRARIES:
            return _fault(error, channel), stay
        fails = (
            f"has no {name}" if isinstance(error, ModuleNotFoundError) else f"cannot load {name} ({one_line(error)})"
        )
        message = f"{sys.executable} {fails}: install it there with: pip install {LIBRARIES[name]}"
    except Exception as error:
        return _fault(error, channel), stay
    channel.send(Failure(message))
    return 2, stay


def main() -> int:
    """Answer requests from stdin. Must run in a process of its own: it takes over stdout."""
    from .chosen_estimator import EstimatorCache

    channel, estimators = Channel(_take_stdout()), EstimatorCache()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(lines, channel), daemon=True).start()
    line, status = lines.get(), 2  # 2: no request
    while line.strip():
        status, stay = answer(line, channel, estimators)
        if channel.cancelled.is_set() or not stay:
            break
        try:
            line = lines.get(timeout=STAY_SECONDS)
        except queue.Empty:
            break
    if channel.cancelled.is_set():
        _remove_folder()
    return status


def _take_stdout() -> TextIO:
    """Return a private copy of stdout, and redirect fd 1 to stderr for libraries that print."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def _read_requests(lines: queue.SimpleQueue[str], channel: Channel) -> None:
    """Pass on requests; when stdin closes, cancel the current one."""
    try:
        for line in sys.stdin:
            lines.put(line)
    except (OSError, ValueError):
        pass
    channel.cancelled.set()
    lines.put("")
    # The work checks at every frame. Work that does not reach the next frame is ended here. Files are written
    # atomically, so this is safe.
    time.sleep(CANCEL_GRACE_SECONDS)
    _remove_folder()
    os._exit(2)


def _remove_folder() -> None:
    """Remove the worker's temporary folder if the process that created it has ended."""
    if folder := os.environ.get("EXPNET_WORKER_FOLDER"):
        shutil.rmtree(folder, ignore_errors=True)


def _fault(error: Exception, channel: Channel) -> int:
    from ..errors import one_line

    channel.send(Failure(f"{type(error).__name__}: {one_line(error)}", fault=True, traceback=traceback.format_exc()))
    return 1

"""The process that does the seeing: one JSON request line on stdin, JSON event lines on stdout, results in files.

``__main__.py`` starts it: ``python -m expnet.model.worker``. What can be asked stands in ``handlers.py``.

Events: {"event": "progress", "done", "total" or null, "message"}, at most ten a second, and at last one of
{"event": "done", ...}, {"event": "error", "message"} (bad input: one line), {"event": "fault", "message", "traceback"};
exit status 0, 2, 1. Keep stdin open: closing it cancels, and nothing half-written stays behind. What libraries print
goes to stderr. After a request with "stay" the worker waits for another, so that starting Python and loading torch is
paid once; it leaves when stdin is closed, or after ten minutes in which nothing is asked.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from typing import Any, TextIO

PROGRESS_SECONDS = 0.1
CANCEL_GRACE_SECONDS = 3.0
STAY_SECONDS = 600.0


class Cancelled(Exception):
    """Stdin was closed: whoever asked does not want the answer any more."""


class Channel:
    """Events to whoever started us, and their wish to cancel."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._last = 0.0
        self.cancelled = threading.Event()

    def send(self, event: str, **fields: Any) -> None:
        try:
            self._events.write(json.dumps({"event": event, **fields}) + "\n")
            self._events.flush()
        except (BrokenPipeError, ValueError):  # nobody listens any more
            self.cancelled.set()

    def progress(self, done: int, total: int | None, message: str = "") -> None:
        """Report, and raise Cancelled when that was asked for. Call it as often as you like."""
        if self.cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS or done == total:
            self._last = now
            self.send("progress", done=done, total=total, message=message)


def answer(line: str, channel: Channel) -> int:
    """Serve one request line; returns the exit status."""
    from ..errors import InputError, one_line
    from .handlers import LIBRARIES, VERBS

    try:
        verb, request = _parsed(line)
        result = VERBS[verb][0](request, channel.progress)
        if channel.cancelled.is_set():
            raise Cancelled
        channel.send("done", **result)
        return 0
    except InputError as error:
        channel.send("error", message=one_line(error))
        return 2
    except Cancelled:
        channel.send("error", message="cancelled")
        return 2
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        if name not in LIBRARIES:
            return _fault(error, channel)
        fails = (
            f"has no {name}" if isinstance(error, ModuleNotFoundError) else f"cannot load {name} ({one_line(error)})"
        )
        channel.send("error", message=f"{sys.executable} {fails}: install it there with: pip install {LIBRARIES[name]}")
        return 2
    except Exception as error:
        return _fault(error, channel)


def main() -> int:
    """Answer requests from stdin. Must run in a process of its own: it takes over stdout."""
    channel = Channel(_take_stdout())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(lines, channel), daemon=True).start()
    line, status = lines.get(), 2  # 2: nobody asked
    while line.strip():
        status = answer(line, channel)
        if channel.cancelled.is_set() or not _stays(line):
            break
        try:
            line = lines.get(timeout=STAY_SECONDS)
        except queue.Empty:
            break
    return status


def _stays(line: str) -> bool:
    try:
        return bool(json.loads(line).get("stay"))
    except (ValueError, AttributeError):
        return False


def _take_stdout() -> TextIO:
    """Our own copy of stdout; from here on fd 1 is stderr, for libraries that print."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def _read_requests(lines: queue.SimpleQueue[str], channel: Channel) -> None:
    """Pass on what is asked; when stdin closes, cancel what is being done."""
    try:
        for line in sys.stdin:
            lines.put(line)
    except (OSError, ValueError):
        pass
    channel.cancelled.set()
    lines.put("")
    # The work asks at every frame; what does not get that far is stopped here. Files appear by renaming only.
    time.sleep(CANCEL_GRACE_SECONDS)
    os._exit(2)


def _parsed(line: str) -> tuple[str, dict[str, Any]]:
    from ..errors import InputError
    from .handlers import VERBS

    try:
        request = json.loads(line)
    except ValueError as error:
        raise InputError(f"the request is not JSON: {error}") from error
    verb = request.get("verb") if isinstance(request, dict) else None
    if verb not in VERBS:
        raise InputError(f"unknown verb {verb!r}: use one of {', '.join(VERBS)}")
    for field in VERBS[verb][1]:
        if not request.get(field):
            raise InputError(f"{verb} needs {field!r}")
    return verb, request


def _fault(error: Exception, channel: Channel) -> int:
    from ..errors import one_line

    channel.send("fault", message=f"{type(error).__name__}: {one_line(error)}", traceback=traceback.format_exc())
    return 1

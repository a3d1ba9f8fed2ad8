"""Writing to a process that may be gone."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def report_broken_pipe() -> Iterator[None]:
    """Inside, writing or closing a pipe that nobody reads any more raises BrokenPipeError, as Python does elsewhere.

    Blender's Python leaves SIGPIPE at the system's default: without this the signal would end Blender, and with it the
    artist's scene. Only this thread blocks it, and only meanwhile.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows has no such signal
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

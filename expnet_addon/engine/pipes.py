"""Writing to the pipe of a process that may have ended."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def report_broken_pipe() -> Iterator[None]:
    """Let writing or closing a pipe without a reader raise BrokenPipeError, as in a normal Python.

    Blender's Python leaves SIGPIPE at the system's default, so without this the signal would end Blender and lose
    unsaved work. The signal is blocked only in this thread and only inside the context.
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

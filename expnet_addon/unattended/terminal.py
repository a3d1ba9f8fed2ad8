"""Terminal output while a verb works."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from ...model.worker.protocol import Progress


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Keep Blender's messages about frames and files off stdout, so that it has only results."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def bar() -> Iterator[Bar]:
    shown = Bar()
    try:
        yield shown
    finally:
        shown.end()


class _Heard:
    """What is called at every progress, for a process that follows this one; set by ``on_progress``."""

    tell: Callable[[], None] | None = None


_heard = _Heard()


def on_progress(tell: Callable[[], None]) -> None:
    """Call ``tell`` at every progress of all verbs from now on."""
    _heard.tell = tell


class Bar:
    """A progress bar on one line of stderr, if it is a terminal."""

    def __init__(self) -> None:
        self._shown = 0

    def __call__(self, progress: Progress) -> None:
        if _heard.tell:
            _heard.tell()
        if not sys.stderr.isatty():
            return
        filled = round(30 * progress.fraction)
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {progress}" if progress.total else str(progress)
        print("\r" + line.ljust(self._shown), end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def end(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown, end="\r", file=sys.stderr, flush=True)
            self._shown = 0


def print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        print(note)

"""A process that does shots: ``expnet serve-shots``, started by lanes.py (or a Ray worker, by ray_cluster.py).

It reads one JSON line for each shot, {"out", "clip", "name", "settings"}, and answers with the record as JSON on a line
that starts with ANSWER (Blender prints other lines). While it works, it writes a line ALIVE at most once a second. It
ends when stdin closes, because the client has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

import numpy as np

from ...model.errors import InputError, one_line, printable
from ...model.files import write_whole
from ...model.performance.face_performance import FacePerformance, runs
from ...model.performance.performance_files import load_performance
from ..engine import jobs, requests
from ..unattended import terminal
from .records import POINTS, Record, done_record, save_record, stamp, thumbnail_path
from .settings import ShotSettings
from .shots import Shot, check_name

ANSWER = "expnet-shot "
ALIVE = "expnet-alive"
ALIVE_SECONDS = 1.0  # minimum time between two such lines


def outputs(shot: Shot, settings: ShotSettings) -> list[str]:
    """Name the files of a shot, relative to the batch's folder."""
    return [shot.name + suffix for suffix in settings.outputs]


def do_shot(out: Path, shot: Shot, settings: ShotSettings) -> Record:
    """Animate one clip, unless it is done already, and write its record last.

    An invalid clip gives a record with an ``error``. So does an internal fault, so that the other clips continue.
    """
    from ..unattended.animate import animate

    started = time.monotonic()
    record = Record(shot.clip, shot.name, [0, 0], settings.recorded())
    try:
        done = done_record(out, shot, settings)
        if done:
            return done
        check_name(shot.clip)
        record = replace(record, clip_stamp=stamp(shot.clip))
        files = [out / name for name in outputs(shot, settings)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        written = animate(settings.animate_options(shot.clip, files))
        performance = load_performance(next(file for file in written if file.suffix == ".npz"))  # always among them
        record = replace(_seen(record, performance), outputs=[file.relative_to(out).as_posix() for file in written])
        _thumbnail(out, shot, performance, settings.first or 0)
    except InputError as error:
        record = replace(record, error=str(error))
    except OSError as error:
        record = replace(record, error=f"{shot.clip}: {error.strerror or error}")
    except Exception as error:  # a fault in one clip must not stop the batch
        record = replace(record, error=f"a fault of ours: {type(error).__name__}: {one_line(error)}")
    record = replace(record, error=printable(record.error), total_seconds=round(time.monotonic() - started, 3))
    with contextlib.suppress(InputError, OSError):  # as on a full disk: the next call does this clip again
        save_record(out, shot, record)
    return record


def _seen(record: Record, performance: FacePerformance) -> Record:
    """Add frames, gaps, rate and confidence of the performance to the record."""
    confidence = performance.confidence
    parts = np.array_split(confidence, min(POINTS, len(confidence)))
    return replace(
        record,
        frames=len(confidence),
        seen=int(performance.seen.sum()),
        missing=[list(gap) for gap in runs(~performance.seen)],
        fps=round(performance.fps, 4),
        confidence=[round(float(part.mean()), 3) for part in parts],
        unread=performance.unread,
        damage=performance.damage,
        fitted=performance.fitted,
    )


def _thumbnail(out: Path, shot: Shot, performance: FacePerformance, first: int) -> None:
    """Write the frame of the strongest expression as an image. ``first`` is the first frame read of the clip."""
    strength = np.where(performance.seen, np.nan_to_num(np.abs(performance.eta)).sum(1) * performance.confidence, -1)
    frame = int(strength.argmax())
    still = requests.still(shot.clip, first + frame, performance.crop[frame].tolist())
    with jobs.Job(still) as job:
        job.wait()
        target = thumbnail_path(out, shot)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, job.out.read_bytes())


def serve() -> None:
    """Process the shots that stdin requests, until it closes."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    terminal.on_progress(_Beat(answers))
    jobs.keep_worker()
    while line := lines.get():
        asked = json.loads(line)
        record = do_shot(
            Path(asked["out"]), Shot(asked["clip"], asked["name"]), ShotSettings.of_record(asked["settings"])
        )
        answers.write(ANSWER + json.dumps(asdict(record)) + "\n")
        answers.flush()
    jobs.end_kept_worker()


class _Beat:
    """Writes ALIVE when it is called, at most once in ALIVE_SECONDS."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._last = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= ALIVE_SECONDS:
            self._last = now
            self._answers.write(ALIVE + "\n")
            self._answers.flush()


def _read(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    # The client has ended. Files are written atomically, and the worker ends when its stdin closes.
    os._exit(0)


def _die_with_parent() -> None:
    """Ask the Linux kernel to end this process with its parent, even while Blender renders and holds the GIL."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)

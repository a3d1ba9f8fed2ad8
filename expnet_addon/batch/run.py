"""``expnet batch``: find the clips, do those that are not done yet, and say how it went."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.sight.clips import check_there
from ...model.worker.protocol import Ping, Progress
from ..engine.jobs import Job
from ..unattended.options import estimator_options, preferred_python
from ..unattended.outputs import make_folder
from ..unattended.terminal import bar as progress_bar
from .lanes import do_shots
from .outcome import SomeFailed
from .records import Record, done_record, remove_leftovers
from .report import write_report
from .shots import Shot, find_shots

# What of the command line is about the batch, not about how each clip is animated.
OF_THE_BATCH = ("verb", "run", "clips", "out", "csv", "render", "jobs", "cluster", "address")
REPORT_SECONDS = 5.0  # between two writings of the report while the batch goes on


@dataclass(frozen=True)
class Batch:
    """What is to be done: all shots, those that wait, and how."""

    out: Path
    shots: list[Shot]
    waiting: list[Shot]
    settings: dict[str, Any]


def batch(a: argparse.Namespace) -> None:
    """The verb. Raises InputError, and SomeFailed at the end."""
    if a.jobs is not None and a.jobs < 1:
        raise InputError(f"--jobs {a.jobs}: one at least")
    if a.address and not a.cluster:
        raise InputError("--address is a Ray cluster's: add --cluster ray")
    if a.estimator != "open":
        check_there(a.estimator, "estimator")
    settings = settings_of(a)
    shots = find_shots(a.clips, a.out)
    make_folder(a.out)
    with only_one(a.out):
        remove_leftovers(a.out, shots)
        plan = Batch(a.out.absolute(), shots, [s for s in shots if not done_record(a.out, s, settings)], settings)
        if plan.waiting:
            _prepare(a)
        if len(plan.waiting) < len(shots):
            print(f"{len(shots) - len(plan.waiting)} of {len(shots)} clips are done already")
        _follow(plan, _records(plan, a))
        path = write_report(plan.out, shots)
    _say_how_it_went(plan, path)


def settings_of(a: argparse.Namespace) -> dict[str, Any]:
    """The options of ``animate`` as they go to whoever does a shot, and what is written of each."""
    settings = {name: value for name, value in vars(a).items() if name not in OF_THE_BATCH}
    for name in ("estimator", "face_model"):
        if settings[name] != "open":
            settings[name] = os.path.abspath(settings[name])
    suffixes = [".blend", ".npz", *([".csv"] if a.csv else []), *([".mp4"] if a.render else [])]
    return {**settings, "first": None, "last": None, "outputs": suffixes}


def _prepare(a: argparse.Namespace) -> None:
    """What would fail for every clip, or would be done by all processes at once, is done before they start."""
    from ..capture import capture
    from ..engine import requests
    from ..unattended.heads import face_model_file, read_head

    head = read_head(face_model_file(a.face_model))
    capture.check_head(estimator_options(a), head.basis, len(head.identity), a.face_model, a.identity)
    if not a.cluster:  # there it is the nodes that see, this machine may be unable to
        with Job(requests.load(estimator_options(a)), preferred_python()) as job:
            job.wait()


def _records(plan: Batch, a: argparse.Namespace) -> Iterator[Record]:
    if not plan.waiting:
        return iter(())
    if a.cluster == "ray":
        from .ray_cluster import do_shots_on_ray

        return do_shots_on_ray(plan.out, plan.waiting, plan.settings, a.address, a.jobs)
    gpus = _gpus() if a.device in ("auto", "cuda") else 0
    lanes = a.jobs or gpus or max(1, (os.cpu_count() or 1) // 2)
    return do_shots(plan.out, plan.waiting, plan.settings, lanes, gpus, preferred_python())


def _gpus() -> int:
    with Job(Ping(), preferred_python()) as job:
        return job.wait().gpus


def _follow(plan: Batch, records: Iterator[Record]) -> None:
    done, frames, started, written = 0, 0, time.monotonic(), 0.0
    with progress_bar() as bar:
        for record in records:
            done, frames = done + 1, frames + record.frames
            seconds = time.monotonic() - started
            bar(Progress(done, len(plan.waiting), f"clips ({frames / seconds:.0f} frames/s, {record.name})"))
            if record.error:
                bar.end()
                print(f"failed   {record.name}: {record.error}", file=sys.stderr, flush=True)
            if time.monotonic() - written > REPORT_SECONDS:
                write_report(plan.out, plan.shots)
                written = time.monotonic()


def _say_how_it_went(plan: Batch, report: Path) -> None:
    failed = [shot for shot in plan.shots if not done_record(plan.out, shot, plan.settings)]
    print(f"{report}: {len(plan.shots) - len(failed)} of {len(plan.shots)} clips done")
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(plan.shots)} clips failed; a second call tries them again")


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """One batch in a folder at a time. The system takes the lock back however the process ends."""
    with open(out / ".lock", "a+b") as file:
        try:
            if os.name == "posix":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise InputError(f"another batch works in '{out}': wait for it, or choose another folder") from error
        yield

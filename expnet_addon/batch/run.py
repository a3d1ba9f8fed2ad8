"""``expnet batch``: find the clips, process those that are not done yet, and report the outcome."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ...model.worker.messages import Ping
from ...model.worker.protocol import Progress
from ..engine.jobs import Job
from ..unattended.options import check_emotions, check_fit
from ..unattended.outputs import make_folder
from ..unattended.terminal import bar as progress_bar
from ..unattended.worker_python import preferred_python
from .lanes import do_shots
from .outcome import SomeFailed
from .records import Record, done_record, remove_leftovers, rendered_videos
from .report import write_report
from .settings import ShotSettings
from .shots import Shot, find_shots

REPORT_SECONDS = 5.0  # minimum time between updates of the report


@dataclass(frozen=True)
class BatchOptions:
    """The ``clips`` (folders, patterns, files) to animate into the folder ``out``, and the settings.

    ``jobs`` is the number of parallel clips, None: one for each GPU or two cores. ``cluster`` is ``ray``, at
    ``address`` or started here. With ``strict`` a clip that could only be read in part counts as failed at the end.
    """

    clips: tuple[str, ...]
    out: Path
    settings: ShotSettings
    jobs: int | None = None
    cluster: str | None = None
    address: str | None = None
    strict: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch in progress: all shots, the waiting ones, and the options."""

    out: Path
    shots: list[Shot]
    waiting: list[Shot]
    settings: ShotSettings


def batch(options: BatchOptions) -> None:
    """Animate every clip that is not done yet. Raises InputError, and SomeFailed at the end."""
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs {options.jobs}: one at least")
    if options.address and not options.cluster:
        raise InputError("--address is a Ray cluster's: add --cluster ray")
    settings, out = options.settings.with_absolute_paths(), options.out
    check_fit(settings.fit, settings.everyone)
    check_emotions(settings.emotions, ".mp4" in settings.outputs, settings.everyone)
    if settings.estimator != OPEN:
        check_there(options.settings.estimator, "estimator")
    shots = find_shots(options.clips, out, rendered_videos(out))
    make_folder(out)
    with only_one(out):
        remove_leftovers(out, shots)
        plan = Batch(out.absolute(), shots, [s for s in shots if not done_record(out, s, settings)], settings)
        if plan.waiting:
            _prepare(options)
        if len(plan.waiting) < len(shots):
            print(f"{len(shots) - len(plan.waiting)} of {len(shots)} clips are done already")
        _follow(plan, _records(plan, options))
        path = write_report(plan.out, shots)
    _say_how_it_went(plan, path, options.strict)


def _prepare(options: BatchOptions) -> None:
    """Do once, before the processes start, the work that all clips share, so that its errors are reported once."""
    from ..capture import capture
    from ..engine import requests
    from ..unattended.heads import face_model_file, read_head

    settings = options.settings
    estimator = settings.estimator_options()
    head = read_head(face_model_file(settings.face_model))
    capture.check_head(estimator, head.basis, len(head.identity), settings.face_model, settings.identity)
    if not options.cluster:  # on a cluster the nodes read the clips, and this machine may be unable to
        with Job(requests.load(estimator), preferred_python()) as job:
            job.wait()


def _records(plan: Batch, options: BatchOptions) -> Iterator[Record]:
    if not plan.waiting:
        return iter(())
    if options.cluster == "ray":
        from .ray_cluster import do_shots_on_ray

        return do_shots_on_ray(plan.out, plan.waiting, plan.settings, options.address, options.jobs)
    gpus = _gpus() if plan.settings.device in ("auto", "cuda") else 0
    lanes = options.jobs or gpus or max(1, (os.cpu_count() or 1) // 2)
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
                with suppress(InputError):  # the last update reports the error
                    write_report(plan.out, plan.shots)
                written = time.monotonic()


def _say_how_it_went(plan: Batch, report: Path, strict: bool) -> None:
    records = [done_record(plan.out, shot, plan.settings) for shot in plan.shots]
    failed = [record for record in records if record is None]
    partly = [record for record in records if record is not None and record.damage]
    done = len(plan.shots) - len(failed) - len(partly)
    print(f"{report}: {done} of {len(plan.shots)} clips done" + (f", {len(partly)} in part only" if partly else ""))
    for record in partly:
        print(f"in part  {record.name}: {record.damage}", file=sys.stderr, flush=True)
    if partly and strict and not failed:
        raise SomeFailed(f"{len(partly)} of {len(plan.shots)} clips could be read in part only: repair them")
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(plan.shots)} clips failed; a second call tries them again")


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Lock a folder for one batch at a time. The system releases the lock when the process ends in any way."""
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

"""Long-running batch test: ``python -m expnet.benchmarks.soak [CLIPS] [CANCELS]`` (Linux).

Runs CLIPS short clips (50) through ``expnet batch`` in one process. Measures the memory of that process and its worker
after each, and clips an hour, with one lane and, if Ray is available, with one and two local Ray workers. Then cancels
CANCELS jobs (100) at random moments and lists what they leave behind.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..expnet_addon.batch.lanes import do_shots
from ..expnet_addon.batch.ray_cluster import do_shots_on_ray
from ..expnet_addon.batch.records import Record
from ..expnet_addon.batch.settings import ShotSettings
from ..expnet_addon.batch.shots import Shot
from ..expnet_addon.engine import requests
from ..expnet_addon.engine.jobs import Job
from ..model.worker.messages import EstimatorOptions
from ..training.measurement import Measurement, show
from .memory import CLIP

CLIPS, CANCELS = 50, 100
FRAMES = 24  # of each clip
WARM = 5  # clips after which memory should not grow any more


SETTINGS = ShotSettings(device="cpu")


def main(clips: int = CLIPS, cancels: int = CANCELS) -> int:
    with tempfile.TemporaryDirectory() as folder:
        shots = _shots(Path(folder), clips)
        measured = [*_lane(shots, Path(folder) / "lane")]
        if importlib.util.find_spec("ray"):
            for workers in (1, 2):
                measured += _ray(shots, Path(folder) / f"ray{workers}", workers)
    measured += _cancelled(cancels)
    return 0 if show(measured) else 1


def _shots(folder: Path, count: int) -> list[Shot]:
    """Make ``count`` clips of FRAMES frames, each from another position of the shipped clip."""
    frames = []
    movie = cv2.VideoCapture(str(CLIP))
    while (grabbed := movie.read())[0]:
        frames.append(grabbed[1])
    shots = []
    for i in range(count):
        path = folder / f"clip{i:03d}.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 24, frames[0].shape[1::-1])
        for k in range(FRAMES):
            writer.write(frames[(i * 7 + k) % len(frames)])
        writer.release()
        shots.append(Shot(str(path), path.stem))
    return shots


def _lane(shots: list[Shot], out: Path) -> list[Measurement]:
    held, started = [], time.monotonic()
    for record in do_shots(out, shots, SETTINGS, 1):
        _must_be_done(record)
        held.append(_held_mb(os.getpid()))
    seconds = time.monotonic() - started
    warm = np.array(held[WARM:])
    growth = float(np.polyfit(np.arange(len(warm)), warm, 1)[0]) if len(warm) > 1 else 0.0
    return [
        Measurement(f"{len(shots)} clips of {FRAMES} frames, one lane: all processes hold at the end", held[-1], "MB"),
        Measurement(f"  growth from clip to clip after the first {WARM}", growth, "MB", at_most=1.0),
        Measurement("  clips an hour", len(shots) / seconds * 3600, ""),
    ]


def _ray(shots: list[Shot], out: Path, workers: int) -> list[Measurement]:
    started, first = time.monotonic(), 0.0
    for record in do_shots_on_ray(out, shots, SETTINGS, None, workers):
        _must_be_done(record)
        first = first or time.monotonic() - started
    seconds = time.monotonic() - started
    return [
        Measurement(f"the same on Ray, workers: {workers}: clips an hour", len(shots) / seconds * 3600, ""),
        Measurement("  seconds to the first clip's end", first, "s"),
    ]


def _must_be_done(record: Record) -> None:
    if record.error:
        raise SystemExit(f"{record.name}: {record.error}")


def _cancelled(count: int) -> list[Measurement]:
    rng, slowest = random.Random(0), 0.0
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # of this process only: other jobs may run on this machine
        try:
            for _ in range(count):
                job = Job(requests.animate(str(CLIP), EstimatorOptions(device="cpu")))
                deadline = time.monotonic() + rng.uniform(0.0, 4.0)
                while time.monotonic() < deadline and job.poll(timeout=0.02):
                    pass
                asked = time.monotonic()
                job.close()
                slowest = max(slowest, time.monotonic() - asked)
        finally:
            tempfile.tempdir = None
        folders = len(list(Path(folder).iterdir()))
    left = len(list(_children(os.getpid())))
    return [
        Measurement(f"{count} jobs cancelled at random moments: processes left", left, "", 0),
        Measurement("  folders left", folders, "", 0),
        Measurement("  the slowest cancel", slowest, "s", at_most=1.0),
        Measurement("  this process holds", _resident_mb(os.getpid()), "MB"),
    ]


def _held_mb(pid: int) -> float:
    """Return what all processes under ``pid`` hold."""
    return sum(_resident_mb(child) for child in _children(pid))


def _children(pid: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            yield child
            yield from _children(child)


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0  # it has just ended
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

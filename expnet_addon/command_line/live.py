"""``expnet live``: the face of a camera, a file or a Live Link Face stream in real time, sent on and recorded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ...model.worker.messages import LIVE_SMOOTHING, EstimatorOptions, SendTo
from ...model.worker.protocol import Seen
from ..engine import requests
from ..engine.jobs import Job
from ..unattended.outputs import PERFORMANCE_FORMATS, check_outputs
from ..unattended.terminal import bar
from ..unattended.worker_python import preferred_python

WAIT = 0.2  # seconds between two looks at what has come


@dataclass(frozen=True)
class LiveOptions:
    """Follow ``source`` (camera:0, livelink:11111 or a file), ``send`` the face on, and record it to a ``performance``.

    ``host`` is the address at which a stream is received. ``seconds`` ends it after that time. ``smoothing`` (0..1) is
    that of the faces sent on; the performance keeps them as they were read.
    """

    source: str
    send: tuple[SendTo, ...] = ()
    performance: Path | None = None
    host: str = "127.0.0.1"
    seconds: float | None = None
    smoothing: float = LIVE_SMOOTHING
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)


def live(a: LiveOptions) -> None:
    """Follow until the source ends, the time is over, or Ctrl+C. Raises InputError, WorkerFault."""
    if a.performance:
        check_outputs([a.source], {a.performance: PERFORMANCE_FORMATS})
    if not requests.is_stream(a.source):
        check_there(a.source, "clip")
    seen: deque[Seen] = deque()
    request = requests.live(a.source, a.estimator, a.send, a.host, smoothing=a.smoothing)
    with Job(request, preferred_python()) as job, bar() as shown:
        try:
            while job.poll(timeout=WAIT):
                _take(job, seen)
                shown(job.progress)
                if a.seconds is not None and seen and seen[-1].time >= a.seconds:
                    break
        except KeyboardInterrupt:  # the usual end of a camera
            if not seen:
                raise
        _take(job, seen)
    faces = sum(face.confidence > 0 for face in seen)
    if not faces:
        raise InputError(f"no face was seen in {a.source}: look into the camera, or say where the face is with --box")
    if a.performance:
        from ...model.performance.performance_files import save_performance
        from ..capture.recording import performance_of

        save_performance(performance_of(list(seen)), a.performance)
    span = max(seen[-1].time - seen[0].time, 1e-3)
    print(f"{a.source}: {faces} of {len(seen)} pictures with a face, {(len(seen) - 1) / span:.0f} a second")


def _take(job: Job[Any], seen: deque[Seen]) -> None:
    while job.seen:
        seen.append(job.seen.popleft())


def send_to(layout: str | None, to: str | None) -> tuple[SendTo, ...]:
    """Return the target that ``--send`` and ``--to`` name. Raises InputError."""
    if layout is None:
        if to:
            raise InputError("--to says where faces are sent: add --send vmc, vrchat or livelink")
        return ()
    if to is None:
        return (SendTo(layout),)  # type: ignore[arg-type]
    host, _, port = to.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--to {to}: give it as HOST:PORT, such as 127.0.0.1:39539")
    return (SendTo(layout, host, int(port)),)  # type: ignore[arg-type]

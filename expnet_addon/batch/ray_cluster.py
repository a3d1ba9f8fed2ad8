"""Processing of a batch's shots on a Ray cluster, by ``do_shot`` in Ray's worker processes.

Every node needs expnet installed with bpy, and the footage and the batch's folder under the same paths (a studio's file
server). Ray restarts a worker that dies, together with its clip.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from .records import Record, save_record
from .settings import ShotSettings
from .shots import Shot

RETRIES = 3  # of a clip whose worker process died


def do_shots_on_ray(
    out: Path, shots: Sequence[Shot], settings: ShotSettings, address: str | None, jobs: int | None
) -> Iterator[Record]:
    """Yield each shot's record when it is done.

    ``address`` is that of a running cluster, or None to start one here. ``jobs`` is the number of parallel shots
    (default: the cluster's number of pairs of cores, or of GPUs). Raises InputError without Ray or a cluster.
    """
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # "no cluster": Ray listens on 127.0.0.1 only
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's default of 15 is for shared machines
    try:
        import ray
    except ImportError as error:
        raise InputError("--cluster ray needs Ray: pip install 'expnet[ray]'") from error
    # Ray puts the working directory first on its workers' module path, so a numpy.py beside the footage would run.
    empty = tempfile.mkdtemp(prefix="expnet-ray-")
    try:
        with contextlib.chdir(empty):
            ray.init(address=address, log_to_driver=False, include_dashboard=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        shutil.rmtree(empty, ignore_errors=True)
        raise InputError(f"no Ray cluster at '{address}': {_first_line(error)}") from error
    try:
        gpus = ray.cluster_resources().get("GPU", 0) if settings.device in ("auto", "cuda") else 0
        cores = ray.cluster_resources().get("CPU", 1)
        share = {"num_gpus": 1, "num_cpus": 1} if gpus else {"num_cpus": min(2, cores) if not jobs else cores / jobs}
        do = ray.remote(**share, max_retries=RETRIES, retry_exceptions=False)(_do_shot)
        waiting = {do.remote(str(out), shot.clip, shot.name, settings.recorded()): shot for shot in shots}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            shot = waiting.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayError as error:  # it died RETRIES times, or a node lacks what is needed
                record = Record(shot.clip, shot.name, [0, 0], settings.recorded(), error=f"Ray: {_first_line(error)}")
                save_record(out, shot, record)
                yield record
    finally:
        ray.shutdown()
        shutil.rmtree(empty, ignore_errors=True)


def _do_shot(out: str, clip: str, name: str, settings: dict[str, Any]) -> Record:
    """Do a shot in a Ray worker process, which keeps Blender and the network loaded between shots."""
    from ..engine import jobs
    from .serve import do_shot

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    jobs.keep_worker()
    return do_shot(Path(out), Shot(clip, name), ShotSettings.of_record(settings))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""Reading of shards on a Ray cluster. Every node needs the package, and images and OUT under the same paths."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...model.errors import InputError, one_line
from .label_shards import Settings, load_estimator, read_shard_of_images, save
from .landmark_files import plugin

RETRIES = 3  # of a shard whose worker process died

Shard = tuple[Path, Sequence[Path]]  # the file to write, and its images


def read_on_ray(shards: Sequence[Shard], settings: Settings, address: str | None) -> Iterator[None]:
    """Read the shards and write their files; yield once for each. ``address`` None: a cluster on this machine.

    Raises InputError without Ray or a cluster, and for a shard that fails.
    """
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # no cluster: Ray listens on 127.0.0.1 only
        os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError("--cluster ray needs Ray: pip install 'expnet[ray]'") from error
    # Ray puts the working directory first on its workers' module path: it gets an empty one.
    with tempfile.TemporaryDirectory(prefix="expnet-ray-", ignore_cleanup_errors=True) as empty:
        try:
            with contextlib.chdir(empty):
                ray.init(address=address, log_to_driver=False, include_dashboard=False, configure_logging=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"no Ray cluster at '{address}': {one_line(error)}") from error
        try:
            task: Any = ray.remote(num_cpus=1, max_retries=RETRIES)(read_shard)
            waiting = [task.remote(str(path), list(map(str, images)), settings) for path, images in shards]
            while waiting:
                ready, waiting = ray.wait(waiting, num_returns=1)
                try:
                    ray.get(ready)
                except ray.exceptions.RayError as error:
                    raise InputError(f"a shard cannot be read on the cluster: {one_line(error)}") from error
                yield
        finally:
            ray.shutdown()


def read_shard(path: str, images: Sequence[str], settings: Settings) -> None:
    """Read one shard in a worker process, which keeps the network loaded between shards."""
    finder = None if settings.landmarks.startswith(".") else plugin(settings.landmarks)
    save(Path(path), read_shard_of_images([Path(image) for image in images], settings, _estimator(settings), finder))


@lru_cache(maxsize=1)
def _estimator(settings: Settings) -> Any:
    import torch

    torch.set_num_threads(1)  # a task has one core
    return load_estimator(settings)

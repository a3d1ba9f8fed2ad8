"""The open network's speed on the CPU: ``python -m expnet.benchmarks.network``. Crop, pose and all, as it is used."""

from __future__ import annotations

import sys

import numpy as np
import torch

from ..model.camera import Camera, Crop
from ..model.estimator import OPEN_WEIGHTS, Estimator
from .measurement import Measurement, seconds, show

BOUNDS_MS = {1: 4.0, 32: 2.0}  # by batch, one thread


def measure() -> list[Measurement]:
    if not OPEN_WEIGHTS.is_file():
        return []
    estimator = Estimator.load("open", "cpu")
    image = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    crop, camera = Crop(640, 360, 300, 0.1), Camera.for_image(1280, 720)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for batch, bound in BOUNDS_MS.items():
            arguments = [image] * batch, [crop] * batch, [camera] * batch
            took = seconds(lambda: estimator.estimate(*arguments), repeat=60 // batch + 3, warm_up=3)  # noqa: B023
            what = f"open network, batch {batch}, {threads} thread{'s' * (threads > 1)}"
            found.append(Measurement(what, 1e3 * took / batch, "ms/frame", bound if threads == 1 else None))
    torch.set_num_threads(before)
    return found


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)

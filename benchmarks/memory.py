"""Memory of the worker over a long clip: ``python -m expnet.benchmarks.memory [FRAMES]``.

The shipped clip is repeated to make a short and a long clip. The result is the worker's peak memory during the long
clip less its peak during the short one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import cv2

from ..expnet_addon.engine import requests
from ..expnet_addon.engine.jobs import Job
from ..model.worker.messages import EstimatorOptions
from ..training.measurement import Measurement, show

CLIP = Path(__file__).resolve().parents[1] / "model/data/demo_clip.mp4"
SHORT, LONG = 200, 4000  # frames
HOUR = 3600 * 24  # frames


def measure(long: int = LONG) -> list[Measurement]:
    if not CLIP.is_file():
        return []
    with tempfile.TemporaryDirectory() as folder:
        before = _peak_mb(_repeated(CLIP, SHORT, Path(folder) / "short.mp4"))
        after = _peak_mb(_repeated(CLIP, long, Path(folder) / "long.mp4"))
    growth = (after - before) / (long - SHORT)
    return [
        Measurement(f"worker's peak memory, {long} frames of 720p", after, "MB"),
        Measurement("its growth over an hour at 24 frames a second", growth * HOUR, "MB", at_most=200),
    ]


def _peak_mb(clip: Path) -> float:
    """Return the peak memory of all workers so far; the clips come in ascending length."""
    with Job(requests.animate(str(clip), EstimatorOptions(device="cpu"))) as job:
        job.wait()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


def _repeated(clip: Path, frames: int, out: Path) -> Path:
    """Yield ``frames`` frames of the clip at 1280 × 720, repeating it from the start."""
    reader = cv2.VideoCapture(str(clip))
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), 24, (1280, 720))
    for _ in range(frames):
        grabbed, image = reader.read()
        if not grabbed:
            reader = cv2.VideoCapture(str(clip))
            _, image = reader.read()
        writer.write(cv2.resize(image, (1280, 720)))
    writer.release()
    return out


if __name__ == "__main__":
    sys.exit(0 if show(measure(*map(int, sys.argv[1:2]))) else 1)

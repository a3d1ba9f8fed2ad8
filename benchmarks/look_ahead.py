"""Looks ahead beside single looks: ``python -m expnet.benchmarks.look_ahead CLIP…``.

The full engine reads each clip twice: locating several frames at once, and locating one after another. The table has
the differences of eta between the two, over all keys and frames: a key's range is 1. ``worst key`` is the mean of the
key with the largest one. The last two columns are processor time for a frame, decoding included, the smaller of two
rounds each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from ..model.networks import engines
from ..model.networks.two_looks import LooksTwice
from ..model.performance.face_performance import FacePerformance
from ..model.sight.tracking import perform
from ..model.sight.video import open_clip

ROUNDS = 2


def main(clips: list[str]) -> int:
    estimator = engines.start(device="cpu", engine="full").estimator
    print("| clip | frames | mean | 95 % | 99 % | largest | worst key | ms ahead | ms one by one |")
    print("|---|---|---|---|---|---|---|---|---|")
    for clip in clips:
        print(row(Path(clip), estimator), flush=True)
    return 0


def row(clip: Path, estimator: LooksTwice) -> str:
    """Return the row of the table for a clip. Raises ValueError where the two do not see the same frames."""
    ahead, quick = read(clip, estimator, estimator.looks_ahead)
    single, slow = read(clip, estimator, 1)
    if not np.array_equal(ahead.seen, single.seen):
        raise ValueError(f"{clip}: the face is seen in other frames")
    off = np.abs(ahead.eta - single.eta)[single.seen]
    found = [off.mean(), *np.quantile(off, [0.95, 0.99]), off.max(), off.mean(0).max()]
    numbers = " | ".join(f"{value:.4f}" for value in found)
    return f"| {clip.stem} | {len(off)} | {numbers} | {1e3 * quick:.2f} | {1e3 * slow:.2f} |"


def read(clip: Path, estimator: LooksTwice, looks_ahead: int) -> tuple[FacePerformance, float]:
    """Read a clip, and return its processor time for a frame in seconds, too."""
    usual, estimator.looks_ahead = estimator.looks_ahead, looks_ahead
    taken: list[float] = []
    try:
        for _ in range(ROUNDS):
            start = time.process_time()
            with open_clip(clip) as frames:
                performance = perform(frames, estimator)
            taken.append((time.process_time() - start) / len(performance.times))
    finally:
        estimator.looks_ahead = usual
    return performance, min(taken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)

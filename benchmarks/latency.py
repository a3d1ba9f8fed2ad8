"""From picture to keys, live: ``python -m expnet.benchmarks.latency [--changes N]``.

A clip whose face blinks is played in real time, as a camera would give it. For each change of the lids it takes the
time from the moment at which the picture was there to the moment at which the key on the head has changed. It also
counts how many faces a second move the head.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..expnet_addon.capture import live
from ..expnet_addon.capture.keying import AS_RECORDED
from ..expnet_addon.scene import rig
from ..model.builtin import OPEN
from ..model.face.semantics import OPEN_KEYS
from ..model.formats import open_face_model
from ..model.networks.weights.open_pack import DATA
from ..model.performance.performance_files import load_performance
from ..model.sight.video import open_clip
from ..model.worker.messages import EstimatorOptions
from ..training.measurement import Measurement, processor, show

FPS = 30.0
HOLD = 12  # frames between two changes
TIMER = 1 / 60  # seconds, the operator's timer
SIZE = (640, 480)


def blinking_clip(path: Path, changes: int) -> None:
    """Write a clip that shows open and shut eyes in turn, HOLD frames each."""
    clip = Path(DATA) / "demo_clip.mp4"
    truth = load_performance(clip.with_name("demo_clip_truth.npz"))
    lids = truth.eta[:, [OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("lid_R")]].mean(1)
    shut = int(lids.argmax())
    near = np.arange(max(shut - 8, 0), shut)
    opened = int(near[np.abs(lids[near]).argmin()])
    with open_clip(clip) as frames:
        pictures = {i: frame.image for i, frame in enumerate(frames) if i in (shut, opened)}
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, SIZE)
    for change in range(changes + 1):
        for _ in range(HOLD):
            writer.write(cv2.resize(pictures[shut if change % 2 else opened], SIZE))
    writer.release()


def measured(changes: int) -> tuple[list[float], float, list[float]]:
    """Return the latencies of the changes in seconds, faces a second on the head, and the time of one step."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = rig.create_rig(open_face_model(OPEN))
    key = head.data.shape_keys.key_blocks["lid_L"]
    latencies, steps, applied_at = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "blink.avi"
        blinking_clip(clip, changes)
        task = live.LiveTask(bpy.context.scene, head, str(clip), EstimatorOptions(), AS_RECORDED)
        task.start()
        before, shown = 0.0, 0
        try:
            while True:
                start = time.perf_counter()
                running = task.step()
                if task.applied > shown:
                    bpy.context.view_layer.update()
                    now = time.monotonic()
                    shown = task.applied
                    applied_at.append(now)
                    face = task.last
                    if face is not None and abs(key.value - before) > 0.3:
                        latencies.append(now - face.at)
                        before = key.value
                steps.append(time.perf_counter() - start)
                if not running:
                    break
                time.sleep(max(0.0, TIMER - (time.perf_counter() - start)))
        finally:
            task.cancel()
    settled = [at for at in applied_at if at > applied_at[0] + 0.5]
    return latencies, (len(settled) - 1) / max(settled[-1] - settled[0], 1e-6), steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=20)
    args = parser.parse_args()
    print(processor())
    latencies, rate, steps = measured(args.changes)
    if len(latencies) < args.changes // 2:
        sys.exit(f"only {len(latencies)} of {args.changes} changes of the lids were seen")
    milliseconds = 1e3 * np.array(latencies[1:])
    holds = show(
        [
            Measurement("changes of the lids that were seen", len(latencies), ""),
            Measurement("from the picture to the key, median", float(np.median(milliseconds)), "ms", at_most=120),
            Measurement("from the picture to the key, 95 %", float(np.percentile(milliseconds, 95)), "ms"),
            Measurement("faces on the head", rate, "per second", at_least=25),
            Measurement("one step of the timer, median", 1e3 * float(np.median(steps)), "ms"),
        ]
    )
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()

"""Time from footage to a performance, by step: ``python -m expnet.benchmarks.animate [CLIP]``.

Without CLIP, the shipped clip is played at 1280 x 720. The steps are measured one by one. The whole is the worker's
part: decoding, crop, network and pose. It is faster than the sum, because decoding has its own thread. Smoothing and
keys are Blender's part.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import torch

from ..model.builtin import OPEN
from ..model.camera import Camera, Crop
from ..model.formats import open_face_model
from ..model.networks.cutting import cut
from ..model.networks.torch_engine.estimator import Estimator
from ..model.networks.weights.open_pack import OPEN_WEIGHTS
from ..model.performance.face_performance import FacePerformance
from ..model.performance.smoothing import smooth
from ..model.sight.finder import find_faces
from ..model.sight.tracking import perform
from ..model.sight.video import open_clip
from ..training.measurement import Measurement, seconds, show

CLIP = Path(__file__).resolve().parents[1] / "model/data/demo_clip.mp4"
FRAMES = 300
FRAMES_PER_SECOND = 150.0  # the bound for 720p on two cores


def measure(clip: Path | None = None) -> list[Measurement]:
    if not OPEN_WEIGHTS.is_file() or not (clip or CLIP).is_file():
        return []
    if clip is not None:
        return _measured(clip, None)
    with tempfile.TemporaryDirectory() as folder:
        return _measured(_at_720p(CLIP, Path(folder) / "clip.mp4"), FRAMES_PER_SECOND)


def _measured(path: Path, at_least: float | None) -> list[Measurement]:
    torch.set_num_threads(1)  # as the worker does on two cores
    estimator = Estimator.load(OPEN, "cpu")
    with open_clip(path) as clip:
        image = next(iter(clip)).image
    height, width = image.shape[:2]
    camera = Camera.for_image(width, height)
    start = time.perf_counter()
    with open_clip(path) as clip:
        frames = sum(1 for _ in clip)
    decoding = (time.perf_counter() - start) / frames
    faces = find_faces(image, estimator)
    crop = faces[0].crop if faces else Crop(width / 2, height / 2, height / 2)
    cutting = seconds(lambda: cut(image, crop, estimator.size), repeat=50)
    looking = seconds(lambda: estimator.estimate([image], [crop], [camera]), repeat=50) - cutting
    start = time.perf_counter()
    with open_clip(path) as clip:
        performance = perform(clip, estimator)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    smoothed = smooth(performance)
    smoothing = time.perf_counter() - start
    what = f"{path.name}, {width} x {height}, {frames} frames"
    return [
        Measurement(f"{what}: decode", 1e3 * decoding, "ms/frame"),
        Measurement("cut the crop", 1e3 * cutting, "ms/frame"),
        Measurement("network and pose", 1e3 * looking, "ms/frame"),
        Measurement("smoothing", 1e3 * smoothing / frames, "ms/frame"),
        *_keying(smoothed),
        Measurement("find faces, quick (once, then only after a loss)", 1e3 * _finding(image, estimator, False), "ms"),
        Measurement("find faces, thorough", 1e3 * _finding(image, estimator, True), "ms"),
        Measurement(f"the whole, {int(performance.seen.sum())} faces seen", frames / whole, "frames/s", None, at_least),
    ]


def _keying(performance: FacePerformance) -> list[Measurement]:
    """Measure keyframes on the open head in Blender; return nothing without the bpy module."""
    try:
        import bpy
    except ImportError:
        return []
    from ..expnet_addon.scene import animation, rig

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = rig.create_rig(open_face_model(OPEN))
    took = seconds(lambda: animation.key_performance(head, performance, bpy.context.scene), repeat=3)
    return [Measurement("keys", 1e3 * took / len(performance.times), "ms/frame")]


def _finding(image: cv2.typing.MatLike, estimator: Estimator, thorough: bool) -> float:
    return seconds(lambda: find_faces(image, estimator, thorough), repeat=3)


def _at_720p(clip: Path, out: Path) -> Path:
    """Yield ``FRAMES`` frames of the clip at 1280 x 720, repeating it from the start."""
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), 24, (1280, 720))
    written = 0
    while written < FRAMES:
        with open_clip(clip) as frames:
            for frame in frames:
                writer.write(cv2.resize(frame.image, (1280, 720)))
                written += 1
    writer.release()
    return out


if __name__ == "__main__":
    sys.exit(0 if show(measure(*map(Path, sys.argv[1:2]))) else 1)

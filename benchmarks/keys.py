"""The rig and its keyframes in Blender: ``python -m expnet.benchmarks.keys`` (needs the bpy module)."""

from __future__ import annotations

import sys

import numpy as np

from ..model.face.face_model import FaceModel
from ..model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from ..model.performance.face_performance import FacePerformance
from ..model.performance.smoothing import REGIONS
from ..model.performance.treatment import Treatment
from ..training.measurement import Measurement, seconds, show

RIG_SECONDS = 2.0  # the bound for 53,215 vertices x 128 keys
KEYS_SECONDS = 0.1  # the bound for 29 curves x 3,000 keys


def measure() -> list[Measurement]:
    try:
        import bpy
    except ImportError:
        return []
    from ..expnet_addon.capture import takes
    from ..expnet_addon.scene import animation, rig

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene

    large = _face_model(53_215, tuple(f"key_{i:03d}" for i in range(128)), "benchmark")
    building = seconds(lambda: rig.create_rig(large), repeat=3)
    small = _face_model(500, OPEN_KEYS, OPEN_BASIS)
    head = rig.create_rig(small)
    performance = _performance(3000)
    keying = seconds(lambda: animation.key_performance(head, performance, scene))
    treatment = Treatment(dict.fromkeys(REGIONS, 0.5))
    taking = seconds(lambda: takes.write_take(scene, head, performance, treatment))
    playing = seconds(lambda: [scene.frame_set(frame) for frame in range(1, 101)], repeat=3) / 100
    return [
        Measurement("BFM rig, 53,215 vertices x 128 keys", building, "s", at_most=RIG_SECONDS),
        Measurement("29 curves x 3,000 keys, with gaze and pose", keying, "s", at_most=KEYS_SECONDS),
        Measurement("the same as a take: smoothed, with what was seen", taking, "s", at_most=KEYS_SECONDS),
        Measurement("playing them, 500 vertices", 1000 * playing, "ms/frame"),
    ]


def _face_model(vertices: int, keys: tuple[str, ...], basis: str) -> FaceModel:
    rng = np.random.default_rng(1)
    mean = rng.uniform(-100, 100, (vertices, 3)).astype(np.float32)
    bounds = open_bounds() if basis == OPEN_BASIS else np.tile(np.array([-3, 3], np.float32), (len(keys), 1))
    corners = np.arange(vertices, dtype=np.int32)
    return FaceModel(
        name=basis,
        mean=mean,
        identity=np.zeros((1, vertices, 3), np.float32),
        expression=rng.normal(0, 1, (len(keys), vertices, 3)).astype(np.float32),
        expression_offset=np.zeros_like(mean),
        faces=np.stack([corners, np.roll(corners, 1), np.roll(corners, 2)], 1).repeat(2, axis=0)[:-1],
        expression_keys=keys,
        expression_bounds=bounds,
        basis=basis,
        identity_sigma=np.ones(1, np.float32),
    )


def _performance(frames: int) -> FacePerformance:
    times = np.arange(frames) / 25
    return FacePerformance(
        times=times,
        eta=0.5 + 0.5 * np.sin(times[:, None] + np.arange(len(OPEN_KEYS))),
        gaze=0.2 * np.stack([np.sin(times), np.cos(times)], -1),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0.0, -700.0], (frames, 1)),
        crop=np.tile([320.0, 180.0, 200.0, 0.0], (frames, 1)),
        confidence=np.ones(frames),
        alpha=np.zeros(1),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="benchmark.mp4",
        fps=25.0,
        image_size=(640, 360),
    )


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)

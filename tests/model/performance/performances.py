"""Performances to try things on: a face that does nothing, and one that moves all it has."""

from dataclasses import replace

import numpy as np

from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.performance.face_performance import FacePerformance

LID, JAW, BROW, SIDE = (OPEN_KEYS.index(k) for k in ("lid_L", "jawOpen", "browInnerUp", "mouthSide"))


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Return a rotation of these degrees, built from its definition in ``euler_degrees``."""
    y, p, r = np.radians([yaw, -pitch, -roll])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return rz @ rx @ ry


def still(frames: int = 48, fps: float = 24.0) -> FacePerformance:
    """Return a face that does nothing, 700 mm in front of the camera."""
    return FacePerformance(
        times=np.arange(frames) / fps,
        eta=np.zeros((frames, 29)),
        gaze=np.zeros((frames, 2)),
        rotation=np.tile(np.eye(3), (frames, 1, 1)),
        translation=np.tile([0.0, 0.0, -700.0], (frames, 1)),
        crop=np.tile([320.0, 180.0, 200.0, 0.0], (frames, 1)),
        confidence=np.full(frames, 0.9),
        alpha=np.linspace(-1, 1, 99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source="/footage/tåke 1.mp4",
        fps=fps,
        image_size=(640, 360),
    )


def unseen(performance: FacePerformance, first: int, last: int) -> FacePerformance:
    """Return the performance without a face in frames ``first`` to ``last``."""
    changed = {}
    for name in ("eta", "gaze", "rotation", "translation", "crop", "confidence"):
        values = getattr(performance, name).copy()
        values[first : last + 1] = 0.0 if name == "confidence" else np.nan
        changed[name] = values
    return replace(performance, **changed)


def acted(frames: int = 48, seed: int = 0) -> FacePerformance:
    """Return a face that moves all it has, and is away for five frames."""
    rng = np.random.default_rng(seed)
    low, high = open_bounds().T
    wave = np.cumsum(rng.normal(0, 0.1, (frames, 29)), axis=0)
    poses = [turn(40 * np.sin(i / 9), 10 * np.cos(i / 7), 5 * np.sin(i / 5)) for i in range(frames)]
    p = replace(
        still(frames),
        eta=low + (high - low) * (0.5 + 0.5 * np.sin(wave)),
        gaze=rng.normal(0, 0.1, (frames, 2)),
        rotation=np.array(poses),
        translation=np.array([0, 0, -700.0]) + rng.normal(0, 5, (frames, 3)),
    )
    return unseen(p, 20, 24)


def same(a: FacePerformance, b: FacePerformance, tolerance: float = 0.0) -> bool:
    names = ("times", "eta", "gaze", "rotation", "translation", "crop", "confidence", "alpha")
    return all(np.allclose(getattr(a, n), getattr(b, n), rtol=0, atol=tolerance, equal_nan=True) for n in names)

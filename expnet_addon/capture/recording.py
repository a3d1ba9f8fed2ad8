"""A recording of live faces as a performance. No bpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from ...model.array_types import FloatArray
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from ...model.performance.face_performance import FacePerformance
from ...model.performance.neutral import calibrated
from ...model.rotations import rotations
from ...model.worker.protocol import Seen

FPS = 30.0  # nominal rate of a recording; its keys lie at the true times
SIZE = (640, 480)  # of the pictures, which a recording does not keep


def performance_of(faces: Sequence[Seen]) -> FacePerformance:
    """Return recorded faces as a performance with their true times."""
    times = np.array([face.time for face in faces])
    keep = np.concatenate([[True], np.diff(times) > 1e-4])
    kept = [face for face, wanted in zip(faces, keep) if wanted]
    count = len(kept)
    seen = np.array([face.confidence > 0 for face in kept])

    def rows(name: str, width: int) -> FloatArray:
        table = np.full((count, width), np.nan)
        if seen.any():
            table[seen] = [getattr(face, name) for face in kept if face.confidence > 0]
        return table

    rotation = np.full((count, 3, 3), np.nan)
    if seen.any():
        rotation[seen] = rotations(rows("rotation", 4)[seen])
    crop = np.where(seen[:, None], [SIZE[0] / 2, SIZE[1] / 2, SIZE[1] / 2, 0.0], np.nan)
    return FacePerformance(
        times=np.array([face.time for face in kept]) - kept[0].time,
        eta=rows("eta", len(OPEN_KEYS)),
        gaze=rows("gaze", 2),
        rotation=rotation,
        translation=rows("translation", 3),
        crop=crop,
        confidence=np.array([face.confidence for face in kept]),
        alpha=np.zeros(99),
        expression_keys=OPEN_KEYS,
        basis=OPEN_BASIS,
        source=datetime.now().strftime("Live %Y-%m-%d %H.%M.%S"),
        fps=FPS,
        image_size=SIZE,
    )


def from_neutral(performance: FacePerformance, neutral: FloatArray) -> FacePerformance:
    """Return the performance from the actor's neutral, as another recording: takes are treated from raw ones."""
    return replace(calibrated(performance, neutral, open_bounds()), neutral=None)

"""One row per picture of a clip, for notes and scores that count pictures as they are decoded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...model.networks.estimate import SeesFaces
from ...model.performance.face_performance import FacePerformance
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip

PER_FRAME = ("times", "eta", "gaze", "rotation", "translation", "crop", "confidence", "mouth_hidden")


def perform_by_picture(path: Path, count: int, estimator: SeesFaces) -> FacePerformance:
    """Read a clip of ``count`` pictures with a row for each: the first frame that shows it.

    A clip of variable rate holds pictures over several frames and may skip some: a picture that no frame shows has the
    row of the next one. A clip of another length keeps its own number of rows.
    """
    with open_clip(path) as clip:
        performance = perform(clip, estimator)
        placement = clip.placement()
    shown = placement.pictures
    last_is_skipped = not placement.constant and count == shown[-1] + 2
    pictures = count if last_is_skipped else shown[-1] + 1
    rows = np.minimum(np.searchsorted(shown, np.arange(pictures)), len(shown) - 1)
    by_frame: dict[str, Any] = {name: getattr(performance, name) for name in PER_FRAME}
    rows_of: dict[str, Any] = {name: None if values is None else values[rows] for name, values in by_frame.items()}
    return replace(performance, **rows_of)

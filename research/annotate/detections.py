"""A face's box and points in the frames of a clip: from the open network, a table beside the clip, or a plug-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...model.fitting.looks import Looks, look_again
from ...model.networks.estimate import SeesFaces
from ...model.performance.face_performance import FacePerformance
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip
from ..label.landmark_files import plugin, read_openface

BOX = 0.8  # width of a face's box, in sides of its crop

Floats = NDArray[np.float64]
Report = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections in a clip, one face in N of its frames.

    frame (N,) from 0, increasing;  box (N, 3) centre x, centre y and width, pixels;  points (N, P, 2) pixels
    size          (width, height) of the clip
    performance, looks, rows  what the network read, and the rows (N,) of these detections there; None of landmarks
    """

    frame: NDArray[np.int64]
    box: Floats
    points: Floats
    size: tuple[int, int]
    performance: FacePerformance | None = None
    looks: Looks | None = None
    rows: NDArray[np.int64] | None = None


def by_network(clip: Path, estimator: SeesFaces, lens_mm: float, report: Report) -> Detections:
    """Follow the largest face with the network and locate its points. Raises InputError for a clip without a face."""
    with open_clip(clip) as frames:
        performance = perform(frames, estimator, lens_mm=lens_mm, on_frame=report)
        pictures = frames.placement().pictures
    if not performance.seen.any():
        raise InputError(f"{clip}: no face was found: leave this clip out")
    with open_clip(clip) as frames:
        looks = look_again(frames, performance, pictures, estimator, report)
    rows = np.flatnonzero(performance.seen)
    crop = performance.crop[rows]
    box = np.column_stack([crop[:, :2], BOX * crop[:, 2]])
    frame = np.rint(performance.frames[rows]).astype(np.int64)
    return Detections(frame, box, looks.points[rows], performance.image_size, performance, looks, rows)


def by_landmarks(clip: Path, source: str, report: Report) -> Detections:
    """Read 68 landmarks from a table in OpenFace's format beside the clip (``source``: its suffix) or by a plug-in.

    Raises InputError where there are none.
    """
    with open_clip(clip) as frames:
        size = frames.size
        if source.startswith("."):
            found = {number - 1: points for number, points in read_openface(clip.with_suffix(source)).items()}
        else:
            finder, found = plugin(source), {}
            for done, frame in enumerate(frames):
                points = finder(frame.image)
                if points is not None:
                    found[frame.index] = _of_plugin(points, source)
                report(done + 1)
    if not found:
        raise InputError(f"{clip}: no landmarks were found: leave this clip out")
    order = sorted(found)
    points = np.array([found[i] for i in order])
    low, high = points.min(1), points.max(1)
    box = np.column_stack([(low + high) / 2, (high - low).max(1)])
    return Detections(np.array(order, np.int64), box, points, size)


def _of_plugin(points: object, source: str) -> Floats:
    array = np.asarray(points, np.float64)
    if array.shape != (68, 2) or not np.isfinite(array).all():
        raise InputError(f"the landmark plug-in {source} gives no 68 points: repair it")
    return array

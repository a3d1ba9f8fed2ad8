"""A second look at a clip whose face is followed: what the network reads in each frame, with the points it locates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..array_types import IntArray
from ..camera import Camera, Crop
from ..errors import InputError
from ..networks.estimate import SeesFaces
from ..networks.person import Acquaintance
from ..networks.two_looks import read_with_mirror_images
from ..performance.face_performance import FacePerformance
from ..sight.video import Clip

TOGETHER = 16  # frames in one batch

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Looks:
    """What the network reads in F frames; rows of NaN where there is no face.

    points         (F, P, 2) pixels of the image, as ``point_basis.network_vertices`` orders them
    side           (F,) pixels, the side of the face's crop
    eta            (F, Ke) and eta_deviation (F, Ke), the deviation that the network expects
    """

    points: Floats
    side: Floats
    eta: Floats
    eta_deviation: Floats


def check_locates_points(estimator: SeesFaces) -> None:
    """Raise InputError for a network whose readings cannot be fitted over a clip."""
    if estimator.person is None or "landmarks" not in estimator.person.widths:
        raise InputError("this network locates no points to fit a head to: choose the open network, or do not fit")


def look_again(
    clip: Clip,
    performance: FacePerformance,
    pictures: IntArray,
    estimator: SeesFaces,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Looks:
    """Look at each frame's face in its own crop, and at its mirror image.

    ``clip`` is opened as it was for ``performance``; ``pictures`` (F,) are those of its placement then.

    Raises InputError for a network that locates no points.
    """
    check_locates_points(estimator)
    assert estimator.person is not None
    widths = estimator.person.widths
    camera = Camera.for_image(*clip.size, performance.lens_mm)
    rows_of: dict[int, list[int]] = {}
    for row in np.flatnonzero(performance.seen):
        rows_of.setdefault(int(pictures[row]), []).append(int(row))
    count, keys = len(performance.times), len(estimator.expression_keys)
    points_count = (widths["landmarks"] + widths.get("points", 0)) // 2
    looks = Looks(
        np.full((count, points_count, 2), np.nan),
        np.full(count, np.nan),
        np.full((count, keys), np.nan),
        np.full((count, keys), np.nan),
    )
    waiting: list[tuple[list[int], NDArray[np.uint8]]] = []
    known, looked = Acquaintance(estimator.person), list[list[int]]()

    def read() -> None:
        crops = [Crop(*map(float, performance.crop[rows[0]])) for rows, _ in waiting]
        images, cameras = [image for _, image in waiting], [camera] * len(crops)
        first = estimator.finding.estimate(images, crops, cameras)
        seen = read_with_mirror_images(estimator, images, cameras, first)
        assert seen.outputs is not None
        known.add(seen.outputs, seen.confidence)
        ends = np.cumsum(list(widths.values()))
        outputs = dict(zip(widths, np.split(seen.outputs, ends[:-1], 1), strict=True))
        for i, (rows, _) in enumerate(waiting):
            unit = [outputs[name][i].reshape(-1, 2) for name in ("landmarks", "points") if name in outputs]
            looks.points[rows] = crops[i].to_image(np.concatenate(unit).astype(np.float64))
            looks.side[rows] = crops[i].side
            looks.eta[rows], looks.eta_deviation[rows] = seen.eta[i], seen.eta_deviation[i]
            looked.append(rows)
        waiting.clear()

    for at, frame in enumerate(clip):
        if at in rows_of:
            waiting.append((rows_of[at], frame.image))
        if len(waiting) == TOGETHER:
            read()
        on_frame(at + 1)
    if waiting:
        read()
    for rows, move in zip(looked, known.eta_moves if looked else (), strict=True):
        looks.eta[rows, : len(move)] += move
    return looks

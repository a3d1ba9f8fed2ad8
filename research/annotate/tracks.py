"""Detections joined to tracks, which removes false ones, and the points smoothed over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .spline import Floats, smoothed

LOST = 5  # frames without a detection that end a track (K)
WANTED = 2000  # frames of a track (F); longer ones are divided
MOVED = 0.5  # of its width: a box that moves farther is another face
LEAST = 10  # frames with a detection; shorter tracks are false detections
STRENGTH = 0.3  # of the smoothing spline: halves the amplitude of what repeats within four frames


def tracks_of(frame: NDArray[np.int64], box: Floats, wanted: int = WANTED) -> list[NDArray[np.int64]]:
    """Return the detections of each track, as rows. ``frame`` (N,) increases; ``box`` (N, 3): centre and width."""
    open_: list[list[int]] = []
    closed: list[list[int]] = []
    for row, (now, (x, y, width)) in enumerate(zip(frame, box)):
        for track in [t for t in open_ if now - frame[t[-1]] > LOST]:
            open_.remove(track)
            closed.append(track)
        near = [t for t in open_ if np.hypot(*(box[t[-1], :2] - (x, y))) <= MOVED * min(width, box[t[-1], 2])]
        if near:
            max(near, key=len).append(row)
        else:
            open_.append([row])
    whole = [np.array(t) for t in (*closed, *open_) if len(t) >= LEAST]
    parts = [t[first : first + wanted] for t in whole for first in range(0, len(t), wanted)]
    return sorted((t for t in parts if len(t) >= LEAST), key=lambda t: int(t[0]))


def filled(frame: NDArray[np.int64], values: Floats, strength: float = STRENGTH) -> Floats:
    """Return values (N, …) of a track's ``frame`` (N,) smoothed, for all its frames from the first to the last."""
    wanted = np.arange(frame[0], frame[-1] + 1, dtype=np.float64)
    flat = smoothed(frame.astype(np.float64), values.reshape(len(values), -1), wanted, strength)
    return flat.reshape(len(wanted), *values.shape[1:])

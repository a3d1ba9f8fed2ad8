"""Recordings with labels by task: a table of performances, and the features of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import load_performance
from ...model.rotations import euler_degrees
from ..tables import table_rows

Floats = NDArray[np.float64]
COLUMNS = ("recording", "subject", "phase", "stress")
SPAN = ("start", "end")  # columns that a table may have, seconds: the part of the recording that the row labels
LABELS = {"0": False, "1": True}
COEFFICIENTS, POSE, GAZE = "coefficients", "pose", "gaze"


@dataclass(frozen=True)
class Recording:
    """A labelled part of a performance file: ``start`` to ``end`` seconds."""

    path: Path
    subject: str
    phase: str
    stress: bool
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Frames:
    """N frames: features by kind, (N, D) each; stress (N,) bool; subject and phase (N,) names."""

    features: dict[str, Floats]
    stress: NDArray[np.bool_]
    subject: NDArray[np.str_]
    phase: NDArray[np.str_]


def read_table(table: Path, without: Sequence[str]) -> list[Recording]:
    """Read the rows of a table, but for those of the phases ``without``. Raises InputError."""
    found: list[Recording] = []
    with table_rows(table, COLUMNS, f"give a CSV with the columns {','.join(COLUMNS)}") as reader:
        for row in reader:
            recording, subject, phase, stress = ((row[name] or "").strip() for name in COLUMNS)
            if not (recording and subject and phase) or stress not in LABELS:
                raise InputError(f"{table}: line {reader.line_num} has an empty cell, or stress is neither 0 nor 1")
            start, end = ((row.get(name) or "").strip() for name in SPAN)
            span = float(start or 0), float(end or "inf")
            if not span[0] < span[1]:
                raise InputError(f"{table}: line {reader.line_num} ends before it starts")
            found.append(Recording(table.parent / recording, subject, phase, LABELS[stress], *span))
    unknown = sorted(set(without) - {r.phase for r in found})
    if unknown:
        raise InputError(f"{table}: has no phase {unknown[0]}: {', '.join(sorted({r.phase for r in found}))}")
    found = [r for r in found if r.phase not in without]
    if len({r.stress for r in found}) < 2:
        raise InputError(f"{table}: all frames have the same label: give recordings with stress 0 and with stress 1")
    return found


def read_frames(recordings: Sequence[Recording], window: float, step: float) -> Frames:
    """Read the features of a frame every ``step`` seconds, see ``features_of``. Raises InputError."""
    basis: tuple[str, ...] | None = None
    rows: list[tuple[dict[str, Floats], Recording]] = []
    last: tuple[Path, FacePerformance] | None = None
    for recording in tqdm(recordings, desc="recordings"):
        if last is None or last[0] != recording.path:
            last = recording.path, load_performance(recording.path)
        performance = last[1]
        basis = basis or performance.expression_keys
        if performance.expression_keys != basis:
            raise InputError(f"{recording.path}: has another expression basis than the first recording: read all alike")
        features = features_of(performance, recording.start, recording.end, window, step)
        if not len(features[COEFFICIENTS]):
            raise InputError(
                f"{recording.path}: no face from {recording.start:g} to {recording.end:g} s: remove its row"
            )
        rows.append((features, recording))
    counts = [len(features[COEFFICIENTS]) for features, _ in rows]
    return Frames(
        {kind: np.concatenate([features[kind] for features, _ in rows]) for kind in (COEFFICIENTS, POSE, GAZE)},
        np.repeat([r.stress for _, r in rows], counts),
        np.repeat([r.subject for _, r in rows], counts),
        np.repeat([r.phase for _, r in rows], counts),
    )


def features_of(
    performance: FacePerformance, start: float, end: float, window: float, step: float
) -> dict[str, Floats]:
    """Return features of a part of a performance, a row every ``step`` seconds.

    Each row has the mean, the standard deviation and the mean absolute change by second of the signals over ``window``
    seconds about it; with ``window`` 0 the signals themselves. The signals: eta; yaw, pitch, roll in degrees and the
    place in millimetres; gaze in radians. Frames without a face take no part.
    """
    use = performance.seen & (performance.times >= start) & (performance.times < end)
    times = performance.times[use]
    signals = {
        COEFFICIENTS: performance.eta[use],
        POSE: np.concatenate([euler_degrees(performance.rotation[use]), performance.translation[use]], 1),
        GAZE: performance.gaze[use],
    }
    if not len(times):
        return {kind: np.empty((0, 0)) for kind in signals}
    at = np.arange(times[0], times[-1] + 1e-9, step)
    middle = np.clip(np.searchsorted(times, at), 0, len(times) - 1)
    if window <= 0:
        return {kind: np.asarray(values[middle], np.float64) for kind, values in signals.items()}
    first = np.searchsorted(times, at - window / 2)
    last = np.maximum(np.searchsorted(times, at + window / 2), first + 1)
    return {kind: _statistics(np.asarray(values, np.float64), times, first, last) for kind, values in signals.items()}


def _statistics(values: Floats, times: Floats, first: NDArray[np.int64], last: NDArray[np.int64]) -> Floats:
    """Return mean, standard deviation and change by second of ``values`` (F, D) over the frames first to last (N,)."""
    centre = values.mean(0)
    values = values - centre  # so that sums of squares lose no digits
    change = (
        np.abs(np.diff(values, axis=0, prepend=values[:1]))
        / np.maximum(np.diff(times, prepend=times[0]), 1e-3)[:, None]
    )
    count = (last - first)[:, None]

    def mean(signal: Floats) -> Floats:
        sums = np.concatenate([np.zeros((1, signal.shape[1])), np.cumsum(signal, 0)])
        found: Floats = (sums[np.minimum(last, len(signal))] - sums[first]) / count
        return found

    average = mean(values)
    spread = np.sqrt(np.maximum(mean(values**2) - average**2, 0))
    found: Floats = np.concatenate([average + centre, spread, mean(change)], 1)
    return found

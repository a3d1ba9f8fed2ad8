"""A hand before the mouth: the mouth's keys, the network's uncertainty of them, and the values that the curve holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray
from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.torch_engine.estimator import Estimator
from ...model.performance.face_performance import FacePerformance
from ...model.sight.video import open_clip
from .section import Cell, Score, Section, Table
from .subject import Subject
from .video import Watched, watch

MOUTH = [i for i, key in enumerate(OPEN_KEYS) if key.startswith(("mouth", "jaw"))]
SIDE = OPEN_KEYS.index("mouthSide")
SIDE_BAR = 0.1  # of mouthSide behind a hand, without evidence of a sideways mouth
BEFORE = 8  # frames before the hand appears: the last known values


@dataclass(frozen=True, eq=False)
class Hidden:
    """Readings of a clip whose mouth is covered by a hand.

    Rows of ``raw``, ``curve``, the network's ``deviation`` and ``known`` (all (N, 29)) are the frames with the hand.
    ``known`` is the curve just before the hand appears. ``free`` (M, 29) is the deviation in the frames without a hand.
    """

    raw: FloatArray
    curve: FloatArray
    deviation: FloatArray
    known: FloatArray
    free: FloatArray


def measure(subject: Subject, footage: Path) -> Section:
    """Measure frames with a hand. ``footage``: clips whose notes say where a hand is before the mouth."""
    watched = [w for w in watch(footage, subject.estimator) if len(w.notes.hand)]
    if not watched:
        raise InputError(f"{footage}: no clip there has a hand in its notes: note one in clips.toml")
    found = joined(hidden(w, deviations(footage / w.name, w.raw, subject.estimator)) for w in watched)
    away = np.abs(found.curve - found.known)[:, MOUTH]
    ratio = found.deviation[:, MOUTH].mean(0) / found.free[:, MOUTH].mean(0)
    return Section(
        "A hand before the mouth",
        f"{len(found.raw)} frames of {', '.join(w.name for w in watched)} in which a hand covers or touches the "
        "mouth. These frames do not show where the mouth is drawn to. A hidden key should fall towards rest as its "
        f"deviation rises, and the curve should hold the last known value, the mean of the {BEFORE} frames before the "
        "hand. Deviation: the network's predicted error, compared with the frames without a hand.",
        (
            Score("mouthSide, mean distance from 0, raw", _size(found.raw), "lower", SIDE_BAR),
            Score("mouthSide, mean distance from 0, curve", _size(found.curve), "lower", SIDE_BAR),
            Score("mouthSide, largest distance from 0, curve", float(np.abs(found.curve[:, SIDE]).max()), "lower"),
            Score("mouth: curve against the last known value, mean", float(away.mean()), "lower"),
            Score("mouth: deviation behind the hand / without it", float(ratio.mean()), "higher"),
        ),
        (_table(found),),
    )


def _size(eta: FloatArray) -> float:
    return float(np.abs(eta[:, SIDE]).mean())


def deviations(path: Path, p: FacePerformance, estimator: Estimator) -> FloatArray:
    """Return the network's expected error in each frame, (F, 29), where the tracking has a face; NaN elsewhere."""
    out = np.full(p.eta.shape, np.nan)
    camera = Camera.for_image(*p.image_size, p.lens_mm)
    with open_clip(path) as clip:
        for frame in clip:
            if frame.index < len(out) and p.seen[frame.index]:
                crop = Crop(*map(float, p.crop[frame.index]))
                out[frame.index] = estimator.estimate([frame.image], [crop], [camera]).eta_deviation[0]
    return out


def hidden(w: Watched, deviation: FloatArray) -> Hidden:
    frames = np.arange(len(deviation))
    under, known = np.zeros(len(frames), bool), np.full(deviation.shape, np.nan)
    for first, last in w.notes.hand:
        under[first : last + 1] = True
        before = w.smoothed.eta[max(0, first - BEFORE) : first]
        there = before[~np.isnan(before).any(1)]
        known[first : last + 1] = there.mean(0) if len(there) else np.nan
    seen = w.raw.seen
    rows = under & seen & np.isfinite(known).all(1)
    return Hidden(w.raw.eta[rows], w.smoothed.eta[rows], deviation[rows], known[rows], deviation[~under & seen])


def joined(parts: Iterable[Hidden]) -> Hidden:
    rows = zip(*((h.raw, h.curve, h.deviation, h.known, h.free) for h in parts), strict=True)
    return Hidden(*map(np.concatenate, rows))


def _table(found: Hidden) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for i in MOUTH:
        held, raw, known = found.curve[:, i], found.raw[:, i], found.known[:, i]
        rows.append(
            (
                OPEN_KEYS[i],
                float(raw.mean()),
                float(np.abs(raw).mean()),
                float(np.abs(raw).max()),
                float(found.deviation[:, i].mean()),
                float(found.free[:, i].mean()),
                float(held.mean()),
                float(known.mean()),
                float(np.abs(held - known).mean()),
            )
        )
    columns = (
        "key",
        "raw",
        "distance from 0",
        "largest",
        "deviation",
        "without a hand",
        "curve",
        "last known",
        "difference",
    )
    return Table(columns, tuple(rows), "Means behind the hand")

"""Real clips against manual notes (``clips.toml``): lids, smiles, a hand before the face, stillness."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...model.array_types import BoolArray, FloatArray
from ...model.errors import InputError
from ...model.networks.torch_engine.estimator import Estimator
from ...model.performance.accuracy import pearson
from ...model.performance.face_performance import FacePerformance, runs
from ...model.performance.treatment import Treatment, held_and_smoothed
from .measures import area_under_curve
from .pictures import perform_by_picture
from .section import Cell, Plot, Score, Section, Table
from .subject import Subject

NOTES = Path(__file__).with_name("clips.toml")
HALF_SHUT = 0.5  # of the lid keys' way from open to shut: from there on eyes count as shut
THRESHOLDS = (0.3, HALF_SHUT, 0.7)
BLINK = 12  # frames: longer closings are not blinks
NEAR = 2  # frames beside the noted ones in which lids may be on their way
SMILE_BAR, JAW_BAR, NOSE_BAR, JITTER_BAR = 0.8, 0.1, 0.15, 0.01


@dataclass(frozen=True)
class Notes:
    """Notes of one clip; clips.toml explains the fields."""

    frames: int
    face: Sequence[Sequence[int]] | None = None
    shut: Sequence[Sequence[int]] = ()
    unclear: Sequence[Sequence[int]] = ()
    smile: Sequence[Sequence[float]] = ()
    hand: Sequence[Sequence[int]] = ()
    jaw: Sequence[Sequence[float]] = ()
    still: Sequence[Sequence[int]] = ()
    smooth_nose: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, eq=False)
class Watched:
    """A clip's curves, ``raw`` and smoothed for the artist, with its notes."""

    name: str
    notes: Notes
    raw: FacePerformance
    smoothed: FacePerformance

    @property
    def ways(self) -> dict[str, FacePerformance]:
        return {"raw": self.raw, "smoothed": self.smoothed}


def measure(subject: Subject, footage: Path) -> Section:
    """Compare the curves with the notes. ``footage`` is a folder with clips that the notes name."""
    watched = list(watch(footage, subject.estimator))
    seen, missed, made_up = np.sum([faces(w.raw, w.notes) for w in watched], 0)
    scores = [
        Score(f"frames in which the face is missed, of {seen + missed}", float(missed), "lower"),
        Score("frames with a false detection", float(made_up), "lower"),
    ]
    for way in ("raw", "smoothed"):
        curves = [(w.ways[way], w.notes) for w in watched]
        eyes = np.sum([closings(*c) for c in curves], 0)
        scores += [
            Score(f"{way}: closings of the eyes missed, of {eyes[0] + eyes[1]}", float(eyes[1]), "lower", 0),
            Score(f"{way}: false closings of the eyes", float(eyes[2]), "lower", 0),
            Score(f"{way}: smile against the annotation, r", _mean(smile_r(*c) for c in curves), "higher", SMILE_BAR),
            Score(f"{way}: jaw under the hand, mean error", _mean(jaw_error(*c)[0] for c in curves), "lower", JAW_BAR),
            Score(f"{way}: sneer where no nose is wrinkled, mean", _mean(sneer(*c) for c in curves), "lower", NOSE_BAR),
            Score(f"{way}: jitter of a still face", _mean(_stillness(*c) for c in curves), "lower", JITTER_BAR),
        ]
    return Section(
        "Real clips",
        f"{len(watched)} clips, from the footage to the curves, raw and smoothed with the default settings, against "
        "annotations that a person made frame by frame (training/evaluation/clips.toml). Eyes count as shut where "
        f"the mean of both lids is above {HALF_SHUT}. A blink is found if the eyes are shut in the annotated frames "
        f"or directly beside them. Eyes held shut for more than {BLINK} frames are found if they are shut in half of "
        "the frames. Any other run of frames with shut eyes is a false closing. Jitter is the standard deviation of "
        "the change from frame to frame, in units of the keys, averaged over all keys, in stretches where the face "
        "hardly moves.",
        tuple(scores),
        (_eye_table(watched), _mouth_table(watched), _jitter_table(watched)),
        tuple(_plot(w) for w in watched if w.notes.shut),
    )


def watch(footage: Path, estimator: Estimator) -> Iterator[Watched]:
    """Find the noted clips of a folder. Raises InputError where there are none, or one is not the clip noted."""
    if not footage.is_dir():
        raise InputError(f"{footage}: is no folder: name the one that holds the clips")
    notes = read_notes(NOTES)
    own = footage / NOTES.name
    notes |= read_notes(own) if own.is_file() else {}
    paths = [footage / name for name in notes if (footage / name).is_file()]
    if not paths:
        raise InputError(f"{footage}: holds no clip with notes: write {own} (see {NOTES} for how)")
    for path in paths:
        raw = perform_by_picture(path, notes[path.name].frames, estimator)
        if len(raw.times) != notes[path.name].frames:
            raise InputError(
                f"{path}: has {len(raw.times)} frames, but the notes are of a clip of {notes[path.name].frames}: "
                "correct the notes, or rename the clip"
            )
        yield Watched(path.name, notes[path.name], raw, held_and_smoothed(raw, Treatment()))


def read_notes(path: Path) -> dict[str, Notes]:
    """Read the notes, by the clip's file name. Raises InputError for a file that holds none."""
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        notes = {name: Notes(**table) for name, table in tables.items()}
        for n in notes.values():
            ranges = [r for part in (n.face or (), n.shut, n.unclear, n.hand, n.still, n.smooth_nose) for r in part]
            levels = [level for part in (n.smile, n.jaw) for level in part]
            if not all(0 <= a <= b < n.frames for a, b in ranges) or not all(0 <= a < n.frames for a, _ in levels):
                raise ValueError("a range or a level lies outside the clip")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as notes of clips: {error}") from error
    return notes


# --- figures --------------------------------------------------------------------------------------------------------


def faces(p: FacePerformance, notes: Notes) -> tuple[int, int, int]:
    """Count the frames with the face detected, missed, and falsely detected."""
    there = np.ones(notes.frames, bool) if notes.face is None else _within(notes.frames, notes.face)
    return int((p.seen & there).sum()), int((~p.seen & there).sum()), int((p.seen & ~there).sum())


def closings(p: FacePerformance, notes: Notes, threshold: float = HALF_SHUT) -> tuple[int, int, int]:
    """Count the eye closings detected, missed, and falsely detected."""
    shut = np.nan_to_num(lids(p)) > threshold
    found = 0
    for first, last in notes.shut:
        held = last - first >= BLINK
        found += bool(shut[first : last + 1].mean() >= 0.5 if held else shut[max(0, first - 1) : last + 2].any())
    other = _within(len(shut), notes.unclear) | _within(len(shut), notes.shut, NEAR)
    return found, len(notes.shut) - found, sum(not other[a : b + 1].any() for a, b in runs(shut))


def lids(p: FacePerformance) -> FloatArray:
    """Return the mean of both lids, (F,); NaN where no face was seen."""
    return _columns(p, "lid_L", "lid_R")


def lid_area(p: FacePerformance, notes: Notes) -> float:
    """Return how likely a frame with shut eyes has a higher lid value than one with open eyes; NaN without both."""
    shut, opened = _shut_and_open(p, notes)
    either = shut | opened
    return area_under_curve(lids(p)[either], shut[either])


def _shut_and_open(p: FacePerformance, notes: Notes) -> tuple[BoolArray, BoolArray]:
    """Return the frames, (F,) bool each, in which a face is seen and its eyes are shut, or clearly open."""
    shut = _within(len(p.times), notes.shut) & p.seen
    opened = ~_within(len(p.times), notes.shut, NEAR) & ~_within(len(p.times), notes.unclear) & p.seen
    return shut, opened


def smile_r(p: FacePerformance, notes: Notes) -> float:
    """Return the correlation of the smile with the notes, over the frames with a face; NaN without notes."""
    if not notes.smile or not p.seen.any():
        return float("nan")
    return float(pearson(_smile(p)[p.seen], _levels(p, notes.smile)[p.seen]))


def jaw_error(p: FacePerformance, notes: Notes) -> tuple[float, float]:
    """Mean and largest error of the jaw while a hand is before the mouth."""
    hand = _within(len(p.times), notes.hand) & p.seen
    if not hand.any() or not notes.jaw:
        return float("nan"), float("nan")
    error = np.abs(_columns(p, "jawOpen") - _levels(p, notes.jaw))[hand]
    return float(error.mean()), float(error.max())


def sneer(p: FacePerformance, notes: Notes) -> float:
    """Mean of noseSneer where no nose is wrinkled; NaN without notes."""
    smooth = _within(len(p.times), notes.smooth_nose) & p.seen
    return float(np.maximum(_columns(p, "noseSneer")[smooth], 0).mean()) if smooth.any() else float("nan")


def jitter(p: FacePerformance, first: int, last: int) -> FloatArray:
    """Return the standard deviation of the change from frame to frame, (Ke,)."""
    deviation: FloatArray = np.diff(p.eta[first : last + 1], axis=0).std(0)
    return deviation


def _stillness(p: FacePerformance, notes: Notes) -> float:
    return _mean(float(jitter(p, *stretch).mean()) for stretch in notes.still)


def _columns(p: FacePerformance, *keys: str) -> FloatArray:
    mean: FloatArray = p.eta[:, [p.expression_keys.index(k) for k in keys]].mean(1)
    return mean


def _smile(p: FacePerformance) -> FloatArray:
    return _columns(p, "mouthSmile_L", "mouthSmile_R")


def _levels(p: FacePerformance, levels: Sequence[Sequence[float]]) -> FloatArray:
    frame, level = np.array(levels, float).T
    return np.interp(np.arange(len(p.times)), frame, level)


def _within(frames: int, ranges: Sequence[Sequence[int]], margin: int = 0) -> BoolArray:
    inside = np.zeros(frames, bool)
    for first, last in ranges:
        inside[max(0, first - margin) : last + margin + 1] = True
    return inside


def _mean(values: Iterable[float]) -> float:
    there = [v for v in values if not np.isnan(v)]
    return float(np.mean(there)) if there else float("nan")


# --- tables and plots -----------------------------------------------------------------------------------------------


def _rows(watched: Iterable[Watched]) -> Iterator[tuple[str, FacePerformance, Notes]]:
    for w in watched:
        for way, p in w.ways.items():
            yield f"{w.name}, {way}", p, w.notes


def _eye_table(watched: Sequence[Watched]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, p, notes in _rows(w for w in watched if w.notes.shut):
        shut, opened = _shut_and_open(p, notes)
        value = lids(p)
        middles = [float(np.median(value[m])) if m.any() else float("nan") for m in (shut, opened)]
        counts = [" / ".join(map(str, closings(p, notes, t))) for t in THRESHOLDS]
        rows.append((name, *counts, *middles, lid_area(p, notes)))
    columns = ("", *(f"above {t}" for t in THRESHOLDS), "lids, shut", "lids, open", "area under ROC")
    return Table(columns, tuple(rows), "Closings of the eyes found / missed / false; medians of the lids by frame")


def _mouth_table(watched: Sequence[Watched]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, p, notes in _rows(watched):
        if notes.smile:
            mean, worst = jaw_error(p, notes)
            rows.append((name, smile_r(p, notes), mean, worst, sneer(p, notes)))
    columns = ("", "smile, r", "jaw under the hand, error", "largest error", "false sneer")
    return Table(columns, tuple(rows), "Mouth")


def _jitter_table(watched: Sequence[Watched]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for w in watched:
        for first, last in w.notes.still:
            cells: list[Cell] = [f"{w.name}, {first} to {last}"]
            for p in w.ways.values():
                each = jitter(p, first, last)
                worst = int(each.argmax())
                cells += [float(each.mean()), f"{p.expression_keys[worst]} {each[worst]:.3f}"]
            rows.append(tuple(cells))
    columns = ("frames", "raw", "worst key", "smoothed", "worst key")
    return Table(columns, tuple(rows), "Jitter where the face hardly moves")


def _plot(w: Watched) -> Plot:
    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True)
        for first, last in w.notes.shut:
            top.axvspan(first - 0.5, last + 0.5, color="0.8")
        for first, last in w.notes.unclear:
            top.axvspan(first - 0.5, last + 0.5, color="0.93")
        for way, p in w.ways.items():
            top.plot(lids(p), linewidth=0.8, label=way)
            bottom.plot(_smile(p), linewidth=0.8, label=way)
        top.axhline(HALF_SHUT, color="k", linewidth=0.6, linestyle="--")
        top.set_ylabel("lids")
        if w.notes.smile:
            bottom.plot(_levels(w.raw, w.notes.smile), "k", linewidth=0.8, label="noted")
        bottom.set_ylabel("smile")
        bottom.set_xlabel("frame")
        bottom.legend(fontsize=7)

    caption = f"{w.name}: lids and smile; grey: annotated as shut, light grey: unclear"
    return Plot(f"video_{Path(w.name).stem}", caption, draw, (9, 4))

"""Real clips against an independent judge: correlation of our curves with another network's scores.

The judge's file holds, for every clip by its file name without the ending, one row of scores a frame, NaN where no face
is found. ``names`` are the ARKit names of the columns.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from ...model.array_types import FloatArray, IntArray
from ...model.errors import InputError
from ...model.performance.accuracy import pearson
from ...model.performance.face_performance import FacePerformance
from ...model.performance.treatment import Treatment, held_and_smoothed
from .pictures import perform_by_picture
from .section import Cell, Plot, Score, Section, Table
from .subject import Subject

STRONG = 0.5  # scores of the judge above which our values should be high, too
MOVES = 0.25  # a clip counts for a key whose range in the judge's scores is this large, without 2 % at each end
FEWEST = 20  # frames
MOST_BYTES, MOST_NAMES = 2**28, 512  # unpacked
READ_BAR, BROW_BAR, STRENGTH_BAR = 0.93, 0.85, 0.55


@dataclass(frozen=True)
class Pair:
    """Corresponding keys of ours and the judge's; their means are compared. ``r`` and ``strength`` are bounds."""

    ours: tuple[str, ...]
    judges: tuple[str, ...]
    r: float | None = None
    strength: float | None = None


def _sides(name: str, r: float, strength: float | None, ours: str = "") -> Pair:
    return Pair((f"{ours or name}_L", f"{ours or name}_R"), (f"{name}Left", f"{name}Right"), r, strength)


# Checked by eye on sixteen clips. browDown, eyeSquint, eyeWide, noseSneer and cheekPuff of the judge are wrong.
PAIRS = {
    "jawOpen": Pair(("jawOpen",), ("jawOpen",), READ_BAR),
    "blink": _sides("eyeBlink", READ_BAR, None, "lid"),
    "smile": _sides("mouthSmile", READ_BAR, None),
    "browInnerUp": Pair(("browInnerUp",), ("browInnerUp",), BROW_BAR, STRENGTH_BAR),
    "browOuterUp": _sides("browOuterUp", BROW_BAR, STRENGTH_BAR),
    "pucker and funnel": Pair(("mouthPucker", "mouthFunnel"), ("mouthPucker", "mouthFunnel")),
}


@dataclass(frozen=True, eq=False)
class Judged:
    """One clip: ``ours`` and ``judges``, a curve (F,) for each of PAIRS, NaN where there is no face."""

    name: str
    ours: Mapping[str, FloatArray]
    judges: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Agreement:
    """Agreement of one pair over all clips.

    Holds Pearson's r ``pooled`` and by clip (NaN where the judge's reading is constant). Also holds the means over the
    ``frames`` where the judge's reading is above STRONG.
    """

    pooled: float
    clips: Mapping[str, float]
    ours: float
    judges: float
    frames: int


def measure(subject: Subject, scores: Path, footage: Path) -> Section:
    """Compare our curves with the judge's.

    ``scores`` is the judge's .npz; ``footage`` is a folder with the clips that it names.
    """
    names, judged = read_scores(scores)
    clips = [
        compared(name, names, rows, _curves(footage, name, len(rows), subject, scores))
        for name, rows in tqdm(judged.items(), "clips", leave=False, disable=None)
    ]
    found = {pair: agreement(clips, pair) for pair in PAIRS}
    return Section(
        "An independent judge",
        f"{len(clips)} real clips, with the default settings, against the scores of an independent network "
        "(MediaPipe's Face Mesh and Blendshape V2), frame by frame, for the keys in which it is reliable. r is "
        "Pearson's correlation over the frames in which both find a face, of all clips together. Strength: our mean "
        f"in the frames where the judge's score is above {STRONG}. The judge is used for measurement only, never for "
        "training.",
        tuple(_scores(found)),
        (_table(found), _clip_table(found, [clip.name for clip in clips])),
        tuple(_plot(clip) for clip in clips),
    )


def read_scores(path: Path) -> tuple[list[str], dict[str, FloatArray]]:
    """Return the names of the judge's columns, and by clip its scores (F, names) float64. Raises InputError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise InputError(f"{path}: holds more than {MOST_BYTES >> 20} MB: no scores of clips")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        names = [str(name) for name in arrays.pop("names").ravel()[: MOST_NAMES + 1]]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as a judge's scores: {str(error).splitlines()[0]}") from error
    lacking = sorted({key for pair in PAIRS.values() for key in pair.judges} - set(names))
    if lacking or len(names) > MOST_NAMES:
        raise InputError(f"{path}: its names are not ARKit's (lacking: {', '.join(lacking)}): make the scores anew")
    for clip, rows in arrays.items():
        if rows.ndim != 2 or rows.shape[1] != len(names) or rows.dtype.kind != "f":
            raise InputError(f"{path}: {clip} is {rows.shape}, not a row of {len(names)} scores for each frame")
    if not arrays:
        raise InputError(f"{path}: holds no clip: make the scores anew")
    return names, {clip: rows.astype(np.float64) for clip, rows in arrays.items()}


def _curves(footage: Path, name: str, frames: int, subject: Subject, scores: Path) -> FacePerformance:
    if not footage.is_dir():
        raise InputError(f"{footage}: is no folder: name the one that holds the clips of {scores}")
    paths = sorted(path for path in footage.iterdir() if path.stem == name and path.is_file())
    if not paths:
        raise InputError(f"{footage}: holds no clip {name}, of which {scores} has scores: name another folder")
    raw = perform_by_picture(paths[0], frames, subject.estimator)
    if len(raw.times) != frames:
        raise InputError(
            f"{paths[0]}: has {len(raw.times)} frames, but {scores} has scores of {frames}: is it the clip?"
        )
    return held_and_smoothed(raw, Treatment())


def compared(name: str, names: list[str], rows: IntArray, p: FacePerformance) -> Judged:
    return Judged(
        name,
        {pair: p.eta[:, [p.expression_keys.index(k) for k in keys.ours]].mean(1) for pair, keys in PAIRS.items()},
        {pair: rows[:, [names.index(k) for k in keys.judges]].mean(1) for pair, keys in PAIRS.items()},
    )


def agreement(clips: list[Judged], pair: str) -> Agreement:
    both = [np.stack([clip.ours[pair], clip.judges[pair]]) for clip in clips]
    there = [curves[:, np.isfinite(curves).all(0)] for curves in both]
    ours, judges = np.concatenate(there, axis=1)
    strong = judges > STRONG
    return Agreement(
        _r(ours, judges),
        {
            clip.name: _r(*curves) if _says(curves[1]) else float("nan")
            for clip, curves in zip(clips, there, strict=True)
        },
        float(ours[strong].mean()) if strong.any() else float("nan"),
        float(judges[strong].mean()) if strong.any() else float("nan"),
        int(strong.sum()),
    )


def _says(judges: FloatArray) -> bool:
    """Return whether a clip's curve moves enough for a meaningful correlation."""
    return len(judges) > FEWEST and float(np.ptp(np.percentile(judges, [2, 98]))) > MOVES


def _r(a: FloatArray, b: FloatArray) -> float:
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(pearson(a, b))


# --- as it reads ----------------------------------------------------------------------------------------------------


def _scores(found: Mapping[str, Agreement]) -> list[Score]:
    """No bound applies where a key hardly moves in the judge's scores, or is never strong."""
    scores = []
    for pair, agreed in found.items():
        moves = not np.isnan(list(agreed.clips.values())).all()
        scores.append(Score(f"{pair}, r", agreed.pooled, "higher", PAIRS[pair].r if moves else None))
    for pair, agreed in found.items():
        scores.append(
            Score(f"{pair}, strength", agreed.ours, "higher", PAIRS[pair].strength if agreed.frames else None)
        )
    return scores


def _table(found: Mapping[str, Agreement]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for pair, agreed in found.items():
        known = [r for r in agreed.clips.values() if not np.isnan(r)]
        mean = float(np.mean(known)) if known else float("nan")
        rows.append((pair, agreed.pooled, mean, len(known), agreed.frames, agreed.judges, agreed.ours))
    columns = ("", "r, pooled", "r, mean of clips", "clips", f"frames above {STRONG}", "the judge's mean", "our mean")
    return Table(columns, tuple(rows), "Agreement with the judge")


def _clip_table(found: Mapping[str, Agreement], names: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = [(name, *(agreed.clips[name] for agreed in found.values())) for name in names]
    return Table(("clip", *found), tuple(rows), "r by clip, where the judge sees the key move")


def _plot(clip: Judged) -> Plot:
    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(PAIRS), 1, sharex=True)
        for axis, pair in zip(axes, PAIRS, strict=True):
            axis.plot(clip.judges[pair], "k", linewidth=0.8, label="judge")
            axis.plot(clip.ours[pair], linewidth=0.8, label="ours")
            axis.set_ylabel(pair, fontsize=7)
            axis.set_ylim(-0.2, 1.1)
        axes[0].legend(fontsize=7)
        axes[-1].set_xlabel("frame")

    return Plot(f"judge_{clip.name}", f"{clip.name}: our curves and the judge's", draw, (9, 9))

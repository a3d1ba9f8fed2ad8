"""Subject-disjoint folds over frames, repeated; accuracy by phase as in DeepExp3D's Table IV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.errors import InputError
from ...model.files import atomic_path, make_folder
from .recordings import COEFFICIENTS, GAZE, POSE, Floats, Frames, read_frames, read_table

SETS = {
    "coefficients": (COEFFICIENTS,),
    "pose and gaze": (POSE, GAZE),
    "coefficients, pose, gaze": (COEFFICIENTS, POSE, GAZE),
}
PENALTY = 0.01  # C of the linear SVM; fixed, so that no search sees a test fold


@dataclass(frozen=True)
class StressOptions:
    """See the command's help. ``window`` and ``step`` in seconds."""

    table: Path
    out: Path
    without: tuple[str, ...]
    folds: int
    repeats: int
    window: float
    step: float
    seed: int


def measure(options: StressOptions) -> str:
    """Measure all sets of features and write results.md and accuracies.csv. Raises InputError."""
    recordings = read_table(options.table, options.without)
    subjects = sorted({r.subject for r in recordings})
    if len(subjects) < options.folds:
        raise InputError(f"{options.table}: {len(subjects)} subjects are too few for {options.folds} disjoint folds")
    frames = read_frames(recordings, options.window, options.step)
    phases = list(dict.fromkeys(r.phase for r in recordings))
    found = {name: accuracies(frames, kinds, phases, options) for name, kinds in SETS.items()}
    text = _text(options, frames, phases, found)
    make_folder(options.out)
    with atomic_path(options.out / "accuracies.csv") as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["features", "repeat", *phases])
        for name, table in found.items():
            writer.writerows([[name, i + 1, *(f"{v:.5f}" for v in row)] for i, row in enumerate(table)])
    with atomic_path(options.out / "results.md") as part:
        part.write_text(text + "\n", encoding="utf-8")
    return text


def accuracies(frames: Frames, kinds: Sequence[str], phases: Sequence[str], options: StressOptions) -> Floats:
    """Return the accuracy of each repeat and phase, (repeats, phases), over the frames of all test folds."""
    features = np.concatenate([frames.features[kind] for kind in kinds], 1)
    table = np.empty((options.repeats, len(phases)))
    for repeat in tqdm(range(options.repeats), desc=", ".join(kinds), leave=False):
        said = np.zeros(len(features), bool)
        for test in folds_of(frames.subject, options.folds, options.seed + repeat):
            train = ~test
            if len(set(frames.stress[train])) < 2:
                raise InputError(f"{options.table}: a fold's other subjects have one label only: give more subjects")
            said[test] = _machine(options.seed).fit(features[train], frames.stress[train]).predict(features[test])
        right = said == frames.stress
        table[repeat] = [right[frames.phase == phase].mean() for phase in phases]
    return table


def folds_of(subject: NDArray[np.str_], folds: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return the test frames (N,) of each fold; all frames of a subject are in one fold."""
    people = np.random.default_rng(seed).permutation(np.unique(subject))
    return [np.isin(subject, part) for part in np.array_split(people, folds)]


def _machine(seed: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=PENALTY, dual=False, class_weight="balanced", random_state=seed)
    return make_pipeline(StandardScaler(), machine)


def _text(options: StressOptions, frames: Frames, phases: Sequence[str], found: dict[str, Floats]) -> str:
    share = max(frames.stress.mean(), 1 - frames.stress.mean())
    label = {phase: "stress" if frames.stress[frames.phase == phase].mean() > 0.5 else "no stress" for phase in phases}
    lines = [
        f"{len(frames.stress)} frames of {len(set(frames.subject))} subjects; {options.folds} subject-disjoint folds, "
        f"{options.repeats} repeats, seed {options.seed}; statistics over {options.window:g} s. "
        f"The more frequent label has {share:.1%} of the frames.",
        "",
        "| features | " + " | ".join(f"{phase} ({label[phase]})" for phase in phases) + " | mean |",
        "| --- |" + " ---: |" * (len(phases) + 1),
    ]
    for name, table in found.items():
        cells = [f"{v.mean():.1%} ± {v.std():.1%}" for v in (*table.T, table.mean(1))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)

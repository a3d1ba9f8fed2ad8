"""All methods on all clips, and what is written about them: results.md, confusion matrices, the scale curve."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS
from ...model.files import atomic_path, make_folder
from ...model.networks.emotion_head import ETA, FULL, SHIPPED, EmotionHead, load_emotion_head
from ...model.networks.weights.open_pack import weights_path
from ...model.networks.weights.weights_file import fingerprint
from ...model.performance.emotion_classifier import save_classifier
from ...model.performance.emotion_prototypes import PROTOTYPES, heuristic_scores
from ..label.landmark_method import landmark_source
from .classify import MISSED, Classes, Floats, confusion, fold_accuracies, nearest, svm_accuracies, trained
from .clips import LabelledClip, read_clips
from .features import Features, features_of, load_estimator
from .head import guesses, inputs_of, trained_reading
from .views import distances_between_views

PIXELS, HEURISTIC, LANDMARKS = "pixels", "heuristic", "landmarks, Eq. (2)"
HEAD, HEAD_OF_ETA = "emotion head", "emotion head, coefficients alone"


@dataclass(frozen=True)
class EmotionOptions:
    """What to measure: see the command's help. ``save``: a file for a classifier of the first estimator.

    ``head``: an emotion head's file; None for the shipped one.
    """

    source: Path
    out: Path
    estimators: tuple[str, ...]
    device: str
    frames: str
    scales: tuple[float, ...]
    k: int
    trials: int
    seed: int
    landmarks: str | None = None
    save: Path | None = None
    head: Path | None = None


@dataclass(frozen=True, eq=False)
class Clips:
    """N clips with classes (N,) and subjects (N,) counted from 0, and the names of the classes."""

    clips: list[LabelledClip]
    names: list[str]
    classes: Classes
    subjects: Classes

    @staticmethod
    def of(clips: list[LabelledClip]) -> Clips:
        names = sorted({clip.emotion for clip in clips})
        classes = np.array([names.index(clip.emotion) for clip in clips])
        return Clips(clips, names, classes, np.unique([clip.subject for clip in clips], return_inverse=True)[1])

    @property
    def views(self) -> list[str]:
        return sorted({clip.view for clip in self.clips})

    def of_view(self, view: str) -> Classes:
        """Return the indices of the clips of a view."""
        return np.flatnonzero([clip.view == view for clip in self.clips])


@dataclass(frozen=True, eq=False)
class Found:
    """What is measured. Methods are named with their view where there are several.

    neighbours  method, scale, faces found, clips, accuracy leaving out the clip, and the subject
    learned     method, kind of folds, accuracies of the folds, in which SVMs and emotion heads are trained
    times       method, scale, ms
    tables      confusion matrices;  curves  accuracy by scale;  guesses  class of each clip
    between     method, lines of ``views``
    """

    neighbours: list[tuple[str, float, int, int, float, float]] = field(default_factory=list)
    learned: list[tuple[str, str, Floats]] = field(default_factory=list)
    times: list[tuple[str, float, float]] = field(default_factory=list)
    tables: dict[str, Classes] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    guesses: dict[str, Classes] = field(default_factory=dict)
    between: list[tuple[str, float, float]] = field(default_factory=list)


def measure(options: EmotionOptions) -> None:
    """Measure each estimator, the pixels and the heuristic, and write the results. Raises InputError."""
    clips = Clips.of(read_clips(options.source))
    out = options.out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file: give a folder for the results")
    landmarks = None if options.landmarks is None else landmark_source(options.landmarks)
    head = load_emotion_head(SHIPPED if options.head is None else options.head)
    count = clips.subjects.max() + 1
    print(f"{len(clips.clips)} clips of {count} subjects, {len(clips.names)} emotions, seed {options.seed}")
    found = Found()
    for source in options.estimators:
        estimator = load_estimator(source, options.device)
        label = OPEN if source == OPEN else Path(source).stem
        is_first = source == options.estimators[0]
        for scale in options.scales:
            read = features_of(clips.clips, estimator, scale, options.frames, landmarks if is_first else None)
            found.times.append((label, scale, read.ms))
            _add_neighbours(found, clips, read, label, scale, options, is_first)
            fixed = _without_training(clips, read, head, source) if is_first else {}
            for method, guessed in fixed.items():
                _add_fixed(found, clips, read, method, guessed, scale, options)
            if scale != options.scales[0]:
                continue
            if len(clips.views) == 2:
                found.between.append((label, *distances_between_views(clips.clips, read.eta)))
            if options.trials > 0:
                _add_learned(found, clips, read, label, options)
            if is_first and options.save is not None:
                _save(options, clips, read, estimator.basis)
    text = _text(clips, found, options, head.training_data)
    make_folder(out)
    with atomic_path(out / "results.md") as part:
        part.write_text(text, encoding="utf-8")
    _write_guesses(out / "guesses.csv", clips, found.guesses)
    _draw(out, clips.names, found, options.scales)
    print(text)


def _add_neighbours(
    found: Found, clips: Clips, read: Features, label: str, scale: float, options: EmotionOptions, is_first: bool
) -> None:
    methods: dict[str, Floats] = {label: read.eta}
    if is_first:
        methods[PIXELS] = read.pixels
    if read.fitted is not None:
        methods[LANDMARKS] = read.fitted
    for method, values in methods.items():
        for view in clips.views:
            rows = clips.of_view(view)
            name = f"{method}, {view}" if view else method
            classes, subjects, seen = clips.classes[rows], clips.subjects[rows], values[rows]
            by_clip = nearest(seen, classes, np.arange(len(rows)), options.k)
            by_subject = nearest(seen, classes, subjects, options.k)
            there = int((~np.isnan(seen).any(1)).sum())
            accuracies = float((by_clip == classes).mean()), float((by_subject == classes).mean())
            found.neighbours.append((name, scale, there, len(rows), *accuracies))
            found.curves.setdefault(name, []).append(accuracies[1])
            if scale == options.scales[0]:
                _add_guesses(found, clips, name, rows, by_subject)


def _add_guesses(found: Found, clips: Clips, name: str, rows: Classes, guessed: Classes) -> None:
    of_all = np.full(len(clips.clips), MISSED)
    of_all[rows] = guessed
    found.guesses[name] = of_all
    found.tables[name] = confusion(clips.classes[rows], guessed, len(clips.names))


def _without_training(clips: Clips, read: Features, head: EmotionHead, source: str) -> dict[str, Classes]:
    """Return the class of each clip by the methods that do not learn from these clips, where they know the classes."""
    found: dict[str, Classes] = {}
    if read.keys != OPEN_KEYS:
        return found
    if set(clips.names) <= set(PROTOTYPES):
        found[HEURISTIC] = _heuristic(read.eta, clips.names)
    if set(clips.names) <= set(head.emotions):
        found[HEAD_OF_ETA] = guesses(head, ETA, read.eta, clips.names, MISSED)
        inputs = inputs_of(read)
        if inputs is not None and fingerprint(weights_path(source)) == head.network:
            found[HEAD] = guesses(head, FULL, inputs[FULL], clips.names, MISSED)
    return found


def _add_fixed(
    found: Found, clips: Clips, read: Features, method: str, guessed: Classes, scale: float, options: EmotionOptions
) -> None:
    for view in clips.views:
        rows = clips.of_view(view)
        name = f"{method}, {view}" if view else method
        accuracy = float((guessed[rows] == clips.classes[rows]).mean())
        found.neighbours.append((name, scale, int(read.found[rows].sum()), len(rows), accuracy, accuracy))
        if method == HEURISTIC:
            continue
        found.curves.setdefault(name, []).append(accuracy)
        if scale == options.scales[0]:
            _add_guesses(found, clips, name, rows, guessed[rows])


def _add_learned(found: Found, clips: Clips, read: Features, label: str, options: EmotionOptions) -> None:
    inputs = inputs_of(read) or {}
    for view in clips.views:
        rows = clips.of_view(view)
        of = f"{label}, {view}" if view else label
        classes = clips.classes[rows]
        for kind, groups in (("clips in folds", None), ("subjects in folds", clips.subjects[rows])):
            scores = svm_accuracies(read.eta[rows], classes, groups, options.trials, options.seed)
            found.learned.append((f"SVM, {of}", kind, scores))
            if not inputs:
                continue
            values = inputs[FULL][rows]

            def learned(train: Classes, test: Classes, values: Floats = values, classes: Classes = classes) -> Classes:
                reading = trained_reading(values[train], classes[train], len(clips.names), options.seed)
                guessed: Classes = reading.probabilities(values[test]).argmax(1)
                return guessed

            scores = fold_accuracies(read.found[rows], classes, groups, learned, options.seed)
            found.learned.append((f"emotion head, {of}", kind, scores))


def _save(options: EmotionOptions, clips: Clips, read: Features, basis: str) -> None:
    assert options.save is not None
    people = [len(set(clips.subjects[read.found & (clips.classes == c)])) for c in range(len(clips.names))]
    if min(people) < 3:
        raise InputError(
            f"{options.source}: {clips.names[int(np.argmin(people))]} is seen of {min(people)} subjects: a classifier "
            "needs 3 of each emotion"
        )
    basis = OPEN_BASIS if read.keys == OPEN_KEYS else basis
    names = tuple(clips.names)
    trials = max(options.trials, 1)
    classifier = trained(read.eta, clips.classes, clips.subjects, names, read.keys, basis, trials, options.seed)
    save_classifier(classifier, options.save)
    print(f"{options.save}: a classifier of {', '.join(names)}")


def _heuristic(eta: Floats, names: list[str]) -> Classes:
    scores = heuristic_scores(np.nan_to_num(eta))[:, [list(PROTOTYPES).index(name) for name in names]]
    guessed: Classes = np.where(np.isnan(eta).any(1), MISSED, scores.argmax(1))
    return guessed


def _text(clips: Clips, found: Found, options: EmotionOptions, trained_on: str) -> str:
    lines = [
        f"# Emotions of {options.source.name}", "",
        f"{len(clips.clips)} clips, {clips.subjects.max() + 1} subjects; {options.frames} of each clip; "
        f"seed {options.seed}. A clip without a found face counts as wrong.", "",
        f"Nearest neighbours, K = {options.k}:", "",
        "| method | scale | faces found | leave one clip out | leave one subject out |", "|---|---|---|---|---|",
        *(f"| {m} | {s:g} | {n} of {all_} | {a:.1%} | {b:.1%} |" for m, s, n, all_, a, b in found.neighbours), "",
        "The heuristic compares coefficients with EMFACS prototypes and learns nothing. An emotion head in this table",
        f"has learned from other people: {trained_on}.", "",
    ]  # fmt: skip
    if found.learned:
        lines += [
            f"Trained in each fold: one-against-all SVMs, search of {options.trials} trials nested in it, and emotion "
            "heads. Mean ± SD over the folds:",
            "",
            "| method | folds of | number | accuracy |",
            "|---|---|---|---|",
        ]
        for method, kind, scores in found.learned:
            said = f"{scores.mean():.1%} ± {scores.std():.1%}" if len(scores) else "too few clips of an emotion"
            lines.append(f"| {method} | {kind} | {len(scores)} | {said} |")
        lines.append("")
    if found.between:
        first, second = clips.views
        lines += [f"Mean squared difference of the coefficients between {first} and {second}:", ""]
        lines += ["| method | the same clip | other subjects with the same emotion |", "|---|---|---|"]
        lines += [*(f"| {m} | {same:.4f} | {other:.4f} |" for m, same, other in found.between), ""]
    lines += ["Time of a picture, with the search for the face:", "", "| method | scale | ms |", "|---|---|---|"]
    lines += [*(f"| {m} | {s:g} | {ms:.1f} |" for m, s, ms in found.times), ""]
    for method, table in found.tables.items():
        lines += [f"Confusion of {method} in percent, leave one subject out, first scale; rows are the labels:", ""]
        lines += ["| | " + " | ".join([*clips.names, "no face"]) + " |", "|---" * (len(clips.names) + 2) + "|"]
        for name, row in zip(clips.names, 100 * table / np.maximum(table.sum(1, keepdims=True), 1)):
            lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in row) + " |")
        lines.append("")
    return "\n".join(lines)


def _write_guesses(path: Path, clips: Clips, guesses: dict[str, Classes]) -> None:
    with atomic_path(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "clip", "view", "emotion", *guesses])
        for i, clip in enumerate(clips.clips):
            found = ["" if guess[i] == MISSED else clips.names[guess[i]] for guess in guesses.values()]
            writer.writerow([clip.subject, clip.name, clip.view, clip.emotion, *found])


def _file_name(method: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in method).strip("_")


def _draw(out: Path, names: Sequence[str], found: Found, scales: Sequence[float]) -> None:
    from matplotlib.figure import Figure

    for method, table in found.tables.items():
        figure = Figure((5, 4.6), layout="constrained")
        axes: Any = figure.subplots()
        share = table[:, :-1] / np.maximum(table.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="classified", ylabel="label", title=f"{method}, leave one subject out")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        for i, j in np.ndindex(share.shape):
            axes.text(
                j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", color="w" if share[i, j] > 0.5 else "k"
            )
        with atomic_path(out / f"confusion_{_file_name(method)}.png") as part:
            figure.savefig(part, dpi=80)
    figure = Figure((5, 3.4), layout="constrained")
    axes = figure.subplots()
    for method, values in found.curves.items():
        axes.plot(scales, values, marker="o", label=method)
    axes.set(xlabel="scale", ylabel="accuracy, leave one subject out", ylim=(0, 1))
    axes.legend()
    with atomic_path(out / "scales.png") as part:
        figure.savefig(part, dpi=80)

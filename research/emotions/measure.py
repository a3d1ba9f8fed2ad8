"""All methods on all clips, and what is written about them: results.md, confusion matrices, the scale curve."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.files import atomic_path, exists, is_dir, make_folder
from .classify import MISSED, confusion, nearest, svm_accuracies
from .clips import LabelledClip, read_clips
from .features import features_of, load_estimator
from .prototypes import PROTOTYPES, heuristic_scores


def measure(
    source: Path, out: Path, estimators: tuple[str, ...], device: str, frames: str,
    scales: tuple[float, ...], k: int, trials: int, seed: int,
) -> None:  # fmt: skip
    """Measure each estimator, the pixels and the heuristic, and write the results into ``out``. Raises InputError."""
    clips = read_clips(source)
    if exists(out) and not is_dir(out):
        raise InputError(f"{out}: is a file: give a folder for the results")
    names = sorted({clip.emotion for clip in clips})
    classes = np.array([names.index(clip.emotion) for clip in clips])
    subjects = np.unique([clip.subject for clip in clips], return_inverse=True)[1]
    print(f"{len(clips)} clips of {subjects.max() + 1} subjects, {len(names)} emotions, seed {seed}")
    rows, svms, times, guesses, tables = [], [], [], {}, {}
    curves: dict[str, list[float]] = {}
    for source_of_weights in estimators:
        estimator = load_estimator(source_of_weights, device)
        label = "open" if source_of_weights == OPEN else Path(source_of_weights).stem
        for scale in scales:
            read = features_of(clips, estimator, scale, frames)
            methods = {label: read.eta}
            if source_of_weights == estimators[0]:
                methods["pixels"] = read.pixels
            for method, values in methods.items():
                by_clip = nearest(values, classes, np.arange(len(clips)), k)
                by_subject = nearest(values, classes, subjects, k)
                rows.append((method, scale, int(read.found.sum()), *_accuracies(by_clip, by_subject, classes)))
                curves.setdefault(method, []).append(rows[-1][4])
                if scale == scales[0]:
                    guesses[method], tables[method] = by_subject, confusion(classes, by_subject, len(names))
            if read.keys == OPEN_KEYS and set(names) <= set(PROTOTYPES) and source_of_weights == estimators[0]:
                guessed = _heuristic(read.eta, names)
                rows.append(("heuristic", scale, int(read.found.sum()), *_accuracies(guessed, guessed, classes)))
            times.append((label, scale, read.ms))
            if trials > 0 and scale == scales[0]:
                for kind, groups in (("clips in folds", None), ("subjects in folds", subjects)):
                    scores = svm_accuracies(read.eta, classes, groups, trials, seed)
                    svms.append((label, kind, scores))
    text = _text(source, clips, names, rows, svms, times, tables, (k, trials, seed, frames))
    make_folder(out)
    with atomic_path(out / "results.md") as part:
        part.write_text(text, encoding="utf-8")
    _write_guesses(out / "guesses.csv", clips, names, guesses)
    _draw(out, names, tables, scales, curves)
    print(text)


def _accuracies(by_clip: np.ndarray, by_subject: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    return float((by_clip == classes).mean()), float((by_subject == classes).mean())


def _heuristic(eta: np.ndarray, names: list[str]) -> np.ndarray:
    scores = heuristic_scores(np.nan_to_num(eta))[:, [list(PROTOTYPES).index(name) for name in names]]
    return np.where(np.isnan(eta).any(1), MISSED, scores.argmax(1))


def _text(source, clips: list[LabelledClip], names, rows, svms, times, tables, settings) -> str:
    k, trials, seed, frames = settings
    lines = [
        f"# Emotions of {source.name}", "",
        f"{len(clips)} clips, {len({clip.subject for clip in clips})} subjects; {frames} of each clip; seed {seed}. "
        "A clip without a found face counts as wrong.", "",
        f"Nearest neighbours, K = {k}:", "",
        "| method | scale | faces found | leave one clip out | leave one subject out |", "|---|---|---|---|---|",
        *(f"| {m} | {s:g} | {n} of {len(clips)} | {a:.1%} | {b:.1%} |" for m, s, n, a, b in rows), "",
        "The heuristic compares coefficients with EMFACS prototypes and learns nothing.", "",
    ]  # fmt: skip
    if svms:
        lines += [f"One-against-all SVMs, search of {trials} trials nested in each fold, mean ± SD over the folds:", ""]
        lines += ["| method | folds of | number | accuracy |", "|---|---|---|---|"]
        for method, kind, scores in svms:
            said = f"{scores.mean():.1%} ± {scores.std():.1%}" if len(scores) else "too few clips of an emotion"
            lines.append(f"| {method} | {kind} | {len(scores)} | {said} |")
        lines.append("")
    lines += ["Time of a picture, with the search for the face:", "", "| method | scale | ms |", "|---|---|---|"]
    lines += [*(f"| {m} | {s:g} | {ms:.1f} |" for m, s, ms in times), ""]
    for method, table in tables.items():
        lines += [f"Confusion of {method} in percent, leave one subject out, first scale; rows are the labels:", ""]
        lines += ["| | " + " | ".join([*names, "no face"]) + " |", "|---" * (len(names) + 2) + "|"]
        for name, row in zip(names, 100 * table / table.sum(1, keepdims=True)):
            lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in row) + " |")
        lines.append("")
    return "\n".join(lines)


def _write_guesses(path: Path, clips: list[LabelledClip], names: list[str], guesses: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "clip", "emotion", *guesses])
        for i, clip in enumerate(clips):
            found = ["" if guess[i] == MISSED else names[guess[i]] for guess in guesses.values()]
            writer.writerow([clip.subject, clip.name, clip.emotion, *found])


def _draw(out: Path, names: list[str], tables: dict[str, np.ndarray], scales, curves: dict[str, list[float]]) -> None:
    from matplotlib.figure import Figure

    for method, table in tables.items():
        figure = Figure((5, 4.6), layout="constrained")
        axes, share = figure.subplots(), table[:, :-1] / table.sum(1, keepdims=True)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="classified", ylabel="label", title=f"{method}, leave one subject out")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        for i, j in np.ndindex(share.shape):
            axes.text(
                j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", color="w" if share[i, j] > 0.5 else "k"
            )
        with atomic_path(out / f"confusion_{method}.png") as part:
            figure.savefig(part, dpi=80)
    figure = Figure((5, 3.4), layout="constrained")
    axes = figure.subplots()
    for method, values in curves.items():
        axes.plot(scales, values, marker="o", label=method)
    axes.set(xlabel="scale", ylabel="accuracy, leave one subject out", ylim=(0, 1))
    axes.legend()
    with atomic_path(out / "scales.png") as part:
        figure.savefig(part, dpi=80)

"""``expnet research fine-tune-study``: weights fine-tuned on one clip, against the truth of it and of another clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.builtin import OPEN
from ...model.files import make_folder, write_whole
from ...model.fine_tuning.fine_tune import fine_tune
from ...model.fine_tuning.material import BLOCK, CYCLE, TEST
from ...model.fine_tuning.measures import NAMES
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.sight.tracking import perform
from ...model.sight.video import open_clip
from ...training.synthetic.surface import build_surface
from ..annotate.study import motion
from ..synthetic_clips import LENS_MM, Floats, acted_clip, people, write_movie

TURN = 12.0  # degrees of yaw, standard deviation
OTHER = 99  # seed of the second clip
FIRST = 6  # of the people
# Names of ``measures.Measures``, and of the table's columns
MEASURED = {
    "agreement": "whole clip's curves",
    "mirror": "mirror image",
    "shift": "moved views",
    "points": "located points",
    "jitter": "jitter",
    "motion": "motion",
}


def study(out: Path, count: int, frames: int, seed: int) -> str:
    """Write the clips, the weights and study.md into ``out`` and return the table."""
    surface = build_surface(open_face_model(OPEN))
    make_folder(out)
    lines = [
        "| person | weights | held-out frames, MSE × 1000 | motion | another clip, MSE × 1000 | motion |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    measured = ["| person | " + " | ".join(MEASURED.values()) + " |", "| --- " * (len(MEASURED) + 1) + "|"]
    for i, person in enumerate(tqdm(people(surface, count, FIRST), desc="people"), 1):
        clips, truths = [], []
        for name, clip_seed, length in (("clip", seed, frames), ("other", OTHER, frames // 2)):
            pictures, truth = acted_clip(surface, person, length, TURN, clip_seed)
            clips.append(out / f"{name}_{i}.mp4")
            truths.append(truth.eta)
            if not clips[-1].is_file():
                write_movie(clips[-1], pictures, clip_seed)
        weights = out / f"person_{i}.safetensors"
        rejected = out / f"rejected_{i}.safetensors"
        result = fine_tune([clips[0]], weights, lens_mm=LENS_MM, rejected=rejected)
        held_out = np.arange(frames) // BLOCK % CYCLE == TEST
        chosen = [held_out, np.ones(frames // 2, bool)]
        lines.append(_row(i, "open", OPEN, clips, truths, chosen))
        if result.kept:
            lines.append(_row(i, "fine-tuned, written", str(weights), clips, truths, chosen))
        else:
            why = ", ".join(NAMES[name] for name in result.worse)
            lines.append(_row(i, f"fine-tuned, not written: {why}", str(rejected), clips, truths, chosen))
        changes = [f"{getattr(result.before, n):.4f} → {getattr(result.after, n):.4f}" for n in MEASURED]
        measured.append(f"| {i} | " + " | ".join(changes) + " |")
    text = "\n".join([*lines, "", "What the test on held-out frames measured, before → after:", "", *measured])
    write_whole(out / "study.md", f"{text}\n".encode())
    return text


def _row(
    person: int,
    name: str,
    weights: str,
    clips: Sequence[Path],
    truths: Sequence[Floats],
    chosen: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]],
) -> str:
    estimator = engines.start(weights, "cpu").estimator
    cells = []
    for clip, truth, frames in zip(clips, truths, chosen):
        with open_clip(clip) as pictures:
            eta = perform(pictures, estimator, lens_mm=LENS_MM).eta
        error = 1e3 * float(np.square(eta - truth)[frames].mean())
        cells += [f"{error:.2f}", f"{motion(eta[frames], truth[frames]):.2f}"]
    return f"| {person} | {name} | " + " | ".join(cells) + " |"

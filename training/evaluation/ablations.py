"""Ablations: networks trained without one ingredient, compared with the full network.

All networks are measured on the same held-out faces, on heads of another renderer and on real clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...model.array_types import BoolArray
from ...model.networks.weights.weights_file import load_weights
from . import other_renderer, video
from .held_out import figures
from .section import Cell, Section, Table
from .subject import Conditions, Subject

TITLE = "Ablations"
SMALL, COVERED = 48, 0.8
ELSEWHERE = {
    "mean r of a sweep": "sweeps, r",
    "mean pooled r": "pooled r",
    "mean r of combined expressions": "combined r",
}


def measure(
    subject: Subject, runs: Sequence[tuple[str, Path]], rendered: Path | None = None, footage: Path | None = None
) -> Section:
    """Measure every run and return the section.

    ``runs`` holds names and weights; the full run comes first. ``rendered`` holds heads of another renderer and
    ``footage`` real clips with notes. The columns of a missing set are left out.
    """
    tested = [(name, replace(subject, weights=weights)) for name, weights in runs]
    tables = [_held_out(tested)]
    if rendered:
        tables.append(_other_renderer(tested, rendered))
    if footage:
        tables.append(_clips(tested, footage))
    return Section(
        TITLE,
        "Short training runs from the same weights, which were trained on all ingredients, with the same recipe "
        f"(training/configs/ablation.toml): {runs[0][0]} first, then each time without one ingredient of the pictures "
        "(`python -m expnet.training.synthetic.generate --without NAME`, the same seed: otherwise the same people, "
        "expressions and views) or of the loss. All are evaluated on the same held-out faces, which have every "
        "ingredient: the difference of a row shows what the network unlearns without that ingredient. A row that "
        "differs from the first by no more than a run with another seed is not significant and needs longer runs.",
        (),
        tuple(tables),
    )


def _held_out(runs: Sequence[tuple[str, Subject]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    first = None
    for name, run in runs:
        c = run.conditions
        whole = figures(run, np.ones(len(run.truth["eta"]), bool))
        parts = [figures(run, members)["r"] for members in _parts(c).values()]
        first = first or whole["r"]
        pictures = load_weights(run.weights)[0].evaluation.get("images", float("nan"))
        seen = "-" if np.isnan(pictures) else f"{pictures:,.0f}"
        millimetres = whole["lips"], whole["lids"], whole["gaze"], whole["rotation"]
        rows.append((name, seen, whole["r"], whole["r"] - first, *parts, *millimetres))
    names = (f"r, {name}" for name in _parts(runs[0][1].conditions))
    columns = ("", "pictures", "mean r", "lost", *names, "lips mm", "lids mm", "gaze °", "rotation °")
    title = (
        f"Held-out faces of the same engine; small: less than {SMALL} real pixels across; covered: turned by less than "
        f"30 degrees, and more than {1 - COVERED:.0%} of the landmarks hidden"
    )
    return Table(columns, tuple(rows), title)


def _parts(c: Conditions) -> dict[str, BoolArray]:
    return {
        "clear": c.clear,
        "small": c.detail < SMALL,
        "covered": (c.yaw < 30) & (c.share < COVERED),
    }


def _other_renderer(runs: Sequence[tuple[str, Subject]], rendered: Path) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, run in runs:
        scores = {s.what: s.value for s in other_renderer.measure(run, rendered).scores}
        rows.append((name, *(scores[what] for what in ELSEWHERE)))
    return Table(("", *ELSEWHERE.values()), tuple(rows), "Another renderer's heads (see there)")


def _clips(runs: Sequence[tuple[str, Subject]], footage: Path) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, run in runs:
        clips = [(w.raw, w.notes) for w in video.watch(footage, run.estimator)]
        found, missed, made_up = np.sum([video.closings(*c) for c in clips], 0)
        lids = np.nanmean([video.lid_area(*c) for c in clips])
        smile = np.nanmean([video.smile_r(*c) for c in clips])
        rows.append((name, float(lids), f"{found} / {missed} / {made_up}", float(smile)))
    columns = ("", "shut or open, area under ROC", "closings found / missed / false", "smile, r")
    return Table(columns, tuple(rows), "Real clips, raw (see there)")

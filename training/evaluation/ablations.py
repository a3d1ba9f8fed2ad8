"""Ablations: networks trained alike but for one ingredient, before the same held-out faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...model.checkpoints.weights import load_weights
from .held_out import figures
from .section import Cell, Section, Table
from .subject import Subject


def measure(subject: Subject, runs: Sequence[tuple[str, Path]]) -> Section:
    """``runs``: names and weights, the run with everything first."""
    rows: list[tuple[Cell, ...]] = []
    first = None
    for name, weights in runs:
        run = replace(subject, weights=weights)
        every, clear = np.ones(len(run.truth["eta"]), bool), run.conditions.clear
        f, easy = figures(run, every), figures(run, clear)
        first = first or f["r"]
        pictures = load_weights(weights)[0].evaluation.get("images", float("nan"))
        row = (f["r"], f["r"] - first, easy["r"], f["lips"], f["lids"], f["gaze"], f["rotation"])
        rows.append((name, "-" if np.isnan(pictures) else f"{pictures:,.0f}", *row))
    columns = ("", "pictures seen", "mean r", "lost", "r, clear", "lips mm", "lids mm", "gaze °", "rotation °")
    return Section(
        "Ablations",
        f"The same network and recipe trained shortly, {runs[0][0]} first, then each time with one thing left out of "
        "the pictures (`python -m expnet.training.synthetic.generate --without NAME`) or of the loss; all before the "
        "same held-out faces, which leave nothing out. Short runs show what pays, not how good it gets.",
        (),
        (Table(columns, tuple(rows)),),
    )

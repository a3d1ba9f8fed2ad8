"""Tables of estimates from images, for the terminal and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import printable
from ...model.performance.performance_files import POSE_COLUMNS
from ...model.rotations import euler_degrees

WIDE = 6  # more images than this are listed one per line
VISIBLE, STRONGEST = 0.05, 4


def table(estimates: Sequence[dict[str, Any]]) -> str:
    """Show few images side by side, a column each, or many as a line each with their strongest keys."""
    seen = [e for e in estimates if "error" not in e]
    if not seen:
        return ""
    return _columns(seen) if len(seen) <= WIDE else _lines(seen)


def csv_text(estimates: Sequence[dict[str, Any]]) -> str:
    """Write a row per image: image, confidence, keys, POSE_COLUMNS, alpha, and the error if there is no estimate."""
    seen = [e for e in estimates if "error" not in e]
    keys = list(seen[0]["eta"]) if seen else []
    names = ["id", "image", "confidence", *keys, *POSE_COLUMNS]
    names += [f"alpha_{i + 1:02d}" for i in range(len(seen[0]["alpha"]) if seen else 0)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*names, "error"], restval="", lineterminator="\n")
    writer.writeheader()
    for e in estimates:
        row = {name: plain_cell(e.get(name, "")) for name in ("id", "image", "error")}
        if "error" not in e:
            pose = euler_degrees(np.asarray(e["rotation"], float))
            numbers = [
                e["confidence"],
                *e["eta"].values(),
                *e["gaze"],
                *pose,
                *e["translation"],
                *e["crop"],
                *e["alpha"],
            ]
            row |= {name: f"{number:.6g}" for name, number in zip(names[2:], numbers, strict=True)}
        writer.writerow(row)
    return text.getvalue()


def plain_cell(text: str) -> str:
    """Return ``text`` as a cell that no spreadsheet evaluates as a formula."""
    shown = printable(text)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown


def _columns(seen: Sequence[dict[str, Any]]) -> str:
    """List the keys above ``VISIBLE``, then pose and confidence."""
    keys = [k for k in seen[0]["eta"] if any(abs(e["eta"][k]) >= VISIBLE for e in seen)]
    names = [_name(e) for e in seen]
    widths = [max(len(name), 7) for name in names]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:<18}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths))

    lines = [row("", names)]
    lines += [row(k, [f"{e['eta'][k]:.2f}" for e in seen]) for k in keys]
    lines += [row(name, [f"{e['gaze'][i]:.2f}" for e in seen]) for i, name in enumerate(("gaze yaw", "gaze pitch"))]
    lines += [row("distance mm", [f"{-e['translation'][2]:.0f}" for e in seen])]
    lines += [row("confidence", [f"{e['confidence']:.2f}" for e in seen])]
    return "\n".join(lines)


def _lines(seen: Sequence[dict[str, Any]]) -> str:
    width = max(len(_name(e)) for e in seen)
    lines = [f"{'':<{width}}  confidence  strongest"]
    for e in seen:
        felt = sorted(e["eta"].items(), key=lambda item: -abs(item[1]))[:STRONGEST]
        strongest = ", ".join(f"{key} {value:.2f}" for key, value in felt if abs(value) >= VISIBLE)
        lines.append(f"{_name(e):<{width}}  {e['confidence']:>10.2f}  {strongest or 'at rest'}")
    return "\n".join(lines)


def _name(estimate: dict[str, Any]) -> str:
    """Name a face by its ID in a list, else by its image."""
    name = Path(estimate["image"]).name
    return name if estimate["id"] == Path(name).stem else estimate["id"]

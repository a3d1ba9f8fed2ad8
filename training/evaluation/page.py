"""docs/ACCURACY.md and its plots."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ...model.networks.weights.weights_file import load_weights
from .section import Section, as_markdown

FOLDER = "accuracy"  # of the plots, beside the page


@dataclass(frozen=True)
class Entry:
    """A section that was run: its ``command``, and the results of the weights ``before``, if compared."""

    section: Section
    command: str
    before: Section | None = None


def write_page(
    docs: Path, entries: Sequence[Entry], weights: Path, shards: int, pixels: int, missing: Sequence[str]
) -> None:
    """Write ``docs``/ACCURACY.md and ``docs``/accuracy/*.svg.

    ``shards`` is the number of held-out shards and ``pixels`` the width of their pictures. ``missing`` names the
    sections that were not run; the page lists them.
    """
    folder = docs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for entry in entries:
        for plot in entry.section.plots:
            figure = Figure(figsize=plot.size, layout="constrained")
            plot.draw(figure)
            with matplotlib.rc_context({"svg.hashsalt": plot.name}):  # the same numbers make the same file
                figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
    header, tensors = load_weights(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    scores = [s for e in entries for s in e.section.scores if s.met is not None]
    met = sum(bool(s.met) for s in scores)
    compared = any(e.before for e in entries)
    lines = [
        "# How accurate the open network is",
        "Written by `python -m expnet.training.evaluate WEIGHTS DATA … --docs docs`; every section names its own "
        "command. WEIGHTS is `model/data/open_weights.safetensors`; DATA holds the held-out pictures, made by\n\n"
        "    python -m expnet.training.synthetic.generate DATA --seed 1 "
        f"--shards {shards} --size {pixels} --realism FILE",
        f"Weights {digest} (the file's SHA-256): {sum(t.size for t in tensors.values()) / 1e6:.2f} M numbers, "
        f"{header.input_size} px, trained on {header.training_data}.",
        f"{met} of {len(scores)} scores reach their targets. "
        + ("The column *before* has the scores of the weights that shipped before." if compared else ""),
        *([f"Not run: {', '.join(missing)}."] if missing else []),
        *(as_markdown(e.section, e.command, FOLDER, e.before).rstrip() for e in entries),
    ]
    (docs / "ACCURACY.md").write_text("\n\n".join(line.rstrip() for line in lines) + "\n")

"""docs/ACCURACY.md and its plots."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
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
    docs: Path, entries: Mapping[str, Entry], weights: Path, shards: int, pixels: int, names: Sequence[str]
) -> None:
    """Write ``docs``/ACCURACY.md and ``docs``/accuracy/*.svg.

    ``entries`` are the sections that were run, by name. ``names`` are those of all sections, in their order. A section
    that was not run stays as the page has it; the page lists those that it has not. Every section names its weights.
    ``shards`` is the number of held-out shards and ``pixels`` the width of their pictures.
    """
    path, folder = docs / "ACCURACY.md", docs / FOLDER
    kept = _sections(path.read_text()) if path.is_file() else {}
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries.values():
        for plot in entry.section.plots:
            figure = Figure(figsize=plot.size, layout="constrained")
            plot.draw(figure)
            with matplotlib.rc_context({"svg.hashsalt": plot.name}):  # the same numbers make the same file
                figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
    header, tensors = load_weights(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    sections = {name: _section(entries[name], digest) if name in entries else kept.get(name) for name in names}
    there = [text for text in sections.values() if text]
    missing = [name for name, text in sections.items() if not text]
    verdicts = re.findall(r"\| [≤≥][^|]*\| (yes|NO) \|", "\n".join(there))
    compared = any("| before |" in text for text in there)
    lines = [
        "# How accurate the open network is",
        "Written by `python -m expnet.training.evaluate WEIGHTS DATA … --docs docs`; every section names its own "
        "command and the weights that it measured, by the first characters of the file's SHA-256. WEIGHTS is "
        "`model/data/open_weights.safetensors`; DATA holds the held-out pictures, made by\n\n"
        "    python -m expnet.training.synthetic.generate DATA --seed 1 "
        f"--shards {shards} --size {pixels} --realism FILE",
        f"Weights {digest}: {sum(t.size for t in tensors.values()) / 1e6:.2f} M numbers, "
        f"{header.input_size} px, trained on {header.training_data}.",
        f"{verdicts.count('yes')} of {len(verdicts)} scores reach their targets. "
        + ("The column *before* has the scores of the weights that shipped before." if compared else ""),
        *([f"Not run: {', '.join(missing)}."] if missing else []),
        *(text.rstrip() for text in there),
    ]
    page = "\n\n".join(line.rstrip() for line in lines) + "\n"
    path.write_text(page)
    for drawn in folder.glob("*.svg"):
        if f"({FOLDER}/{drawn.name})" not in page:
            drawn.unlink()


def _section(entry: Entry, digest: str) -> str:
    text = as_markdown(entry.section, entry.command, FOLDER, entry.before)
    command = f"    {entry.command}"
    return text.replace(command, f"{command}\n\nMeasured with weights {digest}.", 1)


def _sections(page: str) -> dict[str, str]:
    """Return the sections of a page by name, which their commands tell."""
    found = {}
    for text in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]:
        command = re.search(r"^    .* --only (\w+)", text, re.MULTILINE)
        if command is not None:
            found[command[1]] = text
    return found

"""Contents of a section of the report, and their output as text and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

Cell = str | int | float
DIGITS = 3


@dataclass(frozen=True)
class Score:
    """A score: the weights ship only if they beat the last ones on every score.

    ``bar`` is the project's bound: at least that where ``better`` is ``higher``, at most that where ``lower``.
    """

    what: str
    value: float
    better: Literal["higher", "lower"]
    bar: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Return whether the bar is reached; None without a bar."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar

    def against(self, before: Score | None) -> str:
        """Return ``better``, ``same`` (to the digits shown) or ``worse`` than the weights before; ``new`` without."""
        if before is None or math.isnan(before.value) or math.isnan(self.value):
            return "new"
        gain = round(self.value, DIGITS) - round(before.value, DIGITS)
        gain = gain if self.better == "higher" else -gain
        return "better" if gain > 0 else "worse" if gain < 0 else "same"


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot: ``draw`` fills an empty figure; ``name`` becomes the file's name."""

    name: str
    caption: str
    draw: Callable[[Figure], None]
    size: tuple[float, float] = (8, 4)


@dataclass(frozen=True)
class Section:
    """A section of the report; ``how`` describes in a sentence or two what was measured and on what."""

    title: str
    how: str
    scores: tuple[Score, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()


def shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return "-" if math.isnan(cell) else f"{cell:.{DIGITS}f}"
    return str(cell)


def score_table(scores: Sequence[Score], before: Sequence[Score] | None) -> Table:
    """Return the scores as a table; with the scores of other weights ``before``, both and which is better."""
    barred = any(s.bar is not None for s in scores)
    columns = ["", "value", *(["target", "met"] if barred else []), *(["before", ""] if before is not None else [])]
    earlier = {s.what: s for s in before or ()}
    rows = []
    for s in scores:
        row: list[Cell] = [f"{s.what}, {s.unit}" if s.unit else s.what, float(s.value)]
        if barred:
            sign = "≥" if s.better == "higher" else "≤"
            row += ["", ""] if s.bar is None else [f"{sign} {s.bar:g}", "yes" if s.met else "NO"]
        if before is not None:
            old = earlier.get(s.what)
            row += [float(old.value) if old else "-", s.against(old)]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def as_text(section: Section, before: Section | None = None) -> str:
    return "\n".join(
        [section.title.upper(), section.how, ""]
        + [block for table in _tables(section, before) for block in (_text_table(table), "")]
    )


def as_markdown(section: Section, command: str, folder: str, before: Section | None = None) -> str:
    """Markdown; plots are linked as ``folder/NAME.svg``."""
    parts = [f"## {section.title}", section.how, f"    {command}"]
    parts += [_markdown_table(table) for table in _tables(section, before)]
    parts += [f"![{plot.caption}]({folder}/{plot.name}.svg)\n\n*{plot.caption}*" for plot in section.plots]
    return "\n\n".join(parts) + "\n"


def _tables(section: Section, before: Section | None) -> list[Table]:
    scores = [score_table(section.scores, before.scores if before else None)] if section.scores else []
    return [*scores, *section.tables]


def _text_table(table: Table) -> str:
    cells = [list(table.columns), *([shown(c) for c in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
        for row in cells
    ]
    return "\n".join([*([table.title] if table.title else []), *lines])


def _markdown_table(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    rule = ["---", *["---:"] * (len(table.columns) - 1)]
    rows = [line(table.columns), line(rule), *(line(shown(c) for c in row) for row in table.rows)]
    return "\n".join([*([f"{table.title}:\n"] if table.title else []), *rows])

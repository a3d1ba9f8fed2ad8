"""Tables of the experiments: CSV files whose first row names the columns, and rows of plain numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..model.errors import InputError
from ..model.reading import reading


@contextmanager
def table_rows(table: Path, columns: Sequence[str], remedy: str, what: str = "table") -> Iterator[csv.DictReader[str]]:
    """Open a CSV with these columns, and perhaps others, in a ``with``.

    Raises InputError, with ``remedy``, for a file that is no such table, and for what goes wrong inside the ``with``.
    """
    with reading(table, what, remedy), table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{table}: the column {missing[0]} is missing: {remedy}")
        yield reader


def without_heading(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows without the first one, if that does not begin with a number."""
    return rows if not rows or _is_number(rows[0][0]) else rows[1:]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

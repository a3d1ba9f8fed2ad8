"""The face list of the ExpNet release: a CSV file with the place of the face in each image."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import is_file
from ..reading import reading

COLUMNS = ("ID", "FILE", "FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT")
MAX_ROWS = 200_000
MAX_BYTES = 2**25


@dataclass(frozen=True)
class ListedFace:
    """A row: the name of its results, the image, and the face's box (x, y, width, height) in pixels."""

    name: str
    image: Path
    box: tuple[float, float, float, float]


def read_box_list(path: str | Path) -> list[ListedFace]:
    """Read the rows of a list with the header ``ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT``.

    A relative FILE is relative to the list's own folder. Raises InputError, one line with the number of the row as a
    spreadsheet counts it (the header is row 1).
    """
    path = Path(path)
    with reading(path, "list of faces", "give it as CSV in UTF-8"):
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES >> 20} MB: split it")
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _faces(path, csv.reader(file, strict=True))


def _faces(path: Path, rows: Iterator[list[str]]) -> list[ListedFace]:
    header = [name.strip() for name in next(rows, [])]
    absent = [name for name in COLUMNS if name not in header]
    if absent:
        raise InputError(f"{path}: row 1 has no column {absent[0]}: the header is {','.join(COLUMNS)}")
    columns = [header.index(name) for name in COLUMNS]
    faces: list[ListedFace] = []
    row_of: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if number > MAX_ROWS:
            raise InputError(f"{path}: has more than {MAX_ROWS} rows: split it")
        where = f"{path}: row {number}"
        if len(row) <= max(columns):
            raise InputError(f"{where} has {len(row)} columns, not {len(header)}")
        name, file, *numbers = (row[column].strip() for column in columns)
        if not name or name in (".", "..") or any(sign in name for sign in "/\\\0"):
            raise InputError(f"{where}: the ID {name!r} cannot be a file's name")
        if name in row_of:
            raise InputError(f"{where}: the ID {name!r} is that of row {row_of[name]} too")
        image = path.absolute().parent / Path(file).expanduser()
        if not file or not is_file(image):
            raise InputError(f"{where}: there is no image '{file}'")
        row_of[name] = number
        faces.append(ListedFace(name, image, _box(where, numbers)))
    if not faces:
        raise InputError(f"{path}: lists no faces: one row for each below the header")
    return faces


def _box(where: str, numbers: list[str]) -> tuple[float, float, float, float]:
    box: list[float] = []
    for column, text in zip(COLUMNS[2:], numbers):
        try:
            box.append(float(text))
        except ValueError:
            raise InputError(f"{where}: {column} is {text!r}, which is no number") from None
        if not math.isfinite(box[-1]) or abs(box[-1]) > 1e6:
            raise InputError(f"{where}: {column} is {text}, which is no place in an image")
    x, y, width, height = box
    if width <= 1 or height <= 1:
        raise InputError(f"{where}: a face of {width:g} x {height:g} pixels is not possible")
    return x, y, width, height

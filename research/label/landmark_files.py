"""Reading of 68 landmarks per image: .pts, JSON, CSV, OpenFace's CSV, or a plug-in that finds them.

Landmarks are in iBUG's order, (68, 2) float64 pixels of the image, with the centre of the first pixel at (0, 0), as
``model/camera.py`` has it. MATLAB's and iBUG's .pts files count from 1; ``read_pts`` subtracts it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...model.reading import json_object, reading
from ..tables import without_heading

LANDMARKS = 68
PLUGINS = "expnet.landmarks"  # the entry points' group: functions from (H, W, 3) uint8 BGR to (68, 2) pixels
MOST_BYTES = 64 * 2**20
REMEDY = "give one row x, y for each of iBUG's 68 points"

Points = NDArray[np.float64]
Finder = Callable[[NDArray[np.uint8]], Any]


def read_landmarks(path: Path) -> Points:
    """Read one image's landmarks from a .pts, .json or .csv file. Raises InputError."""
    readers: dict[str, Callable[[str], Points]] = {".pts": _pts, ".json": _json, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: landmarks are read from .pts, .json and .csv files")
    with reading(path, "landmark file", REMEDY):
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large for 68 points")
        points = readers[path.suffix.lower()](path.read_text(encoding="utf-8-sig"))
        return _checked(points)


def _checked(points: Points) -> Points:
    if points.shape != (LANDMARKS, 2):
        raise ValueError(f"{' × '.join(map(str, points.shape))} numbers are no 68 points")
    if not (np.abs(points) < 1e6).all():  # also NaN
        raise ValueError("a coordinate is no pixel")
    return points


def _pts(text: str) -> Points:
    inside = re.search(r"\{([^{}]*)\}", text)
    if not inside:
        raise ValueError("its points are not in braces")
    return np.array([line.split() for line in inside[1].strip().splitlines()], np.float64) - 1.0


def _json(text: str) -> Points:
    whole = text if text.lstrip().startswith("{") else f'{{"landmarks": {text}}}'
    return np.array(json_object(whole.encode(), MOST_BYTES)["landmarks"], np.float64)


def _csv(text: str) -> Points:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    if any(cell == "x_0" for cell in rows[0]):
        return openface_rows(rows)[0][1]
    return np.array(without_heading(rows), np.float64)


def read_openface(path: Path) -> dict[int, Points]:
    """Read OpenFace's CSV of a clip: landmarks by frame number, from 1. Frames without success are left out."""
    with reading(path, "OpenFace CSV", "write it with OpenFace's option -2Dfp"):
        if path.stat().st_size > MOST_BYTES * 16:
            raise ValueError("it is too large")
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
            if row
        ]
        return {frame: _checked(points) for frame, points in openface_rows(rows)}


def openface_rows(rows: list[list[str]]) -> list[tuple[int, Points]]:
    """Return (frame, (68, 2)) of OpenFace's rows, the first being its header; only rows with success = 1."""
    header = rows[0]
    columns = [[header.index(f"{axis}_{i}") for axis in "xy"] for i in range(LANDMARKS)]
    success = header.index("success") if "success" in header else None
    number = header.index("frame") if "frame" in header else None
    found = []
    for at, row in enumerate(rows[1:], 1):
        if success is None or float(row[success]) > 0.5:
            frame = int(float(row[number])) if number is not None else at
            found.append((frame, np.array([[float(row[c]) for c in pair] for pair in columns])))
    if not found:
        raise ValueError("it has no face")
    return found


def plugin(name: str) -> Finder:
    """Return the landmark finder of an installed package by its entry point's name. Raises InputError."""
    known = {point.name: point for point in entry_points(group=PLUGINS)}
    if name not in known:
        there = ", ".join(sorted(known)) or "none is installed"
        raise InputError(f"landmark plug-in {name} is unknown: {there} (entry points of the group {PLUGINS})")
    finder: Finder = known[name].load()
    return finder


def found_by(finder: Finder, image: NDArray[np.uint8], name: str) -> Points:
    """Return a plug-in's landmarks of an image. Raises InputError where it finds none."""
    points = finder(image)
    if points is None:
        raise InputError(f"{name}: the landmark plug-in finds no face")
    points = np.asarray(points, np.float64)
    try:
        return _checked(points)
    except ValueError as error:
        raise InputError(f"{name}: the landmark plug-in's answer is unusable: {error}") from None

"""Faces with 189 hand-set points (Psychomorph's .tem files, as the Face Research Lab's sets have them)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError

POINTS = 189
MOST_BYTES = 1_000_000  # a file of 189 points has 4 kB
PUPILS, CORNERS = (0, 1), (18, 22, 23, 27)  # of the eyes; the subject's right first, as in the picture
# Outlines of the brows, each from the picture's left to its right
UPPER_BROWS = (71, 72, 73, 74, 75, 76), (77, 78, 79, 80, 81, 82)
LOWER_BROWS = (71, 83, 84, 76), (77, 85, 86, 82)
UPPER_LIDS, LOWER_LIDS = (20, 25), (29, 32)  # the middle of each
ORIGINAL_WIDTH = 1350  # pixels: .tem files refer to pictures of this width, independent of the .jpg next to them


def read_points(path: Path) -> FloatArray:
    """Return the points of a .tem file, (189, 2) float64 in pixels of the original picture. Raises InputError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: is larger than {MOST_BYTES} bytes: no file of {POINTS} points")
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}): check the path") from error
    if not lines or lines[0].strip() != str(POINTS):
        raise InputError(f"{path}: does not begin with {POINTS}, the number of its points: choose another file")
    try:
        points = np.array([[float(v) for v in line.split()] for line in lines[1 : POINTS + 1]], np.float64)
    except ValueError as error:
        raise InputError(f"{path}: its points are not two numbers a line: get an intact file") from error
    if points.shape != (POINTS, 2) or not np.isfinite(points).all() or np.abs(points).max() > 1e5:
        raise InputError(f"{path}: does not hold {POINTS} points in a picture: get an intact file")
    return points


def read_folder(folder: Path) -> dict[str, FloatArray]:
    """Return the points of every .tem file of a folder, by the file's stem. Raises InputError when there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder: name the one that holds pictures and their .tem files")
    paths = sorted(folder.glob("*.tem"))
    if not paths:
        raise InputError(f"{folder}: holds no .tem files: name the folder of pictures with hand-set points")
    return {path.stem: read_points(path) for path in paths}


def upright(points: FloatArray, pupils: FloatArray, corners: FloatArray, distance: float = 63.0) -> FloatArray:
    """Return points of a face (N, 2) in an upright frame, y up, in mm.

    y is measured from the line through the four eye ``corners`` (4, 2), x from the midpoint of the ``pupils`` (2, 2).
    The scale puts the pupils ``distance`` apart.
    """
    slope = np.polyfit(corners[:, 0], corners[:, 1], 1)[0]
    angle = np.arctan(slope)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scale = distance / np.linalg.norm(pupils[1] - pupils[0])
    placed = scale * (points - corners.mean(0)) @ turn
    middle = scale * ((pupils.mean(0) - corners.mean(0)) @ turn)
    centred: FloatArray = placed - [middle[0], 0]
    return centred


def in_mm(points: FloatArray) -> FloatArray:
    """Hand-set points (189, 2) in pixels, rows downwards, as ``upright`` has them: x to the subject's left, y up."""
    up = points * [1, -1]
    return upright(up, up[list(PUPILS)], up[list(CORNERS)])


def brow_centres(points: FloatArray, at: Sequence[float]) -> FloatArray:
    """Height of the middle between a brow's edges at distances ``at`` from the midline, (2, K): right, left brow."""
    centres: FloatArray = np.mean([_sides(points, outlines, at) for outlines in (UPPER_BROWS, LOWER_BROWS)], 0)
    return centres


def _sides(points: FloatArray, outlines: Sequence[Sequence[int]], at: Sequence[float]) -> FloatArray:
    right, left = outlines
    return np.array([heights(points[list(line)] * [sign, 1], at) for line, sign in ((right, -1), (left, 1))])


def heights(line: FloatArray, at: Sequence[float] | FloatArray) -> FloatArray:
    """Height of a polyline (N, 2) at the abscissae ``at``; beyond its ends that of the nearer end."""
    order = np.argsort(line[:, 0])
    return np.interp(at, line[order, 0], line[order, 1])

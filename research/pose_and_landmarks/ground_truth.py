"""Pictures with known pose and landmarks: AFLW2000-3D's .mat files, or a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...model.formats.mat5 import stored_arrays
from ...model.reading import reading
from ...model.rotations import rotation_of_euler
from ...model.sight.sequences import is_image
from ..tables import table_rows
from .protocol import rotation_of

POINTS = tuple(f"{axis}_{i}" for i in range(68) for axis in "xy")
COLUMNS = ("image", "yaw", "pitch", "roll")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """A picture's face: its rotation (3, 3) as the picture shows it, and its landmarks (68, 2) in pixels."""

    image: Path
    rotation: Floats
    landmarks: Floats


def read_known(source: Path) -> list[Known]:
    """Read a folder with a .mat beside each picture, or a table. Raises InputError."""
    known = _of_folder(source) if source.is_dir() else _of_table(source)
    if not known:
        raise InputError(f"{source}: no picture with known pose: give AFLW2000's folder, or a table with image,yaw,…")
    return known


def _of_folder(folder: Path) -> list[Known]:
    if (folder / "table.csv").is_file():
        return _of_table(folder / "table.csv")
    images = sorted(path for path in folder.iterdir() if path.is_file() and is_image(path))
    return [_of_mat(image, image.with_suffix(".mat")) for image in images]


def _of_mat(image: Path, file: Path) -> Known:
    with reading(file, "ground truth", "AFLW2000-3D has one beside each picture"):
        arrays = stored_arrays(file)
        if "Pose_Para" not in arrays or "pt3d_68" not in arrays:
            raise ValueError("it has no Pose_Para and pt3d_68")
        pose = np.asarray(arrays["Pose_Para"].read(), np.float64).ravel()
        points = np.asarray(arrays["pt3d_68"].read(), np.float64)
        if len(pose) < 3 or points.shape != (3, 68) or not (np.isfinite(pose).all() and np.isfinite(points).all()):
            raise ValueError(f"Pose_Para has {len(pose)} numbers and pt3d_68 is {points.shape}")
        return Known(image, rotation_of(*pose[:3]), points[:2].T - 1.0)  # MATLAB counts pixels from 1


def _of_table(table: Path) -> list[Known]:
    remedy = "give a CSV with image, yaw, pitch, roll in degrees, and x_0, y_0 to x_67, y_67 in pixels"
    with table_rows(table, (*COLUMNS, *POINTS), remedy) as reader:
        known = []
        for row in reader:
            yaw, pitch, roll = (float(row[name]) for name in COLUMNS[1:])
            points = np.array([float(row[name]) for name in POINTS]).reshape(68, 2)
            if not (np.isfinite(points).all() and np.isfinite([yaw, pitch, roll]).all()):
                raise InputError(f"{table}: line {reader.line_num} has a number that is none: correct or remove it")
            rotation = rotation_of_euler(*np.radians([yaw, pitch, roll])).astype(np.float64)
            known.append(Known(table.parent / row["image"], rotation, points))
        return known

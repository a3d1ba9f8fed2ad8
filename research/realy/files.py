"""Scans and key points from files: REALY's own layout, or one folder for each person."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import InputError
from ...model.formats import open_face_model
from ...model.reading import MAX_JSON, reading
from ..tables import without_heading
from .meshes import SUFFIXES, Floats, Mesh, read_mesh
from .regions import KEY_POINT_COUNT, REGIONS, SEVEN, Scan

REALY_KEY_POINTS, REALY_REGIONS, REALY_SCALES = "REALY_HIFI3D_keypoints", "REALY_scan_region", "metrical_scale.txt"
OWN_KEY_POINTS = "keypoints"
BESIDE = "beside"
LANDMARKS = 68

KeyPointsOf = Callable[[Path, Mesh], Floats]


def read_scan(scans: Path, person: str) -> Scan:
    """Read one person's scan. Raises InputError.

    REALY's layout: REALY_HIFI3D_keypoints/1.obj, REALY_scan_region/1/nose.obj …, metrical_scale.txt with a line for
    each person. Otherwise PERSON/nose.obj or .ply …, and PERSON/keypoints.obj, .ply or .csv with 7, 68 or 85 points,
    in mm.
    """
    realy = (scans / REALY_REGIONS).is_dir()
    folder = scans / REALY_REGIONS / person if realy else scans / person
    if not folder.is_dir():
        raise InputError(f"{folder}: no such scan: name each head as its person's folder, or PERSON_VIEW")
    regions = {name: read_mesh(path) for name in REGIONS if (path := _mesh_in(folder, name)) is not None}
    if not regions:
        raise InputError(f"{folder}: holds none of {', '.join(f'{name}.obj' for name in REGIONS)}")
    for name, region in regions.items():
        if not len(region.triangles):
            raise InputError(f"{folder}: the region {name} has no faces: export it again with its triangles")
    points = _mesh_in(scans / REALY_KEY_POINTS, person) if realy else _key_points_in(folder)
    if points is None:
        raise InputError(f"{folder}: its key points are missing: give {OWN_KEY_POINTS}.csv with 7, 68 or 85 points")
    return Scan(regions, key_point_file(points), _scale(scans / REALY_SCALES, person) if realy else 1.0)


def _mesh_in(folder: Path, name: str) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def _key_points_in(folder: Path) -> Path | None:
    table = folder / f"{OWN_KEY_POINTS}.csv"
    return table if table.is_file() else _mesh_in(folder, OWN_KEY_POINTS)


def _scale(path: Path, person: str) -> float:
    with reading(path, "table of scales", "copy REALY's metrical_scale.txt beside its folders"):
        scales = np.atleast_1d(np.loadtxt(path))
        scale = float(scales[int(person) - 1])
        if not 1e-3 < scale < 1e4:
            raise ValueError(f"{scale} mm per unit")
        return scale


def key_point_file(path: Path) -> Floats:
    """Read key points from the vertices of a mesh or the rows x,y,z of a CSV, (85, 3). Raises InputError."""
    if path.suffix.lower() in SUFFIXES:
        return _all_key_points(read_mesh(path).points, path)
    with reading(path, "table of key points", "give rows x,y,z: the 7 of REALY, iBUG's 68, or all 85"):
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if row]
        points = np.array(without_heading(rows), np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
            raise ValueError("its rows are not x,y,z")
    return _all_key_points(points, path)


def _all_key_points(points: Floats, path: Path) -> Floats:
    found = np.full((KEY_POINT_COUNT, 3), np.nan)
    if len(points) == len(SEVEN):
        found[list(SEVEN)] = points
    elif len(points) in (LANDMARKS, KEY_POINT_COUNT):
        found[: len(points)] = points
    else:
        raise InputError(f"{path}: {len(points)} key points: give the 7 of REALY, iBUG's 68, or all 85")
    return found


def key_points_of_heads(source: str) -> KeyPointsOf:
    """Return what finds the key points of a head that was read from a path. Raises InputError.

    source  ``beside``: HEAD.csv; a .txt: REALY's barycentric key points [triangle, u, v] of the heads' topology;
            else ``open`` or the path of the heads' face model, whose 68 landmarks are taken
    """
    if source == BESIDE:
        return lambda path, _: key_point_file(path.with_suffix(".csv"))
    if source.lower().endswith(".txt"):
        return _barycentric(Path(source))
    model = open_face_model(source)
    landmarks = model.landmarks
    if landmarks is None:
        raise InputError(f"{source}: the face model has no 68 landmarks: give key points beside the heads")

    def found(path: Path, head: Mesh) -> Floats:
        if len(head.points) != model.vertex_count:
            raise InputError(
                f"{path}: has {len(head.points)} vertices, the face model {source} {model.vertex_count}: give the one "
                "that the heads were made with, or key points"
            )
        return _all_key_points(head.points[landmarks], path)

    return found


def _barycentric(source: Path) -> KeyPointsOf:
    with reading(source, "table of key points", "give a list of 85 triples [triangle, u, v]"):
        if source.stat().st_size > MAX_JSON:
            raise ValueError("it is too large for 85 points")
        table: Any = np.array(json.loads(source.read_text()), np.float64)
        if table.shape != (KEY_POINT_COUNT, 3) or not np.isfinite(table).all() or (table[:, 0] < 0).any():
            raise ValueError(f"{' × '.join(map(str, table.shape))} numbers are no 85 triples")
    triangle, shares = table[:, 0].astype(np.int64), np.column_stack([table[:, 1:], 1 - table[:, 1] - table[:, 2]])

    def found(path: Path, head: Mesh) -> Floats:
        if triangle.max() >= len(head.triangles):
            raise InputError(f"{path}: has {len(head.triangles)} triangles, {source.name} needs {triangle.max() + 1}")
        points: Floats = np.einsum("nk,nkc->nc", shares, head.points[head.triangles[triangle]])
        return points

    return found

"""The Basel Face Model 2009, ``01_MorphableModel.mat``: 53,490 vertices, identity only.

shapeMU (3V, 1) micrometres, shapePC (3V, 199), shapeEV (199) standard deviations (not eigenvalues) in micrometres, tl
(F, 3) 1-based, wound inward.

With 3DDFA's ``Model_Expression.mat`` and the ExpNet release's index table ``mod_struct_expr.mat`` in the same folder,
it gives the release's model (bfm_expnet.py) without the release's own file. In the table, ``vertex_indices`` lists
the 46,990 vertices to keep. ``vertex_expr_ref`` gives the index of each among 3DDFA's 53,215 (-1: none). ``tx`` moves
the mean. ``faces``, ``expEV`` and the landmarks are the release's own.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..face.face_model import FaceModel
from . import arrays as a
from . import bfm_expnet
from .bfm_3ddfa import EXPRESSION_FIELDS, EXPRESSION_FILE, MM
from .sidecars import find_sidecar

NAME = "bfm-2009"
TABLE_FILE = "mod_struct_expr.mat"
TABLE_FIELDS = ("vertex_indices", "vertex_expr_ref", "faces", "expEV")


def matches(arrays: a.Arrays) -> bool:
    """Return whether the file holds this model."""
    return a.group_with(arrays, "shapePC", "shapeMU", "tl") is not None


def read(path: Path, arrays: a.Arrays, identity_components: int | None) -> FaceModel:
    """Read the model in mm, as the release's model if the other two files are there. Raises InputError."""
    group = a.group_with(arrays, "shapePC", "shapeMU", "tl") or {}
    vertices = a.vertex_count(path, group, "shapeMU")
    mean = a.read_points(path, group, "shapeMU", vertices, MM)
    ks = a.component_count(path, group, "shapePC", vertices)
    sigma = a.read_sigmas(path, group, "shapeEV", ks)[:identity_components] * MM
    identity = a.read_basis(path, group, "shapePC", vertices, sigma)
    faces = a.read_triangles(path, group, "tl", vertices, first=1)[:, ::-1]
    identity_only = FaceModel(
        name=NAME,
        mean=mean.astype(np.float32),
        identity=identity,
        expression=np.zeros((0, vertices, 3), np.float32),
        expression_offset=np.zeros((vertices, 3), np.float32),
        faces=a.wound_outward(mean, np.ascontiguousarray(faces)),
        expression_keys=(),
        expression_bounds=bfm_expnet.expression_bounds(0),
        basis="none",
        identity_sigma=sigma.astype(np.float32),
        license=bfm_expnet.LICENSE,
        source=path.name,
    )
    expression = find_sidecar(path, EXPRESSION_FILE, EXPRESSION_FIELDS)
    if expression is None:
        return identity_only
    table = find_sidecar(path, TABLE_FILE, TABLE_FIELDS)
    if table is None:
        raise InputError(f"{path}: {expression[0].name} has other vertices; put {TABLE_FILE} into the same folder")
    return _release_model(identity_only, expression, table)


def _release_model(full: FaceModel, expression: tuple[Path, a.Arrays], table: tuple[Path, a.Arrays]) -> FaceModel:
    path, index = table
    kept_count = prod(index["vertex_indices"].shape)
    kept = a.read_indices(path, index, "vertex_indices", kept_count, full.vertex_count, first=1)
    exp_path, exp = expression
    exp_vertices = a.vertex_count(exp_path, exp, "mu_exp")
    reference = a.read_vector(path, index, "vertex_expr_ref", full.vertex_count)[kept]
    rows = a.as_indices(path, "vertex_expr_ref", reference, exp_vertices, first=1)
    ke = a.component_count(exp_path, exp, "w_exp", exp_vertices)
    exp_sigma = a.read_sigmas(path, index, "expEV", ke)

    mean = full.mean[kept].astype(np.float64)
    if "tx" in index:
        mean[:, 0] += a.read_vector(path, index, "tx", 1)[0]
    landmarks = None
    if "outerLandmarkIndex" in index:
        landmarks = a.read_indices(path, index, "outerLandmarkIndex", 68, kept_count, first=1)
    return FaceModel(
        name=bfm_expnet.NAME,
        mean=mean.astype(np.float32),
        identity=full.identity[:, kept],
        expression=a.read_basis(exp_path, exp, "w_exp", exp_vertices, exp_sigma * MM)[:, rows],
        expression_offset=a.read_points(exp_path, exp, "mu_exp", exp_vertices, MM)[rows].astype(np.float32),
        faces=a.wound_outward(mean, a.read_triangles(path, index, "faces", kept_count, first=1)),
        expression_keys=bfm_expnet.expression_keys(ke),
        expression_bounds=bfm_expnet.expression_bounds(ke),
        basis=bfm_expnet.BASIS if ke == 29 else f"{bfm_expnet.NAME}-{ke}",
        identity_sigma=full.identity_sigma,
        landmarks=landmarks,
        license=bfm_expnet.LICENSE,
        source=f"{full.source}, {exp_path.name}, {path.name}",
    )

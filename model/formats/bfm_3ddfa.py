"""3DDFA's ``Model_Shape.mat`` and ``Model_Expression.mat``: 53,215 vertices of the Basel Face Model, 29 expressions.

Shape: mu_shape (3V, 1) micrometres, w (3V, 199) and sigma (199), tri (3, F) 1-based and wound inward, keypoints (68).
Expression: mu_exp (3V, 1), w_exp (3V, 29) micrometres per raw unit, sigma_exp (29).
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..face.face_model import FaceModel
from . import arrays as a
from . import bfm_expnet
from .sidecars import find_sidecar

NAME = "bfm-3ddfa"
BASIS = "3ddfa-29"
SHAPE_FIELDS = ("mu_shape", "w", "sigma", "tri")
EXPRESSION_FIELDS = ("mu_exp", "w_exp")
SHAPE_FILE, EXPRESSION_FILE = "Model_Shape.mat", "Model_Expression.mat"
MM = 1e-3  # the files are in micrometres


def matches(arrays: a.Arrays) -> bool:
    """Return whether the file is one of the two."""
    return any(a.group_with(arrays, *fields) for fields in (SHAPE_FIELDS, EXPRESSION_FIELDS))


def read(path: Path, arrays: a.Arrays, identity_components: int | None) -> FaceModel:
    """Read the model in mm from either file; the other one has to be in the same folder. Raises InputError.

    If the ExpNet release's index table is in the folder, its sigmas are used. The official ExpNet then drives this
    head, too.
    """
    shape_path, shape = _half(path, arrays, SHAPE_FILE, SHAPE_FIELDS)
    expression_path, expression = _half(path, arrays, EXPRESSION_FILE, EXPRESSION_FIELDS)

    vertices = a.vertex_count(shape_path, shape, "mu_shape")
    mean = a.read_points(shape_path, shape, "mu_shape", vertices, MM)
    ks = a.component_count(shape_path, shape, "w", vertices)
    sigma = a.read_sigmas(shape_path, shape, "sigma", ks)[:identity_components] * MM
    ke = a.component_count(expression_path, expression, "w_exp", vertices)
    table = find_sidecar(path, "mod_struct_expr.mat", ("expEV", "vertex_expr_ref"))
    if table is not None:
        exp_sigma, basis = a.read_sigmas(table[0], table[1], "expEV", ke), bfm_expnet.BASIS
    else:
        exp_sigma, basis = a.read_sigmas(expression_path, expression, "sigma_exp", ke), BASIS
    faces = a.read_triangles(shape_path, shape, "tri", vertices, first=1)[:, ::-1]
    landmarks = None
    if "keypoints" in shape and prod(shape["keypoints"].shape) == 68:
        landmarks = a.read_indices(shape_path, shape, "keypoints", 68, vertices, first=1)
    offset = a.read_points(expression_path, expression, "mu_exp", vertices, MM)
    return FaceModel(
        name=NAME,
        mean=mean.astype(np.float32),
        identity=a.read_basis(shape_path, shape, "w", vertices, sigma),
        expression=a.read_basis(expression_path, expression, "w_exp", vertices, exp_sigma * MM),
        expression_offset=offset.astype(np.float32),
        faces=a.wound_outward(mean, np.ascontiguousarray(faces)),
        expression_keys=bfm_expnet.expression_keys(ke),
        expression_bounds=bfm_expnet.expression_bounds(ke),
        basis=basis if ke == 29 else f"{NAME}-{ke}",
        identity_sigma=sigma.astype(np.float32),
        landmarks=landmarks,
        license=bfm_expnet.LICENSE,
        source=f"{shape_path.name}, {expression_path.name}",
    )


def _half(path: Path, arrays: a.Arrays, name: str, fields: tuple[str, ...]) -> tuple[Path, a.Arrays]:
    here = a.group_with(arrays, *fields)
    found = (path, here) if here else find_sidecar(path, name, fields)
    if found is None:
        raise InputError(f"{path}: half of 3DDFA's model; put {name} into the same folder")
    return found

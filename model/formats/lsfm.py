"""LSFM's ``all_all_all.mat`` and its global and bespoke models (Booth et al. 2016).

mean (3V), components (3V, K) of unit length, eigenvalues (K), trilist (F, 3) 0-based. The eigenvalues are variances: a
sigma is the square root. 53,215 vertices as 3DDFA's. The unit is not written in the file, so the size decides.

The files hold identity only. With 3DDFA's ``Model_Expression.mat`` in the same folder the model has its expressions,
and with ``Model_Shape.mat`` its 68 landmarks: both are of the same vertices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import InputError
from ..face.face_model import FaceModel
from . import arrays as a
from . import bfm_3ddfa, bfm_expnet
from .sidecars import find_sidecar

NAME, NO_BASIS = "lsfm", "none"
FIELDS = ("mean", "components", "eigenvalues", "trilist")
LICENSE = "LSFM's licence: your own use for non-commercial research; never pass it on"
UNITS_MM = (1.0, 1e-3, 10.0, 1e3)  # millimetres, micrometres, centimetres, metres
WIDTH_MM = (90.0, 400.0)  # of a face or head


def matches(arrays: a.Arrays) -> bool:
    """Return whether the file holds such a model."""
    return a.group_with(arrays, *FIELDS) is not None


def read(path: Path, arrays: a.Arrays, identity_components: int | None) -> FaceModel:
    """Read the model in mm. Raises InputError."""
    group = a.group_with(arrays, *FIELDS) or {}
    vertices = a.vertex_count(path, group, "mean")
    mean = a.read_points(path, group, "mean", vertices)
    width = float(np.ptp(mean[:, 0]))
    unit = next((mm for mm in UNITS_MM if WIDTH_MM[0] <= width * mm <= WIDTH_MM[1]), None)
    if unit is None:
        raise InputError(f"{path}: its face is {width:g} wide, which is no face in mm, µm, cm or m; get an intact file")
    count = a.component_count(path, group, "components", vertices)
    sigma = np.sqrt(a.read_sigmas(path, group, "eigenvalues", count))[:identity_components] * unit
    faces = a.read_triangles(path, group, "trilist", vertices, first=0)
    mean = mean * unit
    expression, basis = _expression(path, vertices)
    return FaceModel(
        name=NAME,
        mean=mean.astype(np.float32),
        identity=a.read_basis(path, group, "components", vertices, sigma),
        expression=expression,
        expression_offset=np.zeros((vertices, 3), np.float32),
        faces=a.wound_outward(mean, faces),
        expression_keys=bfm_expnet.expression_keys(len(expression)),
        expression_bounds=bfm_expnet.expression_bounds(len(expression)),
        basis=basis,
        identity_sigma=sigma.astype(np.float32),
        landmarks=_landmarks(path, vertices),
        license=LICENSE,
        source=path.name,
    )


def _expression(path: Path, vertices: int) -> tuple[FloatArray, str]:
    """Return 3DDFA's expressions (Ke, V, 3) in sigmas and their basis; none where its file is not there.

    Its mean expression is left out: LSFM's mean is the mean of neutral scans.
    """
    found = find_sidecar(path, bfm_3ddfa.EXPRESSION_FILE, bfm_3ddfa.EXPRESSION_FIELDS)
    if found is None:
        return np.zeros((0, vertices, 3), np.float32), NO_BASIS
    count = a.component_count(*found, "w_exp", vertices)
    sigma = a.read_sigmas(*found, "sigma_exp", count)
    basis = bfm_3ddfa.BASIS if count == 29 else f"{NAME}-{count}"
    return a.read_basis(*found, "w_exp", vertices, sigma * bfm_3ddfa.MM), basis


def _landmarks(path: Path, vertices: int) -> IntArray | None:
    found = find_sidecar(path, bfm_3ddfa.SHAPE_FILE, (*bfm_3ddfa.SHAPE_FIELDS, "keypoints"))
    return None if found is None else a.read_indices(*found, "keypoints", 68, vertices, first=1)

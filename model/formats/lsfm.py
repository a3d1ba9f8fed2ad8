"""LSFM's ``all_all_all.mat`` and its global and bespoke models (Booth et al. 2016): identity only.

mean (3V), components (3V, K) of unit length, eigenvalues (K), trilist (F, 3) 0-based. The eigenvalues are variances: a
sigma is the square root. 53,215 vertices as 3DDFA's. The unit is not written in the file, so it is told by the size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..face.face_model import FaceModel
from . import arrays as a

NAME, BASIS = "lsfm", "none"
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
    return FaceModel(
        name=NAME,
        mean=mean.astype(np.float32),
        identity=a.read_basis(path, group, "components", vertices, sigma),
        expression=np.zeros((0, vertices, 3), np.float32),
        expression_offset=np.zeros((vertices, 3), np.float32),
        faces=a.wound_outward(mean, faces),
        expression_keys=(),
        expression_bounds=np.zeros((0, 2), np.float32),
        basis=BASIS,
        identity_sigma=sigma.astype(np.float32),
        license=LICENSE,
        source=path.name,
    )

"""The Basel Face Model 2017 and 2019, ``model2017-1_bfm_nomouth.h5`` and related files (statismo's HDF5 layout).

shape/model and expression/model each have mean (3V), pcaBasis (3V, K) orthonormal and pcaVariance (K). These are
variances: a sigma is the square root. shape/representer/cells (3, F) are triangles, 0-based. Millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..face.face_model import FaceModel
from . import arrays as a
from . import bfm_expnet

_VERTICES_2017 = (53149, 28588)  # bfm, face12


def matches(arrays: a.Arrays) -> bool:
    """Return whether the file holds such a model."""
    return "shape/model/pcaBasis" in arrays


def read(path: Path, arrays: a.Arrays, identity_components: int | None) -> FaceModel:
    """Read the model in mm. Without an expression group (BFM 2009 in this layout), identity only. Raises InputError."""
    vertices = a.vertex_count(path, arrays, "shape/model/mean") if "shape/model/mean" in arrays else 0
    mean = a.read_points(path, arrays, "shape/model/mean", vertices)
    cells = next((n for n in ("shape/representer/cells", "representer/cells") if n in arrays), None)
    if cells is None:
        raise InputError(f"{path}: shape/representer/cells is missing; get an intact file")
    faces = a.read_triangles(path, arrays, cells, vertices, first=0)
    identity, sigma = _components(path, arrays, "shape", vertices, identity_components)
    expression, offset, basis = np.zeros((0, vertices, 3), np.float32), np.zeros((vertices, 3), np.float32), "none"
    year = "bfm-2017" if vertices in _VERTICES_2017 else f"bfm-{vertices}"
    if "expression/model/pcaBasis" in arrays:
        expression, _ = _components(path, arrays, "expression", vertices, None)
        offset = a.read_points(path, arrays, "expression/model/mean", vertices).astype(np.float32)
        basis = f"{year}-{len(expression)}"
    return FaceModel(
        name=year,
        mean=mean.astype(np.float32),
        identity=identity,
        expression=expression,
        expression_offset=offset,
        faces=a.wound_outward(mean, faces),
        expression_keys=bfm_expnet.expression_keys(len(expression)),
        expression_bounds=bfm_expnet.expression_bounds(len(expression)),
        basis=basis,
        identity_sigma=sigma.astype(np.float32),
        license=bfm_expnet.LICENSE,
        source=path.name,
    )


def _components(
    path: Path, arrays: a.Arrays, group: str, vertices: int, most: int | None
) -> tuple[FloatArray, FloatArray]:
    count = a.component_count(path, arrays, f"{group}/model/pcaBasis", vertices)
    sigma = np.sqrt(a.read_sigmas(path, arrays, f"{group}/model/pcaVariance", count))[:most]
    return a.read_basis(path, arrays, f"{group}/model/pcaBasis", vertices, sigma), sigma

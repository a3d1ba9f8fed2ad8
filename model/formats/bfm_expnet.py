"""``BaselFaceModel_mod.mat`` / ``.h5``: the Basel Face Model with 3DDFA's expressions, as the ExpNet release uses it.

A struct ``BFM`` (or flat names): shapeMU (3V, 1) mm, shapePC (3V, 99), shapeEV (99) standard deviations in mm,
expMU, expPC (3V, 29), expEV (29), faces (F, 3) 1-based, outerLandmarkIndex (68) 1-based. 46,990 vertices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..face.face_model import FaceModel
from . import arrays as a

NAME = "bfm-expnet"
BASIS = "expnet-29"  # 3DDFA's components in units of the release's expEV, as the official ExpNet returns them
LICENSE = "Basel Face Model licence: your own use for non-commercial research; never pass it on"
BOUND = 3.0  # sigmas; the paper's |eta_j| <= 3 delta_j


def expression_keys(count: int) -> tuple[str, ...]:
    """Return ``count`` keys from ``expression_01`` on."""
    return tuple(f"expression_{i:02d}" for i in range(1, count + 1))


def expression_bounds(count: int) -> FloatArray:
    """Return bounds (count, 2) of plus and minus three sigmas."""
    return np.tile(np.array([-BOUND, BOUND], np.float32), (count, 1))


def matches(arrays: a.Arrays) -> bool:
    """Return whether the file holds this model."""
    return a.group_with(arrays, "shapePC", "expPC", "faces") is not None


def read(path: Path, arrays: a.Arrays, identity_components: int | None) -> FaceModel:
    """Read the model in mm; raises InputError."""
    group = a.group_with(arrays, "shapePC", "expPC", "faces") or {}
    vertices = a.vertex_count(path, group, "shapeMU") if "shapeMU" in group else 0
    mean = a.read_points(path, group, "shapeMU", vertices)
    ks = a.component_count(path, group, "shapePC", vertices)
    sigma = a.read_sigmas(path, group, "shapeEV", ks)[:identity_components]
    ke = a.component_count(path, group, "expPC", vertices)
    exp_sigma = a.read_sigmas(path, group, "expEV", ke)
    faces = a.read_triangles(path, group, "faces", vertices, first=1)
    landmarks = None
    if "outerLandmarkIndex" in group:  # the jaw line seen from the front; the inner one is for turned heads
        landmarks = a.read_indices(path, group, "outerLandmarkIndex", 68, vertices, first=1)
    return FaceModel(
        name=NAME,
        mean=mean.astype(np.float32),
        identity=a.read_basis(path, group, "shapePC", vertices, sigma),
        expression=a.read_basis(path, group, "expPC", vertices, exp_sigma),
        expression_offset=a.read_points(path, group, "expMU", vertices).astype(np.float32),
        faces=a.wound_outward(mean, faces),
        expression_keys=expression_keys(ke),
        expression_bounds=expression_bounds(ke),
        basis=BASIS if ke == 29 else f"{NAME}-{ke}",
        identity_sigma=sigma.astype(np.float32),
        landmarks=landmarks,
        license=LICENSE,
        source=path.name,
    )

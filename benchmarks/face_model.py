"""Speed of reading face models: ``python -m expnet.benchmarks.face_model``.

The full-size model has the Basel Face Model's sizes: 53,215 vertices, 99 + 29 components.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from ..model.face.face_model import FaceModel
from ..model.formats import OPEN_HEAD, load_face_model, save_face_model
from ..training.measurement import Measurement, seconds, show

VERTICES, IDENTITY, EXPRESSION = 53215, 99, 29


def measure() -> list[Measurement]:
    model = _bfm_sized()
    alpha, eta = np.ones(IDENTITY, np.float32), np.ones(EXPRESSION, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bfm.npz"
        save_face_model(model, path, exact=True)
        found = [
            Measurement("face model, 53,215 vertices x 128, read", seconds(lambda: load_face_model(path), 3), "s", 2.0),
            Measurement("the same, Eq. (1)", 1e3 * seconds(lambda: model.vertices(alpha, eta)), "ms"),
        ]
    if OPEN_HEAD.is_file():
        head = load_face_model(OPEN_HEAD)
        frame = head.expression_bounds[:, 1]
        found += [
            Measurement("open head, read", seconds(lambda: load_face_model(OPEN_HEAD), 3), "s"),
            Measurement("open head, expression of one frame", 1e3 * seconds(lambda: head.vertices(None, frame)), "ms"),
        ]
    return found


def _bfm_sized() -> FaceModel:
    rng = np.random.default_rng(0)
    return FaceModel(
        name="bfm-sized",
        mean=rng.normal(0, 60, (VERTICES, 3)).astype(np.float32),
        identity=rng.normal(0, 1, (IDENTITY, VERTICES, 3)).astype(np.float32),
        expression=rng.normal(0, 1, (EXPRESSION, VERTICES, 3)).astype(np.float32),
        expression_offset=np.zeros((VERTICES, 3), np.float32),
        faces=rng.integers(0, VERTICES, (2 * VERTICES, 3), np.int32),
        expression_keys=tuple(f"expression_{i:02d}" for i in range(1, EXPRESSION + 1)),
        expression_bounds=np.tile(np.array([-3, 3], np.float32), (EXPRESSION, 1)),
        basis="bfm-sized",
        identity_sigma=np.ones(IDENTITY, np.float32),
    )


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)

"""An orthonormal expression basis from a face model's keys, as DeepExp3D has one of 28 components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.array_types import IntArray
from ...model.errors import InputError
from ...model.face.face_model import FaceModel

Floats = NDArray[np.float64]
COMPONENTS = 28


@dataclass(frozen=True, eq=False)
class ExpressionBasis:
    """Components (C, V, 3) that are orthonormal over all coordinates; ``of_eta`` (C, Ke) maps eta to coefficients.

    A coefficient is a length in mm, over the root of the number of vertices.
    """

    components: Floats
    of_eta: Floats

    @staticmethod
    def of(model: FaceModel, count: int = COMPONENTS) -> ExpressionBasis:
        """Return the principal components of the span of the model's keys. Raises InputError for too few keys.

        Each key counts with its range: principal means that a face which uses all keys alike moves most along it.
        """
        keys = len(model.expression)
        if keys < count:
            raise InputError(f"the face model {model.name} has {keys} expressions: {count} components need as many")
        spread = (model.expression_bounds[:, 1] - model.expression_bounds[:, 0]).astype(np.float64)
        moves = model.expression.reshape(keys, -1).astype(np.float64)
        _, _, axes = np.linalg.svd(moves * spread[:, None], full_matrices=False)
        axes = axes[:count]
        return ExpressionBasis(axes.reshape(count, -1, 3), axes @ moves.T)

    def coefficients(self, eta: Floats) -> Floats:
        """Return the coefficients (N, C) of eta (N, Ke); what lies outside the span of the components is lost."""
        found: Floats = eta @ self.of_eta.T
        return found

    def at(self, vertices: IntArray) -> Floats:
        """Return the components at some vertices, (C, L, 3)."""
        return self.components[:, vertices]

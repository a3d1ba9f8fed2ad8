"""The part of a face model that a set of points sees, and the points that the open network locates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..array_types import IntArray
from ..camera import ANCHOR
from ..face.dense_points import dense_points
from ..face.face_model import FaceModel
from ..networks.architectures import LANDMARK_ROWS
from ..networks.glimpse_order import GLIMPSE_ORDER, LANDMARKS

PUPILS = 2  # the last of the network's landmarks; they turn with the gaze
BROWS = range(17, 27)  # landmarks where brows are painted, which no vertex follows

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointBasis:
    """A face model at P points, about an origin, ``camera.ANCHOR`` if no other is named.

    mean (P, 3), identity (Ks, P, 3), expression (Ke, P, 3) in mm; low and high (Ke,), the bounds of eta.
    """

    mean: Floats
    identity: Floats
    expression: Floats
    low: Floats
    high: Floats

    @staticmethod
    def at(model: FaceModel, vertices: IntArray, origin: Floats = ANCHOR) -> PointBasis:
        low, high = model.expression_bounds.T.astype(np.float64)
        return PointBasis(
            model.neutral[vertices].astype(np.float64) - origin,
            model.identity[:, vertices].astype(np.float64),
            model.expression[:, vertices].astype(np.float64),
            low,
            high,
        )

    def joined(self, other: PointBasis) -> PointBasis:
        """Return this basis with the points of another of the same model and origin behind its own."""
        return PointBasis(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.identity, other.identity], 1),
            np.concatenate([self.expression, other.expression], 1),
            self.low,
            self.high,
        )

    def at_rest(self, alpha: Floats) -> Floats:
        """Return the points (N, P, 3) of identities ``alpha`` (N, Ks)."""
        known = min(alpha.shape[1], len(self.identity))
        rest: Floats = self.mean + np.einsum("nk,kpc->npc", alpha[:, :known], self.identity[:known])
        return rest

    def shapes(self, alpha: Floats, eta: Floats) -> Floats:
        """Return the points (F, P, 3) of one identity (Ks,) with expressions (F, Ke)."""
        keys, points = self.expression.shape[:2]
        rest = self.mean + np.tensordot(alpha, self.identity[: len(alpha)], 1)
        moved: Floats = rest + (eta @ self.expression.reshape(keys, -1)).reshape(len(eta), points, 3)
        return moved


def network_vertices(model: FaceModel) -> NDArray[np.int64]:
    """Return the vertices (P,) of the points that ``looks.points_of`` gives: landmarks, then the glimpses' points.

    Points that are no vertex (pupils, landmarks of brows) are -1.
    """
    assert model.landmarks is not None
    landmarks = np.concatenate([model.landmarks, np.full(PUPILS, -1)])[list(LANDMARK_ROWS)]
    rows = np.concatenate([landmarks, dense_points(model)]).astype(np.int64)
    rows[list(BROWS)] = -1
    return np.concatenate([rows[:LANDMARKS], rows[list(GLIMPSE_ORDER)]])

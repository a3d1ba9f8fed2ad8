"""The linear map between the expressions of two heads: weighted ridge least squares on a registered surface.

The displacements of each source key are transferred to the other head's vertices. The fit reproduces them there with
the other head's keys. Lids and lips have the largest weights. Rigid motion of the whole head is excluded, because it is
pose and not expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..face.face_model import FaceModel
from ..face.semantics import FACE_FROM_MM, REGION_WEIGHTS
from .basis_map import BasisMap
from .registration import Registration, register

NOISE_MM = 0.05  # a key that moves less than this at the end of its range is within the registration error
IDENTITY_NOISE_MM = 0.5


@dataclass(frozen=True, eq=False)
class Moves:
    """The linear model of a head on n points, in the open head's frame, mm.

    points (n, 3) without expression, offset (n, 3) of zero from neutral, expression (K, n, 3), identity (M, n, 3)
    """

    model: FaceModel
    points: FloatArray
    offset: FloatArray
    expression: FloatArray
    identity: FloatArray


def map_to_open(
    open_head: FaceModel, other: FaceModel, report: Callable[[int, int], None] | None = None
) -> tuple[BasisMap, BasisMap]:
    """Return the maps from the other model's basis to the open basis and back; takes seconds.

    Raises InputError if the other model has no landmarks, or if its landmarks do not form a face.
    """
    return maps_over(register(open_head, other, report), open_head, other)


def maps_over(registration: Registration, open_head: FaceModel, other: FaceModel) -> tuple[BasisMap, BasisMap]:
    """Return both maps from a registration of the open head on the other head."""
    weights = point_weights(open_head)[registration.vertices]
    r, weights = _only(registration, weights > 0), weights[weights > 0]
    here = Moves(
        open_head,
        open_head.mean[r.vertices].astype(np.float64),
        open_head.expression_offset[r.vertices].astype(np.float64),
        open_head.expression[:, r.vertices].astype(np.float64),
        open_head.identity[:, r.vertices].astype(np.float64),
    )
    there = Moves(
        other,
        r.carried_points(other.mean),
        r.carried(other.expression_offset),
        r.carried(other.expression),
        r.carried(other.identity),
    )
    lips = np.isin(r.vertices, open_head.regions["lips"])
    lids = np.isin(r.vertices, np.concatenate([open_head.regions[n] for n in REGION_WEIGHTS if n.startswith("lid")]))
    back = (r.rotation.T, -r.translation @ r.rotation / r.scale, 1 / r.scale)
    return (
        fit(there, here, weights, lips, lids, back),
        fit(here, there, weights, lips, lids, (r.rotation, r.translation, r.scale)),
    )


def fit(
    source: Moves,
    target: Moves,
    weights: FloatArray,
    lips: BoolArray,
    lids: BoolArray,
    placement: tuple[FloatArray, FloatArray, float],
) -> BasisMap:
    """Fit the map from ``source`` to ``target``, both on the same n points.

    weights (n,) of the points; lips, lids (n,) bool; placement: rotation, translation and scale from the source's own
    frame to the target's.
    """
    count = len(target.expression)
    rigid = rigid_motions(target.points)
    basis = np.concatenate([target.expression, rigid])
    wanted = np.concatenate([source.expression, (source.offset - target.offset)[None]])
    normal, right = _normal_equations(basis, wanted, weights)
    # A key that moves less than the noise within its range stays at zero. Otherwise the fit drives it to a bound.
    reach = np.maximum(np.abs(target.model.expression_bounds).max(axis=1), 1e-6)
    ridge = np.concatenate([NOISE_MM**2 * (weights**2).sum() / reach**2, np.zeros(len(rigid))])
    solution = np.linalg.solve(normal + np.diag(ridge + 1e-9 * np.trace(normal) / len(normal)), right)

    missing = wanted - np.tensordot(solution.T, basis, 1)
    still = np.linalg.solve(normal[count:, count:], _normal_equations(rigid, wanted, weights)[1])
    moving = wanted - np.tensordot(still.T, rigid, 1)  # without rigid motion of the head
    energy = _energy(moving, weights)
    unexplained = np.where(energy > 0, _energy(missing, weights) / np.maximum(energy, 1e-30), 0.0)[:-1]
    keys, bodies = slice(0, count), slice(count, None)
    # The cost of an error of the keys, after the best rigid motion has compensated part of it.
    metric: FloatArray = normal[keys, keys] - normal[keys, bodies] @ np.linalg.solve(
        normal[bodies, bodies], normal[bodies, keys]
    )
    alpha_matrix, alpha_offset = _fit_identity(source, target, weights)
    rotation, translation, scale = placement
    return BasisMap(
        from_basis=source.model.basis,
        to_basis=target.model.basis,
        from_keys=source.model.expression_keys,
        to_keys=target.model.expression_keys,
        matrix=solution[keys, :-1],
        offset=solution[keys, -1],
        bounds=target.model.expression_bounds.astype(np.float64),
        metric=metric + np.diag(ridge[keys]),
        unexplained=np.clip(unexplained, 0, 1),
        lips_mm=_rms(missing[:-1], lips),
        lids_mm=_rms(missing[:-1], lids),
        alpha_matrix=alpha_matrix,
        alpha_offset=alpha_offset,
        rotation=rotation,
        translation=translation,
        scale=scale,
    )


def _fit_identity(source: Moves, target: Moves, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit the target's alpha to the source's alpha, including the difference between the two mean shapes."""
    weights = (weights > 0).astype(float)
    wanted = np.concatenate([source.identity, (source.points - target.points)[None]])
    basis = np.concatenate([target.identity, rigid_motions(target.points)])
    normal, right = _normal_equations(basis, wanted, weights)
    count = len(target.identity)
    ridge = np.concatenate([np.full(count, IDENTITY_NOISE_MM**2 * weights.sum()), np.zeros(len(basis) - count)])
    solution = np.linalg.solve(normal + np.diag(ridge), right)[:count]
    return solution[:, :-1], solution[:, -1]


def _only(r: Registration, chosen: BoolArray) -> Registration:
    return Registration(
        r.vertices[chosen], r.corners[chosen], r.shares[chosen], r.rotation, r.translation, r.scale, r.gap_mm[chosen]
    )


def point_weights(model: FaceModel) -> FloatArray:
    """Return the weight of each vertex of the open head, (V,); 0 where nothing is compared."""
    weights = np.zeros(model.vertex_count)
    for region, weight in REGION_WEIGHTS.items():
        weights[model.regions[region]] = weight
    weights[model.mean[:, 2] < FACE_FROM_MM] = 0
    return weights


def rigid_motions(points: FloatArray) -> FloatArray:
    """Return small translations along and rotations about the three axes, (6, n, 3)."""
    shifts = np.broadcast_to(np.eye(3)[:, None], (3, len(points), 3))
    turns = (
        np.cross(np.eye(3)[:, None], points - points.mean(axis=0)) / 50.0
    )  # the same order of size as the translations
    return np.concatenate([shifts, turns])


def _normal_equations(basis: FloatArray, wanted: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    a = (basis * weights[:, None]).reshape(len(basis), -1)
    b = (wanted * weights[:, None]).reshape(len(wanted), -1)
    return a @ a.T, a @ b.T


def _energy(fields: FloatArray, weights: FloatArray) -> FloatArray:
    energy: FloatArray = ((fields * weights[:, None]) ** 2).sum(axis=(1, 2))
    return energy


def _rms(fields: FloatArray, chosen: BoolArray) -> FloatArray:
    if not chosen.any():
        return np.zeros(len(fields))
    rms: FloatArray = np.sqrt((fields[:, chosen] ** 2).sum(axis=2).mean(axis=1))
    return rms

"""One energy over all frames of a clip: one identity, and the expression and the pose of each frame.

The energy is the sum of squares of

    points      (projected - observed) / deviation, robust: far points lose weight (Geman and McClure 1987)
    expression  (eta - expected) / its deviation
    rotation    the turn from the expected rotation / its deviation, if there is one
    identity    (alpha - expected) / its deviation
    time        the change of eta and of the pose from frame to frame, robust as well, so that blinks stay

It is minimised by alternating least squares. With the identity fixed, Gauss-Newton steps solve for all frames
together; frames touch only their neighbours, so the system is block-tridiagonal and the work linear in the frames.
With the frames fixed, the identity is a linear least-squares problem. Keys that a bound holds leave their step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..rotations import rodrigues
from .block_tridiagonal import solve
from .point_basis import PointBasis

POSE = 6  # rotation vector (radians), translation (DEPTH_UNIT mm)
DEPTH_UNIT = 100.0
NEAREST = 10.0  # mm before the camera; nearer points are held there
CHUNK = 64  # frames whose matrices fit into a processor's cache
FAR = 3.0
MOST_FRAMES = 400  # that the identity is solved from; their neighbours show the same
ENOUGH = 1e-5  # relative fall of the energy that ends the steps

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observed:
    """What is known of F frames with P points.

    points       (F, P, 2) pixels; NaN where a point is not seen
    deviation    (F, P) pixels that a point is expected to be off
    expected     (F, Ke) eta without the points, and expected_deviation (F, Ke)
    linked       (F - 1,) bool: whether a frame and the one after it are neighbours in time
    rotation     (F, 3, 3) expected without the points, None: nothing is; and rotation_deviation, radians
    """

    points: Floats
    deviation: Floats
    expected: Floats
    expected_deviation: Floats
    linked: NDArray[np.bool_]
    rotation: Floats | None = None
    rotation_deviation: float = 1.0


@dataclass(frozen=True, eq=False)
class Energy:
    """The energy's settings.

    orthographic     scaled orthographic instead of perspective
    eta_change       (Ke,) change of eta from frame to frame that is noise; larger ones count as motion
    turn_change, shift_change  the same of the pose: radians, mm
    alpha_expected, alpha_deviation  (Ks,), the identity's prior
    looks            as many frames as the points of a clip count for the identity: frames' errors are alike
    identity         whether the identity is solved, or kept as expected
    offset_mm        the deviation of points from where any alpha puts them, constant over the clip; 0: none
    far              deviations at which a point has a quarter of its weight
    """

    eta_change: Floats
    alpha_expected: Floats
    alpha_deviation: Floats
    orthographic: bool = False
    turn_change: float = 0.01
    shift_change: float = 1.0
    looks: float = 24.0
    identity: bool = True
    offset_mm: float = 0.0
    far: float = FAR


@dataclass(frozen=True, eq=False)
class Frames:
    """The solution: ``alpha`` (Ks,), ``eta`` (F, Ke), ``rotation`` (F, 3, 3) and ``anchor`` (F, 3) mm.

    ``anchor`` is where ``camera.ANCHOR`` lies in the camera's frame. ``offsets`` (P, 3) mm, of the points from where
    alpha and eta put them. ``energies`` after each round.
    """

    alpha: Floats
    eta: Floats
    rotation: Floats
    anchor: Floats
    offsets: Floats | float = 0.0
    energies: tuple[float, ...] = field(default=())


Reweighted = Callable[[Frames], Floats]


def fit_frames(
    basis: PointBasis,
    observed: Observed,
    camera: Camera,
    energy: Energy,
    start: Frames,
    rounds: int = 6,
    steps: int = 2,
    deviation_of: Reweighted | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Frames:
    """Minimise the energy from ``start``. ``deviation_of`` may change the points' deviations before each round.

    ``on_step`` gets the number of steps that are done, and the most there can be.
    """
    found = start
    energies: list[float] = []
    for turn in range(rounds):
        if deviation_of is not None:
            observed = replace(observed, deviation=deviation_of(found))
        energy = replace(energy, far=_far(basis, observed, camera, energy, found))
        if energy.identity and turn:
            found = _with_identity(basis, observed, camera, energy, found)
        for step in range(steps):
            on_step(turn * steps + step, rounds * steps)
            found, value = _step(basis, observed, camera, energy, found)
        energies.append(value)
        if len(energies) > 2 and abs(energies[-2] - value) < ENOUGH * value and not deviation_of:
            break
    return replace(found, energies=tuple(energies))


def _far(basis: PointBasis, observed: Observed, camera: Camera, energy: Energy, at: Frames) -> float:
    """Return at how many deviations points lose weight: more while the heads are not on their points yet."""
    gap = np.linalg.norm(project_frames(basis, at, camera, energy.orthographic) - observed.points, axis=-1)
    return max(FAR, FAR * float(np.nanmedian(gap / observed.deviation)))


def project_frames(basis: PointBasis, frames: Frames, camera: Camera, orthographic: bool = False) -> Floats:
    """Return the points of the fitted heads, (F, P, 2) pixels."""
    placed, depth = _placed(basis, frames, slice(None), orthographic)
    return _pixels(placed, depth, camera)


# --- all frames, with the identity fixed ----------------------------------------------------------------------------


def _step(basis: PointBasis, observed: Observed, camera: Camera, energy: Energy, at: Frames) -> tuple[Frames, float]:
    """Take one Gauss-Newton step for all frames and return the energy before it."""
    count, keys = at.eta.shape
    matrix, slope = np.empty((count, keys + POSE, keys + POSE)), np.empty((count, keys + POSE))
    total = 0.0
    for first in range(0, count, CHUNK):
        part = slice(first, min(first + CHUNK, count))
        residual, jacobian, value = _linearised(basis, observed, camera, energy, at, part)
        total += value
        matrix[part] = jacobian.transpose(0, 2, 1) @ jacobian
        slope[part] = (residual[:, None] @ jacobian)[:, 0]
    inverse = observed.expected_deviation**-2
    gap = at.eta - observed.expected
    total += 0.5 * float((gap * gap * inverse).sum())
    diagonal = np.arange(keys + POSE)
    matrix[:, diagonal[:keys], diagonal[:keys]] += inverse
    slope[:, :keys] += gap * inverse
    if observed.rotation is not None:
        turn = _rotation_vectors(at.rotation @ observed.rotation.transpose(0, 2, 1))
        pull = observed.rotation_deviation**-2
        total += 0.5 * pull * float((turn * turn).sum())
        turned = slice(keys, keys + 3)
        matrix[:, diagonal[turned], diagonal[turned]] += pull
        slope[:, turned] += pull * turn
    weight, change, value = _over_time(energy, at, observed.linked)
    total += value
    slope[1:] += weight * change
    slope[:-1] -= weight * change
    matrix[1:, diagonal, diagonal] += weight
    matrix[:-1, diagonal, diagonal] += weight
    held = np.zeros(slope.shape, bool)
    held[:, :keys] = ((at.eta <= basis.low) & (slope[:, :keys] > 0)) | ((at.eta >= basis.high) & (slope[:, :keys] < 0))
    matrix[held[:, :, None] | held[:, None, :]] = 0
    matrix[:, diagonal, diagonal] = np.where(held, 1.0, matrix[:, diagonal, diagonal] * (1 + 1e-9) + 1e-9)
    beside = -np.where(held[1:] | held[:-1], 0.0, weight)
    move = -solve(matrix, beside, np.where(held, 0.0, slope))
    turn = np.clip(move[:, keys : keys + 3], -0.3, 0.3)
    return (
        replace(
            at,
            eta=np.clip(at.eta + move[:, :keys], basis.low, basis.high),
            rotation=rodrigues(turn) @ at.rotation,
            anchor=at.anchor + DEPTH_UNIT * move[:, keys + 3 :],
        ),
        total,
    )


def _over_time(energy: Energy, at: Frames, linked: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """Return weights and changes (F - 1, Ke + 6) of the unknowns from frame to frame, and their energy."""
    turn = _rotation_vectors(at.rotation[1:] @ at.rotation[:-1].transpose(0, 2, 1))
    change = np.concatenate([np.diff(at.eta, axis=0), turn, np.diff(at.anchor, axis=0) / DEPTH_UNIT], 1)
    scale = np.concatenate(
        [energy.eta_change, np.full(3, energy.turn_change), np.full(3, energy.shift_change / DEPTH_UNIT)]
    )
    change = np.where(linked[:, None], change, 0.0)
    squared = (change / scale) ** 2
    weight = np.where(linked[:, None], 1 / (1 + squared) ** 2 / scale**2, 0.0)
    return weight, change, 0.5 * float((squared / (1 + squared)).sum())


def _linearised(
    basis: PointBasis, observed: Observed, camera: Camera, energy: Energy, at: Frames, part: slice
) -> tuple[Floats, Floats, float]:
    """Return weighted residuals (N, 2P) and their Jacobian (N, 2P, Ke + 6) of some frames, and their energy."""
    residual, root, by_point, value = _residuals(basis, observed, camera, energy, at, part)
    placed, _ = _placed(basis, at, part, energy.orthographic)
    count, points = root.shape
    keys = at.eta.shape[1]
    turned = placed - at.anchor[part, None]
    by_model = by_point @ at.rotation[part, None]
    jacobian = np.empty((count, points, 2, keys + POSE))
    motion = basis.expression.transpose(1, 2, 0)  # (P, 3, Ke)
    by_key = by_model.transpose(1, 0, 2, 3).reshape(points, -1, 3) @ motion
    jacobian[..., :keys] = by_key.reshape(points, count, 2, keys).transpose(1, 0, 2, 3)
    jacobian[..., keys : keys + 3] = np.cross(turned[:, :, None], by_point)
    jacobian[..., keys + 3 :] = DEPTH_UNIT * by_point
    if energy.orthographic:  # only the anchor's depth scales
        depth = -at.anchor[part, None, 2]
        jacobian[..., -1] = DEPTH_UNIT * _by_depth(placed, depth, camera, root)
    return residual.reshape(count, -1), jacobian.reshape(count, 2 * points, -1), value


def _residuals(
    basis: PointBasis, observed: Observed, camera: Camera, energy: Energy, at: Frames, part: slice
) -> tuple[Floats, Floats, Floats, float]:
    """Return weighted residuals (N, P, 2), their root weights (N, P), their Jacobian by points, and their energy.

    The Jacobian (N, P, 2, 3) is that by the points in the camera's frame.
    """
    placed, depth = _placed(basis, at, part, energy.orthographic)
    gap = _pixels(placed, depth, camera) - observed.points[part]
    seen = np.isfinite(gap).all(-1) & np.isfinite(observed.deviation[part])
    gap = np.where(seen[..., None], gap, 0.0)
    deviation = np.where(seen, observed.deviation[part], 1.0)
    squared = (gap**2).sum(-1) / (energy.far * deviation) ** 2
    root = np.where(seen, 1 / (1 + squared) / deviation, 0.0)
    value = 0.5 * energy.far**2 * float((squared / (1 + squared) * seen).sum())
    scale = camera.focal / depth * root
    zero = np.zeros_like(scale)
    across = np.stack([scale, zero, zero if energy.orthographic else scale * placed[..., 0] / depth], -1)
    up = np.stack([zero, -scale, zero if energy.orthographic else -scale * placed[..., 1] / depth], -1)
    return gap * root[..., None], root, np.stack([across, up], 2), value


def _by_depth(placed: Floats, depth: Floats, camera: Camera, root: Floats) -> Floats:
    """Return d residual / d anchor z (N, P, 2) of the scaled orthographic camera."""
    scale = camera.focal / depth**2 * root
    return np.stack([scale * placed[..., 0], -scale * placed[..., 1]], -1)


def _placed(basis: PointBasis, at: Frames, part: slice, orthographic: bool) -> tuple[Floats, Floats]:
    """Return the points (N, P, 3) in the camera's frame and the depth (N, P) or (N, 1) that scales them."""
    placed = (basis.shapes(at.alpha, at.eta[part]) + at.offsets) @ at.rotation[part].transpose(0, 2, 1) + at.anchor[
        part, None
    ]
    depth = -at.anchor[part, None, 2] if orthographic else -placed[..., 2]
    return placed, np.maximum(depth, NEAREST)


def _pixels(placed: Floats, depth: Floats, camera: Camera) -> Floats:
    scale = camera.focal / depth
    return np.stack([camera.cx + scale * placed[..., 0], camera.cy - scale * placed[..., 1]], -1)


def _rotation_vectors(rotation: Floats) -> Floats:
    """Return the rotation vectors (N, 3) of rotations that are not near 180 degrees."""
    axis = np.stack([rotation[:, 2, 1] - rotation[:, 1, 2], rotation[:, 0, 2] - rotation[:, 2, 0],
                     rotation[:, 1, 0] - rotation[:, 0, 1]], 1) / 2  # fmt: skip
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, (np.trace(rotation, axis1=1, axis2=2) - 1) / 2)
    vectors: Floats = axis * (angle / np.maximum(sine, 1e-12))[:, None]
    return vectors


# --- the identity, with the frames fixed ----------------------------------------------------------------------------


def _with_identity(basis: PointBasis, observed: Observed, camera: Camera, energy: Energy, at: Frames) -> Frames:
    """Return the alpha, and then the offsets, that minimise the energy, linearised at the current ones."""
    components, points = len(energy.alpha_expected), len(basis.mean)
    matrix, slope = (
        np.diag(energy.alpha_deviation**-2.0),
        (at.alpha - energy.alpha_expected) / energy.alpha_deviation**2,
    )
    at_points, pull = np.zeros((points, 3, 3)), np.zeros((points, 3))
    chosen = np.arange(len(at.eta))[:: max(1, len(at.eta) // MOST_FRAMES)]
    share = min(1.0, energy.looks / len(chosen))
    directions = basis.identity[:components].transpose(1, 2, 0)  # (P, 3, Ks)
    for first in range(0, len(chosen), CHUNK):
        rows = chosen[first : first + CHUNK]
        part = _frames_of(at, rows)
        residual, _, by_point, _ = _residuals(basis, _observed_of(observed, rows), camera, energy, part, slice(None))
        by_model = (by_point @ part.rotation[:, None]).transpose(1, 0, 2, 3).reshape(points, -1, 3)
        gap = residual.transpose(1, 0, 2).reshape(points, -1)
        jacobian = (by_model @ directions).reshape(-1, components)
        matrix += share * jacobian.T @ jacobian
        slope += share * jacobian.T @ gap.reshape(-1)
        at_points += share * by_model.transpose(0, 2, 1) @ by_model
        pull += share * (by_model.transpose(0, 2, 1) @ gap[..., None])[..., 0]
    move = -np.linalg.solve(matrix, slope)
    found = replace(at, alpha=at.alpha + move)
    if not energy.offset_mm:
        return found
    pull += (at_points @ (move @ basis.identity[:components].reshape(components, -1)).reshape(points, 3, 1))[..., 0]
    weight = energy.offset_mm**-2.0
    offsets = np.broadcast_to(at.offsets, (points, 3))
    step = np.linalg.solve(at_points + weight * np.eye(3), (pull + weight * offsets)[..., None])[..., 0]
    return replace(found, offsets=offsets - step)


def _frames_of(at: Frames, rows: NDArray[np.int64]) -> Frames:
    return replace(at, eta=at.eta[rows], rotation=at.rotation[rows], anchor=at.anchor[rows])


def _observed_of(observed: Observed, rows: NDArray[np.int64]) -> Observed:
    kept = {n: getattr(observed, n)[rows] for n in ("points", "deviation", "expected", "expected_deviation")}
    return replace(observed, **kept)

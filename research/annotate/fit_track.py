"""The fit of one track: initial cameras of a rigid head, then one energy over all its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...model.camera import ANCHOR, Camera, crop_of_pose
from ...model.face.face_model import FaceModel
from ...model.fitting.point_basis import PointBasis
from ...model.fitting.refine import ALPHA_DEVIATION, CHANGE, OFFSET_MM, observed_by_network
from ...model.fitting.whole_clip import Energy, Frames, Observed, Reweighted, fit_frames, project_frames
from ..label.contour import CANDIDATES, SIDES, contour_candidates, outermost
from ..label.eq2 import pose_from_landmarks
from .detections import Detections
from .tracks import filled

LANDMARK_ERROR = 0.02  # of the face's width: expected error of a landmark from a file
BROW_ERROR = 0.04
ETA_DEVIATION = 0.35  # of eta without any reading: most keys of most faces are near rest
ROUNDS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrackFit:
    """One track's annotation, N frames with a detection.

    frame (N,);  alpha (Ks,);  eta (N, Ke);  rotation (N, 3, 3), translation (N, 3) mm, in the frame of model/camera.py
    crop (N, 4): centre, side, angle of the face;  error (N,) px between points and fit, root mean square
    landmarks (N, 68, 2) px of the fitted head
    """

    frame: NDArray[np.int64]
    alpha: Floats
    eta: Floats
    rotation: Floats
    translation: Floats
    crop: Floats
    error: Floats
    landmarks: Floats


def fit_track(
    found: Detections, rows: NDArray[np.int64], model: FaceModel, camera: Camera, orthographic: bool = False
) -> TrackFit:
    """Fit the head to the detections ``rows`` of one track. Gaps between them are filled, and not returned."""
    frame = found.frame[rows]
    if found.looks is not None:
        basis, observed, start, energy = _of_network(found, rows, model, camera)
        hook: Reweighted | None = None
    else:
        basis, observed, start, energy, hook = _of_landmarks(found, rows, model, camera)
    energy = replace(energy, orthographic=orthographic)
    fitted = fit_frames(basis, observed, camera, energy, start, ROUNDS, deviation_of=hook)
    there = frame - frame[0]
    gap = project_frames(basis, fitted, camera, orthographic) - observed.points
    used = np.isfinite(gap).all(-1) & np.isfinite(hook(fitted) if hook else observed.deviation)
    squared = np.where(used, (np.nan_to_num(gap) ** 2).sum(-1), 0.0)
    error = np.sqrt(squared.sum(1) / np.maximum(used.sum(1), 1))
    translation = fitted.anchor - fitted.rotation @ ANCHOR
    crops = [crop_of_pose(r, t, camera) for r, t in zip(fitted.rotation[there], translation[there])]
    assert model.landmarks is not None
    at_landmarks = PointBasis.at(model, model.landmarks)
    return TrackFit(
        frame,
        fitted.alpha,
        fitted.eta[there],
        fitted.rotation[there],
        translation[there],
        np.array([[c.cx, c.cy, c.side, c.angle] for c in crops]),
        error[there],
        project_frames(at_landmarks, replace(fitted, offsets=0.0), camera, orthographic)[there],
    )


def _rigid(model: FaceModel, points: Floats, camera: Camera, alpha: Floats) -> tuple[Floats, Floats]:
    """Return rotations and anchors (F, 3) of a head at rest at its 68 landmarks ``points`` (F, 68, 2)."""
    assert model.landmarks is not None
    basis = PointBasis.at(model, model.landmarks)
    rest = basis.shapes(alpha, np.zeros((1, len(basis.low))))[0]
    rotation, anchor = pose_from_landmarks(np.repeat(rest[None], len(points), 0), points, [camera] * len(points))
    return rotation, anchor


def _of_network(
    found: Detections, rows: NDArray[np.int64], model: FaceModel, camera: Camera
) -> tuple[PointBasis, Observed, Frames, Energy]:
    assert found.looks is not None
    assert found.rows is not None
    assert found.performance is not None
    basis, seen = observed_by_network(model, found.looks, found.rows[rows])
    frame = found.frame[rows]
    count = frame[-1] - frame[0] + 1
    observed = Observed(
        filled(frame, seen.points),
        filled(frame, seen.deviation, 0.0),
        np.clip(filled(frame, seen.expected, 0.0), basis.low, basis.high),
        np.maximum(filled(frame, seen.expected_deviation, 0.0), seen.expected_deviation.min()),
        np.ones(count - 1, bool),
    )
    alpha = found.performance.alpha.astype(np.float64)
    energy = Energy(np.full(len(basis.low), CHANGE), alpha, np.full(len(alpha), ALPHA_DEVIATION), offset_mm=OFFSET_MM)
    whole = filled(frame, found.points[rows])[:, :68]
    rotation, anchor = _rigid(model, whole, camera, alpha)
    return basis, observed, Frames(alpha, observed.expected.copy(), rotation, anchor), energy


def _of_landmarks(
    found: Detections, rows: NDArray[np.int64], model: FaceModel, camera: Camera
) -> tuple[PointBasis, Observed, Frames, Energy, Reweighted]:
    """Return the same for 68 landmarks, and what re-associates the contour's with the silhouette."""
    assert model.landmarks is not None
    frame = found.frame[rows]
    points = filled(frame, found.points[rows])
    width = filled(frame, found.box[rows, 2:], 0.0)
    count, keys = len(points), len(model.expression)
    candidates = contour_candidates(model)
    basis = PointBasis.at(model, np.concatenate([model.landmarks, candidates.reshape(-1)]))
    everything = np.concatenate([points, np.repeat(points[:, SIDES], CANDIDATES, axis=1)], 1)
    sides = np.full(everything.shape[1], LANDMARK_ERROR)
    sides[17:27] = BROW_ERROR
    near = width * sides
    extra = slice(68, None)

    def associated(at: Frames) -> Floats:
        shapes = basis.shapes(at.alpha, at.eta)[:, extra] + ANCHOR
        chosen = outermost(shapes, at.rotation, at.anchor - at.rotation @ ANCHOR, [camera] * count)
        deviation: Floats = near.copy()
        deviation[:, SIDES] = np.inf
        deviation[:, extra] = np.where(chosen.reshape(count, -1) > 0, near[:, extra], np.inf)
        return deviation

    mean = np.zeros(len(model.identity))
    rotation, anchor = _rigid(model, points, camera, mean)
    start = Frames(mean, np.zeros((count, keys)), rotation, anchor)
    observed = Observed(
        everything, near, np.zeros((count, keys)), np.full((count, keys), ETA_DEVIATION), np.ones(count - 1, bool)
    )
    energy = Energy(np.full(keys, CHANGE), mean, np.ones(len(mean)), looks=100.0)
    return basis, observed, start, energy, associated

"""Refinement of a capture over the whole clip: the network's readings and its points, explained by one person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..array_types import FloatArray
from ..camera import ANCHOR, Camera
from ..face.face_model import FaceModel
from ..performance.face_performance import FacePerformance
from .looks import Looks
from .point_basis import PointBasis, network_vertices
from .whole_clip import Energy, Frames, Observed, fit_frames

# Tuned on synthetic clips (research/annotate/refinement.py). Points are taken for three times as far off as they are,
# because the errors of neighbours are alike.
LANDMARK, POINT = 0.05, 0.027  # deviation of the coarse landmarks and the glimpses' points, in sides of the crop
LANDMARKS = 70
LEAST_DEVIATION = 0.02  # of the network's eta
CHANGE = 0.1  # of eta between frames that may be noise
ALPHA_DEVIATION = 0.3  # of the network's alpha for the clip, sigma
OFFSET_MM = 2.0
# Deviation of the network's rotation. Points alone turn a head whose proportions no alpha has, mostly in pitch: without
# this term every third clip got a worse rotation than the network's. With 2.5 degrees, that of the demo clip got worse
# by 0.2 degrees; eta is the same with either.
TURN_DEGREES = 1.0
MOST_GAIN = 1.6  # of a key's motion
LEAST_FRAMES = 2


def observed_by_network(model: FaceModel, looks: Looks, rows: NDArray[np.int64]) -> tuple[PointBasis, Observed]:
    """Return the points and the readings of some frames of ``looks``, and the face model at these points."""
    vertices = network_vertices(model)[: looks.points.shape[1]]
    follows = vertices >= 0
    sides = np.where(np.arange(len(vertices)) < LANDMARKS, LANDMARK, POINT)[follows]
    observed = Observed(
        looks.points[rows][:, follows],
        looks.side[rows, None] * sides,
        looks.eta[rows],
        np.hypot(looks.eta_deviation[rows], LEAST_DEVIATION),
        np.diff(rows) == 1,
    )
    return PointBasis.at(model, vertices[follows]), observed


def moving_as(eta: FloatArray, read: FloatArray, bounds: FloatArray) -> FloatArray:
    """Return eta (F, Ke) with each key's motion scaled up to that of ``read`` (F, Ke), which a fit damps.

    The gain is the slope of ``read`` on eta over all frames; noise of ``read`` does not change it.
    """
    middle = eta.mean(0)
    moved, target = eta - middle, read - read.mean(0)
    gain = np.clip((moved * target).sum(0) / np.maximum((moved * moved).sum(0), 1e-6), 1.0, MOST_GAIN)
    scaled: FloatArray = np.clip(middle + gain * moved, bounds[:, 0], bounds[:, 1])
    return scaled


def refined(
    performance: FacePerformance,
    looks: Looks,
    model: FaceModel,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> FacePerformance:
    """Return the performance with eta, pose and alpha refined over all frames with a face.

    ``model`` is the one whose basis the network reads. Gaze, crops and confidence stay. A performance with fewer than
    two frames with a face stays as it is. ``on_step`` gets the number of steps that are done, and the most
    there can be.
    """
    rows = np.flatnonzero(performance.seen & np.isfinite(looks.side))
    if len(rows) < LEAST_FRAMES:
        return performance
    basis, observed = observed_by_network(model, looks, rows)
    shots = np.searchsorted(np.asarray(performance.cuts), performance.times[rows] + 1e-6)
    observed = replace(observed, linked=observed.linked & (np.diff(shots) == 0))
    alpha = performance.alpha.astype(np.float64)
    energy = Energy(np.full(len(basis.low), CHANGE), alpha, np.full(len(alpha), ALPHA_DEVIATION), offset_mm=OFFSET_MM)
    rotation = performance.rotation[rows]
    observed = replace(observed, rotation=rotation, rotation_deviation=float(np.radians(TURN_DEGREES)))
    start = Frames(
        alpha,
        np.clip(observed.expected, basis.low, basis.high),
        rotation,
        rotation @ ANCHOR + performance.translation[rows],
    )
    camera = Camera.for_image(*performance.image_size, performance.lens_mm)
    found = fit_frames(basis, observed, camera, energy, start, on_step=on_step)
    eta, turned, translation = performance.eta.copy(), performance.rotation.copy(), performance.translation.copy()
    eta[rows] = moving_as(found.eta, looks.eta[rows], model.expression_bounds)
    turned[rows] = found.rotation
    translation[rows] = found.anchor - found.rotation @ ANCHOR
    return replace(performance, eta=eta, rotation=turned, translation=translation, alpha=found.alpha, fitted=True)

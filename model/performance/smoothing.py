"""Smoothing of a performance, without lag and with blinks preserved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..array_types import FloatArray
from ..camera import ANCHOR
from ..errors import InputError
from ..rotations import quaternions, rotations
from .face_performance import FacePerformance, runs


@dataclass(frozen=True)
class SmoothingWeights:
    """Smoothing weights of a signal: ``seconds`` is the time window at strength 1, ``change`` the noise threshold.

    A frame that differs by much more than ``change`` has no weight, so larger motions stay sharp.
    """

    seconds: float
    change: float


# Lids and lips are fast and their contact matters (a blink lasts 0.1 to 0.3 s). Brows and cheeks are slow. The values
# are tuned on synthetic clips with ground truth. They are the strongest that reduce no blink by a tenth of its depth,
# and at the default strength speech has the least error. training/evaluation/temporal.py prints the errors by strength.
LIDS = SmoothingWeights(0.10, 0.08)
LIPS = SmoothingWeights(0.08, 0.10)
BROWS = SmoothingWeights(0.20, 0.15)
SIGMAS = SmoothingWeights(0.10, 0.30)  # a basis in units of sigma, whose keys have no names
GAZE = SmoothingWeights(0.08, 0.08)  # radians; between saccades the eyes rest
TURN = SmoothingWeights(0.15, 0.05)  # radians
PLACE = SmoothingWeights(0.15, 0.05)  # fraction of the head's width in the image
DEPTH = SmoothingWeights(0.30, 0.05)  # fraction of the distance
HEAD_WIDTH_MM = 150.0

# The regions of a face with separate settings, and their keys. Keys of a basis in units of sigma belong to the region
# "expression".
REGION_PREFIXES = {
    "brows": ("brow",),
    "lids": ("lid_", "eye"),
    "cheeks": ("cheek", "nose"),
    "mouth": ("mouth",),
    "jaw": ("jaw",),
}
REGIONS = (*REGION_PREFIXES, "expression", "gaze", "head")


def region_of(key: str) -> str:
    """Return the region of ``REGIONS`` that an expression key belongs to."""
    return next((name for name, prefixes in REGION_PREFIXES.items() if key.startswith(prefixes)), "expression")


def smooth(performance: FacePerformance, strength: float | Mapping[str, float] = 0.5) -> FacePerformance:
    """Return a smoothed performance: strength 0 changes nothing, 1 is strong.

    ``strength`` may differ by region (``REGIONS``; regions that are not named get 0).

    The filter is non-local means (Buades et al. 2005). Every value becomes a weighted mean of its neighbours in time.
    The weights depend on the distance in time and on the similarity of the values and of their adjacent frames. The
    window is symmetric, so there is no lag. The result is a mean, so no value leaves its bounds. A blink or closing
    lips differ too much from their neighbours to be averaged with them, as a Kalman smoother does. Frames without a
    face are not changed, and smoothing does not cross them. Rotations are averaged on SO(3).

    The network's confidence, of the face or of a key, is not a weight. It is lowest in strong expressions, above all in
    blinks, so weighting by it would pull curves to rest.
    """
    strengths = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(REGIONS, strength)
    for value in strengths.values():
        if not 0 <= value <= 10:
            raise InputError(f"smoothing strength {value} is not between 0 and 10")
    if not any(strengths.values()):
        return performance
    p = performance
    eta, gaze = p.eta.copy(), p.gaze.copy()
    rotation, translation = p.rotation.copy(), p.translation.copy()
    anchor = p.rotation @ ANCHOR + p.translation  # the point that the crop fixes in the image
    columns: dict[tuple[SmoothingWeights, float], list[int]] = {}
    for i, key in enumerate(p.expression_keys):
        columns.setdefault((smoothing_weights(key), strengths.get(region_of(key), 0.0)), []).append(i)
    for first, last in runs(p.seen):
        part = slice(first, last + 1)
        times = p.times[part]
        for (kernel, value), chosen in columns.items():
            if value:
                eta[part, chosen] = _smoothed(_Moments(times, value), p.eta[part, chosen], kernel)
        if value := strengths.get("gaze", 0.0):
            gaze[part] = _smoothed(_Moments(times, value), p.gaze[part], GAZE)
        if value := strengths.get("head", 0.0):
            moments = _Moments(times, value)
            rotation[part] = _smoothed_rotations(moments, p.rotation[part])
            translation[part] = _smoothed_positions(moments, anchor[part]) - rotation[part] @ ANCHOR
    return replace(p, eta=eta, gaze=gaze, rotation=rotation, translation=translation)


@dataclass(frozen=True, eq=False)
class _Moments:
    """The frames of one run, ``times`` (T,), and the smoothing strength."""

    times: FloatArray
    strength: float


def smoothing_weights(key: str) -> SmoothingWeights:
    """Return the smoothing weights of an expression key."""
    if key.startswith(("lid_", "eye")):
        return LIDS
    if key.startswith(("mouth", "jaw")):
        return LIPS
    if key.startswith(("brow", "cheek", "nose")):
        return BROWS
    return SIGMAS


def _weighted_mean(
    moments: _Moments,
    values: FloatArray,
    kernel: SmoothingWeights,
    squared_change: Callable[[FloatArray, FloatArray], FloatArray],
    aligned: Callable[[FloatArray, FloatArray], FloatArray] = lambda neighbour, centre: neighbour,
) -> FloatArray:
    """Average (T, C) values with neighbours that are near in time and similar.

    ``squared_change`` returns (T, C) or (T, 1), in units of ``kernel.change``. ``aligned`` may convert a neighbour
    before it is added to its centre.
    """
    times, sigma = moments.times, kernel.seconds * moments.strength
    total, weights = values.copy(), np.ones_like(values)
    for step in range(1, len(times)):
        gap = (times[step:] - times[:-step])[:, None]
        if gap.min() > 3 * sigma:
            break
        change = _with_adjacent(squared_change(values[:-step], values[step:]))
        weight = np.exp(-0.5 * ((gap / sigma) ** 2 + change))
        early, late = slice(None, -step), slice(step, None)
        for centre, neighbour in ((early, late), (late, early)):
            total[centre] += weight * aligned(values[neighbour], values[centre])
            weights[centre] += weight
    return total / weights


def _with_adjacent(change: FloatArray) -> FloatArray:
    """Add the changes of the frames before and after, (T, C).

    Frames are similar only where their neighbours are similar, so the peak of a blink is not averaged with its flanks.
    """
    padded = np.concatenate([change[:1], change, change[-1:]])
    total: FloatArray = padded[:-2] + change + padded[2:]
    return total


def _smoothed(moments: _Moments, values: FloatArray, kernel: SmoothingWeights) -> FloatArray:
    mean = _weighted_mean(moments, values, kernel, lambda a, b: ((a - b) / kernel.change) ** 2)
    # Rounding must not push a value out of its bounds, or change a constant.
    return np.clip(mean, values.min(0), values.max(0))


def _smoothed_rotations(moments: _Moments, rotation: FloatArray) -> FloatArray:
    def squared_angle(a: FloatArray, b: FloatArray) -> FloatArray:
        cosine = np.clip(np.abs((a * b).sum(-1, keepdims=True)), 0, 1)
        squared: FloatArray = (2 * np.arccos(cosine) / TURN.change) ** 2
        return squared

    def same_side(neighbour: FloatArray, centre: FloatArray) -> FloatArray:
        turned: FloatArray = neighbour * np.where((neighbour * centre).sum(-1, keepdims=True) < 0, -1.0, 1.0)
        return turned

    return rotations(_weighted_mean(moments, quaternions(rotation), TURN, squared_angle, same_side))


def _smoothed_positions(moments: _Moments, place: FloatArray) -> FloatArray:
    """Smooth the image position and the depth of a point (T, 3); depth is noisier than the image position."""
    depth = -place[:, 2:]
    screen = place[:, :2] / depth
    unit = HEAD_WIDTH_MM / np.median(depth)  # the head's width in the image

    def squared_step(a: FloatArray, b: FloatArray) -> FloatArray:
        squared: FloatArray = (((a - b) / (PLACE.change * unit)) ** 2).sum(-1, keepdims=True)
        return squared

    screen = _weighted_mean(moments, screen, PLACE, squared_step)
    depth = np.exp(_smoothed(moments, np.log(depth), DEPTH))
    return np.concatenate([screen * depth, -depth], 1)

"""A calmer performance, without lag and without taking the edge off a blink."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..camera import ANCHOR
from ..errors import InputError
from ..rotations import quaternions, rotations
from .face_performance import FacePerformance, runs


@dataclass(frozen=True)
class Calm:
    """How a signal is smoothed: ``seconds`` of neighbourhood at strength 1, and the ``change`` that is no noise.

    A moment that differs by much more than ``change`` has no weight, so whatever moves that far stays sharp.
    """

    seconds: float
    change: float


# Lids and lips are fast and their contact matters (a blink lasts 0.1 to 0.3 s); brows and cheeks are slow. Chosen on
# synthetic clips whose truth is known: the calmest that cost no blink a tenth of its depth, where at the default
# strength speech agrees best with the truth; training/evaluation/temporal.py prints what several strengths cost.
LIDS = Calm(0.10, 0.08)
LIPS = Calm(0.08, 0.10)
BROWS = Calm(0.20, 0.15)
SIGMAS = Calm(0.10, 0.30)  # a basis in units of sigma, whose keys have no names to go by
GAZE = Calm(0.08, 0.08)  # radians; between saccades the eyes rest
TURN = Calm(0.15, 0.05)  # radians
PLACE = Calm(0.15, 0.05)  # of the head's own width on screen
DEPTH = Calm(0.30, 0.05)  # of the distance
HEAD_WIDTH_MM = 150.0

# The parts of a face that an artist treats apart, and which keys belong to each; keys without such names, of a basis in
# units of sigma, are of the region "expression".
REGION_PREFIXES = {
    "brows": ("brow",),
    "lids": ("lid_", "eye"),
    "cheeks": ("cheek", "nose"),
    "mouth": ("mouth",),
    "jaw": ("jaw",),
}
REGIONS = (*REGION_PREFIXES, "expression", "gaze", "head")


def region_of(key: str) -> str:
    """The region of ``REGIONS`` that an expression key belongs to."""
    return next((name for name, prefixes in REGION_PREFIXES.items() if key.startswith(prefixes)), "expression")


def smooth(performance: FacePerformance, strength: float | Mapping[str, float] = 0.5) -> FacePerformance:
    """A calmer performance without lag: 0 changes nothing, 1 is strong; the raw one is not touched. ``strength`` may
    differ by region (``REGIONS``; those that are not named get 0).

    Every value becomes a mean of its neighbours in time, weighted by nearness in time and by how alike the values are
    together with those of the frames right before and after (non-local means, Buades et al. 2005). It looks both ways,
    so nothing comes late; it takes a mean, so nothing leaves its bounds; a blink or closing lips differ too much from
    their neighbours to be mixed with them, as a Kalman smoother would. Frames in which no face was seen are neither
    changed nor smoothed across. Rotations are averaged on the rotation group.

    How sure the network is, of the face or of a key, is no weight: it is least sure where a face does most, in blinks
    above all, so curves would be pulled to rest.
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
    anchor = p.rotation @ ANCHOR + p.translation  # the point that the crop pins to the picture
    columns: dict[tuple[Calm, float], list[int]] = {}
    for i, key in enumerate(p.expression_keys):
        columns.setdefault((calm_of(key), strengths.get(region_of(key), 0.0)), []).append(i)
    for first, last in runs(p.seen):
        part = slice(first, last + 1)
        times = p.times[part]
        for (calm, value), chosen in columns.items():
            if value:
                eta[part, chosen] = _calmed(_Moments(times, value), p.eta[part, chosen], calm)
        if value := strengths.get("gaze", 0.0):
            gaze[part] = _calmed(_Moments(times, value), p.gaze[part], GAZE)
        if value := strengths.get("head", 0.0):
            moments = _Moments(times, value)
            rotation[part] = _calmed_rotations(moments, p.rotation[part])
            translation[part] = _calmed_places(moments, anchor[part]) - rotation[part] @ ANCHOR
    return replace(p, eta=eta, gaze=gaze, rotation=rotation, translation=translation)


@dataclass(frozen=True, eq=False)
class _Moments:
    """The frames of one stretch, ``times`` (T,), and how strongly to smooth."""

    times: np.ndarray
    strength: float


def calm_of(key: str) -> Calm:
    """How the curve of an expression key is smoothed."""
    if key.startswith(("lid_", "eye")):
        return LIDS
    if key.startswith(("mouth", "jaw")):
        return LIPS
    if key.startswith(("brow", "cheek", "nose")):
        return BROWS
    return SIGMAS


def _weighted_mean(
    moments: _Moments,
    values: np.ndarray,
    calm: Calm,
    squared_change: Callable[[np.ndarray, np.ndarray], np.ndarray],
    aligned: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda neighbour, centre: neighbour,
) -> np.ndarray:
    """Mean of (T, C) values with those near them and alike. ``squared_change`` gives (T, C) or (T, 1), in units of
    ``calm.change``; ``aligned`` may prepare a neighbour for being added to its centre."""
    times, sigma = moments.times, calm.seconds * moments.strength
    total, weights = values.copy(), np.ones_like(values)
    for step in range(1, len(times)):
        gap = (times[step:] - times[:-step])[:, None]
        if gap.min() > 3 * sigma:
            break
        change = _beside_too(squared_change(values[:-step], values[step:]))
        weight = np.exp(-0.5 * ((gap / sigma) ** 2 + change))
        early, late = slice(None, -step), slice(step, None)
        for centre, neighbour in ((early, late), (late, early)):
            total[centre] += weight * aligned(values[neighbour], values[centre])
            weights[centre] += weight
    return total / weights


def _beside_too(change: np.ndarray) -> np.ndarray:
    """(T, C) plus what is before and after in time: moments are alike where their neighbours are, too, so that the top
    of a blink is not mixed with its flanks."""
    padded = np.concatenate([change[:1], change, change[-1:]])
    return padded[:-2] + change + padded[2:]


def _calmed(moments: _Moments, values: np.ndarray, calm: Calm) -> np.ndarray:
    mean = _weighted_mean(moments, values, calm, lambda a, b: ((a - b) / calm.change) ** 2)
    # Rounding must not carry a value out of its bounds, nor move a constant.
    return np.clip(mean, values.min(0), values.max(0))


def _calmed_rotations(moments: _Moments, rotation: np.ndarray) -> np.ndarray:
    def squared_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cosine = np.clip(np.abs((a * b).sum(-1, keepdims=True)), 0, 1)
        return (2 * np.arccos(cosine) / TURN.change) ** 2

    def same_side(neighbour: np.ndarray, centre: np.ndarray) -> np.ndarray:
        return neighbour * np.where((neighbour * centre).sum(-1, keepdims=True) < 0, -1.0, 1.0)

    return rotations(_weighted_mean(moments, quaternions(rotation), TURN, squared_angle, same_side))


def _calmed_places(moments: _Moments, place: np.ndarray) -> np.ndarray:
    """Smooths where a point (T, 3) is seen and how far away it is; steps in depth are noisier than on screen."""
    depth = -place[:, 2:]
    screen = place[:, :2] / depth
    unit = HEAD_WIDTH_MM / np.median(depth)  # the head's width on screen

    def squared_step(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (((a - b) / (PLACE.change * unit)) ** 2).sum(-1, keepdims=True)

    screen = _weighted_mean(moments, screen, PLACE, squared_step)
    depth = np.exp(_calmed(moments, np.log(depth), DEPTH))
    return np.concatenate([screen * depth, -depth], 1)

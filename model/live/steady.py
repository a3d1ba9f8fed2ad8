"""Smoothing of a live face: a causal filter, without lag in fast motions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..array_types import FloatArray
from ..camera import ANCHOR
from ..face.semantics import OPEN_KEYS
from ..performance.smoothing import DEPTH, GAZE, HEAD_WIDTH_MM, PLACE, TURN, SmoothingWeights, smoothing_weights
from ..rotations import quaternions, rotations

MOST_SECONDS = 0.5  # without a face, after which the filter starts anew

Moment = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


class Steady:
    """Smooths one face over time; ``strength`` 0 changes nothing, 1 is strong.

    Every value moves from the last smoothed one towards the new one. A change that is small beside the noise threshold
    ``SmoothingWeights.change`` moves it by a share that its time window and the elapsed time give. A larger change
    moves it wholly, so blinks and closing lips pass as they are, and a slow motion lags by less than the threshold. The
    thresholds and windows are those of ``performance.smoothing``, whose symmetric window needs frames of the future.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        keys = [smoothing_weights(key) for key in OPEN_KEYS]
        self._eta = _Columns(keys)
        self._gaze = _Columns([GAZE, GAZE])
        self._turn, self._screen, self._depth = _Columns([TURN]), _Columns([PLACE]), _Columns([DEPTH])
        self._time: float | None = None

    def __call__(
        self, time: float, eta: FloatArray, gaze: FloatArray, rotation: FloatArray, translation: FloatArray
    ) -> Moment:
        """Return eta (29,), gaze (2,) radians, rotation (3, 3) and translation (3,) mm of this moment, smoothed.

        ``time`` is in seconds and grows. Moments without a face are not given.
        """
        anchor = rotation @ ANCHOR + translation  # the point that the crop fixes in the image
        quaternion, depth = quaternions(rotation), -float(anchor[2])
        screen, depth_log = anchor[:2] / depth, np.log([depth])
        elapsed = np.inf if self._time is None else time - self._time
        if elapsed > MOST_SECONDS or not self._strength:
            self._last = eta, gaze, quaternion, screen, depth_log
        else:
            last_eta, last_gaze, last_quaternion, last_screen, last_depth = self._last
            if last_quaternion @ quaternion < 0:
                quaternion = -quaternion
            angle = 2 * float(np.arccos(np.clip(last_quaternion @ quaternion, -1, 1)))
            step = float(np.linalg.norm(screen - last_screen)) * depth / HEAD_WIDTH_MM
            window = elapsed, self._strength
            self._last = (
                last_eta + self._eta.shares(eta - last_eta, *window) * (eta - last_eta),
                last_gaze + self._gaze.shares(gaze - last_gaze, *window) * (gaze - last_gaze),
                _unit(last_quaternion + self._turn.shares(angle, *window) * (quaternion - last_quaternion)),
                last_screen + self._screen.shares(step, *window) * (screen - last_screen),
                last_depth + self._depth.shares(depth_log - last_depth, *window) * (depth_log - last_depth),
            )
        self._time = time
        eta, gaze, quaternion, screen, depth_log = self._last
        turned, depth = rotations(quaternion), float(np.exp(depth_log[0]))
        return eta, gaze, turned, np.array([*(screen * depth), -depth]) - turned @ ANCHOR


class _Columns:
    """The time windows and noise thresholds of several signals."""

    def __init__(self, weights: Sequence[SmoothingWeights]) -> None:
        self._seconds = np.array([w.seconds for w in weights])
        self._change = np.array([w.change for w in weights])

    def shares(self, change: FloatArray | float, elapsed: float, strength: float) -> FloatArray:
        """Return which share of ``change`` passes, 0..1."""
        least = 1 - np.exp(-elapsed / (self._seconds * strength))
        shares: FloatArray = 1 - (1 - least) * np.exp(-0.5 * (change / self._change) ** 2)
        return shares


def _unit(quaternion: FloatArray) -> FloatArray:
    normed: FloatArray = quaternion / np.linalg.norm(quaternion)
    return normed

"""Cubic smoothing splines through signals with gaps (Reinsch 1967)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.linalg import solveh_banded

Floats = NDArray[np.float64]


def smoothed(at: Floats, values: Floats, wanted: Floats, strength: float) -> Floats:
    """Return signals ``values`` (N, C), known at ``at`` (N,), smoothed and read at ``wanted`` (M,): (M, C).

    It is the natural cubic spline g that minimises the sum of (value - g)² and ``strength`` times the integral of g''²;
    strength 0 interpolates. Two values give a line, one a constant.
    """
    if len(at) < 3:
        spread = [np.interp(wanted, at, column) for column in values.T]
        return np.stack(spread, 1)
    h = np.diff(at)
    middle = (h[:-1] + h[1:]) / 3
    q = np.stack([1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]])  # the three entries of each column of Q, (3, N - 2)
    bands = np.zeros((3, len(middle)))  # of R + strength QᵀQ: diagonal and two above it
    bands[2] = middle + strength * (q**2).sum(0)
    bands[1, 1:] = h[1:-1] / 6 + strength * (q[1, :-1] * q[0, 1:] + q[2, :-1] * q[1, 1:])
    bands[0, 2:] = strength * q[2, :-2] * q[0, 2:]
    bent = q[0, :, None] * values[:-2] + q[1, :, None] * values[1:-1] + q[2, :, None] * values[2:]
    curvature = solveh_banded(bands, bent)
    fitted = values.astype(np.float64)
    for i, part in enumerate((slice(0, -2), slice(1, -1), slice(2, None))):
        fitted[part] -= strength * q[i, :, None] * curvature
    read: Floats = CubicSpline(at, fitted, bc_type="natural")(wanted)
    return read

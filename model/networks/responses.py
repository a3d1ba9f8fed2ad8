"""Response curves: the displayed value for the network's value of each key.

A network trained on squared errors returns the mean over everything that a picture leaves open. It reads a little of
everything at rest and seldom all of a strong expression. A response curve per key gives its values the distribution
of real expressions.

Weights carry their own responses in their header; ``training/responses.py`` measures them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..array_types import FloatArray

MOST_KNOTS = 32


@dataclass(frozen=True, eq=False)
class Responses:
    """Piecewise linear curves of K keys through P knots: ``read`` (K, P) increases, ``shown`` (K, P) does not fall.

    Beyond the last knots a curve continues with slope 1.
    """

    read: FloatArray
    shown: FloatArray

    def __call__(self, eta: FloatArray) -> FloatArray:
        """Map values (B, K) as read to (B, K) as shown."""
        return self.with_slopes(eta)[0]

    def slopes(self, eta: FloatArray) -> FloatArray:
        """Return the slope of each curve at (B, K) as read."""
        return self.with_slopes(eta)[1]

    def with_slopes(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the values as shown and the slopes, each (B, K)."""
        segment = (self.read < eta[:, :, None]).sum(2)  # the number of knots below
        keys, knot = np.arange(len(self.read)), np.maximum(segment - 1, 0)
        slope = self._slopes[keys, segment]
        return self.shown[keys, knot] + slope * (eta - self.read[keys, knot]), slope

    @cached_property
    def _slopes(self) -> FloatArray:
        """The slope before each knot and after the last one, (K, P + 1)."""
        steps = np.diff(self.shown, axis=1) / np.diff(self.read, axis=1)
        return np.pad(steps, ((0, 0), (1, 1)), constant_values=1.0)


def responses_of(table: Mapping[str, Any], keys: Sequence[str]) -> Responses | None:
    """Read the responses of a weights header: key -> [read, shown]; None for an empty table.

    Raises ValueError, one line, unless it names exactly ``keys`` with curves of one length that rise.
    """
    if not table:
        return None
    if sorted(table) != sorted(keys):
        raise ValueError("responses name other keys than the network reads")
    try:
        knots = np.array([table[key] for key in keys], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("responses are not numbers of one length") from error
    if knots.ndim != 3 or knots.shape[1] != 2 or not 2 <= knots.shape[2] <= MOST_KNOTS or not np.isfinite(knots).all():
        raise ValueError("responses are not pairs of finite curves of one length")
    read, shown = knots[:, 0], knots[:, 1]
    if (np.diff(read, axis=1) <= 0).any() or (np.diff(shown, axis=1) < 0).any():
        raise ValueError("responses do not rise")
    return Responses(read, shown)

"""How well a head with the eta that is read follows the points that the network locates.

Fine-tuning changes neither the points nor the layers that they come from, so they judge eta independently of its
labels. The pose is solved for each eta; what is off in all frames alike is the person's proportions and does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..array_types import FloatArray
from ..camera import Camera
from ..fitting.point_basis import PointBasis
from ..fitting.whole_clip import Energy, Frames, Observed, fit_frames, project_frames

HELD = 1e-5  # deviation of an eta that does not move
ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Located:
    """The points of F held-out frames of one clip, and the fitted heads, from whose pose the search starts.

    side  (F,) pixels, the sides of the crops
    """

    basis: PointBasis
    observed: Observed
    camera: Camera
    fitted: Frames
    side: FloatArray


def squared_distances(parts: Sequence[Located], eta: FloatArray) -> FloatArray:
    """Return the mean squared distance (F,) of each frame's points, in sides of the crop. eta (F, Ke), of all parts."""
    found, first = [], 0
    for part in parts:
        count = len(part.side)
        found.append(_of_clip(part, eta[first : first + count]))
        first += count
    return np.concatenate(found)


def _of_clip(part: Located, eta: FloatArray) -> FloatArray:
    basis = part.basis
    shown = np.clip(eta, basis.low, basis.high)
    observed = replace(
        part.observed,
        expected=shown,
        expected_deviation=np.full(shown.shape, HELD),
        linked=np.zeros(len(shown) - 1, bool),
        rotation=None,
    )
    start = replace(part.fitted, eta=shown)
    known = np.ones(len(start.alpha))
    energy = Energy(np.ones(shown.shape[1]), start.alpha, known, identity=False)
    placed = fit_frames(basis, observed, part.camera, energy, start, rounds=ROUNDS)
    gap = (project_frames(basis, placed, part.camera) - observed.points) / part.side[:, None, None]
    squared: FloatArray = np.square(gap - np.nanmedian(gap, axis=0)).sum(-1)
    mean: FloatArray = np.nanmean(squared, axis=1)
    return mean

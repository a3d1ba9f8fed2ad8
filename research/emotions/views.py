"""The same clips seen from two sides, as DeepExp3D compares frontal and half-profile views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .classify import Floats
from .clips import LabelledClip


def distances_between_views(clips: Sequence[LabelledClip], eta: Floats) -> tuple[float, float]:
    """Return mean squared differences of eta (N, Ke) between clips of two views: of the same clip, of other subjects.

    The second compares clips with the same emotion. NaN where there is no pair with a face in both.
    """
    first = min(clip.view for clip in clips)
    same, other = [], []
    there = ~np.isnan(eta).any(1)
    for i, a in enumerate(clips):
        if a.view != first or not there[i]:
            continue
        for j, b in enumerate(clips):
            if b.view == first or not there[j] or a.emotion != b.emotion:
                continue
            gap = float(((eta[i] - eta[j]) ** 2).mean())
            if a.subject != b.subject:
                other.append(gap)
            elif a.name == b.name:
                same.append(gap)
    return float(np.mean(same)) if same else float("nan"), float(np.mean(other)) if other else float("nan")

"""Openings that the artist's mesh does not have: lips and lids that are one surface and cannot part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..array_types import FloatArray, IntArray
from .fit import Fit, Target
from .template import OPENINGS, Template

MIDDLE = 0.65  # the share of an opening's width around its middle that is looked at: corners always join the two sides
NEAR_MM = {"mouth": 5.0, "eye_L": 3.0, "eye_R": 3.0}
FEWEST = 3  # edges across a slit that make it no slit
BLEND_MM = 6.0  # the motions of both lips blend over this distance on each side
LABELS = {"mouth": "the lips", "eye_L": "the lids of the left eye", "eye_R": "the lids of the right eye"}


@dataclass(frozen=True, eq=False)
class Fused:
    """An opening whose sides are one surface: its name, and the vertices (n,) where they meet."""

    opening: str
    beside: IntArray

    @property
    def line(self) -> str:
        return f"{LABELS[self.opening]} are one surface and cannot part: cut them open for keys that open them"


def fused_openings(template: Template, target: Target, fitted: Fit) -> list[Fused]:
    """Return the openings that edges of the target cross in the middle."""
    found = []
    for opening in OPENINGS:
        if opening not in fitted.side:
            continue
        side = fitted.side[opening]
        a, b = target.edges[:, 0], target.edges[:, 1]
        across = side[a] * side[b] < 0
        middles = (target.points[a[across]] + target.points[b[across]]) / 2
        line = _line(template, fitted, opening)
        if not len(middles) or not len(line):
            continue
        near = cKDTree(line).query(middles)[0] < NEAR_MM[opening]
        if near.sum() < FEWEST:
            continue
        distance = cKDTree(middles[near]).query(target.points)[0]
        found.append(Fused(opening, np.flatnonzero((distance < BLEND_MM) & (side != 0))))
    return found


def _line(template: Template, fitted: Fit, opening: str) -> FloatArray:
    """Return points (n, 3) of the fitted skin along the middle of an opening's edges, without its corners."""
    if opening == "mouth":
        lips = template.number[template.head.regions["lips"]]
        sides = [lips[template.side["mouth"][lips] == sign] for sign in (1, -1)]
        apart, other = cKDTree(template.rest[sides[1]]).query(template.rest[sides[0]])
        close = apart < 1.5
        edge = np.concatenate([sides[0][close], sides[1][other[close]]])
    else:
        margin = template.margins[opening]
        edge = np.concatenate([margin.upper[0], margin.lower[0]])
    x = template.rest[edge, 0]
    middle, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    line: FloatArray = fitted.skin[edge[np.abs(x - middle) < MIDDLE * half]]
    return line

"""The shapes of the teeth's crowns: a closed row along the dental arch, wedges in front and cusps behind.

The source's teeth are narrow and stand apart. Here each crown keeps its vertices and its place in the row, and gets the
proportions of a human tooth: neighbours touch, and the upper front teeth reach below the line where the lips meet.
Widths and heights are the usual means of dental anatomy; they are scaled to the length of the source's arch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.array_types import FloatArray
from .mouth import CAP, CROWN_RINGS, PERIMETER

PER_TOOTH = len(CROWN_RINGS) * len(PERIMETER) + len(CAP)
OVERLAP_MM = 0.75  # of neighbours at their middle, so that their outer sides touch, where the arch is longer
CORNER = np.array([0.97, 0.80])  # of a half width along and across, where a crown's outline is rounded
LEAN = 0.13  # largest, per mm of height


@dataclass(frozen=True)
class Tooth:
    """One tooth of a row, from the middle of the jaw outwards.

    width    mm along the arch, at the widest place
    depth    mm from the outer to the inner side, at the neck
    longer   mm that its edge moves beyond the source's
    cusps    mm that outer edge, middle and inner edge stand out of the edge's plane
    """

    width: float
    depth: float
    longer: float
    cusps: tuple[float, float, float]
    pointed: float = 0.0


UPPER = (
    Tooth(8.5, 6.4, 1.6, (0.0, 0.0, -0.5)),
    Tooth(6.8, 5.8, 1.3, (0.0, 0.0, -0.5)),
    Tooth(7.6, 7.4, 1.4, (0.0, 0.0, -0.9), 1.1),
    Tooth(7.0, 8.8, 0.9, (0.4, -0.7, 0.1), 0.5),
    Tooth(6.8, 8.8, 0.5, (0.3, -0.7, 0.1), 0.4),
    Tooth(10.0, 10.4, 0.0, (0.4, -0.8, 0.3)),
    Tooth(9.6, 10.4, 0.0, (0.3, -0.8, 0.3)),
)
LOWER = (
    Tooth(6.3, 5.6, 0.5, (0.0, 0.0, -0.4)),
    Tooth(6.6, 5.8, 0.5, (0.0, 0.0, -0.4)),
    Tooth(6.8, 7.0, 0.6, (0.0, 0.0, -0.8), 0.9),
    Tooth(7.0, 7.8, 0.2, (0.3, -0.6, -0.3), 0.4),
    Tooth(7.1, 8.2, 0.0, (0.2, -0.7, -0.1), 0.3),
    Tooth(10.0, 9.8, 0.0, (0.2, -0.8, 0.2)),
    Tooth(9.6, 9.8, 0.0, (0.2, -0.8, 0.2)),
)
# From the neck (row 0, in the gum) to just below the edge: share of the width; of the depth for front and back teeth
WIDTHS = np.array([0.70, 0.88, 0.99, 1.0, 0.94])
FRONT_DEPTHS = np.array([0.95, 0.90, 0.66, 0.42, 0.24])
BACK_DEPTHS = np.array([0.86, 0.98, 1.0, 0.92, 0.74])
FRONT_TEETH = 3


def row(points: FloatArray, upper: bool) -> FloatArray:
    """Return the vertices of the left half of a row of teeth, (n, PER_TOOTH, 3) mm, from those on the source's teeth.

    ``points`` may be in any order of teeth. Each keeps its place in the row, the height of its neck and its lean.
    """
    order = np.argsort(-points.mean(axis=1)[:, 2])  # from the middle of the jaw backwards
    teeth = UPPER if upper else LOWER
    rings = points[order, : -len(CAP)].reshape(len(order), len(CROWN_RINGS), len(PERIMETER), 3)
    neck, edge = rings[:, 0].mean(axis=1), points[order, -len(CAP) :].mean(axis=1)
    arch = _Arch(rings[:, 1:].mean(axis=(1, 2)))
    widths = np.array([tooth.width for tooth in teeth[: len(order)]])
    widths *= arch.length_to_last_middle / (widths.sum() - widths[-1] / 2)
    at = np.cumsum(widths) - widths / 2
    out = np.empty_like(points)
    for k, tooth in enumerate(teeth[: len(order)]):
        place, tangent = arch(at[k])
        lean = ((edge[k] - neck[k]) / (edge[k, 1] - neck[k, 1])).clip(-LEAN, LEAN)  # per mm of height
        middle = np.array([place[0], (edge[k, 1] + neck[k, 1]) / 2, place[1]])
        side: FloatArray = np.array([tangent[0], 0.0, tangent[1]]) * (-1.0 if upper else 1.0)
        outward = np.array([-tangent[1], 0.0, tangent[0]])
        height = np.r_[neck[k, 1] + (edge[k, 1] - neck[k, 1]) * (1 - np.array(CROWN_RINGS)), edge[k, 1]]
        down = np.sign(edge[k, 1] - neck[k, 1])
        height[1:] += down * tooth.longer * (1 - np.array((*CROWN_RINGS[1:], 0.0)))
        out[order[k]] = _crown(tooth, k < FRONT_TEETH, widths[k] + OVERLAP_MM, middle, lean, side, outward, height)
    return out


def _crown(
    tooth: Tooth,
    front: bool,
    width: float,
    middle: FloatArray,
    lean: FloatArray,
    side: FloatArray,
    outward: FloatArray,
    height: FloatArray,
) -> FloatArray:
    """Return one tooth's vertices; ``height`` (rings + 1,) are the y of its rings and of its edge."""
    down = np.sign(height[-1] - height[0])
    outline = PERIMETER * np.where(np.abs(PERIMETER).sum(axis=1)[:, None] > 1.9, CORNER, 1.0)
    depths = (FRONT_DEPTHS if front else BACK_DEPTHS) * tooth.depth
    # A front tooth's outer side is nearly straight, and its inner side hollow: it thins towards the edge from behind.
    bulge = np.array([0.0, 0.35, 0.45, 0.25, 0.0]) if front else np.array([0.0, 0.3, 0.3, 0.0, -0.5])
    centre = FRONT_DEPTHS[1] * tooth.depth / 2 + bulge - depths / 2 if front else bulge * 0
    if front:
        centre = centre - 1.0
    rings = []
    for k, (share, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        along = outline[:, 0] * share * width / 2
        across = centre[k] + outline[:, 1] * depth / 2
        y = np.full(len(outline), height[k])
        if k == len(WIDTHS) - 1:
            y += down * _cusp(tooth, outline, front)
        rings.append(_placed(along, across, y, middle, lean, side, outward))
    along = CAP * WIDTHS[-1] * width / 2
    y = height[-1] + down * _cusp(tooth, np.c_[CAP, 0 * CAP], front)
    rings.append(_placed(along, np.full(len(CAP), centre[-1]), y, middle, lean, side, outward))
    return np.concatenate(rings)


def _cusp(tooth: Tooth, at: FloatArray, front: bool) -> FloatArray:
    """Return how far the edge stands out at places (n, 2) along and across, in half widths."""
    outer, middle, inner = tooth.cusps
    across = np.interp(at[:, 1], [-1, 0, 1], [inner, middle, outer])
    point = tooth.pointed * (1 - 1.6 * np.abs(at[:, 0]))
    if not front and not tooth.pointed:  # molars have two cusps on either side
        point = 0.35 * np.cos(2 * np.pi * at[:, 0]) * -np.abs(at[:, 1])
    cusp: FloatArray = across + point * (1.0 if front else np.abs(at[:, 1]))
    return cusp


def _placed(
    along: FloatArray,
    across: FloatArray,
    y: FloatArray,
    middle: FloatArray,
    lean: FloatArray,
    side: FloatArray,
    outward: FloatArray,
) -> FloatArray:
    points: FloatArray = middle + along[:, None] * side + across[:, None] * outward
    points[:, [0, 2]] += ((y - middle[1])[:, None] * lean)[:, [0, 2]]
    points[:, 1] = y
    return points


class _Arch:
    """A smooth curve in x and z through the middles of a row's teeth, symmetric in x."""

    def __init__(self, middles: FloatArray) -> None:
        x, z = middles[:, 0], middles[:, 2]
        s = np.cumsum(np.r_[x[0], np.hypot(np.diff(x), np.diff(z))])
        for _ in range(4):  # the length along the curve, refined
            self.x = np.linalg.lstsq(np.stack([s, s**3, s**5], 1), x, rcond=None)[0]
            self.z = np.linalg.lstsq(np.stack([s**0, s**2, s**4], 1), z, rcond=None)[0]
            dense = np.linspace(0, s[-1], 400)
            length = np.cumsum(np.r_[0, np.linalg.norm(np.diff(self._at(dense), axis=0), axis=1)])
            s = np.interp(s, dense, length)
        self.length_to_last_middle = float(s[-1])

    def _at(self, s: FloatArray) -> FloatArray:
        x, z = self.x, self.z
        return np.stack([x[0] * s + x[1] * s**3 + x[2] * s**5, z[0] + z[1] * s**2 + z[2] * s**4], -1)

    def __call__(self, s: float) -> tuple[FloatArray, FloatArray]:
        """Return the place (x, z) at a length from the middle, and the curve's direction there."""
        ahead, behind = self._at(np.array(s + 0.1)), self._at(np.array(s - 0.1))
        tangent = (ahead - behind) / np.linalg.norm(ahead - behind)
        return self._at(np.array(s)), tangent

"""Photographed skins, brows and light for the synthetic faces, sampled from the file that ``realism.py`` reads.

All sampling here uses a separate generator. With and without the file, the same seed makes a picture that is otherwise
the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numba as nb
import numpy as np

from ...model.array_types import FloatArray, UInt8Array
from ...model.rotations import rotation_of_euler
from .light import Light
from .paint import PAINT, TEXELS, Mask
from .realism import BROW_ACROSS, BROW_ALONG, BROW_SHAPE, LOW, NONE
from .surface import Surface

SKIN_SHARE, LIGHT_SHARE = 0.6, 0.5
ALIKE = 0.45  # how far the logarithm of a skin's brightness may be from that of the photographed one
MOST_LAMP, NATURAL_LAMP = 2.5, 1.2  # times the ambient light
FRONT = np.array([1, 0, 1, 0, 0, 0, 2, 0, 0], np.float32)  # the nine terms for a normal towards the camera
TURNS = 48
# Photographed brows are shorter than people's and rise more towards the tail: how much longer they are laid, how far
# outwards in parts of the line, and how far up at its ends, mm (training.evaluation.rest measures the result).
BROW_LENGTH, BROW_SHIFT, BROW_RISE = 1.09, 0.016, (0.5, -0.8)
FIRST = np.array([True, False])
NOTHING = np.full((1, 1, 3), NONE, np.uint8)


@dataclass(frozen=True, eq=False)
class SkinPhotograph:
    """One person's skin photograph.

    slow (V, 3) are factors less one of the skin's colour at the vertices; detail is (FINE, FINE, 3) uint8 (see
    ``Realism``). Holds also the strength of both, and whether they are mirrored; slow already is.
    """

    slow: FloatArray | None
    slow_strength: float
    detail: UInt8Array
    strength: float
    mirrored: bool

    def vary(self, albedo: FloatArray) -> None:
        """Colour vertices (V, 3) by the slow factors."""
        if self.slow is not None:
            _vary(albedo, self.slow, np.float32(self.slow_strength))


NO_PHOTOGRAPH = SkinPhotograph(None, 0.0, NOTHING, 0.0, False)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _vary(albedo, slow, strength):
    for i in range(albedo.shape[0]):
        for k in range(3):
            albedo[i, k] += albedo[i, k] * strength * slow[i, k]


def sample_skin(rng: np.random.Generator, surface: Surface, color: FloatArray) -> SkinPhotograph:
    """Pick a photographed skin about as dark as ``color`` (3,); slow and fine parts of two people."""
    realism = surface.realism
    if realism is None or rng.random() >= SKIN_SHARE:
        return NO_PHOTOGRAPH
    apart = np.log(realism.tones.mean(1)) - np.log(color.mean())
    chances = np.exp(-0.5 * (apart / ALIKE) ** 2) + 1e-3
    chances = np.cumsum(chances)
    first, second = np.searchsorted(chances, rng.random(2) * chances[-1])
    mirrored = bool(rng.random() < 0.5)
    detail = realism.detail[first if rng.random() < 0.6 else second]
    slow = _at_vertices(surface)[int(mirrored), first]
    return SkinPhotograph(slow, rng.uniform(0.5, 1.1), detail, rng.uniform(0.6, 1.3), mirrored)


def sample_environment(rng: np.random.Generator, surface: Surface, drawn: Light, natural: bool = False) -> Light:
    """Sample the light of an environment map in half of the scenes; otherwise return ``drawn``.

    The map is rotated about the vertical, balanced and exposed at random. A ``natural`` light is nearly white and falls
    on the face, as in ``sample_light``.
    """
    realism = surface.realism
    if realism is None or rng.random() >= LIGHT_SHARE:
        return drawn
    ambients, lamps, lamp_colors, front = _turned_maps(surface)
    chosen, mirrored = int(rng.random() * len(realism.ambient)), int(rng.random() < 0.5)
    ways = (rng.random(2) * TURNS).astype(int)
    # in photographs the light is more often before a person than behind
    way = ways[front[chosen, mirrored, ways].argmax() if rng.random() < 0.6 or natural else 0]
    ambient, colors = ambients[chosen, mirrored, way], lamp_colors[chosen]
    level = ambient[:, 0] + colors.sum(0) / 4  # all normals' mean
    balance = (level.mean() / np.maximum(level, 1e-6)) ** (rng.uniform(0.8, 1.0) if natural else rng.uniform(0.4, 1.0))
    balance *= rng.uniform(0.45, 0.95) / max(float(level.mean()), 1e-6)
    ambient, colors = ambient * balance[:, None], colors * balance
    grey = (
        rng.uniform(0.5, 0.8) if natural else rng.uniform(0.2, 0.7)
    )  # sky against lamps: most pictures are less colourful than a map's raw numbers
    ambient, colors = ambient + grey * (ambient.mean(0) - ambient), colors + grey * (colors.mean(1)[:, None] - colors)
    most = NATURAL_LAMP if natural else MOST_LAMP
    colors *= min(1.0, most * ambient[:, 0].mean() / max(float(colors.mean(1).max()), 1e-6))
    lit = realism.lamp_colors[chosen].any(1) | FIRST
    return replace(
        drawn,
        ambient=ambient.astype(np.float32),
        lights=lamps[chosen, mirrored, way][lit],
        colors=colors[lit].astype(np.float32),
    )


@cache
def _turned_maps(surface: Surface) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return all maps (M), mirrored or not (2), after TURNS rotations about the vertical.

    ambient (M, 2, TURNS, 3, 9); lamps (M, 2, TURNS, 2, 3); the lamps' colours (M, 2, 3); the amount of light on a face
    (M, 2, TURNS).
    """
    realism = surface.realism
    assert realism is not None
    # a missing lamp is replaced by a dark one, because shadows need one
    lamps = np.where(realism.lamp_colors.any(2, keepdims=True), realism.lamps, np.array([0, 0.8, 0.6], np.float32))
    angles = np.arange(TURNS) * (2 * np.pi / TURNS)
    turns = np.tile(rotation_of_euler(angles, 0, 0), (2, 1, 1, 1))
    turns[1, ..., 0] *= -1
    ambient = np.array([[[turn_harmonics(a, turn) for turn in row] for row in turns] for a in realism.ambient])
    turned = np.einsum("mlc,twdc->mtwld", lamps, turns)
    facing = np.einsum("mtwl,mlc->mtw", np.maximum(turned[..., 2], 0), realism.lamp_colors)
    return ambient, turned.astype(np.float32), realism.lamp_colors, ambient.sum(3) @ FRONT + facing


def turn_harmonics(ambient: FloatArray, turn: FloatArray) -> FloatArray:
    """Nine terms (3, 9) after a turn (3, 3), a reflection included: they are c + b.n + n.M.n with a traceless M."""
    a0, ay, az, ax, xy, yz, zz, xz, xx = ambient.T.astype(float)
    linear = np.stack([ax, ay, az], 1) @ turn.T
    matrix = np.array([[xx - zz, xy / 2, xz / 2], [xy / 2, -xx - zz, yz / 2], [xz / 2, yz / 2, 2 * zz]])
    m = np.einsum("ij,jkc,lk->ilc", turn, matrix, turn)
    return np.stack(
        [a0, linear[:, 1], linear[:, 2], linear[:, 0], 2 * m[0, 1], 2 * m[1, 2], m[2, 2] / 2, 2 * m[0, 2],
         (m[0, 0] - m[1, 1]) / 2], 1,
    )  # fmt: skip


@cache
def _at_vertices(surface: Surface) -> FloatArray:
    """Slow factors of all skins less one at the vertices, plain and mirrored, (2, S, V, 3)."""
    assert surface.realism is not None
    out = []
    for u in (surface.coords[:, 0], 1 - surface.coords[:, 0]):
        at = (np.stack([u, surface.coords[:, 1]]) * LOW - 0.5).astype(np.float32)[..., None]
        out.append([cv2.remap(low, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
                    for low in surface.realism.low])  # fmt: skip
    return np.array(out, np.float32) - 1


@cache
def photographed_brows(surface: Surface) -> list[tuple[tuple[Mask, Mask], FloatArray]]:
    """Return the brows laid along the head's brow line, left and right.

    Returns also the middle line (5, 2) of the left brow in texels.
    """
    assert surface.realism is not None and surface.model.landmarks is not None
    per_mm = TEXELS[::-1]
    marks = surface.coords[surface.model.landmarks[22:27]] * PAINT / per_mm
    curve = np.polynomial.Polynomial.fit(marks[:, 0], marks[:, 1], 3)
    span = marks[-1, 0] - marks[0, 0]
    x = np.linspace(marks[0, 0] + BROW_ALONG[0] * span, marks[0, 0] + BROW_ALONG[1] * span, 400)
    inside = np.clip(x, marks[0, 0], marks[-1, 0])
    line = np.stack([x, curve(inside) + curve.deriv()(inside) * (x - inside)], 1)
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    ends = np.interp(marks[[0, -1], 0], x, arc)
    along = (arc - ends[0]) / (ends[1] - ends[0])
    low = np.floor((line.min(0) + [0, BROW_ACROSS[0]]) * per_mm).astype(int)
    high = np.ceil((line.max(0) + [0, BROW_ACROSS[1]]) * per_mm).astype(int)
    columns, rows = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    places = (np.stack([columns, rows], -1) + 0.5) / per_mm
    nearest = ((places[..., None, :] - line) ** 2).sum(-1).argmin(-1)
    way = np.gradient(line, axis=0)
    normal = np.stack([-way[:, 1], way[:, 0]], 1) / np.linalg.norm(way, axis=1, keepdims=True)
    across = ((places - line[nearest]) * normal[nearest]).sum(-1)
    across -= np.interp(along[nearest], [0, 1], BROW_RISE)
    along = 0.5 + (along - 0.5 - BROW_SHIFT) / BROW_LENGTH
    s = (along[nearest] - BROW_ALONG[0]) / (BROW_ALONG[1] - BROW_ALONG[0]) * (BROW_SHAPE[1] - 1)
    t = (across - BROW_ACROSS[0]) / (BROW_ACROSS[1] - BROW_ACROSS[0]) * (BROW_SHAPE[0] - 1)
    pairs = []
    for brow in surface.realism.brows:
        smooth = cv2.GaussianBlur(brow, (0, 0), 0.9)
        cover = cv2.remap(smooth, s.astype(np.float32), t.astype(np.float32), cv2.INTER_LINEAR, borderValue=0)
        left = Mask(np.ascontiguousarray(cover), int(low[1]), int(low[0]))
        pairs.append(((left, left.mirrored()), _middle_line(left)))
    return pairs


def _middle_line(brow: Mask) -> FloatArray:
    """Five points (5, 2) along the middle of a left brow from the nose outwards, texels (column, row)."""
    cover = brow.cover.astype(np.float64)
    strength = cover.sum(0)
    seen = np.flatnonzero(strength > 0.25 * np.percentile(strength[strength > 0], 75))
    middle = (np.arange(len(cover)) @ cover[:, seen]) / strength[seen]
    along = np.linspace(seen[0], seen[-1], 5)
    rows = np.polynomial.Polynomial.fit(seen, middle, 4)(along)
    return np.stack([along + brow.column, rows + brow.row], 1)

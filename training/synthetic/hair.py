"""Hair: many cuts with strands outside the outline, beards, lashes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numba as nb
import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray
from .noise import grain, wavy
from .patches import Patch, curtain, tubes
from .surface import Surface

UNDER = -3.0  # mm: geometry this far under the skin is removed
FIELDS = 24
WAVELENGTHS = (40.0, 12.0, 19.0, 60.0, 13.0)  # mm: hairline coarse and fine, curls, bulk, streaks
STRAND = 6  # vertices of a lash: pairs at its root, middle and tip
ROLL = np.float32(1.35)  # of the lid's own turn: its edge rolls in as it comes down, and lashes of shut lids hang
STEEPEST = np.float32(0.2)  # maximum upward rotation of lashes in radians, limited by the brow


@dataclass(frozen=True, eq=False)
class _Ground:
    """Surface on which hair may grow.

    Holds vertices (N,), the triangles between them (M, 3) in their own numbering, their positions in the mean head (N,
    3), and their distance inside the border of the hair in mm (N,).
    """

    vertices: IntArray
    triangles: IntArray
    mean: FloatArray
    inside: FloatArray


@cache
def _scalp(surface: Surface) -> _Ground:
    """Inside the hairline, which runs round the ears."""
    x, y, z = surface.model.neutral.T
    from_ears = np.sqrt(np.maximum(np.abs(y - 11) - 36, 0) ** 2 + np.maximum(np.abs(z + 1) - 23, 0) ** 2)
    thin = (from_ears == 0) & (np.abs(x) > 76)
    inside = surface.scalp_height - 45 * np.exp(-((from_ears / 7) ** 2)) * (np.abs(x) > 45)
    return _ground(surface, (surface.scalp_height > -32) & ~thin, inside)


@cache
def _jaw(surface: Surface) -> _Ground:
    mask = np.maximum(surface.beard, surface.moustache)
    return _ground(surface, (mask > 0.01) & (surface.lips == 0), mask)


def _ground(surface: Surface, mask: BoolArray, inside: FloatArray) -> _Ground:
    chosen = np.flatnonzero(mask & (surface.skin > 0))
    renumber = np.full(len(mask), -1)
    renumber[chosen] = np.arange(len(chosen))
    triangles = renumber[surface.triangles]
    triangles = triangles[(triangles >= 0).all(1)]
    return _Ground(chosen, triangles.astype(np.int32), surface.model.neutral[chosen], inside[chosen])


def sample_hair(
    rng: np.random.Generator,
    surface: Surface,
    vertices: FloatArray,
    normals: FloatArray,
    color: FloatArray,
    pressed: bool,
) -> list[Patch]:
    """Sample a haircut: bald, shaved, short, full, curly, long, tied back, with or without a fringe.

    ``pressed``: flat under a hat.
    """
    kind = rng.random()
    if kind < 0.08:
        return []
    if kind < 0.2:  # shaved
        thickness, frizz, sides = rng.uniform(0.4, 2), 0.0, rng.uniform(0.3, 1)
    elif kind < 0.5:  # short, often shorter at the sides
        thickness, frizz, sides = rng.uniform(3, 16), rng.uniform(0, 0.3), rng.uniform(0.15, 1)
    elif kind < 0.68:  # curly or frizzy
        thickness, frizz, sides = rng.uniform(10, 45), rng.uniform(0.3, 0.8), rng.uniform(0.5, 1.3)
    else:  # long or tied back
        thickness, frizz, sides = rng.uniform(2, 18), rng.uniform(0, 0.25), rng.uniform(0.5, 1.2)
    if pressed:
        thickness, frizz = min(thickness, 4.0), 0.0
    cap, roots, ways = _cap(rng, surface, vertices, normals, color, thickness, frizz, sides)
    patches = [cap]
    if thickness > 2 and not pressed:
        patches.append(_wisps(rng, roots, ways, color, thickness, frizz))
    if kind >= 0.2 and rng.random() < 0.3:
        patches.append(_fringe(rng, surface, color))
    if kind > 0.68 and not (pressed and kind > 0.9):
        patches += _long(rng, surface, color) if kind < 0.9 else _tied(rng, color)
    return patches


def _cap(
    rng: np.random.Generator,
    surface: Surface,
    vertices: FloatArray,
    normals: FloatArray,
    color: FloatArray,
    thickness: float,
    frizz: float,
    sides: float,
) -> tuple[Patch, FloatArray, FloatArray]:
    """Build a shell over the scalp that dips under the skin at the hairline; strands' starts and directions."""
    ground = _scalp(surface)
    noise = _noise(surface)
    fields = noise[np.arange(len(WAVELENGTHS)), (rng.random(len(WAVELENGTHS)) * FIELDS).astype(int)]
    hairline = min(rng.normal(-2, 7), 9.0), rng.uniform(0, 5), rng.uniform(0, 2), max(0.0, rng.uniform(-22, 22))
    curls = (0.7 * frizz, 0.4 * frizz) if frizz else (0.0, 0.2)
    points, out, albedo = (np.empty((len(ground.vertices), 3), np.float32) for _ in range(3))
    height = np.empty(len(points), np.float32)
    _grow(
        vertices, normals, ground.vertices, ground.mean, ground.inside, fields, *hairline, thickness, sides, *curls,
        color, rng.uniform(0.05, 0.3), points, out, albedo, height,
    )  # fmt: skip
    tall = np.flatnonzero(height > 0.5 * thickness)
    return Patch(points, _above(ground.triangles, height), albedo, 0.4), points[tall], out[tall]


@cache
def _noise(surface: Surface) -> FloatArray:
    """Smooth fields over the scalp, (wavelengths, FIELDS, N); the last of each streaks from front to back."""
    rng = np.random.default_rng(20180515)
    mean = _scalp(surface).mean
    stretch = np.array([[1.0, 1.0, 1.0]] * (len(WAVELENGTHS) - 1) + [[3.0, 0.5, 1.0]])
    return np.stack(
        [[wavy(rng, mean * s, w) for _ in range(FIELDS)] for w, s in zip(WAVELENGTHS, stretch, strict=True)]
    ).astype(np.float32)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _grow(
    vertices, normals, rows, mean, inside, fields, shift, wave, ripple, receding, thickness, sides, curl, bulk,
    color, streaks, points, out, albedo, height,
):  # fmt: skip
    """Return the height of hair over each vertex of the scalp: 0 outside the hairline, full some way inside it."""
    for i in range(len(rows)):
        x, y = abs(mean[i, 0]), mean[i, 1]
        depth = inside[i] + shift + wave * fields[0, i] + ripple * fields[1, i]
        if mean[i, 2] > 20:
            depth -= receding * np.exp(-(((x - 38) / 16) ** 2))
        top = min(max((y - 60) / 45, 0.0), 1.0)
        full = thickness * (sides + (1 - sides) * top)
        full *= min(max(1 + curl * fields[2, i] + bulk * fields[3, i], 0.2), 2.0)
        height[i] = full * (1 - np.exp(-depth / (2 + 0.5 * thickness))) if depth > 0 else max(0.4 * depth, UNDER)
        shade = np.exp(streaks * fields[4, i])
        for k in range(3):
            out[i, k] = normals[rows[i], k]
            points[i, k] = vertices[rows[i], k] + height[i] * out[i, k]
            albedo[i, k] = min(max(color[k] * shade, 0.0), 1.0)


def _above(triangles: IntArray, height: FloatArray) -> IntArray:
    """Return the triangles (M, 3) with a corner that is not all the way under the skin."""
    seen = height > UNDER
    a, b, c = triangles.T
    above: IntArray = triangles[seen[a] | seen[b] | seen[c]]
    return above


def _wisps(
    rng: np.random.Generator, roots: FloatArray, ways: FloatArray, color: FloatArray, thickness: float, frizz: float
) -> Patch:
    """Strands that leave the outline: thin triangles."""
    count = int(rng.uniform(20, 90) + 260 * frizz)
    if not len(roots):
        return Patch(np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((0, 3)))
    start = (rng.random(count) * len(roots)).astype(int)
    way = ways[start]
    root = roots[start] + 2.5 * grain(rng, count, 3) - 2 * way
    reach = rng.uniform(4, 10 + thickness, (count, 1))
    fall = rng.uniform(0.2, 1.2) * (1 - frizz)
    tip = root + reach * (rng.uniform(0.2, 0.9) * way + 0.45 * grain(rng, count, 3) - [0, fall, 0])
    width = np.cross(tip - root, grain(rng, count, 3))
    width *= rng.uniform(0.3, 1.3, (count, 1)) / (np.sqrt((width**2).sum(1, keepdims=True)) + 1e-6)
    points = np.stack([root - width, root + width, tip], 1).reshape(-1, 3)
    shade = np.repeat(np.exp(0.25 * grain(rng, count, 1)), 3, 0)
    return Patch(points, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), np.clip(color * shade, 0, 1), 0.3)


def _fringe(rng: np.random.Generator, surface: Surface, color: FloatArray) -> Patch:
    columns = 24
    half = rng.uniform(0.35, 0.95)
    angles = np.linspace(-half, half, columns) + rng.normal(0, 0.15)
    across = np.linspace(-1, 1, columns)
    edge = (
        rng.uniform(44, 92) + rng.uniform(0, 10) * np.abs(rng.standard_normal(columns)) + rng.uniform(-22, 22) * across
    )
    if rng.random() < 0.3:
        edge = edge + rng.uniform(15, 45) * (1 - np.abs(across))  # parted in the middle
    heights = np.linspace(0, 1, 7)[:, None] * (edge - 112) + 112
    thick = rng.uniform(3, 12) + np.zeros((7, columns)) + 0.8 * rng.standard_normal(columns)
    return curtain(rng, surface, angles, heights, thick, color, 0.22, 0.4)


def _long(rng: np.random.Generator, surface: Surface, color: FloatArray) -> list[Patch]:
    rows, columns = 16, 44
    opening = rng.uniform(0.75, 1.7)
    angles = np.linspace(opening, 2 * np.pi - opening, columns) + rng.normal(0, 0.08)
    bottom = rng.uniform(-60, 20) if rng.random() < 0.5 else rng.uniform(-220, -60)
    down = np.linspace(0, 1, rows)[:, None]
    ends = bottom + rng.uniform(0, 12) * rng.standard_normal(columns)
    heights = 105 + down * (ends - 105)
    thick = rng.uniform(4, 26) * (0.5 + 0.5 * down) * (1 + 0.2 * rng.standard_normal(columns))
    thick = thick + rng.uniform(0, 16) * down
    if rng.random() < 0.5:  # waves
        phase = rng.uniform(0, 7) + np.linspace(0, rng.uniform(0, 20), columns)
        thick = thick + rng.uniform(2, 8) * np.sin(phase + heights / rng.uniform(7, 20))
    return [curtain(rng, surface, angles, heights, np.maximum(thick, 1.5), color, 0.25, 0.4)]


def _tied(rng: np.random.Generator, color: FloatArray) -> list[Patch]:
    """Return a bun, or one or two tails."""
    if rng.random() < 0.4:
        place = np.array([[0, rng.uniform(60, 150), -75 + rng.uniform(0, 30)]])
        return [tubes(place, place + rng.normal(0, 6, (1, 3)), [rng.uniform(20, 38)], color, 0.4)]
    sides = [rng.choice([-1.0, 1.0])] if rng.random() < 0.6 else [-1.0, 1.0]
    knots = np.array([[[s * 30, 60, -85], [s * 72, 0, -70], [s * 80, -70, -25], [s * 62, -150, 35]] for s in sides])
    knots = knots + rng.normal(0, 9, knots.shape)
    starts, ends = knots[:, :-1].reshape(-1, 3), knots[:, 1:].reshape(-1, 3)
    return [tubes(starts, ends, rng.uniform(12, 24) * np.tile([1, 1.1, 0.8], len(sides)), color, 0.4)]


def sample_beard(
    rng: np.random.Generator,
    surface: Surface,
    vertices: FloatArray,
    normals: FloatArray,
    color: FloatArray,
    density: float,
) -> list[Patch]:
    """Hair that stands off chin and lip, where there is enough of it (``density`` is what ``skin`` painted)."""
    if density < 0.5 or rng.random() < 0.45:
        return []
    ground = _jaw(surface)
    beard, moustache = surface.beard[ground.vertices], surface.moustache[ground.vertices]
    style = rng.random()
    if style < 0.2:
        beard = beard * (np.abs(ground.mean[:, 0]) < rng.uniform(16, 32))
    elif style < 0.32:
        beard = beard * 0
    cover = np.maximum(beard, moustache * (style < 0.9)) + 0.18 * wavy(rng, ground.mean, 9) - rng.uniform(0.3, 0.6)
    length = rng.uniform(2, 6) if rng.random() < 0.5 else rng.uniform(6, 30)
    height = np.where(cover > 0, length * (1 - np.exp(-cover / 0.35)), 8 * cover)
    fall = np.clip(length / 25, 0, 1) * np.array([0.0, -1.0, 0.1])
    out = normals[ground.vertices] * (1 - 0.5 * np.clip(length / 30, 0, 1)) + fall
    points = vertices[ground.vertices] + out * np.maximum(height, UNDER)[:, None]
    shade = np.exp(0.18 * grain(rng, len(points), 1))
    shell = Patch(points, _above(ground.triangles, height), np.clip(color * shade, 0, 1), 0.1)
    tall = np.flatnonzero(height > 0.3 * length)
    return [shell, _wisps(rng, points[tall], out[tall], color, 0.6 * length, 0.3)] if len(tall) else [shell]


def comb_lashes(surface: Surface, vertices: FloatArray, length: float, thickness: float, lift: float) -> None:
    """Scale and lift the lashes among ``vertices`` (V, 3) in place.

    They become this many times as long and as thick, and ``lift`` radians higher. They rotate with their lid about the
    eye, which no linear model can represent: up when it opens, down when it shuts.
    """
    for side in "LR":
        ball, lashes = surface.region(f"eyeball_{side}"), surface.region(f"lashes_{side}")
        middle = np.full(len(ball), 1 / len(ball), np.float32) @ vertices[ball]
        _comb(vertices, lashes, _elevations(surface, side), middle, length, thickness, lift)


@cache
def _elevations(surface: Surface, side: str) -> FloatArray:
    """Radians above the eye's horizon at which each lash grows from the lid of the mean head at rest, (N,)."""
    mean = surface.model.neutral
    strands = mean[surface.region(f"lashes_{side}")].reshape(-1, STRAND, 3)
    out = strands[:, :2].mean(1) - mean[surface.region(f"eyeball_{side}")].mean(0)
    elevations: FloatArray = np.arctan2(out[:, 1], out[:, 2]).astype(np.float32)
    return elevations


@nb.njit(error_model="numpy", cache=True)
def _comb(vertices, rows, elevations, centre, length, thickness, lift):
    for strand in range(0, len(rows), STRAND):
        first, second = vertices[rows[strand]], vertices[rows[strand + 1]]
        x, y, z = 0.5 * (first[0] + second[0]), 0.5 * (first[1] + second[1]), 0.5 * (first[2] + second[2])
        turn = lift + ROLL * (np.arctan2(y - centre[1], z - centre[2]) - elevations[strand // STRAND])
        turn = min(turn, STEEPEST)
        cosine, sine = length * np.cos(turn), length * np.sin(turn)
        for pair in range(strand, strand + STRAND, 2):
            a, b = vertices[rows[pair]], vertices[rows[pair + 1]]
            right, up, out = 0.5 * (a[0] + b[0]) - x, 0.5 * (a[1] + b[1]) - y, 0.5 * (a[2] + b[2]) - z
            middle = x + length * right, y + cosine * up + sine * out, z + cosine * out - sine * up
            for k in range(3):
                half = 0.5 * thickness * (a[k] - b[k])
                a[k], b[k] = middle[k] + half, middle[k] - half

"""Worn objects: hats, hoods, scarves, headphones, masks, glasses, clothes.

All are geometry in the head's own frame (millimetres), so they move, shade and occlude like the head.
"""

from __future__ import annotations

import numpy as np

from ...model.array_types import FloatArray
from .patches import Patch, curtain, grid_triangles, joined, tubes
from .surface import Surface

GLASSES_SHARE = 0.26
METALS = np.array([[0.55, 0.55, 0.55], [0.3, 0.3, 0.32], [0.25, 0.45, 0.6], [0.12, 0.18, 0.3]])  # BGR: steel to bronze


def sample_headwear(rng: np.random.Generator, surface: Surface, vertices: FloatArray) -> tuple[list[Patch], bool]:
    """Return sometimes a hat, a hood, a scarf, headphones or a mask; and whether it presses the hair flat."""
    kind = rng.random()
    if kind < 0.05:
        return _hat(rng, surface, _cloth(rng)), True
    if kind < 0.08:
        return _hood(rng, surface, _cloth(rng)), True
    if kind < 0.11:
        return [_collar(rng, surface, _cloth(rng))], False
    if kind < 0.135:
        return [_headphones(rng, vertices, surface)], False
    if kind < 0.155:
        return [_mask(rng, vertices[surface.model.landmarks])], False
    return [], False


def _cloth(rng: np.random.Generator) -> FloatArray:
    return rng.uniform(0.02, 0.9, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0.02, 0.9))


def _hat(rng: np.random.Generator, surface: Surface, color: FloatArray) -> list[Patch]:
    """Return a cap, a hat with a brim all round, or a knitted hat, pulled down more or less."""
    round_angles = np.linspace(0, 2 * np.pi, 41)
    bottom = rng.uniform(52, 88)
    top = rng.uniform(128, 175)
    bulge = rng.uniform(4, 22) * np.sin(np.linspace(0.2, 2.9, 9))[:, None] + np.linspace(8, 12, 9)[:, None]
    crown = curtain(
        rng, surface, round_angles, np.linspace(bottom, top, 9), bulge + np.zeros((9, 41)), color, 0.05, 0.1
    )
    lid_angle = np.linspace(0, 2 * np.pi, 41)
    lid = curtain(
        rng, surface, lid_angle, np.array([top - 4, top + 4.0]), np.stack([np.full(41, 6.0), np.full(41, -90.0)]),
        color, 0.05, 0.1,
    )  # fmt: skip
    kind = rng.random()
    if kind < 0.35:  # knitted, with a cuff
        cuff = np.full((3, 41), rng.uniform(10, 18))
        return [
            crown, lid,
            curtain(rng, surface, round_angles, np.linspace(bottom - 3, bottom + 22, 3), cuff, color * 0.85, 0.1, 0.05),
        ]  # fmt: skip
    angles = round_angles if kind < 0.6 else np.linspace(-0.8, 0.8, 20)
    reach = np.linspace(6, rng.uniform(25, 75), 4)[:, None] + np.zeros((4, len(angles)))
    slope = np.linspace(bottom + 2, bottom - rng.uniform(-5, 14), 4)
    return [crown, lid, curtain(rng, surface, angles, slope, reach, color * 0.9, 0.05, 0.1)]


def _hood(rng: np.random.Generator, surface: Surface, color: FloatArray) -> list[Patch]:
    opening = rng.uniform(0.6, 1.25)
    angles = np.linspace(opening, 2 * np.pi - opening, 34)
    folds = rng.uniform(4, 18) + np.zeros((16, 34)) + 4 * rng.standard_normal((16, 1)) + 2 * rng.standard_normal(34)
    sides = curtain(rng, surface, angles, np.linspace(115, -190, 16), folds, color, 0.06, 0.05)
    heights = np.linspace(rng.uniform(66, 95), 140, 6)
    top = curtain(rng, surface, np.linspace(0, 2 * np.pi, 41), heights, np.full((6, 41), 9.0), color, 0.05, 0.05)
    return [sides, top]


def _collar(rng: np.random.Generator, surface: Surface, color: FloatArray) -> Patch:
    """Return a collar or a scarf, which may be pulled up over the chin."""
    top = rng.uniform(-105, -70) if rng.random() < 0.8 else rng.uniform(-70, -28)
    folds = rng.uniform(2, 25) + 5 * rng.standard_normal((9, 1)) + 2 * rng.standard_normal((9, 41))
    heights = np.linspace(-190, top, 9)
    if top > -70:
        folds = folds + 22 * np.clip((heights + 110) / 40, 0, 1)[:, None] * np.ones(41)
    return curtain(rng, surface, np.linspace(0, 2 * np.pi, 41), heights, folds, color, 0.1, 0.05)


def _headphones(rng: np.random.Generator, vertices: FloatArray, surface: Surface) -> Patch:
    color = _cloth(rng) * (0.3 if rng.random() < 0.6 else 1)
    jaw = vertices[surface.model.landmarks][[0, 16]]
    width = np.abs(jaw[:, 0]).mean() + rng.uniform(6, 12)
    turn = np.linspace(0, np.pi, 10)
    middle = [0, jaw[:, 1].mean() + 8, jaw[:, 2].mean() - 28]
    arc = np.stack([width * np.cos(turn), rng.uniform(92, 118) * np.sin(turn) ** 0.8, -8 * np.sin(turn)], 1) + middle
    band = tubes(arc[:-1], arc[1:], np.full(9, rng.uniform(2.5, 9)), color, 0.6)
    ears = np.stack([arc[0], arc[-1]])
    out = np.array([[1.0, 0, 0], [-1.0, 0, 0]]) * rng.uniform(10, 22)
    cups = tubes(ears - out * 0.4, ears + out * 0.6, np.full(2, rng.uniform(22, 40)), color * 0.8, 0.6, flat=True)
    return joined([band, cups])


def _mask(rng: np.random.Generator, landmarks: FloatArray) -> Patch:
    """Cloth or paper over nose, mouth and chin; sometimes below the nose."""
    rows, columns = 13, 13
    down, across = np.linspace(0, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    top = landmarks[29] if rng.random() < 0.8 else landmarks[33] + [0, -2, 0]
    chin = landmarks[8] + [0, -8, 2]
    ridge = np.maximum(landmarks[30, 2], landmarks[51, 2]) + rng.uniform(3, 9)
    side = (landmarks[[2, 14]] + landmarks[[4, 12]]) / 2
    half = np.abs(side[:, 0]).mean() * rng.uniform(0.9, 1.0)
    front = top[2] + (ridge - top[2]) * np.sin(np.clip(down / 0.12, 0, 1) * np.pi / 2) + (chin[2] - ridge) * down**3
    z = front + (side[:, 2].mean() - front) * np.abs(across) ** 2.2
    y = top[1] + (chin[1] - top[1]) * down + np.abs(across) ** 1.5 * (landmarks[2, 1] - top[1] - 14) * (1 - down) ** 2
    y = y + np.abs(across) ** 2 * 26 * down
    pleats = rng.uniform(0, 1.5) * np.sin(down * rng.uniform(12, 30))
    points = np.stack([half * across + 0 * down, y, z + pleats], -1).reshape(-1, 3)
    colors = ([0.9, 0.9, 0.88], [0.78, 0.62, 0.35], [0.03, 0.03, 0.03])
    color = np.array(colors[rng.integers(3)]) if rng.random() < 0.75 else _cloth(rng)
    shade = rng.normal(1, 0.02, (rows * columns, 1))
    return Patch(points, grid_triangles(rows, columns), np.clip(color * shade, 0, 1), 0.05)


def clothe(rng: np.random.Generator, surface: Surface, albedo: FloatArray) -> None:
    """Colour the shoulders."""
    if rng.random() < 0.85:
        y = surface.model.neutral[:, 1]
        neckline = rng.uniform(-165, -120) + 0.002 * surface.model.neutral[:, 0] ** 2 * rng.uniform(-1, 1)
        albedo[(y < neckline) & (surface.skin > 0)] = (
            rng.uniform(0.02, 0.95, 3) if rng.random() < 0.7 else rng.uniform(0.02, 0.95)
        )


def sample_glasses(
    rng: np.random.Generator, vertices: FloatArray, surface: Surface
) -> tuple[list[Patch], list[FloatArray]]:
    """Frames as patches, and the outlines (N, 3) of the lenses to be tinted after shading. Often neither.

    Rims are full, heavier along the top, along the top only, or none; thin wire or thick enough to hide the brows
    behind them. Half are low and nearly rectangular, with the upper rim along the brow: with rounder ones only, the
    rims of real glasses were read as brows drawn down.
    """
    if rng.random() > GLASSES_SHARE:
        return [], []
    landmarks = vertices[surface.model.landmarks]
    kind = rng.random()
    if kind < 0.5:
        color = np.full(3, rng.uniform(0.01, 0.15))
    elif kind < 0.75:
        color = METALS[rng.integers(len(METALS))] * rng.uniform(0.4, 1.2)
    else:
        color = rng.uniform(0.02, 0.75, 3)
    gauge = rng.uniform(*((0.4, 0.9), (0.4, 0.9), (0.9, 1.8), (1.8, 4.5))[rng.integers(4)])
    half_width, half_height = rng.uniform(20, 29), rng.uniform(12, 26)
    power, drop, ahead = rng.uniform(1.8, 5), rng.uniform(-3, 7), rng.uniform(10, 17)
    if rng.random() < 0.5:
        half_height, power = rng.uniform(12, 19), rng.uniform(3, 7)
        drop = half_height - rng.uniform(9, 17)  # the upper rim is that far above the eye
    full = rng.random()  # under 0.12 only the top rim, under 0.2 none
    lower = 0.02 if full < 0.12 else rng.uniform(0.15, 0.6) if full > 0.8 else 1.0  # the lower rim's gauge
    phase = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    c, s = np.cos(phase), np.sin(phase)
    shape = np.stack([np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)], 1)
    shape[:, 0] *= 1 + rng.uniform(-0.2, 0.12) * (shape[:, 1] < 0)  # narrower or wider below
    shape *= [half_width, half_height]
    corner = rng.uniform(0, 6) if rng.random() < 0.25 else 0.0  # cat's eyes
    rims, lenses = [], []
    for eye, side in ((landmarks[36:42], -1), (landmarks[42:48], 1)):
        centre = eye.mean(0) + [side * 2, -drop, ahead]
        lift = corner * np.clip(side * shape[:, 0] / half_width, 0, 1) * (shape[:, 1] > 0)
        ring = []
        for out in (-gauge, gauge):
            thick = out * np.where(shape[:, 1] > -2, 1.0, lower)
            grown = shape * (1 + thick[:, None] / np.linalg.norm(shape, axis=1, keepdims=True))
            bend = -0.004 * np.maximum(0, side * grown[:, 0] + 15) ** 2
            ring.append(np.stack([grown[:, 0], grown[:, 1] + lift, bend], 1) + centre)
        lenses.append((ring[0] + ring[1]) / 2)
        if not 0.12 < full < 0.2:
            around = [ring[0], ring[1], ring[1] - [0, 0, gauge * 1.5], ring[0] - [0, 0, gauge * 1.5], ring[0]]
            rim = Patch(np.concatenate(around), grid_triangles(5, 36, closed=True), np.repeat(color[None], 180, 0), 1.0)
            rims.append(rim)
    starts, ends, radii = [], [], []
    for lens, side, jaw in ((lenses[0], -1, 0), (lenses[1], 1, 16)):
        middle = lens.mean(0)
        starts.append(middle + [side * (half_width - 1), half_height * 0.5, -0.004 * (half_width + 15) ** 2])
        ends.append([side * 82, landmarks[jaw, 1] + 12, landmarks[0, 2] - 12])
        radii.append(gauge * 1.3)
    high = rng.uniform(0, 0.5) * half_height
    starts.append(lenses[0].mean(0) + [half_width - 1, high, 0])
    ends.append(lenses[1].mean(0) + [1 - half_width, high, 0])
    radii.append(gauge)
    bars = tubes(np.array(starts), np.array(ends), np.array(radii), color, 1.0)
    return [joined([*rims, bars]) if rims else bars], lenses

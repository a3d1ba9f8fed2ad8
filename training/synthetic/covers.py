"""What grows on a head or is worn on it: hair, hats, scarves, clothes, glasses; and hands before the face.

Everything is a grid of quads in the head's own frame (millimetres), so that it moves, shades and hides like the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .noise import wavy
from .surface import Surface


@dataclass(frozen=True, eq=False)
class Patch:
    """Extra geometry: points (N, 3), triangles (M, 3), albedo (N, 3), gloss."""

    points: np.ndarray
    triangles: np.ndarray
    albedo: np.ndarray
    gloss: float = 0.1


@cache
def grid_triangles(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Triangles of a (rows, columns) grid of points; ``closed`` joins the last column to the first."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def _curtain(
    rng: np.random.Generator,
    surface: Surface,
    angles: np.ndarray,
    heights: np.ndarray,
    thickness: np.ndarray,
    color: np.ndarray,
    streaks: float,
    gloss: float,
) -> Patch:
    """A sheet round the head: ``angles`` (C,) radians from the front towards the subject's left, ``heights`` (R,) or
    (R, C), ``thickness`` (R, C) mm off the skin."""
    rows, columns = thickness.shape
    heights = np.broadcast_to(heights if heights.ndim == 2 else heights[:, None], thickness.shape)
    table = surface.radius
    a = (np.broadcast_to(angles, thickness.shape) / (2 * np.pi) % 1) * len(table)
    row = np.clip(np.searchsorted(surface.radius_heights, heights), 0, table.shape[1] - 1)
    low, part = np.floor(a).astype(int), a % 1
    skin = table[low % len(table), row] * (1 - part) + table[(low + 1) % len(table), row] * part
    skin = np.where(heights < -60, 75.0, np.maximum(skin, 60))  # below the jaw hair hangs free
    reach = skin + thickness
    points = np.stack([reach * np.sin(angles), heights, reach * np.cos(angles)], -1).reshape(-1, 3)
    strands = np.repeat(rng.normal(1, streaks, columns)[None], rows, 0).reshape(-1, 1) * rng.normal(
        1, streaks / 2, (rows * columns, 1)
    )
    albedo = np.clip(color * np.abs(strands), 0, 1)
    return Patch(points, grid_triangles(rows, columns), albedo, gloss)


def sample_hair(
    rng: np.random.Generator, surface: Surface, vertices: np.ndarray, normals: np.ndarray, color: np.ndarray
) -> list[Patch]:
    """A hair style: a cap over the scalp, often a fringe, often long sides. Sometimes none."""
    if rng.random() < 0.1:
        return []
    patches = [_cap(rng, surface, vertices, normals, color)]
    scalp_top = surface.model.neutral[:, 1].max()
    if rng.random() < 0.28:  # fringe
        half = rng.uniform(0.35, 0.95)
        angles = np.linspace(-half, half, 20) + rng.normal(0, 0.15)
        bottom = rng.uniform(46, 92)
        edge = (
            bottom + rng.uniform(0, 9) * np.abs(rng.standard_normal(20)) + rng.uniform(-15, 15) * np.linspace(-1, 1, 20)
        )
        heights = np.linspace(0, 1, 7)[:, None] * (edge - 112) + 112
        patches.append(
            _curtain(rng, surface, angles, heights, rng.uniform(3, 12) + np.zeros((7, 20)), color, 0.22, 0.4)
        )
    if rng.random() < 0.45:  # long
        opening = rng.uniform(0.75, 1.7)
        angles = np.linspace(opening, 2 * np.pi - opening, 40) + rng.normal(0, 0.08)
        bottom = rng.choice([rng.uniform(-60, 20), rng.uniform(-220, -60)])
        heights = np.linspace(min(scalp_top - 30, 105), bottom, 14)
        thick = (
            rng.uniform(4, 26) * np.linspace(0.5, 1, 14)[:, None] * (1 + 0.2 * rng.standard_normal(40))
            + rng.uniform(0, 14) * np.linspace(0, 1, 14)[:, None]
        )
        patches.append(_curtain(rng, surface, angles, heights, np.maximum(thick, 1.5), color, 0.25, 0.4))
    return patches


def _cap(
    rng: np.random.Generator, surface: Surface, vertices: np.ndarray, normals: np.ndarray, color: np.ndarray
) -> Patch:
    inside = surface.scalp_height + rng.normal(0, 9) + rng.uniform(0, 5) * wavy(rng, surface.model.neutral, 40)
    chosen = np.flatnonzero(inside > 0)
    renumber = np.full(len(vertices), -1)
    renumber[chosen] = np.arange(len(chosen))
    triangles = renumber[surface.triangles]
    triangles = triangles[(triangles[:, 0] >= 0) & (triangles[:, 1] >= 0) & (triangles[:, 2] >= 0)].astype(np.int32)
    thickness = rng.choice([rng.uniform(1, 4), rng.uniform(4, 28)], p=[0.35, 0.65])
    grown = thickness * np.clip(inside[chosen] / (4 + thickness), 0.12, 1)
    grown = grown * np.clip(1 + 0.3 * wavy(rng, vertices[chosen], rng.uniform(15, 70)), 0.2, 2)
    points = vertices[chosen] + normals[chosen] * grown[:, None]
    albedo = np.clip(color * np.exp(rng.normal(0, rng.uniform(0.05, 0.4), (len(chosen), 1))), 0, 1)
    return Patch(points, triangles, albedo, 0.4)


def sample_headwear(rng: np.random.Generator, surface: Surface) -> list[Patch]:
    """A hat, a hood or a scarf, now and then."""
    if rng.random() > 0.11:
        return []
    color = rng.uniform(0.02, 0.9, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0.02, 0.9))
    kind = rng.integers(3)
    round_angles = np.linspace(0, 2 * np.pi, 41)
    if kind == 0:  # cap or hat with a brim
        bottom = rng.uniform(55, 85)
        crown = _curtain(
            rng,
            surface,
            round_angles,
            np.linspace(bottom, 140, 8),
            np.linspace(8, 14, 8)[:, None] + np.zeros((8, 41)),
            color,
            0.05,
            0.1,
        )
        brim_angles = round_angles if rng.random() < 0.5 else np.linspace(-0.8, 0.8, 20)
        reach = np.linspace(6, rng.uniform(25, 75), 4)[:, None] + np.zeros((4, len(brim_angles)))
        brim = _curtain(
            rng,
            surface,
            brim_angles,
            np.linspace(bottom + 2, bottom - rng.uniform(-5, 12), 4),
            reach,
            color * 0.9,
            0.05,
            0.1,
        )
        return [crown, brim]
    if kind == 1:  # hood or headscarf
        opening = rng.uniform(0.7, 1.25)
        angles = np.linspace(opening, 2 * np.pi - opening, 34)
        sides = _curtain(
            rng,
            surface,
            angles,
            np.linspace(115, -190, 16),
            rng.uniform(4, 18) + np.zeros((16, 34)) + 4 * rng.standard_normal((16, 1)),
            color,
            0.06,
            0.05,
        )
        top = _curtain(
            rng,
            surface,
            round_angles,
            np.linspace(rng.uniform(70, 95), 140, 6),
            np.full((6, 41), 9.0),
            color,
            0.05,
            0.05,
        )
        return [sides, top]
    collar = _curtain(
        rng,
        surface,
        round_angles,
        np.linspace(-190, rng.uniform(-105, -70), 8),
        rng.uniform(0, 25) + 5 * rng.standard_normal((8, 1)) + np.zeros((8, 41)),
        color,
        0.1,
        0.05,
    )
    return [collar]


def clothe(rng: np.random.Generator, surface: Surface, albedo: np.ndarray) -> None:
    """Colour the shoulders."""
    if rng.random() < 0.85:
        y = surface.model.neutral[:, 1]
        neckline = rng.uniform(-165, -120) + 0.002 * surface.model.neutral[:, 0] ** 2 * rng.uniform(-1, 1)
        albedo[(y < neckline) & (surface.skin > 0)] = (
            rng.uniform(0.02, 0.95, 3) if rng.random() < 0.7 else rng.uniform(0.02, 0.95)
        )


def sample_glasses(
    rng: np.random.Generator, vertices: np.ndarray, surface: Surface
) -> tuple[list[Patch], list[np.ndarray]]:
    """Frames as patches, and the outlines (N, 3) of the lenses to be tinted after shading. Often neither."""
    if rng.random() > 0.16:
        return [], []
    landmarks = vertices[surface.model.landmarks]
    color = np.full(3, rng.uniform(0.01, 0.15)) if rng.random() < 0.7 else rng.uniform(0.02, 0.7, 3)
    gauge = rng.choice([rng.uniform(0.8, 1.6), rng.uniform(1.6, 4.0)])
    half_width, half_height = rng.uniform(20, 28), rng.uniform(13, 24)
    power, drop, ahead = rng.uniform(2, 5), rng.uniform(-1, 7), rng.uniform(10, 17)
    patches, lenses = [], []
    phase = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    c, s = np.cos(phase), np.sin(phase)
    shape = np.stack(
        [np.sign(c) * np.abs(c) ** (2 / power) * half_width, np.sign(s) * np.abs(s) ** (2 / power) * half_height], 1
    )
    for eye, side in ((landmarks[36:42], -1), (landmarks[42:48], 1)):
        centre = eye.mean(0) + [side * 2, -drop, ahead]
        ring = []
        for out in (-gauge, gauge):
            grown = shape * (1 + out / np.linalg.norm(shape, axis=1, keepdims=True))
            bend = -0.004 * np.maximum(0, side * grown[:, 0] + 15) ** 2
            ring.append(np.stack([grown[:, 0], grown[:, 1], bend], 1) + centre)
        thick = [ring[0], ring[1], ring[1] - [0, 0, gauge * 1.5], ring[0] - [0, 0, gauge * 1.5], ring[0]]
        patches.append(
            Patch(np.concatenate(thick), grid_triangles(5, 36, closed=True), np.repeat(color[None], 180, 0), 1.0)
        )
        lenses.append((ring[0] + ring[1]) / 2)
        temple_start = centre + [side * (half_width - 1), half_height * 0.5, -0.004 * (half_width + 15) ** 2]
        temple_end = np.array([side * 82, landmarks[0 if side < 0 else 16][1] + 12, landmarks[0][2] - 12])
        patches.append(_bar(temple_start, temple_end, gauge * 1.3, color))
    left, right = lenses[1].mean(0), lenses[0].mean(0)
    inner = half_width - 1
    patches.append(_bar(right + [inner, 2, 0], left + [-inner, 2, 0], gauge, color))
    return patches, lenses


def _bar(a: np.ndarray, b: np.ndarray, radius: float, color: np.ndarray) -> Patch:
    return _capsule(a, b, radius, color, ends=False)


def _capsule(a: np.ndarray, b: np.ndarray, radius: float, color: np.ndarray, ends: bool = True) -> Patch:
    axis = (b - a) / np.linalg.norm(b - a)
    side = np.cross(axis, [0.3, 0.9, 0.2])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    phase = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    circle = np.cos(phase)[:, None] * side + np.sin(phase)[:, None] * other
    lean = np.array([-1.0, -0.7, 0.0, 1.0, 1.7, 2.0]) if ends else np.array([0.0, 1.0])
    rings = []
    for t in lean:
        inside = np.clip(t, 0, 1)
        over = t - inside
        rings.append(a + (b - a) * inside + axis * over * radius + circle * radius * np.sqrt(max(0.05, 1 - over**2)))
    points = np.concatenate(rings)
    return Patch(
        points, grid_triangles(len(lean), 8, closed=True), np.repeat(np.asarray(color)[None], len(points), 0), 0.3
    )


def sample_hand(rng: np.random.Generator, surface: Surface, skin_color: np.ndarray) -> list[Patch]:
    """A hand before, beside or below the face: a palm and fingers; sometimes a microphone, cup or telephone."""
    if rng.random() > 0.11:
        return []
    targets = np.array(
        [
            [0, -45, 118],
            [0, -75, 112],
            [45, -40, 90],
            [-45, -40, 90],
            [35, 35, 100],
            [-35, 35, 100],
            [0, 85, 100],
            [0, -20, 125],
        ]
    )
    centre = targets[rng.integers(len(targets))] + rng.normal(0, 14, 3) + [0, 0, rng.uniform(4, 30)]
    if rng.random() < 0.3:  # a thing
        color = rng.uniform(0.02, 0.9, 3)
        direction = rng.standard_normal(3) * [1, 1, 0.3]
        end = centre + direction / np.linalg.norm(direction) * rng.uniform(20, 130)
        return [_capsule(centre, end, rng.uniform(6, 40), color)]
    color = skin_color * rng.uniform(0.8, 1.1)
    turn = rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn), 0.15]), np.array([-np.sin(turn), np.cos(turn), 0])
    spread, length, bend = rng.uniform(0.0, 0.28), rng.uniform(55, 85), rng.uniform(-0.2, 0.5)
    patches = [_capsule(centre - along * 85, centre - along * 25, rng.uniform(24, 32), color)]
    for finger in range(4 if rng.random() < 0.8 else 2):
        place = finger - 1.5
        root = centre - along * 8 + across * place * 17
        way = along + across * place * spread
        middle = root + way * length * 0.5
        tip = middle + (way - np.array([0, 0, bend])) * length * (0.45 - 0.06 * abs(place - 0.5))
        patches.append(_capsule(root - along * 20, middle, 9.5, color))
        patches.append(_capsule(middle, tip, 8.3, color))
    patches.append(_capsule(centre - along * 50 + across * 24, centre - along * 5 + across * 44, 10.5, color))
    return patches

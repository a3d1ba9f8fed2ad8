"""Light: a sky of low-order spherical harmonics and one to three lamps, the first with a shadow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...model.array_types import FloatArray, IntArray
from .rasterizer import FAR, rasterize, seen_along

SHADOW_SIZE = 80
SHADOW_REACH = 165.0  # mm about the head's middle that can shade or be shaded
FRONTAL = 0.15  # share of scenes lit from beside the lens: foreheads shine, brows and folds have no shade
NOWHERE = np.zeros(4, np.float32)


@dataclass(frozen=True, eq=False)
class Light:
    """Light of a scene.

    ambient (3, 9); lights (L, 3) towards each lamp in the camera frame; colors (L, 3) BGR. specular and sheen (0..1)
    are the strengths of the mirrored lamps and the mirrored sky. polish (0..1) is the sharpness of a lamp's image.
    """

    ambient: FloatArray
    lights: FloatArray
    colors: FloatArray
    wrap: float
    specular: float
    polish: float
    sheen: float
    shadow: bool


def sample_light(rng: np.random.Generator, natural: bool = False) -> Light:
    """Sample the light of a scene; a ``natural`` light is white and leaves nothing in the dark."""
    count = int(rng.integers(1, 4))
    lights = rng.standard_normal((count, 3))
    lights[:, 2] = np.abs(lights[:, 2]) * 0.9 + (0.15 if rng.random() < 0.85 else -0.35)
    lights[:, 1] += 0.45
    flash = rng.random() < FRONTAL
    if flash:
        lights[0] = rng.normal(0, 0.15), rng.normal(0.2, 0.15), 1
    lights /= np.sqrt((lights**2).sum(1, keepdims=True))
    ambient_level = rng.uniform(0.3, 0.9) if natural or rng.random() < 0.85 else rng.uniform(0.06, 0.3)
    lamp_level = rng.uniform(0.25, 1.2) * (1.1 - 0.6 * ambient_level)
    share = rng.dirichlet(np.full(count, 0.7))
    share[0] = max(share[0], 0.7 if flash else 0.3)
    stage = not natural and rng.random() < 0.12
    tints = _gels(rng, count) if stage else _temperature(rng, count)
    colors = (lamp_level * share)[:, None] * tints * 1.5
    ambient = rng.normal(0, 0.13, (3, 9)) * np.array([0, 1, 1, 1, 0.5, 0.5, 0.3, 0.5, 0.5])
    ambient = (0.7 * ambient.mean(0) + 0.3 * ambient) * ambient_level * 1.4
    ambient[:, 0] = ambient_level * (_gels if stage and rng.random() < 0.5 else _temperature)(rng, 1)[0]
    shiny = rng.random() < (0.6 if flash else 0.3)
    return Light(
        ambient.astype(np.float32), lights.astype(np.float32), colors.astype(np.float32),
        float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.25, 0.8) if shiny else rng.uniform(0, 0.25)),
        float(max(0.0, rng.uniform(-1, 1))), float(rng.uniform(0, 1)), bool(rng.random() < 0.6),
    )  # fmt: skip


def _temperature(rng: np.random.Generator, count: int) -> FloatArray:
    """Return (count, 3) BGR factors between candle and blue sky, with a little tint."""
    warm = rng.normal(0.02, 0.11, (count, 1))
    factors: FloatArray = np.exp(
        np.concatenate([-warm, np.zeros_like(warm), warm], 1) + rng.normal(0, 0.03, (count, 3))
    )
    return factors


def _gels(rng: np.random.Generator, count: int) -> FloatArray:
    """Return (count, 3) BGR factors of coloured lamps: stages, shop windows, screens in the dark."""
    tints = np.exp(rng.normal(0, 0.6, (count, 3)))
    gels: FloatArray = tints / tints.mean(1, keepdims=True)
    return gels


def shadow_map(
    attributes: FloatArray, triangles: IntArray, one_sided: int, towards: FloatArray, middle: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the depth map (S, S) seen from a far lamp, for ``rasterizer.shade``.

    Returns also its axes (3, 3: right, down, towards it) and (scale, x0, y0).
    """
    up = np.array([0.0, 1.0, 0.0]) if abs(towards[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(up, towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, towards), towards]).astype(np.float32)
    scale = SHADOW_SIZE / (2 * SHADOW_REACH)
    offset = SHADOW_SIZE / 2 - (axes @ middle)[:2] * scale
    place = np.array([scale, offset[0], offset[1]], np.float32)
    screen = np.empty((len(attributes), 3), np.float32)
    seen_along(attributes, axes, *place, screen)
    square = (SHADOW_SIZE, SHADOW_SIZE)
    depth, triangle_of, bary = (
        np.empty(square, np.float32),
        np.empty(square, np.int32),
        np.empty((*square, 2), np.float32),
    )
    rasterize(screen, triangles, one_sided, one_sided, NOWHERE, -FAR, triangle_of, bary, depth)
    return depth, axes, place

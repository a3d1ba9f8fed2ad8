"""Skin: pigment, blood, lips, brows, stubble, make-up, wrinkles; and the colours of eyes, teeth and tongue. BGR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .noise import fractal, wavy
from .surface import Surface

TILE = 128
PAINT = 512  # texels across the chart of the skin: about half a millimetre each
HAIR_COLORS = np.array(
    [
        [0.03, 0.03, 0.04],
        [0.05, 0.08, 0.13],
        [0.1, 0.17, 0.28],
        [0.2, 0.33, 0.48],
        [0.42, 0.6, 0.76],
        [0.45, 0.46, 0.48],
        [0.78, 0.8, 0.82],
        [0.06, 0.16, 0.38],
        [0.04, 0.05, 0.08],
    ]
)
HAIR_SHARES = np.array([0.22, 0.2, 0.17, 0.11, 0.06, 0.07, 0.05, 0.05, 0.07])
IRIS_COLORS = np.array(
    [[0.1, 0.17, 0.27], [0.05, 0.08, 0.14], [0.5, 0.4, 0.28], [0.28, 0.38, 0.27], [0.36, 0.33, 0.28], [0.12, 0.22, 0.3]]
)


@dataclass(frozen=True, eq=False)
class Look:
    """Colours of one person: albedo (V, 3), gloss (V,), texture (TILE, TILE, 3), bump (TILE, TILE, 2),
    paint (PAINT, PAINT, 4) uint8 BGRA over the skin, eyes (8,)."""

    albedo: np.ndarray
    gloss: np.ndarray
    texture: np.ndarray
    bump: np.ndarray
    paint: np.ndarray
    eyes: np.ndarray
    skin_color: np.ndarray
    hair_color: np.ndarray


def sample_look(rng: np.random.Generator, surface: Surface) -> Look:
    mean = surface.model.neutral
    melanin = rng.beta(1.0, 1.5)
    pale, dark = np.array([0.62, 0.71, 0.88]), np.array([0.09, 0.14, 0.25])
    skin = np.exp((1 - melanin) * np.log(pale) + melanin * np.log(dark)) * np.exp(rng.normal(0, 0.07, 3))
    flushed = skin * np.array([0.7, 0.64, 1.03])
    hair = HAIR_COLORS[rng.choice(len(HAIR_COLORS), p=HAIR_SHARES)] * np.exp(rng.normal(0, 0.25))
    if melanin > 0.55 and rng.random() < 0.8:
        hair = HAIR_COLORS[0] * np.exp(rng.normal(0, 0.3))
    albedo = np.empty((len(mean), 3), np.float32)
    albedo[:] = skin
    gloss = np.full(len(mean), 0.35, np.float32)

    def blend(mask: np.ndarray, color: np.ndarray) -> None:
        touched = np.flatnonzero(mask > 1e-3)
        weight = np.minimum(mask[touched], 1).astype(np.float32)[:, None]
        albedo[touched] += weight * (np.asarray(color, np.float32) - albedo[touched])

    albedo *= (1 + rng.uniform(0, 0.07) * wavy(rng, mean, 60)[:, None]).astype(np.float32)
    blend(surface.cheeks * rng.uniform(0, 0.6) + surface.nose * rng.uniform(0, 0.5), flushed)
    blend(surface.lips * rng.uniform(0.35, 1), _lip_color(rng, skin, flushed))
    blend(surface.nostrils, skin * 0.25)
    if rng.random() < 0.35:  # tired or made-up eyes
        shade = skin * rng.uniform(0.45, 0.9) if rng.random() < 0.6 else rng.uniform(0.05, 0.8, 3)
        blend(surface.eye_shadow * rng.uniform(0.2, 0.9), shade)
    blend(surface.eye_line * rng.choice([rng.uniform(0, 0.45), rng.uniform(0.5, 1)], p=[0.65, 0.35]), skin * 0.12)
    brow = (rng.uniform(1.6, 5.2) - surface.brow_distance + 0.8 * wavy(rng, mean, 12)) / 2.2 + 0.5
    blend(
        np.clip(brow, 0, 1) * rng.choice([rng.uniform(0.35, 1), rng.uniform(0, 0.35)], p=[0.85, 0.15]),
        hair * rng.uniform(0.5, 1.1),
    )
    if rng.random() < 0.35:
        blend(_beard(rng, surface, mean), hair * rng.uniform(0.6, 1.1))
    gloss += surface.t_zone * rng.uniform(0, 0.9) + surface.lips * rng.uniform(0, 1.2)
    _mouth_and_eyes(rng, surface, albedo, gloss, flushed)
    texture, bump = _texture(rng, melanin)
    paint = np.zeros((PAINT, PAINT, 4), np.uint8)
    return Look(albedo, gloss, texture, bump, paint, _eyes(rng), skin.astype(np.float32), hair.astype(np.float32))


def wrinkle_depth(rng: np.random.Generator, surface: Surface, eta: np.ndarray) -> np.ndarray:
    """How deep each furrow is folded, (W,) 0..~1.4: by the keys that fold it, and by age."""
    age = rng.beta(0.8, 1.6)
    folded = np.clip(surface.wrinkle_drivers @ np.clip(eta, 0, 1), 0, 1)
    return folded * rng.uniform(0.4, 1.2) * (0.45 + 0.75 * age) + surface.wrinkle_age * age * rng.uniform(
        0.2, 1, len(folded)
    )


def _lip_color(rng: np.random.Generator, skin: np.ndarray, flushed: np.ndarray) -> np.ndarray:
    if rng.random() < 0.22:  # lipstick
        return np.array([rng.uniform(0.05, 0.5), rng.uniform(0.03, 0.3), rng.uniform(0.3, 0.85)])
    return flushed * np.exp(rng.normal(-0.1, 0.13, 3))


def _beard(rng: np.random.Generator, surface: Surface, mean: np.ndarray) -> np.ndarray:
    density = rng.choice([rng.uniform(0.1, 0.45), rng.uniform(0.5, 1.0)])
    patches = np.clip(0.8 + 0.35 * wavy(rng, mean, 14), 0, 1)
    style = rng.integers(4)
    mask = surface.beard.copy()
    if style == 1:
        mask *= np.abs(mean[:, 0]) < rng.uniform(15, 30)  # goatee
    elif style == 2:
        mask *= 0
    if style != 3:
        mask = np.maximum(mask, surface.moustache)
    return mask * density * patches


def _mouth_and_eyes(
    rng: np.random.Generator, surface: Surface, albedo: np.ndarray, gloss: np.ndarray, flushed: np.ndarray
) -> None:
    gums = np.array([0.3, 0.28, 0.6]) * rng.uniform(0.5, 1.0)
    for name, color, shine in (
        ("mouth_socket", flushed * 0.4 + gums * 0.15, 0.2),
        ("gums_upper", gums, 0.8),
        ("gums_lower", gums, 0.8),
        ("tongue", np.array([0.32, 0.3, 0.62]) * rng.uniform(0.6, 1.1), 0.6),
    ):
        albedo[surface.region(name)] = color
        gloss[surface.region(name)] = shine
    enamel = np.array([0.68, 0.82, 0.9]) * rng.uniform(0.65, 1.08) * np.exp(rng.normal(0, 0.04, 3))
    for name in ("teeth_upper", "teeth_lower"):
        albedo[surface.region(name)] = enamel
        gloss[surface.region(name)] = 1.2
    for side in "LR":
        gloss[surface.region(f"eyeball_{side}")] = rng.uniform(0.5, 3.0)
        lashes = surface.region(f"lashes_{side}")
        albedo[lashes] = 0.03
        gloss[lashes] = 0


def _eyes(rng: np.random.Generator) -> np.ndarray:
    iris_radius = rng.uniform(0.46, 0.56)
    iris = IRIS_COLORS[rng.integers(len(IRIS_COLORS))] * np.exp(rng.normal(0, 0.25))
    sclera = np.array([0.82, 0.85, 0.88]) * rng.uniform(0.6, 1.05)
    return np.array([iris_radius, iris_radius * rng.uniform(0.28, 0.55), *iris, *sclera], np.float32)


def _texture(rng: np.random.Generator, melanin: float) -> tuple[np.ndarray, np.ndarray]:
    coarse, fine, bumps = (_tile(rng, kind) for kind in ("color", "grey", "bump"))
    blotches = coarse * rng.uniform(0, 0.04) + fine * rng.uniform(0, 0.06)
    if rng.random() < 0.25:  # freckles and moles
        spots = fractal(rng, TILE, 2, 1, 48) > rng.uniform(1.3, 2.2)
        blotches = blotches - spots * rng.uniform(0.1, 0.5) * (1 - 0.5 * melanin)
    return np.clip(1 + blotches, 0.2, 1.8).astype(np.float32), (bumps * rng.uniform(0, 0.1)).astype(np.float32)


@cache
def _tiles(kind: str) -> np.ndarray:
    """A fixed stock of noise: drawing it anew for every face would cost more than rendering the face."""
    rng = np.random.default_rng(20180515)
    octaves, channels, base = {"color": (6, 3, 4), "grey": (6, 1, 8), "bump": (4, 2, 16)}[kind]
    return np.stack([fractal(rng, TILE, octaves, channels, base) for _ in range(48)])


def _tile(rng: np.random.Generator, kind: str) -> np.ndarray:
    tile = _tiles(kind)[rng.integers(48)]
    return tile[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]

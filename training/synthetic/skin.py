"""Skin: pigment, blood, make-up, and its paint (``paint``); and the colours of eyes, teeth and tongue. BGR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numba as nb
import numpy as np

from ...model.array_types import FloatArray, IntArray, UInt8Array
from ...model.face.semantics import OPEN_KEYS
from .noise import fractal, wavy
from .paint import Brows, paint_skin
from .photographs import SkinPhotograph, sample_skin
from .surface import Surface

TILE, TILES = 128, 48
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
HAIR_SHARES = np.cumsum([0.22, 0.2, 0.17, 0.11, 0.06, 0.07, 0.05, 0.05, 0.07])
IRIS_COLORS = np.array(
    [[0.1, 0.17, 0.27], [0.05, 0.08, 0.14], [0.5, 0.4, 0.28], [0.28, 0.38, 0.27], [0.36, 0.33, 0.28], [0.12, 0.22, 0.3]]
)
TIRED, UPPER_LIP = np.array([0.72, 0.66, 0.74]), np.array([0.75, 0.72, 0.85])
PARTS = (
    ("mouth_socket",),
    ("gums_upper", "gums_lower"),
    ("tongue",),
    ("teeth_upper", "teeth_lower"),
    ("eyeball_L", "eyeball_R"),
    ("lashes_L", "lashes_R"),
)
SHRUG, PRESS, ROLL = (OPEN_KEYS.index(key) for key in ("mouthShrugLower", "mouthPress", "mouthRoll"))
LIDS = [OPEN_KEYS.index("lid_L"), OPEN_KEYS.index("lid_R")]
PERMANENT = 0.3  # share of people who have a furrow of a kind at rest


@dataclass(frozen=True, eq=False)
class Look:
    """Colours of one person.

    albedo (V, 3), gloss (V,), texture (TILE, TILE, 3), bump (TILE, TILE, 2), photograph of the skin, paint (PAINT,
    PAINT, 4) uint8 BGRA over it, eyes (8,), density of the beard (0..1). For the lashes: length, thickness, and curl in
    radians upwards.
    """

    albedo: FloatArray
    gloss: FloatArray
    texture: FloatArray
    bump: FloatArray
    photograph: SkinPhotograph
    paint: UInt8Array
    eyes: FloatArray
    skin_color: FloatArray
    hair_color: FloatArray
    beard: float
    lashes: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class _Zone:
    """A mask of few vertices: which, and how much of each (0..1)."""

    vertices: IntArray
    weights: FloatArray


@cache
def _zones(surface: Surface) -> dict[str, _Zone]:
    mean = surface.model.neutral
    landmarks = mean[surface.model.landmarks]
    x, y = np.abs(mean[:, 0]), mean[:, 1]
    eye, corner = landmarks[42:48].mean(0), landmarks[48, 1] + 1.5
    below = landmarks[46:48, 1].mean()
    upper, lower = (
        np.isin(np.arange(len(mean)), [*surface.region(f"lid_{lid}_L"), *surface.region(f"lid_{lid}_R")])
        for lid in ("upper", "lower")
    )
    masks = {
        "cheeks": surface.cheeks,
        "nose": surface.nose,
        "lips": surface.lips,
        "upper_lip": surface.lips * np.clip((y - corner) / 3 + 0.5, 0, 1),
        "lip_rims": surface.lips * np.clip((np.abs(y - landmarks[61:64, 1].mean()) - 2.5) / 4, 0, 1),
        "nostrils": surface.nostrils,
        "beard": surface.beard,
        "upper_line": surface.eye_line * np.maximum(upper, y > eye[1] + 1),
        "lower_line": surface.eye_line * np.maximum(lower, y < eye[1] - 1),
        "shadow": surface.eye_shadow * np.clip((y - eye[1]) / 3 + 0.8, 0, 1) * np.clip((x - 17) / 4, 0, 1),
        "bags": np.exp(-(((x - eye[0]) / 13) ** 2) - ((y - below + 6) / 4.5) ** 2) * surface.skin * ~lower,
        "sockets": np.exp(-(((x - eye[0] + 4) / 17) ** 2) - ((y - eye[1]) / 13) ** 2)
        * surface.skin
        * (mean[:, 2] > 60),
    }
    rows = {name: np.flatnonzero(mask > 0.004) for name, mask in masks.items()}
    return {name: _Zone(rows[name], mask[rows[name]].astype(np.float32)) for name, mask in masks.items()}


def sample_look(rng: np.random.Generator, surface: Surface, eta: FloatArray, brows: Brows) -> Look:
    """Return a person's looks, with the furrows that ``eta`` folds."""
    mean, zones = surface.model.neutral, _zones(surface)
    melanin, age = rng.uniform(0, 1), rng.beta(0.8, 1.6)
    skin = _skin_color(rng, melanin)
    flushed = skin * np.array([0.7, 0.64, 1.03])
    hair = _hair_color(rng, melanin, age)
    albedo, gloss = np.empty((len(mean), 3), np.float32), np.full(len(mean), 0.35, np.float32)
    _mottle(albedo, skin, wavy(rng, mean, 60), rng.uniform(0, 0.07))
    apart = rng.spawn(1)[0] if surface.realism else rng  # its draws do not change the state of ``rng``
    photograph = sample_skin(apart, surface, skin)
    photograph.vary(albedo)

    def blend(zone: str, amount: float, color: FloatArray) -> None:
        _tint(albedo, zones[zone].vertices, zones[zone].weights, amount, color)

    blend("cheeks", rng.uniform(0, 0.6), flushed)
    blend("nose", rng.uniform(0, 0.5), flushed)
    tired = skin * TIRED
    blend("sockets", rng.uniform(0, 0.5), tired)
    blend("bags", rng.uniform(0, 0.3 + 0.6 * age), tired)
    made_up = rng.random() < 0.4
    lips = _lip_color(rng, skin, flushed, melanin, made_up)
    blend("lips", rng.uniform(0.35, 1), lips)
    blend("upper_lip", rng.uniform(0, 0.5), lips * UPPER_LIP)
    blend("lip_rims", float(max(eta[PRESS], eta[ROLL], 0.0)) * rng.uniform(0.2, 0.9), skin)  # thinner when pressed
    blend("nostrils", 1.0, skin * 0.25)
    (length, thickness), liner = _make_up_eyes(rng, blend, skin, made_up)
    lashes = length, thickness, rng.uniform(-0.6, 0.25)
    beard = 0.0
    if not made_up and rng.random() < 0.42:
        beard = rng.uniform(0.08, 0.45) if rng.random() < 0.5 else rng.uniform(0.45, 1.0)
        blend("beard", beard * rng.uniform(0, 0.5), 0.6 * skin + 0.2 * hair)
    gloss += surface.t_zone * np.float32(rng.uniform(0, 0.9))
    gloss[zones["lips"].vertices] += np.float32(rng.uniform(0, 1.2))
    if made_up and rng.random() < 0.4:  # shadow that glistens
        gloss[zones["shadow"].vertices] += zones["shadow"].weights * np.float32(rng.uniform(0.3, 2))
    _mouth_and_eyes(rng, surface, albedo, gloss, flushed)
    freckled = rng.uniform(0.2, 1) if rng.random() < (0.16 if melanin < 0.5 else 0.05) else 0.0
    depth = _folded(rng, surface, eta, age) * rng.uniform(0.5, 1.3)
    dimpled = float(eta[SHRUG] * rng.uniform(0.2, 1))
    below = max(0.0, rng.uniform(-0.4, 0.8)) * length
    shade = np.clip(eta[LIDS], 0, 1) * min(0.9, 0.4 * length * thickness) * rng.uniform(0.3, 1)
    paint = paint_skin(
        rng,
        surface,
        skin,
        hair,
        freckled,
        beard,
        depth,
        dimpled,
        brows,
        below,
        liner,
        (float(shade[0]), float(shade[1])),
    )
    texture, bump = _texture(rng)
    colors = skin.astype(np.float32), hair.astype(np.float32)
    return Look(albedo, gloss, texture, bump, photograph, paint, _eyes(rng, melanin), *colors, beard, lashes)


def wrinkle_depth(rng: np.random.Generator, surface: Surface, eta: FloatArray) -> FloatArray:
    """Return the depth of each furrow, (W,) 0..~1.4: by the keys that fold it, and by age."""
    return _folded(rng, surface, eta, rng.beta(0.8, 1.6))


def _folded(rng: np.random.Generator, surface: Surface, eta: FloatArray, age: float) -> FloatArray:
    folded = np.clip(surface.wrinkle_drivers @ np.clip(eta, 0, 1), 0, 1)
    at_rest = surface.wrinkle_age * age * rng.uniform(0.2, 1, len(folded)) + _permanent(rng, surface, age)
    return folded * rng.uniform(0.25, 1.2) * (0.45 + 0.75 * age) + at_rest


def _permanent(rng: np.random.Generator, surface: Surface, age: float) -> FloatArray:
    """Return the depth (W,) of furrows that a person has at rest, whatever the age.

    Without them, every line between the brows of an older person was read as a frown.
    """
    kind = surface.wrinkle_kind
    kinds = int(kind[-1]) + 1
    depth = np.where(rng.random(kinds) < PERMANENT, rng.uniform(0.2, 1, kinds), 0) * (0.4 + 0.6 * age)
    found: FloatArray = surface.ingredients.wrinkles * depth[kind] * rng.uniform(0.6, 1, len(kind))
    return found


def _skin_color(rng: np.random.Generator, melanin: float) -> FloatArray:
    """Return a skin colour, from very light to very dark in perceptually even steps; pink, yellow or olive."""
    pale, dark = np.array([0.64, 0.73, 0.9]), np.array([0.08, 0.11, 0.185])
    colour: FloatArray = np.exp((1 - melanin) * np.log(pale) + melanin * np.log(dark)) * np.exp(rng.normal(0, 0.07, 3))
    return colour


def _hair_color(rng: np.random.Generator, melanin: float, age: float) -> FloatArray:
    hair: FloatArray = HAIR_COLORS[np.searchsorted(HAIR_SHARES, rng.random())] * np.exp(rng.normal(0, 0.25))
    if melanin > 0.5 and rng.random() < 0.8:
        hair = HAIR_COLORS[0] * np.exp(rng.normal(0, 0.3))
    if age > 0.55 and rng.random() < 0.6:
        hair = hair + rng.uniform(0.3, 1) * (HAIR_COLORS[5 + int(rng.random() < 0.4)] - hair)
    return hair


def _lip_color(
    rng: np.random.Generator, skin: FloatArray, flushed: FloatArray, melanin: float, made_up: bool
) -> FloatArray:
    if made_up and rng.random() < 0.6:  # lipstick
        return np.array([rng.uniform(0.03, 0.5), rng.uniform(0.02, 0.3), rng.uniform(0.15, 0.85)])
    if rng.random() < 0.15:
        plain: FloatArray = skin * np.exp(rng.normal(-0.05, 0.05, 3))  # almost no colour of their own
        return plain
    brown = skin * [0.75, 0.65, 0.8]
    coloured: FloatArray = (flushed + melanin * rng.uniform(0, 1) * (brown - flushed)) * np.exp(
        rng.normal(-0.1, 0.13, 3)
    )
    return coloured


def _make_up_eyes(
    rng: np.random.Generator, blend: Callable[[str, float, FloatArray], None], skin: FloatArray, made_up: bool
) -> tuple[tuple[float, float], float]:
    """Paint eye make-up.

    Shadow on the lids, which stays on them when they shut, and lines along them. Returns the length and thickness of
    the lashes, and the darkness of the line above the upper ones (0..1).
    """
    if not made_up:
        blend("upper_line", rng.uniform(0, 0.6), skin * 0.2)
        blend("lower_line", rng.uniform(0, 0.35), skin * 0.3)
        length = 0.0 if rng.random() < 0.25 else rng.uniform(0.2, 1.0)
        return (length, rng.uniform(0.3, 1.2)), 0.0
    if rng.random() < 0.7:
        kind = rng.random()
        smoky = skin * rng.uniform(0.08, 0.5)
        shade = smoky if kind < 0.45 else rng.uniform(0.05, 0.8, 3) if kind < 0.75 else skin * [0.6, 0.6, 0.8]
        blend("shadow", rng.uniform(0.25, 1), shade)
    black = skin * 0.08 if rng.random() < 0.8 else rng.uniform(0.02, 0.3, 3)
    blend("upper_line", rng.uniform(0.3, 1.3), black)
    blend("lower_line", max(0.0, rng.uniform(-0.5, 1)), black)
    liner = rng.uniform(0.5, 1) if rng.random() < 0.45 else 0.0
    if rng.random() < 0.3:  # false lashes, or mascara that clots them into a band
        return (rng.uniform(1.1, 1.8), rng.uniform(2, 4.5)), liner
    return (rng.uniform(0.7, 1.5), rng.uniform(0.9, 2.6)), liner


def _mouth_and_eyes(
    rng: np.random.Generator, surface: Surface, albedo: FloatArray, gloss: FloatArray, flushed: FloatArray
) -> None:
    gums = np.array([0.3, 0.28, 0.6]) * rng.uniform(0.5, 1.0)
    enamel = np.array([0.62, 0.78, 0.87]) * rng.uniform(0.5, 1.1) * np.exp(rng.normal(0, 0.05, 3))
    tongue = np.array([0.32, 0.3, 0.62]) * rng.uniform(0.6, 1.1)
    colors = [flushed * 0.4 + gums * 0.15, gums, tongue, enamel, np.ones(3), np.full(3, 0.03)]
    shine = [0.2, 0.8, 0.6, 1.2, rng.uniform(0.5, 4.0), 0.0]
    palette = np.column_stack([colors, shine]).astype(np.float32)
    _fill(albedo, gloss, *_parts(surface), palette)


@cache
def _parts(surface: Surface) -> tuple[FloatArray, FloatArray]:
    """Vertices of other colours than skin's, and which of PARTS each belongs to."""
    rows = [np.concatenate([surface.region(name) for name in names]) for names in PARTS]
    return np.concatenate(rows).astype(np.int64), np.repeat(np.arange(len(rows)), [len(r) for r in rows])


def _eyes(rng: np.random.Generator, melanin: float) -> FloatArray:
    iris_radius = rng.uniform(0.45, 0.58)
    brown = rng.random() < melanin  # as in nearly all people with dark skin
    iris = IRIS_COLORS[int(rng.random() * (2 if brown else len(IRIS_COLORS)))] * np.exp(rng.normal(0, 0.25))
    sclera = np.array([0.8, 0.83, 0.87]) * rng.uniform(0.5, 1.02) * np.exp(rng.normal(0, 0.03, 3))
    return np.array([iris_radius, iris_radius * rng.uniform(0.25, 0.6), *iris, *sclera], np.float32)


def _texture(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    coarse, fine, bumps = (_tiles(kind)[rng.integers(2 * TILES)] for kind in ("color", "grey", "bump"))
    amounts = rng.random(3, np.float32) * np.array([0.04, 0.06, 0.1], np.float32)
    texture, bump = np.empty((TILE, 3 * TILE), np.float32), np.empty((TILE, 2 * TILE), np.float32)
    _weave(coarse, fine, bumps, rng.integers(0, 2, 3) * (TILE - 1), amounts, texture, bump)
    return texture.reshape(TILE, TILE, 3), bump.reshape(TILE, TILE, 2)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _weave(coarse, fine, bumps, flips, amounts, texture, bump):
    """Mix three tiles, each upside down or not: a row that is flipped by exclusive or counts backwards."""
    one, least, most = np.float32(1), np.float32(0.2), np.float32(1.8)
    much, little, height = amounts[0], amounts[1], amounts[2]
    for i in range(TILE):
        first, second, third = coarse[i ^ flips[0]], fine[i ^ flips[1]], bumps[i ^ flips[2]]
        for j in range(3 * TILE):
            texture[i, j] = min(max(one + much * first[j] + little * second[j], least), most)
        for j in range(2 * TILE):
            bump[i, j] = height * third[j]


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _mottle(albedo, color, field, amount):
    """Fill ``albedo`` (V, 3) with ``color`` (3,), lighter and darker by a share ``amount`` of ``field`` (V,)."""
    for i in range(len(field)):
        shade = 1 + amount * field[i]
        albedo[i, 0], albedo[i, 1], albedo[i, 2] = color[0] * shade, color[1] * shade, color[2] * shade


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _tint(albedo, vertices, weights, amount, color):
    """Blend ``color`` (3,) into ``albedo`` (V, 3) at ``vertices`` (N,) by ``weights`` (N,) times ``amount``."""
    for i in range(len(vertices)):
        weight = min(weights[i] * amount, 1.0)
        for k in range(3):
            albedo[vertices[i], k] += weight * (color[k] - albedo[vertices[i], k])


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _fill(albedo, gloss, vertices, parts, palette):
    for i in range(len(vertices)):
        for k in range(3):
            albedo[vertices[i], k] = palette[parts[i], k]
        gloss[vertices[i]] = palette[parts[i], 3]


@cache
def _tiles(kind: str) -> FloatArray:
    """Return a fixed stock of noise, (2 TILES, TILE, TILE times channels).

    Drawing it anew for every face takes longer than rendering the face. The second half are mirrored.
    """
    rng = np.random.default_rng(20180515)
    octaves, channels, base = {"color": (6, 3, 4), "grey": (6, 1, 8), "bump": (4, 2, 16)}[kind]
    tiles = np.stack([fractal(rng, TILE, octaves, channels, base) for _ in range(TILES)])
    if channels == 1:
        tiles = np.repeat(tiles, 3, 3)
    return np.concatenate([tiles, tiles[:, :, ::-1]]).reshape(2 * TILES, TILE, -1)

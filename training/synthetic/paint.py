"""Paint finer than the skin's vertices: brows hair by hair, stubble, freckles, moles, wrinkle lines, lips.

Everything comes from a stock of masks, drawn once per surface, in texels of the chart of the skin (``Surface.coords``,
half a millimetre each, row upwards). A picture only selects, colours and composites them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numba as nb
import numpy as np

from ...model.array_types import AnyArray, FloatArray, IntArray, UInt8Array
from .surface import Surface

PAINT = 512
TEXELS = np.array([2.0, 1.6])  # per mm, upwards and across, at the brows
BROW_TILT = 2.0  # texels that the tail of the line rises over its head, whose hairs stand up and make it look higher
FINER = 4  # masks are drawn this much larger and averaged
VARIANTS = 60


@dataclass(frozen=True, eq=False)
class Mask:
    """Coverage of each texel, (H, W) uint8, and the position of the first row and column in the chart."""

    cover: FloatArray
    row: int
    column: int

    def mirrored(self) -> Mask:
        return Mask(np.ascontiguousarray(self.cover[:, ::-1]), self.row, PAINT - self.column - self.cover.shape[1])


@dataclass(frozen=True, eq=False)
class Brows:
    """One person's painted brows, the left and the right.

    Holds a mask of each and its centre ``lines`` (2, 5, 2) from the nose outwards, in texels (column, row) of the
    chart. Holds also how far each is laid from there, (rows, columns).
    """

    masks: tuple[Mask, Mask]
    lines: IntArray
    shifts: tuple[tuple[int, int], tuple[int, int]]

    def landmarks(self) -> FloatArray:
        """Positions of iBUG's points 17 to 26 in the chart, (10, 2) texels (column, row)."""
        left, right = self.lines + np.array(self.shifts)[:, None, ::-1]
        return np.concatenate([right[::-1], left])


@dataclass(frozen=True, eq=False)
class _Stock:
    brows: list[tuple[tuple[Mask, Mask], FloatArray]]
    stubble: list[Mask]
    moustaches: list[Mask]
    goatees: list[Mask]
    freckles: list[Mask]
    furrows: list[Mask]
    lip_lines: list[Mask]
    lip_parting: Mask
    lip_border: Mask
    wings: list[tuple[Mask, Mask]]
    liners: list[tuple[Mask, Mask]]
    creases: list[tuple[Mask, Mask]]
    lash_shade: tuple[Mask, Mask]
    lashes: list[tuple[Mask, Mask]]
    dimples: list[Mask]


@nb.njit(fastmath=True, cache=True)
def _lay(paint, cover, row, column, blue, green, red, strength):
    scale = np.float32(strength / 255.0)
    byte, one, half = np.float32(255), np.float32(1), np.float32(0.5)
    for i in range(cover.shape[0]):
        y = i + row
        if y < 0 or y >= paint.shape[0]:
            continue
        for j in range(cover.shape[1]):
            x = j + column
            if cover[i, j] == 0 or x < 0 or x >= paint.shape[1]:
                continue
            over = cover[i, j] * scale
            under = paint[y, x, 3] / byte * (one - over)
            part = over / (over + under)
            paint[y, x, 0] = np.uint8(paint[y, x, 0] + part * (blue - paint[y, x, 0]) + half)
            paint[y, x, 1] = np.uint8(paint[y, x, 1] + part * (green - paint[y, x, 1]) + half)
            paint[y, x, 2] = np.uint8(paint[y, x, 2] + part * (red - paint[y, x, 2]) + half)
            paint[y, x, 3] = np.uint8(min(byte, (over + under) * byte + half))


def lay(paint: UInt8Array, mask: Mask, color: FloatArray, strength: float, shift: tuple[int, int] = (0, 0)) -> None:
    """Lay ``color`` (BGR 0..1) over ``paint`` (PAINT, PAINT, 4) where the mask covers it, ``strength`` 0..1."""
    if strength <= 0:
        return
    b, g, r = (np.float32(min(max(255.0 * float(c), 0.0), 255.0)) for c in color)
    _lay(paint, mask.cover, mask.row + shift[0], mask.column + shift[1], b, g, r, np.float32(min(strength, 1.0)))


def paint_skin(
    rng: np.random.Generator,
    surface: Surface,
    skin: FloatArray,
    hair: FloatArray,
    freckled: float,
    beard: float,
    furrows: FloatArray,
    dimpled: float,
    brows: Brows,
    lashes: float,
    liner: float,
    shade: tuple[float, float],
) -> UInt8Array:
    """Paint (PAINT, PAINT, 4) uint8 BGRA over a skin of colour ``skin`` (3,).

    freckled  0..1, how freckled;  beard  0..1, how densely hair of colour ``hair`` covers chin and cheeks
    furrows   (W,) depth 0..~1.4 of each furrow of ``surface``;  dimpled  0..1, how pebbled a chin that is pushed up
    lashes    0..1, how dark the lower lids' lashes are;  liner  0..1, how dark a line along the upper lids
    shade     0..1, how dark it is under the lashes of the left and the right eye, which hang before a lid that is shut
    """
    paint = np.zeros((PAINT, PAINT, 4), np.uint8)
    stock = _stock(surface)
    if freckled:
        mask = _one(rng, stock.freckles)
        lay(paint, mask, skin * [0.45, 0.55, 0.75], freckled, _jitter(rng, 6))
    _paint_marks(rng, paint, surface, skin)
    dark = skin * [0.3, 0.32, 0.45]
    jitters = rng.integers(-1, 2, (len(furrows), 2))  # of all: a person's looks must not depend on the expression
    for k in np.flatnonzero(furrows > 0.14):
        lay(paint, stock.furrows[k], dark, min(0.9, 0.9 * furrows[k]), (int(jitters[k, 0]), int(jitters[k, 1])))
    chin = _one(rng, stock.dimples)
    if dimpled > 0.1:
        lay(paint, chin, dark, 0.6 * dimpled)
    _paint_lips(rng, paint, stock, skin)
    if beard:
        kind = rng.random()
        masks = stock.stubble if kind < 0.6 else stock.goatees if kind < 0.8 else stock.moustaches
        lay(paint, _one(rng, masks), hair * rng.uniform(0.5, 1), beard, _jitter(rng, 2))
    if rng.random() < 0.96:
        strength = rng.uniform(0.55, 1) if rng.random() < 0.65 else rng.uniform(0.1, 0.55)
        color = hair * rng.uniform(0.4, 1.1)
        for mask, shift in zip(brows.masks, brows.shifts, strict=True):
            lay(paint, mask, color, strength, shift)
    fold = rng.uniform(0.05, 0.6) if rng.random() < 0.75 else 0.0  # some lids have none
    for mask in _one(rng, stock.creases):
        lay(paint, mask, skin * [0.4, 0.4, 0.5], fold)
    for mask in _one(rng, stock.liners):
        lay(paint, mask, skin * 0.08, liner)
    for mask, depth in zip(stock.lash_shade, shade, strict=True):
        lay(paint, mask, skin * 0.1, depth)
    for mask in _one(rng, stock.lashes):
        lay(paint, mask, skin * 0.15, lashes)
    if rng.random() < 0.06:  # a line drawn beyond the lids' outer corner
        for mask in _one(rng, stock.wings):
            lay(paint, mask, skin * 0.1, rng.uniform(0.6, 1))
    return paint


def drawn_brows(surface: Surface) -> list[tuple[tuple[Mask, Mask], FloatArray]]:
    """Masks of a left and a right brow, and the middle line (5, 2) of the left one in texels."""
    return _stock(surface).brows


def _jitter(rng: np.random.Generator, most: int) -> tuple[int, int]:
    return round(rng.uniform(-most, most)), round(rng.uniform(-most, most))


def _one(rng: np.random.Generator, stock: list[Any]) -> Any:
    return stock[int(rng.random() * len(stock))]


def _paint_marks(rng: np.random.Generator, paint: UInt8Array, surface: Surface, skin: FloatArray) -> None:
    """Moles and pimples."""
    if rng.random() < 0.5:
        return
    for _ in range(int(rng.uniform(1, 6))):
        row, column = round(rng.uniform(110, 470)), round(rng.uniform(90, 422))
        mole = rng.random() < 0.6
        color = skin * ([0.3, 0.35, 0.45] if mole else [0.7, 0.6, 1.05])
        lay(paint, Mask(_one(rng, _dots()), row, column), color, rng.uniform(0.3, 1))


@cache
def _dots() -> list[FloatArray]:
    out = []
    for radius in (1.0, 1.4, 1.9, 2.6, 3.4):
        side = 2 * int(radius + 2) + 1
        y, x = np.mgrid[:side, :side] - side // 2
        out.append((255 * np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)).astype(np.uint8))
    return out


def _paint_lips(rng: np.random.Generator, paint: UInt8Array, stock: _Stock, skin: FloatArray) -> None:
    """Draw the dark line where lips meet, fine cracks, and a border round the lips."""
    lay(paint, stock.lip_parting, skin * [0.12, 0.12, 0.22], rng.uniform(0, 0.9))
    lay(paint, _one(rng, stock.lip_lines), skin * [0.3, 0.28, 0.45], rng.uniform(0, 0.5))
    if rng.random() < 0.25:
        lay(paint, stock.lip_border, skin * [0.45, 0.4, 0.6], rng.uniform(0.1, 0.7))


@cache
def _front(surface: Surface) -> IntArray:
    """Which triangle of the skin lies at each texel of the chart, (PAINT, PAINT) int32, -1 where none does."""
    corners = surface.triangles
    ahead = (surface.skin[corners] > 0).all(1) & (surface.normals[corners, 2] > 0).all(1)
    front = np.flatnonzero(ahead)
    depth = surface.model.neutral[corners[front], 2].mean(1)
    picture = np.full((PAINT, PAINT), -1, np.int32)
    points = np.round(surface.coords[corners] * PAINT * 16).astype(np.int32)
    for i in front[np.argsort(depth)].tolist():  # nearer triangles are drawn last
        cv2.fillConvexPoly(picture, points[i], i, cv2.LINE_8, 4)
    return picture


def on_skin(surface: Surface, texels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Map places (N, 2) in the chart, texels (column, row), to the skin.

    Returns corners (N, 3) of the skin's triangles and weights (N, 3) that sum to one.
    """
    column, row = np.clip(np.round(texels), 0, PAINT - 1).astype(int).T
    corners = surface.triangles[_front(surface)[row, column]]
    a, b, c = surface.coords[corners].astype(np.float64).transpose(1, 0, 2) * PAINT
    edges, away = np.stack([b - a, c - a], 2), texels - a
    second = np.linalg.solve(edges, away[..., None])[..., 0]
    return corners, np.column_stack([1 - second.sum(1), second])


@cache
def _stock(surface: Surface) -> _Stock:
    rng = np.random.default_rng(20180515)
    landmarks = surface.coords[surface.model.landmarks] * PAINT
    chin = _chart_of(surface, np.minimum(surface.beard + surface.moustache, 1))
    moustache = _chart_of(surface, surface.moustache)
    column = np.abs(np.arange(PAINT) - PAINT / 2)
    goatee = np.maximum(chin * (column < 38), moustache)
    return _Stock(
        brows=[(_pair(mask), line) for mask, line in (_brow(rng, landmarks[22:27]) for _ in range(VARIANTS))],
        stubble=[_stubble(rng, chin) for _ in range(6)],
        moustaches=[_stubble(rng, moustache) for _ in range(4)],
        goatees=[_stubble(rng, goatee) for _ in range(4)],
        freckles=[_freckles(rng, landmarks) for _ in range(8)],
        furrows=[_furrow(rng, line * PAINT, width) for line, width in surface.furrow_lines],
        lip_lines=[_lip_cracks(rng, _chart_of(surface, surface.lips)) for _ in range(6)],
        lip_parting=_parting(landmarks),
        lip_border=_border(_chart_of(surface, surface.lips)),
        wings=[_pair(_wing(rng, landmarks[45])) for _ in range(6)],
        lashes=[_pair(_lower_lashes(rng, landmarks[[42, 47, 46, 45]])) for _ in range(12)],
        dimples=[_dimples(rng, landmarks[8]) for _ in range(4)],
        liners=[_pair(_liner(rng, landmarks[42:46])) for _ in range(8)],
        creases=[_pair(_crease(rng, landmarks[42:46])) for _ in range(12)],
        lash_shade=_pair(_lash_shade(landmarks[[42, 47, 46, 45]])),
    )


def _pair(mask: Mask) -> tuple[Mask, Mask]:
    return mask, mask.mirrored()


def _cut(canvas: AnyArray, row: int = 0, column: int = 0) -> Mask:
    """Return the part of a chart-sized drawing that is not empty."""
    canvas = np.clip(canvas, 0, 255).astype(np.uint8)
    rows, columns = np.flatnonzero(canvas.any(1)), np.flatnonzero(canvas.any(0))
    if not len(rows):
        return Mask(np.zeros((1, 1), np.uint8), row, column)
    cover = np.ascontiguousarray(canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return Mask(cover, row + int(rows[0]), column + int(columns[0]))


def _chart_of(surface: Surface, mask: FloatArray) -> FloatArray:
    """Return a mask of vertices (V,) as a picture of the chart, (PAINT, PAINT) float32 0..1."""
    corners = surface.triangles[(mask[surface.triangles].max(1) > 0.02)]
    picture = np.zeros((PAINT, PAINT), np.float32)
    points = surface.coords[corners] * PAINT
    for p, value in zip(points.round().astype(np.int32), mask[corners].mean(1).tolist(), strict=True):
        cv2.fillConvexPoly(picture, p, value)
    soft: FloatArray = cv2.GaussianBlur(picture, (0, 0), 1.5)
    return soft


def _strokes(rng: np.random.Generator, canvas: AnyArray, lines: FloatArray, thick: tuple[int, int]) -> None:
    """Draw polylines (N, K, 2) in texels onto a canvas that is FINER times larger."""
    fixed = np.round(lines * FINER * 16).astype(np.int32)
    for line in fixed:
        value = float(rng.uniform(120, 255))
        width = int(rng.integers(thick[0], thick[1] + 1))
        cv2.polylines(canvas, [line.reshape(-1, 1, 2)], False, value, width, cv2.LINE_AA, 4)


def _brow(rng: np.random.Generator, landmarks: FloatArray) -> tuple[Mask, FloatArray]:
    """Paint the left brow and return five points (5, 2) along its middle.

    Hairs stand up near the nose and lie down towards the temple, over a soft shade.
    """
    origin = np.floor(landmarks.min(0) - [30, 22]).astype(int)
    extent = np.ceil(landmarks.max(0) + [14, 24]).astype(int) - origin
    stretch = np.linspace(rng.uniform(-0.05, 0.11), rng.uniform(0.85, 1.08), 24)
    if rng.random() < 0.02:
        stretch = np.linspace(-0.22, 1, 24)  # brows that nearly meet
    knots = np.linspace(0, 1, 5)
    step = np.column_stack([np.interp(stretch, knots, landmarks[:, k]) for k in range(2)])
    step[:, 0] += np.where(stretch < 0, stretch, np.maximum(stretch - 1, 0)) * 71
    middle = step - origin
    middle[:, 1] += rng.normal(BROW_TILT, 3.5) * (stretch - 0.5)
    middle[:, 1] += rng.uniform(-6, 6) * np.exp(-(((stretch - rng.uniform(0.5, 0.75)) / 0.3) ** 2)) + rng.uniform(-3, 3)
    half = rng.uniform(2.0, 8.5) * np.interp(stretch, [-0.2, 0.1, 0.5, 1.05], [0.75, 1, 0.9, 0.25])
    canvas = np.zeros((extent[1] * FINER, extent[0] * FINER), np.float32)
    count = int(rng.uniform(60, 330))
    at = rng.uniform(0, len(middle) - 1, count)
    low = at.astype(int)
    part = (at - low)[:, None]
    root = middle[low] * (1 - part) + middle[low + 1] * part
    side = rng.uniform(-1, 1, count)
    root[:, 1] += side * half[low]
    along = at / len(middle)
    slope = np.arctan2(*(middle[low + 1] - middle[low]).T[::-1])
    angle = slope + np.radians(np.interp(along, [0, 0.15, 0.5, 1], [85, 55, 25, 5])) - 0.35 * side * (side > 0)
    angle += rng.normal(0, rng.uniform(0.08, 0.35), count)
    length = rng.uniform(5, 15, count) * np.interp(along, [0, 0.3, 1], [0.8, 1, 0.7]) * (0.6 + half.max() / 14)
    way = np.stack([np.cos(angle), np.sin(angle)], 1) * length[:, None]
    bent = np.stack([np.cos(angle - 0.5), np.sin(angle - 0.5)], 1) * length[:, None]
    _strokes(rng, canvas, np.stack([root, root + way * 0.5, root + way * 0.5 + bent * 0.5], 1), (1, 3))
    canvas = cv2.resize(canvas, tuple(int(v) for v in extent), interpolation=cv2.INTER_AREA) * rng.uniform(1.1, 2.2)
    shade = np.zeros(canvas.shape, np.float32)
    outline = np.concatenate([middle + np.c_[0 * half, half], (middle - np.c_[0 * half, half])[::-1]])
    cv2.fillPoly(shade, [np.round(outline * 16).astype(np.int32)], 255.0, cv2.LINE_AA, 4)
    drawn = rng.uniform(0.5, 1) if rng.random() < 0.2 else rng.uniform(0, 0.4)  # a fifth are drawn with a pencil
    shade = cv2.GaussianBlur(shade, (0, 0), rng.uniform(1.0, 3.5)) * drawn
    canvas = np.maximum(canvas, shade)
    # Hairs stand up from their roots, so the visible brow lies a little above them.
    columns = middle[4:-4, 0].astype(int).clip(0, canvas.shape[1] - 1)
    seen = canvas[:, columns]
    above = np.average(np.arange(len(canvas))[:, None] - middle[4:-4, 1], weights=seen + 1e-6)
    line = middle[np.linspace(0, len(middle) - 1, 5).round().astype(int)] + origin
    return _cut(canvas, int(origin[1]) - round(float(above)), int(origin[0])), line


def _stubble(rng: np.random.Generator, where: FloatArray) -> Mask:
    """Hairs end on, thinning out towards the border."""
    tufts = cv2.resize(rng.uniform(0.3, 1.2, (40, 40)).astype(np.float32), (PAINT, PAINT))
    hairs = rng.random((PAINT, PAINT), dtype=np.float32) < 0.75 * np.clip(where * tufts * 1.4, 0, 1)
    dots = cv2.GaussianBlur(hairs.astype(np.float32), (0, 0), 0.5) * rng.uniform(0.7, 1.2)
    cover = 255 * dots * np.clip(where * 3, 0, 1)
    return _cut(cover * (cover > 40))


def _freckles(rng: np.random.Generator, landmarks: FloatArray) -> Mask:
    canvas = np.zeros((PAINT, PAINT), np.float32)
    centre = landmarks[29]
    count = int(rng.uniform(150, 1200))
    places = centre + rng.standard_normal((count, 2)) * [rng.uniform(50, 90), rng.uniform(25, 75)]
    for (x, y), radius in zip(places, rng.gamma(2.5, 0.35, count), strict=True):
        value = float(rng.uniform(60, 255))
        cv2.circle(canvas, (int(x * 16), int(y * 16)), int(16 * min(radius, 3)), value, -1, cv2.LINE_AA, 4)
    eyes = [landmarks[36:42], landmarks[42:48], landmarks[48:60]]
    for outline in eyes:
        cv2.fillConvexPoly(canvas, outline.round().astype(np.int32), 0.0)
    return _cut(canvas)


def _furrow(rng: np.random.Generator, line: AnyArray, width: float) -> Mask:
    """Return a fold: a fine dark line, tapering, in a soft shade of ``width`` mm."""
    t = np.linspace(0, 1, 14)
    knots = np.linspace(0, 1, len(line))
    path = np.column_stack([np.interp(t, knots, line[:, k]) for k in range(2)])
    path = cv2.GaussianBlur(path, (1, 5), 1.2, borderType=cv2.BORDER_REPLICATE) + rng.normal(0, 0.35, path.shape)
    core, soft = np.zeros((PAINT, PAINT), np.float32), np.zeros((PAINT, PAINT), np.float32)
    for k in range(len(path) - 1):
        fade = float(255 * np.sin(np.pi * (k + 0.7) / len(path)) ** 0.5)
        ends = [(int(p[0] * 16), int(p[1] * 16)) for p in path[k : k + 2]]
        cv2.line(core, *ends, fade, 1, cv2.LINE_AA, 4)
        cv2.line(soft, *ends, fade, max(1, round(2 * width)), cv2.LINE_AA, 4)
    core, soft = cv2.GaussianBlur(core, (0, 0), 0.7) * 1.7, cv2.GaussianBlur(soft, (0, 0), 1.5 * width)
    return _cut(np.clip(core + 0.45 * soft, 0, 255) * ((core > 3) | (soft > 12)))


def _lip_cracks(rng: np.random.Generator, lips: FloatArray) -> Mask:
    canvas = np.zeros((PAINT, PAINT), np.float32)
    rows, columns = np.nonzero(lips > 0.5)
    middle = np.array([columns.mean(), rows.mean()])
    for k in rng.integers(len(rows), size=110):
        root = np.array([columns[k], rows[k]], float)
        way = np.array([(root[0] - middle[0]) * 0.05, rng.uniform(2, 5) * np.sign(root[1] - middle[1])])
        ends = [tuple(int(v * 16) for v in p) for p in (root, root + way)]
        cv2.line(canvas, *ends, float(rng.uniform(60, 255)), 1, cv2.LINE_AA, 4)
    return _cut(canvas * (lips > 0.5))


def _parting(landmarks: FloatArray) -> Mask:
    canvas = np.zeros((PAINT, PAINT), np.float32)
    line = np.round(landmarks[[48, 60, 61, 62, 63, 64, 54]] * 16).astype(np.int32)
    cv2.polylines(canvas, [line.reshape(-1, 1, 2)], False, 255.0, 2, cv2.LINE_AA, 4)
    return _cut(cv2.GaussianBlur(canvas, (0, 0), 0.8))


def _border(lips: FloatArray) -> Mask:
    return _cut(255 * np.clip(4 * np.clip(lips, 0, 1) * (1 - np.clip(lips, 0, 1)), 0, 1) ** 2)


def _lower_lashes(rng: np.random.Generator, lid: FloatArray) -> Mask:
    """Below the left lower lid, whose line runs from the nose outwards."""
    count = int(rng.uniform(10, 26))
    at = np.sort(rng.uniform(0.5, 2.9, count))
    root = np.column_stack([np.interp(at, np.arange(4), lid[:, k]) for k in range(2)]) - [0, 1]
    way = np.column_stack([rng.normal(1.5, 1.2, count) * (at - 1), -rng.uniform(2.5, 7, count)])
    canvas = np.zeros((PAINT * FINER, PAINT * FINER), np.uint8)
    _strokes(rng, canvas, np.stack([root, root + way * 0.6 + [0.4, 0], root + way], 1), (1, 3))
    return _cut(1.5 * cv2.resize(canvas, (PAINT, PAINT), interpolation=cv2.INTER_AREA).astype(np.float32))


def _lid_line(lid: FloatArray) -> FloatArray:
    """Along an edge of the left lids from the inner corner outwards, (24, 2), through its four landmarks (4, 2)."""
    along = np.linspace(lid[0, 0], lid[-1, 0], 24)
    return np.column_stack([along, np.polyval(np.polyfit(lid[:, 0], lid[:, 1], 3), along)])


def _liner(rng: np.random.Generator, lid: FloatArray) -> Mask:
    """Return a line drawn above the left upper lashes, broader outwards."""
    edge = _lid_line(lid)[round(rng.uniform(0, 9)) :]
    broad = np.linspace(rng.uniform(0.5, 2.5), rng.uniform(2, 9), len(edge))
    canvas = np.zeros((PAINT, PAINT), np.float32)
    body = np.concatenate([edge - [0, 1.5], (edge + np.column_stack([0 * broad, broad]))[::-1]])
    cv2.fillPoly(canvas, [np.round(body * 16).astype(np.int32)], 255.0, cv2.LINE_AA, 4)
    return _cut(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.5)))


def _lash_shade(lid: FloatArray) -> Mask:
    """Return the edge of the left lower lid and the area just below."""
    canvas = np.zeros((PAINT, PAINT), np.float32)
    line = np.round((_lid_line(lid)[1:-1] - [0, 1]) * 16).astype(np.int32)
    cv2.polylines(canvas, [line], False, 255.0, 4, cv2.LINE_AA, 4)
    return _cut(cv2.GaussianBlur(canvas, (0, 0), 1.2))


def _crease(rng: np.random.Generator, lid: FloatArray) -> Mask:
    """Draw the fold above the left upper lid, also seen when the lid is shut: a fine line in a soft shade."""
    edge = _lid_line(lid)
    along = np.linspace(0, 1, len(edge))
    height = rng.uniform(2, 5.5) * np.sin(np.pi * (0.08 + 0.84 * along)) ** rng.uniform(0.3, 0.9)
    line = edge + np.column_stack([2.5 * (2 * along - 1), height + rng.uniform(0, 1.5)])
    core, soft = np.zeros((PAINT, PAINT), np.float32), np.zeros((PAINT, PAINT), np.float32)
    for canvas, width in ((core, 1), (soft, 5)):
        cv2.polylines(canvas, [np.round(line * 16).astype(np.int32)], False, 255.0, width, cv2.LINE_AA, 4)
    return _cut(
        cv2.GaussianBlur(core, (0, 0), 0.7) * rng.uniform(0.8, 1.6)
        + rng.uniform(0.1, 0.6) * cv2.GaussianBlur(soft, (0, 0), 2.5)
    )


def _wing(rng: np.random.Generator, corner: FloatArray) -> Mask:
    canvas = np.zeros((PAINT, PAINT), np.float32)
    tip = corner + [rng.uniform(8, 20), rng.uniform(-1, 10)]
    body = np.array([corner + [-4, 3], corner + [-3, -1], tip])
    cv2.fillPoly(canvas, [np.round(body * 16).astype(np.int32)], 255.0, cv2.LINE_AA, 4)
    return _cut(cv2.GaussianBlur(canvas, (0, 0), 0.6))


def _dimples(rng: np.random.Generator, chin: FloatArray) -> Mask:
    canvas = np.zeros((PAINT, PAINT), np.float32)
    for x, y in chin + [0, 26] + rng.standard_normal((34, 2)) * [11, 8]:
        cv2.ellipse(
            canvas, (int(x), int(y)), (2, 1), float(rng.uniform(-30, 30)), 0, 360, float(rng.uniform(90, 255)), -1
        )
    return _cut(cv2.GaussianBlur(canvas, (0, 0), 1.0))

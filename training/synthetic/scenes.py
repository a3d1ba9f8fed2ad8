"""Pictures with many heads, for the finder.

Cut-outs are laid over backgrounds. Distractors resemble a face or have the same edges: backs of heads, hands, faces
whose features are wiped away or shuffled, skin-coloured blobs with spots.

Everything is pasted the same way, so that a cut-out's edge does not identify a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...model.array_types import AnyArray, FloatArray, IntArray, UInt8Array
from .background import sample_background
from .cutouts import Cutouts, Place
from .noise import fractal

READABLE = 0.1  # of a face's side: in a scene blurred by more (sigma) faces are labelled unclear
SEEN, HIDDEN = 0.5, 0.3  # visible shares of a face: above the first it counts, below the second a miss is not penalised
MOST_TURN = np.radians(48)
DRAWN = 160  # pixels in which a thumbnail is drawn before it is shrunk
THUMBNAIL_SIDES = (1.0, 1.6)  # of a face's crop, in sides of its thumbnail


@dataclass(frozen=True, eq=False)
class Scene:
    """image (H, W, 3) uint8 BGR.

    faces   (N, 6): centre x, y and side in pixels and angle of the face's crop (``model.camera.Crop``), yaw, pitch
    unclear (M, 3): x, y, side of what is neither a face to be found nor anything else: too much hidden, or too blurred
    """

    image: UInt8Array
    faces: FloatArray
    unclear: FloatArray


@dataclass(frozen=True)
class SceneKind:
    """size (width, height); sides (least, most) in pixels of faces' crops; the most heads and other things in it."""

    size: tuple[int, int]
    sides: tuple[float, float]
    heads: int
    others: int


def sample_scene(rng: np.random.Generator, cutouts: Cutouts, kind: SceneKind, faces: bool = True) -> Scene:
    """Draw a scene; without ``faces`` only distractors."""
    width, height = kind.size
    canvas = _Canvas(_backdrop(rng, width, height, cutouts))
    heads = int(rng.integers(0 if rng.random() < 0.1 else 1, kind.heads + 1)) if faces else 0
    things = ["head"] * heads + ["other"] * int(rng.integers(0 if faces else 1, kind.others + 1))
    least, most = np.log(kind.sides)
    sides = np.exp(rng.uniform(least, most, len(things)))
    order: IntArray | list[int] = np.argsort(sides + sides.mean() * rng.normal(0, 0.3, len(sides))) if things else []
    crowd = rng.random() < 0.25  # heads side by side
    middle = rng.uniform(0, 1, 2)
    for i in order:
        place = middle + rng.normal(0, 0.2, 2) if crowd else rng.uniform(-0.02, 1.02, 2)
        centre = place * [width, height]
        if things[i] == "head":
            _paste_head(rng, canvas, cutouts, centre, sides[i])
        else:
            _paste_other(rng, canvas, cutouts, centre, sides[i])
    image, blur = _photographed(rng, canvas.image)
    found, unclear = [], []
    for label, visible in zip(canvas.labels, canvas.visible(), strict=True):
        clear = blur < READABLE * label[2]
        inside = 0 <= label[0] < width and 0 <= label[1] < height
        if visible >= SEEN and clear and inside:
            found.append(label)
        elif visible >= HIDDEN:
            unclear.append(label[:3])
    return Scene(image, np.array(found).reshape(-1, 6), np.array(unclear).reshape(-1, 3))


def sample_thumbnail(rng: np.random.Generator, cutouts: Cutouts, size: int, face: bool = True) -> Scene:
    """Draw a square picture of ``size`` pixels that a face fills.

    It spans from the cheeks to the hair, at the closest and the widest. Without ``face`` it shows another object as
    large.
    """
    canvas = _Canvas(_backdrop(rng, DRAWN, DRAWN, cutouts))
    centre = DRAWN / 2 + rng.normal(0, 0.04 * DRAWN, 2)
    paste = _paste_head if face else _paste_other
    paste(rng, canvas, cutouts, centre, DRAWN * float(rng.uniform(*THUMBNAIL_SIDES)))
    image, blur = _photographed(rng, cv2.resize(canvas.image, (size, size), interpolation=cv2.INTER_AREA))
    scale = size / DRAWN
    labels = np.array(canvas.labels).reshape(-1, 6)
    labels[:, :2] = (labels[:, :2] + 0.5) * scale - 0.5
    labels[:, 2] *= scale
    clear = (blur < READABLE * labels[:, 2]) & (np.array(canvas.visible()) >= SEEN)
    return Scene(image, labels[clear], labels[~clear, :3])


class _Canvas:
    """A picture, float32 BGR 0..1, with the visible object of each pixel."""

    def __init__(self, image: FloatArray) -> None:
        self.image = image
        self.labels: list[FloatArray] = []
        self._top = np.full(image.shape[:2], -1, np.int32)
        self._wanted: list[int] = []

    def paste(self, picture: FloatArray, matrix: FloatArray, label: FloatArray | None = None) -> None:
        """Paste ``picture`` (S, S, 4), colours times alpha, with ``matrix`` (2, 3) from its pixels to the canvas's."""
        height, width = self.image.shape[:2]
        high, wide = picture.shape[:2]
        corners = matrix @ np.array([[0, wide, 0, wide], [0, 0, high, high], [1, 1, 1, 1]])
        first, last = np.floor(corners.min(1)).astype(int), np.ceil(corners.max(1)).astype(int) + 1
        whole = (int(last[0] - first[0]), int(last[1] - first[1]))
        shifted = matrix - np.array([[0, 0, first[0]], [0, 0, first[1]]])
        placed = cv2.warpAffine(picture, shifted, whole, flags=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = max(first[0], 0), max(first[1], 0), min(last[0], width), min(last[1], height)
        if label is not None:
            y, x = np.ogrid[first[1] : last[1], first[0] : last[0]]
            face = (x - label[0]) ** 2 + (y - label[1]) ** 2 < (0.33 * label[2]) ** 2
            self._wanted.append(max(1, int((face & (placed[..., 3] > 0.5)).sum())))
            self.labels.append(label)
        if x0 < x1 and y0 < y1:
            part = placed[y0 - first[1] : y1 - first[1], x0 - first[0] : x1 - first[0]]
            area = self.image[y0:y1, x0:x1]
            area *= 1 - part[..., 3:]
            area += part[..., :3]
            owner = len(self.labels) - 1 if label is not None else -1
            self._top[y0:y1, x0:x1][part[..., 3] > 0.5] = owner

    def visible(self) -> list[float]:
        """Return the share of each labelled face that is in the picture with nothing before it."""
        y, x = np.ogrid[: self._top.shape[0], : self._top.shape[1]]
        return [
            float(((x - lx) ** 2 + (y - ly) ** 2 < (0.33 * side) ** 2)[self._top == i].sum()) / self._wanted[i]
            for i, (lx, ly, side, *_) in enumerate(self.labels)
        ]


def _paste_head(rng: np.random.Generator, canvas: _Canvas, cutouts: Cutouts, centre: AnyArray, side: float) -> None:
    picture, own = cutouts.face(rng)
    turn = _turn(rng)
    if rng.random() < 0.75:
        _paste_body(rng, canvas, centre, side, turn)
    if rng.random() < 0.5:
        picture, own = picture[:, ::-1], own.mirrored()
    label = np.array([*centre, side, turn + own.angle, own.yaw, own.pitch])
    _paste_cutout(rng, canvas, picture, own, centre, side, turn, label)


def _paste_other(rng: np.random.Generator, canvas: _Canvas, cutouts: Cutouts, centre: AnyArray, side: float) -> None:
    way = rng.random()
    turn = float(rng.uniform(-np.pi, np.pi)) if rng.random() < 0.3 else _turn(rng)
    if way < 0.3:
        picture, own = cutouts.other(rng)
    elif way < 0.6:
        picture, own = cutouts.face(rng)
        picture = _effaced(rng, picture, own)
        if rng.random() < 0.6:
            _paste_body(rng, canvas, centre, side, turn)
    else:
        picture, own = _blob(rng, cutouts)
    if rng.random() < 0.5:
        picture, own = picture[:, ::-1], own.mirrored()
    _paste_cutout(rng, canvas, picture, own, centre, side, turn)


def _turn(rng: np.random.Generator) -> float:
    return float(rng.uniform(-MOST_TURN, MOST_TURN) if rng.random() < 0.5 else rng.normal(0, 0.12))


def _paste_cutout(
    rng: np.random.Generator,
    canvas: _Canvas,
    picture: FloatArray,
    own: Place,
    centre: AnyArray,
    side: float,
    turn: float,
    label: FloatArray | None = None,
) -> None:
    """Lay a cut-out (S, S, 4) uint8 so that its face, at ``own``, lies at ``centre``, ``side`` pixels large."""
    scale = side / (own.side * len(picture))
    if scale < 0.8:  # averaged first, to avoid aliasing of thin objects
        small = max(4, round(len(picture) * scale * 1.15))
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        scale = side / (own.side * small)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    at = np.array([own.x, own.y]) * len(picture) - 0.5
    matrix = np.array([[c, -s, centre[0] - c * at[0] + s * at[1]], [s, c, centre[1] - s * at[0] - c * at[1]]])
    canvas.paste(_toned(rng, picture), matrix, label)


def _toned(rng: np.random.Generator, picture: FloatArray) -> FloatArray:
    """Convert (S, S, 4) uint8 to float32 with premultiplied alpha and vary its tones.

    It becomes brighter, darker or duller. Its edge is softened or pulled in.
    """
    out = picture.astype(np.float32) / 255
    color, alpha = out[..., :3], out[..., 3:]
    if rng.random() < 0.5:
        color = np.clip(color * rng.uniform(0.5, 1.3) + rng.normal(0, 0.05), 0, 1)
    if rng.random() < 0.3:
        grey = color.mean(2, keepdims=True)
        color = grey + (color - grey) * rng.uniform(0, 1)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.003, 0.016) * len(picture)
        alpha = cv2.GaussianBlur(alpha, (0, 0), sigma)[..., None]
        alpha = np.clip((alpha - 0.5) * rng.uniform(1, 2) + rng.uniform(0.2, 0.5), 0, 1)
    return np.concatenate([color * alpha, alpha], 2)


def _effaced(rng: np.random.Generator, picture: FloatArray, own: Place) -> FloatArray:
    """Return a head without a face: features wiped away, shuffled, or turned upside down."""
    size = len(picture)
    side, centre = own.side, np.array([own.x, own.y]) * size
    radius = side * size * rng.uniform(0.32, 0.42)
    way = rng.integers(4)
    color = picture[..., :3].astype(np.float32)
    alpha = picture[..., 3:].astype(np.float32) / 255
    if way == 0:  # smooth
        sigma = rng.uniform(0.15, 0.3) * side * size
        weight = cv2.GaussianBlur(alpha, (0, 0), sigma)[..., None] + 1e-3
        other = cv2.GaussianBlur(color * alpha, (0, 0), sigma) / weight
    elif way == 1:  # shuffled in tiles
        cells = int(rng.integers(2, 5))
        x0, y0 = (int(max(0, c - radius)) for c in centre)
        tile = int(2 * radius) // cells
        other = color.copy()
        spots = [(i, j) for i in range(cells) for j in range(cells)]
        for (i, j), (k, m) in zip(spots, rng.permutation(spots), strict=True):
            source = color[y0 + k * tile : y0 + (k + 1) * tile, x0 + m * tile : x0 + (m + 1) * tile]
            target = other[y0 + i * tile : y0 + (i + 1) * tile, x0 + j * tile : x0 + (j + 1) * tile]
            h, w = min(len(source), len(target)), min(source.shape[1], target.shape[1])
            target[:h, :w] = source[:h, :w]
    elif way == 2:  # one feature's texture everywhere
        matrix = np.array([[0.3, 0, 0], [0, 0.3, 0]])
        matrix[:, 2] = centre + rng.uniform(-0.25, 0.25, 2) * side * size - 0.3 * centre
        other = cv2.warpAffine(
            color, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
        )
    else:  # plain
        inside = picture[int(centre[1]) : int(centre[1]) + 12, int(centre[0]) - 20 : int(centre[0]) + 20, :3]
        level = inside.reshape(-1, 3).mean(0) if inside.size else rng.uniform(0, 255, 3)
        other = level + 40 * fractal(rng, size, 3, 1, 2) * rng.uniform(0, 1)
    gy, gx = np.ogrid[:size, :size]
    away = np.hypot((gx - centre[0]) * 1.15, gy - centre[1]) / radius
    mask = np.clip((1.15 - away) / 0.15, 0, 1)[..., None]
    out = picture.copy()
    out[..., :3] = np.clip(color + mask * (other - color), 0, 255)
    return out


def _blob(rng: np.random.Generator, cutouts: Cutouts, size: int = 96) -> tuple[FloatArray, Place]:
    """Return an egg, a ball or a pebble, shaded, often skin-coloured, with spots or strokes in no face's order."""
    color = cutouts.skin_color(rng) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
    gy, gx = np.ogrid[:size, :size]
    angle = rng.uniform(0, 2 * np.pi)
    image = color * (
        1 + rng.uniform(0, 0.5) * ((gx - size / 2) * np.cos(angle) + (gy - size / 2) * np.sin(angle))[..., None] / size
    )
    image = image + 25 * fractal(rng, size, int(rng.integers(2, 6)), 1, int(rng.integers(1, 7))) * rng.uniform(0, 1)
    image = np.ascontiguousarray(np.clip(image, 0, 255), np.float32)
    for _ in range(rng.integers(0, 8)):
        spot = tuple(int(v) for v in rng.integers(size // 5, 4 * size // 5, 2))
        axes = tuple(int(v) for v in rng.integers(1, size // rng.integers(6, 14), 2))
        shade = (
            tuple(float(v) for v in color * rng.uniform(0, 0.7))
            if rng.random() < 0.7
            else tuple(rng.uniform(0, 255, 3))
        )
        cv2.ellipse(image, spot, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
    mask = np.zeros((size, size), np.float32)
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    power = rng.uniform(2, 5)
    radius = (np.abs(np.cos(around)) ** power + np.abs(np.sin(around)) ** power) ** (-1 / power)
    for harmonic in range(2, 6):
        radius = radius * (1 + rng.normal(0, 0.06) * np.cos(harmonic * around + rng.uniform(0, 2 * np.pi)))
    outline = np.stack([np.cos(around) * rng.uniform(0.55, 1), np.sin(around)], 1) * radius[:, None] * 0.36 * size
    cv2.fillPoly(mask, [np.round(outline + size / 2).astype(np.int32)], 255.0, cv2.LINE_AA)
    picture = np.concatenate([image, mask[..., None]], 2)
    return np.clip(picture, 0, 255).astype(np.uint8), Place(0.5, 0.5, float(rng.uniform(0.6, 0.9)), 0, 0, 0)


def _paste_body(rng: np.random.Generator, canvas: _Canvas, centre: AnyArray, side: float, turn: float) -> None:
    """Shoulders and a chest: a rounded shape in some cloth."""
    size = 64
    cloth = np.empty((size, size, 3), np.float32)
    cloth[:] = rng.uniform(0, 1, 3) if rng.random() < 0.5 else rng.uniform(0, 1)
    if rng.random() < 0.5:
        cloth += fractal(rng, size, 4, 1, int(rng.integers(2, 10))) * rng.uniform(0.02, 0.2)
    if rng.random() < 0.25:
        wave = np.sin(np.arange(size) * rng.uniform(0.3, 2)) * rng.uniform(0.05, 0.3)
        cloth += (wave[:, None] if rng.random() < 0.5 else wave[None])[..., None].astype(np.float32)
    mask = np.zeros((size, size), np.float32)
    wide, top = rng.uniform(20, 30), rng.uniform(2, 10)
    cv2.ellipse(mask, (32, int(top) + 22), (int(wide), 22), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    cv2.rectangle(mask, (int(32 - wide), int(top) + 22), (int(32 + wide), size), 1.0, -1)
    picture = np.concatenate([np.clip(cloth, 0, 1) * mask[..., None], mask[..., None]], 2)
    scale = side * rng.uniform(2.2, 3.0) / size
    c, s = scale * np.cos(turn * 0.5), scale * np.sin(turn * 0.5)
    neck = centre + 0.72 * side * np.array([-np.sin(turn), np.cos(turn)])
    at = np.array([32, top])
    matrix = np.array([[c, -s, neck[0] - c * at[0] + s * at[1]], [s, c, neck[1] - s * at[0] - c * at[1]]])
    canvas.paste(picture.astype(np.float32), matrix)


def _backdrop(rng: np.random.Generator, width: int, height: int, cutouts: Cutouts) -> FloatArray:
    """Return a backdrop, (H, W, 3) float32.

    It is one of the engine's backgrounds or a collage of them, texts, or a piece of skin or hair, enlarged.
    """
    longer = max(width, height)
    image = sample_background(rng, longer)[:height, :width]
    for _ in range(rng.integers(0, 4) if rng.random() < 0.4 else 0):
        w, h = (int(v) for v in rng.uniform(0.15, 0.7, 2) * longer)
        x, y = int(rng.integers(-w // 2, width - w // 3)), int(rng.integers(-h // 2, height - h // 3))
        area = image[max(0, y) : y + h, max(0, x) : x + w]
        if rng.random() < 0.3:
            picture = cutouts.face(rng)[0][40:120, 40:120, :3].astype(np.float32) / 255
            corner = rng.integers(0, 56, 2)
            piece = picture[corner[0] : corner[0] + 24, corner[1] : corner[1] + 24]
            area[:] = cv2.resize(piece, area.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        else:
            area[:] = cv2.resize(sample_background(rng, 96), area.shape[1::-1])
    image = np.ascontiguousarray(np.clip(image, 0, 1))
    if rng.random() < 0.15:
        _write(rng, image)
    return image


def _write(rng: np.random.Generator, image: FloatArray) -> None:
    """Draw lines of text, a frequent false positive of detectors of small faces."""
    height, width = image.shape[:2]
    scale, font = float(np.exp(rng.uniform(np.log(0.25), np.log(2)))), int(rng.integers(0, 8))
    color = tuple(
        float(c) for c in (rng.uniform(0, 1, 3) if rng.random() < 0.5 else np.full(3, rng.choice([0.05, 0.95])))
    )
    x, y = int(rng.integers(-20, width // 2)), int(rng.integers(0, height))
    for line in range(rng.integers(1, 8)):
        text = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(2, 30)))
        cv2.putText(
            image, text, (x, y + int(line * 30 * scale)), font, scale, color, int(rng.integers(1, 4)), cv2.LINE_AA
        )


def _photographed(rng: np.random.Generator, image: FloatArray) -> tuple[UInt8Array, float]:
    """uint8 as a camera and a codec would give it, and the blur's sigma in pixels."""
    height, width = image.shape[:2]
    blur = 0.0
    if rng.random() < 0.3:
        blur = float(rng.uniform(0.3, 2.5))
        image = cv2.GaussianBlur(image, (0, 0), blur)
    if rng.random() < 0.15:  # enlarged from less
        share = float(rng.uniform(0.4, 0.9))
        small = cv2.resize(
            image, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA
        )
        image = cv2.resize(
            small, (width, height), interpolation=cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
        )
        blur = float(np.hypot(blur, 0.4 / share))
    if rng.random() < 0.35:
        image = np.clip(image, 0, 1) ** rng.uniform(0.6, 1.8) * rng.uniform(0.15 if rng.random() < 0.4 else 0.6, 1.15)
    if rng.random() < 0.3:  # light falls off, or a lamp shines in
        corner = rng.uniform(0.35, 1.2, (2, 2, 1)).astype(np.float32)
        image = image * cv2.resize(corner, (width, height))[..., None]
    if rng.random() < 0.3:
        grey = image.mean(2, keepdims=True)
        image = grey + (image - grey) * rng.choice([0.0, rng.uniform(0, 0.8)])
        image = image * np.exp(rng.normal(0, 0.05, 3))
    if rng.random() < 0.5:
        grain = rng.standard_normal((height, width, 1 if rng.random() < 0.5 else 3), dtype=np.float32)
        image = image + grain * np.float32(min(0.08, rng.exponential(0.02)))
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.5:
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 96))])[1]
        out = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return out, blur

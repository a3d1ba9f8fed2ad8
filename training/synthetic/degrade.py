"""Degradation by cameras, codecs and low resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...model.array_types import FloatArray, UInt8Array
from .background import blurred, saturation
from .noise import grain

SMALLEST, SMALL = 8, 48  # pixels across the crop of a distant face, or of one in a small picture
NATURAL = 80  # pixels across the crop that a natural picture has at least
THUMBNAIL_SHARE = 0.2  # of the small pictures: the face fills the picture, as in an avatar
THUMBNAIL_EDGE = (0.0, 0.2)  # where such a picture ends, in sides of the crop; a face's cheeks are at 0.14


@dataclass(frozen=True, eq=False)
class Degraded:
    """A degraded picture and its properties.

    image is (size, size, 3) uint8. ``detail`` is the number of real pixels across it. ``covered`` (top, bottom, left,
    right) counts the rows and columns of borders, which show nothing of the scene.
    """

    image: UInt8Array
    detail: float
    covered: tuple[int, int, int, int]


def develop(rng: np.random.Generator, image: FloatArray, natural: bool = False) -> FloatArray:
    """Convert a linear-ish render to display values.

    Applies exposure, tone curve, white balance, contrast and saturation. In a ``natural`` picture all of them are close
    to correct.
    """
    spread = 0.5 if natural else 1.0
    gain = np.exp(rng.normal(0.05, 0.18 * spread) + rng.normal(0, 0.04, 3))
    image = np.maximum(cv2.transform(image, np.diag(gain)), 0)
    image = cv2.pow(np.minimum(image, 4, out=image), rng.uniform(0.6, 1.15))
    if rng.random() < 0.5:
        image /= 1 + np.float32(rng.uniform(0, 0.35)) * image  # highlights roll off
    contrast = rng.uniform(0.7, 1.25) if not natural else rng.uniform(0.85, 1.2)
    lift = 0.5 - 0.5 * contrast + rng.normal(0, 0.05 * spread)
    way = rng.random()
    least, grey = (0.7, 0.08) if natural else (0.3, 0.15)
    color = 0.0 if way < grey else rng.uniform(least, 1.15) if way < 0.66 else 1.0
    mix = np.column_stack([saturation(color) * contrast, np.full(3, lift)])
    developed: FloatArray = np.clip(cv2.transform(image, mix), 0, 1)
    return developed


def degrade(rng: np.random.Generator, image: FloatArray, natural: bool = False) -> Degraded:
    """Degrade (size, size, 3) float32 0..1 to uint8: blur, motion, shrinking, noise, JPEG, black borders.

    A ``natural`` picture keeps at least ``NATURAL`` pixels of detail.
    """
    if natural:
        return _natural(rng, image)
    size = len(image)
    spread = 0.0  # blur of a point: variance in pixels, in units of a pixel's own
    if rng.random() < 0.2:
        sigma = rng.uniform(0.5, 2.4) * size / 192
        image = blurred(image, sigma)
        spread += (2.5 * sigma) ** 2  # points this many pixels apart are still resolved after a Gaussian blur
    if rng.random() < 0.1:
        length = int(rng.integers(2, max(4, size // 14)))
        image = _motion(rng, image, length)
        spread += (length**2 - 1) / 2  # along one of two directions
    top = bottom = left = right = 0
    if rng.random() < 0.27:
        most = min(SMALL, size) if rng.random() < 0.5 else size
        small = int(np.exp(rng.uniform(np.log(SMALLEST), np.log(most))))
        if rng.random() < THUMBNAIL_SHARE:
            image, (top, bottom, left, right) = _thumbnail(rng, image, small)
        else:
            up = rng.random()
            way = cv2.INTER_LINEAR if up < 0.5 else cv2.INTER_CUBIC if up < 0.95 else cv2.INTER_NEAREST
            tiny = _saved(rng, cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA))
            image = cv2.resize(tiny, (size, size), interpolation=way)
        spread += (size / small) ** 2 - 1
    if not (top or bottom or left or right) and rng.random() < 0.1:
        cut_off = rng.integers(0, size // 3, 4) * (rng.random(4) < 0.4)
        framed = rng.integers(size // 12, size // 5, 4)  # a picture barely larger than the face
        top, bottom, left, right = (cut_off if rng.random() < 0.6 else framed).tolist()
        for edge in (image[:top], image[size - bottom :], image[:, :left], image[:, size - right :]):
            edge[:] = 0
    if rng.random() < 0.5:
        image = _noisy(rng, image)
    out = cv2.convertScaleAbs(np.maximum(image, 0), alpha=255)
    if rng.random() < 0.45:
        out = _coded(rng, out)
    return Degraded(out, float(size / np.sqrt(1 + spread)), (top, bottom, left, right))


def _natural(rng: np.random.Generator, image: FloatArray) -> Degraded:
    """Degrade as a webcam, a telephone or a film camera that points at the face."""
    size, detail = len(image), float(len(image))
    if rng.random() < 0.3 and size > NATURAL:
        small = int(rng.integers(NATURAL, size))
        tiny = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image, detail = cv2.resize(tiny, (size, size), interpolation=cv2.INTER_LINEAR), float(small)
    elif rng.random() < 0.3:
        image = blurred(image, rng.uniform(0.3, 0.6) * size / 128)  # still resolves 80 pixels
    if rng.random() < 0.5:
        image = _noisy(rng, image)
    out = cv2.convertScaleAbs(np.maximum(image, 0), alpha=255)
    if rng.random() < 0.45:
        out = _coded(rng, out, least=50)
    return Degraded(out, detail, (0, 0, 0, 0))


def undegraded(image: FloatArray) -> Degraded:
    """Return the picture without degradation."""
    return Degraded(cv2.convertScaleAbs(np.maximum(image, 0), alpha=255), float(len(image)), (0, 0, 0, 0))


def _thumbnail(rng: np.random.Generator, image: FloatArray, small: int) -> tuple[FloatArray, tuple[int, int, int, int]]:
    """Return the picture as a crop of a file that the face fills, and the borders outside the file.

    The crop is ``small`` pixels across. Outside the file it is black, blended over one of the file's pixels
    (``model.cutting.cut``), or repeats the outermost pixels.
    """
    size = len(image)
    top, bottom, left, right = (rng.uniform(*THUMBNAIL_EDGE, 4) * size).astype(int).tolist()
    inside = image[top : size - bottom, left : size - right]
    high, wide = (max(2, round(n * small / size)) for n in inside.shape[:2])
    tiny = _saved(rng, cv2.resize(inside, (wide, high), interpolation=cv2.INTER_AREA))
    x, y = inside.shape[1] / wide, inside.shape[0] / high  # pixels of the crop per pixel of the file
    matrix = np.array([[x, 0, left + (x - 1) / 2], [0, y, top + (y - 1) / 2]])
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    out = cv2.warpAffine(tiny, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return out, (top, bottom, left, right)


def _saved(rng: np.random.Generator, tiny: FloatArray) -> FloatArray:
    """Degrade a small picture, (H, W, 3) float32 0..1, by noise of its own pixels, or code it at this size."""
    if rng.random() < 0.5:
        tiny = _noisy(rng, tiny)
    if rng.random() < 0.25:
        tiny = _coded(rng, cv2.convertScaleAbs(np.maximum(tiny, 0), alpha=255)).astype(np.float32) / 255
    return tiny


def _coded(rng: np.random.Generator, image: UInt8Array, least: int = 18) -> UInt8Array:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(least, 96))])[1]
    decoded: UInt8Array = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return decoded


def _noisy(rng: np.random.Generator, image: FloatArray) -> FloatArray:
    level = np.float32(rng.exponential(0.01))
    return image + level * grain(rng, *image.shape[:2], 1 if rng.random() < 0.5 else 3)


def _motion(rng: np.random.Generator, image: FloatArray, length: int) -> FloatArray:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    moved: FloatArray = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))
    return moved

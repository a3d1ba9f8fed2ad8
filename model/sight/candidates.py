"""Face candidates: FinderNet over an image pyramid. ``finder.py`` verifies the candidates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..array_types import UInt8Array
from ..camera import Crop
from ..errors import InputError
from ..networks.architectures import CELL, GRAIN, UNIT_SIDE, FinderConfig, as_config
from ..networks.opencv_engine.graphs import Tensors
from ..networks.opencv_engine.networks import LightFinder
from ..networks.weights.open_pack import OPEN_FINDER, load_open
from ..opencv import cv2

LEAST_LEVEL = 32  # pixels of a picture's longer side under which it is not halved again
LEAST_SIDE, MOST_SIDE = 12.0, 84.0  # of crops that FinderNet reads well, in pixels of a level


@dataclass(frozen=True)
class Candidate:
    """A face's own crop as FinderNet estimates it, and its confidence, 0..1."""

    crop: Crop
    confidence: float


def candidates(image: UInt8Array, longer_side: int, least: float, path: Path = OPEN_FINDER) -> list[Candidate]:
    """Return face candidates in an image (H, W, 3) uint8 BGR, the most confident first.

    The image is first shrunk to ``longer_side`` pixels. Faces under a twentieth of that are not found. ``least`` is
    the minimum confidence. Two pyramid levels can both return the same face.
    """
    height, width = image.shape[:2]
    shrink = min(1.0, longer_side / max(height, width))
    found = []
    level = image
    while True:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        if size != (level.shape[1], level.shape[0]):
            level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        found += _in_level(level, width / size[0], height / size[1], least, path)
        shrink /= 2
        if max(size) < 2 * LEAST_LEVEL:
            return sorted(found, key=lambda c: -c.confidence)


def _in_level(level: UInt8Array, x_scale: float, y_scale: float, least: float, path: Path) -> list[Candidate]:
    """Return the candidates of one pyramid level, in pixels of the image, which is larger by the scales."""
    high, wide = level.shape[:2]
    pixels = np.zeros((1, 3, high + -high % GRAIN, wide + -wide % GRAIN), np.float32)
    pixels[:, :, :high, :wide] = cv2.dnn.blobFromImage(level, 1 / 127.5, mean=(127.5, 127.5, 127.5))
    out = _network(path)(pixels)
    confidence = 1 / (1 + np.exp(-out[0]))
    around = cv2.dilate(confidence, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((confidence >= least) & (confidence == around))
    cells = np.stack([columns, rows, confidence[rows, columns], *out[1:, rows, columns]], 1).astype(np.float64)
    found = []
    for column, row, sure, dx, dy, log_side, sine, cosine in cells:
        side = UNIT_SIDE * float(np.exp(np.clip(log_side, -3, 3)))
        if LEAST_SIDE <= side <= MOST_SIDE:
            # The centre of a pixel is a whole number, here and in the image.
            x = ((column + 0.5 + dx) * CELL * x_scale) - 0.5
            y = ((row + 0.5 + dy) * CELL * y_scale) - 0.5
            crop = Crop(float(x), float(y), side * float(np.sqrt(x_scale * y_scale)), float(np.arctan2(sine, cosine)))
            found.append(Candidate(crop, float(sure)))
    return found


@cache
def _network(path: Path) -> LightFinder:
    """Return FinderNet with its weights.

    It always runs by OpenCV on the CPU, which is faster than torch for it. The network is too small to gain from
    other hardware.
    """
    header, tensors, _ = load_open(path, ["finder"])
    try:
        return LightFinder(Tensors(path, tensors), as_config(FinderConfig, header.config))
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: the header's config does not describe a network ({error})") from error

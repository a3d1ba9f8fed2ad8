"""Where faces may be: FinderNet over a picture and its halves, for ``finder.py`` to look at more closely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .camera import Crop
from .checkpoints.weights import load_weights
from .errors import InputError
from .estimator import ready_to_run
from .networks.finder import CELL, GRAIN, UNIT_SIDE, FinderNet
from .networks.loading import loaded
from .opencv import cv2

OPEN_FINDER = Path(__file__).parent / "data" / "open_finder.safetensors"
LEAST_LEVEL = 32  # pixels of a picture's longer side under which it is not halved again
LEAST_SIDE, MOST_SIDE = 12.0, 84.0  # of crops that FinderNet reads well, in pixels of a level


@dataclass(frozen=True)
class Candidate:
    """A face's own crop as far as FinderNet can tell, and its confidence, 0..1."""

    crop: Crop
    confidence: float


def candidates(image: np.ndarray, longer_side: int, least: float, path: Path = OPEN_FINDER) -> list[Candidate]:
    """What looks like a face in an image (H, W, 3) uint8 BGR, the surest first.

    The image is first shrunk to ``longer_side`` pixels: faces under a twentieth of that are not found. ``least`` is
    the confidence asked for. One face may be seen in two halves of the pyramid, and is then there twice.
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


def _in_level(level: np.ndarray, x_scale: float, y_scale: float, least: float, path: Path) -> list[Candidate]:
    """Candidates in one picture of the pyramid, in pixels of the image, which is larger by the scales."""
    with torch.inference_mode():
        pixels = torch.from_numpy(level).permute(2, 0, 1)[None].float().div_(127.5).sub_(1.0)
        high, wide = pixels.shape[2:]
        pixels = F.pad(pixels, (0, -wide % GRAIN, 0, -high % GRAIN)).contiguous(memory_format=torch.channels_last)
        out = _network(path)(pixels)[0]
        confidence = out[0].sigmoid()
        peaks = (confidence >= least) & (confidence == F.max_pool2d(confidence[None], 3, 1, 1)[0])
        rows, columns = torch.nonzero(peaks, as_tuple=True)
        cells = torch.stack([columns, rows, confidence[peaks], *out[1:, peaks]], 1).double().numpy()
    found = []
    for column, row, sure, dx, dy, log_side, sine, cosine in cells:
        side = UNIT_SIDE * float(np.exp(np.clip(log_side, -3, 3)))
        if LEAST_SIDE <= side <= MOST_SIDE:
            # The middle of a pixel is a whole number, here and in the image.
            x = ((column + 0.5 + dx) * CELL * x_scale) - 0.5
            y = ((row + 0.5 + dy) * CELL * y_scale) - 0.5
            crop = Crop(float(x), float(y), side * float(np.sqrt(x_scale * y_scale)), float(np.arctan2(sine, cosine)))
            found.append(Candidate(crop, float(sure)))
    return found


@cache
def _network(path: Path) -> nn.Module:
    """FinderNet with its weights, on the CPU: it is too small to gain from anything else."""
    if not path.is_file():
        raise InputError(f"{path}: the finder's weights are missing: install the extension again")
    header, tensors = load_weights(path)
    if header.architecture != "finder":
        raise InputError(f"{path}: architecture {header.architecture!r} finds no faces; 'finder' does")
    network = loaded(path, header, tensors, lambda: FinderNet(header.config))
    return ready_to_run(network, torch.device("cpu"))

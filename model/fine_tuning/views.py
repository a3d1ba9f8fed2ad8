"""Several views of one face, which all show the same expression: mirrored, moved, blurred, and in other light."""

from __future__ import annotations

import numpy as np

from ..array_types import UInt8Array
from ..camera import Crop
from ..networks.cutting import cut
from ..opencv import cv2

VIEWS = 6  # the first is the plain crop, the second its mirror image
SHIFT, SCALE, TURN = 0.03, 0.05, 0.05  # deviations: sides of the crop, logarithm, radians
GAIN, GAMMA = 0.15, 0.15  # deviations of logarithms
SMALLEST = 0.8  # of its size: how far a view is shrunk


def views_of(image: UInt8Array, crop: Crop, size: int, rng: np.random.Generator) -> UInt8Array:
    """Return (VIEWS, size, size, 3) uint8 BGR; every second one is mirrored."""
    plain = cut(image, crop, size)
    views = [plain, plain[:, ::-1]]
    while len(views) < VIEWS:
        dx, dy = rng.normal(0, SHIFT, 2)
        moved = crop.moved(float(dx), float(dy), float(rng.normal(0, SCALE)), float(rng.normal(0, TURN)))
        view = _changed(cut(image, moved, size), rng)
        views.append(view[:, ::-1] if len(views) % 2 else view)
    return np.stack(views)


def mirrored(view: int) -> bool:
    return view % 2 == 1


def _changed(view: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    size = len(view)
    small = int(size * rng.uniform(SMALLEST, 1))
    view = cv2.resize(cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    gain, gamma = np.exp(rng.normal(0, GAIN, 3) * 0.3 + rng.normal(0, GAIN)), np.exp(rng.normal(0, GAMMA))
    light = gain * (view / 255.0) ** gamma + rng.normal(0, 0.01, view.shape)
    changed: UInt8Array = (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)
    return changed

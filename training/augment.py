"""Augmentation of a batch, on its own device: tone, colour, grey, detail, a covered rectangle.

Each picture is changed again each time it is used; labels stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .synthetic.degrade import SMALLEST


@dataclass(frozen=True)
class Augment:
    """Strengths of the augmentation; 0 for all disables it.

    Standard deviations: ``gain`` of the log brightness, ``colour`` of each channel's, ``curve`` of its bend, ``offset``
    of the black level. Shares of the pictures: ``grey``; ``small``, which keep the detail of a distant face; ``erase``.
    """

    gain: float = 0.0
    colour: float = 0.0
    curve: float = 0.0
    offset: float = 0.0
    grey: float = 0.0
    small: float = 0.0
    erase: float = 0.0


def as_augmented_input(images: Tensor, rng: np.random.Generator, augment: Augment) -> Tensor:
    """Convert (B, S, S, 3) uint8 BGR to the network's input (B, 3, S, S), x / 127.5 - 1, channels last in memory.

    Tone is a quadratic per channel, y = offset + gain x (1 + bend (1 - x)) on 0..1: as good as a gamma here, and with
    the change to -1..1 in its coefficients it costs two passes over the pixels.
    """
    count, size = len(images), images.shape[1]
    gain = np.exp(rng.normal(0, 1, (count, 1)) * augment.gain + rng.normal(0, 1, (count, 3)) * augment.colour)
    bend = np.clip(rng.normal(0, 1, (count, 1)) * augment.curve, -0.8, 0.8)
    offset = rng.normal(0, 1, (count, 1)) * augment.offset + np.zeros((count, 3))
    # y' = 2 y - 1 over bytes b = 255 x
    square, slope, rest = -2 * gain * bend / 255**2, 2 * gain * (1 + bend) / 255, 2 * offset - 1
    # One row of pixels at a time: three values per pixel are too few for vector instructions.
    a, b, c = (
        torch.from_numpy(np.tile(v.astype(np.float32), size)).to(images.device)[:, None] for v in (square, slope, rest)
    )
    rows = images.reshape(count, size, -1).float()
    x = torch.addcmul(c, torch.addcmul(b, rows, a), rows).clamp_(-1, 1).view(images.shape)
    for i in np.flatnonzero(rng.random(count) < augment.grey):
        x[i] = x[i].mean(-1, keepdim=True)
    for i in np.flatnonzero(rng.random(count) < augment.small):
        pixels = int(np.exp(rng.uniform(np.log(SMALLEST), np.log(size))))
        x[i] = _with_detail(x[i].permute(2, 0, 1)[None], pixels)[0].permute(1, 2, 0)
    for i in np.flatnonzero(rng.random(count) < augment.erase):
        height, width = (rng.uniform(0.1, 0.4, 2) * size).astype(int)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        x[i, top : top + height, left : left + width] = torch.from_numpy(rng.uniform(-1, 1, 3).astype(np.float32)).to(x)
    return x.permute(0, 3, 1, 2)


def _with_detail(pictures: Tensor, pixels: int) -> Tensor:
    """Return (B, C, S, S) shrunk to ``pixels`` across and enlarged again."""
    small = F.interpolate(pictures, (pixels, pixels), mode="bilinear", antialias=True)
    return F.interpolate(small, pictures.shape[2:], mode="bilinear")

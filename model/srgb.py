"""The sRGB curve (IEC 61966-2-1) between stored values and linear light."""

from __future__ import annotations

import numpy as np

from .array_types import FloatArray


def linear(srgb: FloatArray) -> FloatArray:
    """Convert sRGB 0..1 to linear light."""
    out: FloatArray = np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)
    return out


def srgb(light: FloatArray) -> FloatArray:
    """Convert linear light to sRGB, 0..1."""
    light = np.clip(light, 0, 1)
    out: FloatArray = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return out

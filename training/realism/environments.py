"""Environment maps as the engine's light: lamps, and spherical harmonics for the rest."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError

LAMPS = 2
BRIGHT = 5.0  # times the mean: what is brighter may be a lamp
LAMP_RADIUS = np.radians(25.0)
BLUR = 6.0  # pixels of a map reduced to ROWS
ROWS = 128


def read_environment(path: Path) -> FloatArray:
    """Return (H, W, 3) float32 linear BGR, azimuth along the columns, from the zenith down. Raises InputError."""
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # OpenCV requires it for EXR
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[1] != 2 * picture.shape[0]:
        raise InputError(f"{path}: not an equirectangular EXR, twice as wide as high")
    picture = np.nan_to_num(picture[..., :3].astype(np.float32), posinf=0, neginf=0)
    radiance: FloatArray = np.maximum(cv2.resize(picture, (2 * ROWS, ROWS), interpolation=cv2.INTER_AREA), 0)
    return radiance


def directions(rows: int) -> tuple[FloatArray, FloatArray]:
    """Return unit vectors (rows, 2 rows, 3), y up, and the solid angle of each pixel (rows, 2 rows)."""
    down = (np.arange(rows) + 0.5) / rows * np.pi
    round_ = ((np.arange(2 * rows) + 0.5) / rows - 1) * np.pi
    y, ring = np.cos(down)[:, None], np.sin(down)[:, None]
    towards = np.stack([ring * np.sin(round_), np.broadcast_to(y, (rows, 2 * rows)), ring * np.cos(round_)], -1)
    return towards, np.broadcast_to(ring * (np.pi / rows) ** 2, (rows, 2 * rows))


def light_of(picture: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ambient (3, 9), lamps (LAMPS, 3) unit vectors, their colours (LAMPS, 3) BGR; zeros where there is no lamp.

    In the engine's units: a white surface under the ambient light has the colour of the harmonics, and one that faces
    a lamp gains the lamp's colour: irradiance / pi (Ramamoorthi and Hanrahan, 2001).
    """
    towards, solid = directions(len(picture))
    rest = picture.astype(np.float64)
    lamps, colors = np.zeros((LAMPS, 3)), np.zeros((LAMPS, 3))
    level = (rest.mean(2) * solid).sum() / (4 * np.pi)
    for k in range(LAMPS):
        wide = np.pad(rest.mean(2), ((0, 0), (24, 24)), "wrap")
        blurred = cv2.GaussianBlur(wide, (0, 0), BLUR)[:, 24:-24]
        towards_peak = towards[np.unravel_index(blurred.argmax(), blurred.shape)]
        near = towards @ towards_peak > np.cos(LAMP_RADIUS)
        above = np.where(near, np.maximum(1 - BRIGHT * level / np.maximum(rest.mean(2), 1e-9), 0), 0)
        excess = rest * above[..., None]
        power = (excess * solid[..., None]).sum((0, 1)) / np.pi
        if power.mean() < 0.05 * level:
            break
        mean = ((excess.mean(2) * solid)[..., None] * towards).sum((0, 1))
        lamps[k], colors[k] = mean / np.linalg.norm(mean), power
        rest = rest - excess
    return harmonics(rest), lamps, colors


def harmonics(picture: FloatArray) -> FloatArray:
    """Irradiance / pi of a map as the nine terms of ``rasterizer.shade``, (3, 9)."""
    towards, solid = directions(len(picture))
    flat = towards.reshape(-1, 3)
    normals = flat[:: max(1, len(flat) // 700)]
    weights = np.maximum(normals @ flat.T, 0) * solid.ravel() / np.pi
    light: FloatArray = np.linalg.lstsq(terms(normals), weights @ picture.reshape(-1, 3), rcond=None)[0].T
    return light


def terms(n: FloatArray) -> FloatArray:
    """Return the engine's nine terms for normals (N, 3), (N, 9)."""
    x, y, z = n.T
    return np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)

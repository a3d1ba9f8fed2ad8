"""MakeHuman's brows as masks along and across a brow line, for ``synthetic.realism``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import griddata

from ...model.array_types import FloatArray, UInt8Array
from ...model.errors import InputError
from ..synthetic.realism import BROW_ACROSS, BROW_ALONG, BROW_SHAPE
from .makehuman import read_obj

STRIP = 4  # pixels per mm of a brow seen flat
DENSER = 2.5  # layers of hairs: one layer is sparse; the strength of a brow is sampled when it is drawn


def read_brows(folder: Path) -> UInt8Array:
    """Read the left brows, (N, *BROW_SHAPE) uint8.

    The brows are brows/*.png on their cards mesh/*.obj, relative to their mean line. Raises InputError.
    """
    flat = [_flat(path, folder / "mesh" / f"{path.stem}.obj") for path in sorted((folder / "brows").glob("*.png"))]
    if not flat:
        raise InputError(f"{folder / 'brows'}: no brows (*.png) there")
    left, bottom = (min(f[1][k] for f in flat) for k in range(2))
    right, top = (max(f[1][k] + f[0].shape[1 - k] / STRIP for f in flat) for k in range(2))
    size = int((right - left) * STRIP) + 2, int((top - bottom) * STRIP) + 2
    sheets = np.zeros((len(flat), size[1], size[0]), np.float32)
    for sheet, (cover, corner) in zip(sheets, flat, strict=True):
        column, row = int((corner[0] - left) * STRIP), int((corner[1] - bottom) * STRIP)
        sheet[row : row + cover.shape[0], column : column + cover.shape[1]] = cover
    line = _mean_line(sheets)
    return np.stack([_along(sheet, line) for sheet in sheets])


def _flat(picture: Path, card: Path) -> tuple[FloatArray, tuple[float, float]]:
    """Render the left brow from the front, turned flat: (H, W) 0..1, rows upward, and its corner's place, mm."""
    alpha = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
    if alpha is None or alpha.ndim != 3 or alpha.shape[2] != 4:
        raise InputError(f"{picture}: not a picture with alpha")
    mesh = read_obj(card)
    left = mesh.points[:, 0] > 0
    (x, y, z), uv = mesh.points[left].T, mesh.uv[left]
    bend = np.polynomial.Polynomial.fit(x, z, 3)  # the forehead's curve
    xs = np.linspace(x.min(), x.max(), 200)
    arc = np.concatenate([[0], np.cumsum(np.hypot(np.diff(xs), np.diff(bend(xs))))]) + xs[0]
    flat = np.stack([np.interp(x, xs, arc), y], 1)
    low, high = flat.min(0), flat.max(0)
    columns, rows = np.meshgrid(*(np.arange(low[k], high[k], 1 / STRIP) for k in range(2)))
    at = griddata(flat, uv, (columns, rows), fill_value=-1).astype(np.float32)
    side = np.array(alpha.shape[1::-1])
    u, v = at[..., 0] * side[0] - 0.5, (1 - at[..., 1]) * side[1] - 0.5
    cover = cv2.remap(alpha[..., 3].astype(np.float32) / 255, u, v, cv2.INTER_LINEAR, borderValue=0)
    return np.where(at[..., 0] < 0, 0, cover), (float(low[0]), float(low[1]))


def _mean_line(sheets: FloatArray) -> FloatArray:
    """Return (K, 2) pixels from the nose outwards: a smooth line through the middles of all brows."""
    total = np.clip(sheets, 0, 1).mean(0)
    weight = total.sum(0)
    inside = np.flatnonzero(weight > 0.12 * weight.max())
    rows = np.arange(len(total))
    middle = (total * rows[:, None]).sum(0)[inside] / weight[inside]
    curve = np.polynomial.Polynomial.fit(inside, middle, 3, w=weight[inside])
    along = np.linspace(inside[0], inside[-1], 200)
    return np.stack([along, curve(along)], 1)


def _along(sheet: FloatArray, line: FloatArray) -> UInt8Array:
    """Return a flat brow relative to a line: BROW_SHAPE, row 0 below it, column 0 before its beginning."""
    step = np.linalg.norm(np.diff(line, axis=0), axis=1)
    arc = np.concatenate([[0], np.cumsum(step)]) / step.sum()
    s = np.linspace(*BROW_ALONG, BROW_SHAPE[1])
    t = np.linspace(*BROW_ACROSS, BROW_SHAPE[0])[:, None] * STRIP
    on = np.stack([np.interp(s, arc, line[:, k]) for k in range(2)], 1)
    way = np.gradient(on, axis=0)
    inner, outer = way[(s > 0.02) & (s < 0.1)].mean(0), way[(s > 0.9) & (s < 0.98)].mean(0)
    length = step.sum()
    for beyond, start, slope in ((s < 0, line[0], inner), (s > 1, line[-1], outer)):
        past = np.where(s < 0, s, s - 1)[beyond] * length
        on[beyond] = start + past[:, None] * slope / np.linalg.norm(slope)
        way[beyond] = slope
    normal = np.stack([-way[:, 1], way[:, 0]], 1) / np.linalg.norm(way, axis=1, keepdims=True)
    at = (on + t[..., None] * normal).astype(np.float32)
    cover = cv2.remap(cv2.GaussianBlur(sheet, (0, 0), 0.6), at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=0)
    dense = 1 - (1 - np.clip(cover, 0, 1)) ** DENSER
    drawn: UInt8Array = np.round(dense * 255).astype(np.uint8)
    return drawn

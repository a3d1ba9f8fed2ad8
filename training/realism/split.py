"""A photographed skin as two factors over the chart: slow changes of colour, and fine detail.

Areas that are not skin, or not of this head, are filled from their surroundings: eyes with their lashes, nostrils, the
line between the lips, brows, and hair on the scalp. The engine draws all of these itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...model.array_types import BoolArray, FloatArray, UInt8Array
from ..synthetic.paint import PAINT
from ..synthetic.realism import LOW, NONE
from ..synthetic.surface import Surface
from .chart import filled, painted

SLOW = 7.0  # texels: standard deviation of the blur that parts slow from fine, 3.5 mm
WIDER = (14.0, 28.0, 56.0, 112.0)  # where there is no skin within SLOW
LASHES, PARTING = 6, 5  # texels about the eyes' openings and across the line between the lips
LEAST, MOST = 0.4, 1.8  # of a slow factor
GLARE = 0.6  # share of a photographed skin's highlights that is kept: part of them is the studio's light
BROW_REACH = (8.0, 52.0)  # texels above the upper lids: where brows are looked for
BROW_DARKER = 0.86  # than the skin around
HAIRLINE = (-16.0, -4.0)  # mm inside the mean hairline: where a photographed skin fades out


@dataclass(frozen=True, eq=False)
class Skin:
    """low (LOW, LOW, 3) float32 and detail (PAINT, PAINT, 3) uint8, see ``synthetic.realism``; tone (3,) BGR 0..1"""

    low: FloatArray
    detail: UInt8Array
    tone: FloatArray


def split(surface: Surface, colors: FloatArray, known: BoolArray, browed: bool = False) -> Skin:
    """Split a skin's colours over the chart.

    ``colors`` (PAINT, PAINT, 3) BGR 0..255 are valid where ``known`` (PAINT, PAINT). ``browed``: the skin has brows,
    which are removed.
    """
    colors = np.maximum(colors, 4.0) / np.float32(255)
    usable = known & ~_foreign(surface)
    if browed:
        usable &= ~_brows(surface, colors, usable)
    scalp = _scalp(surface)
    tone = np.median(colors[usable & _cheeks_and_forehead(surface)], axis=0)
    keep = usable.astype(np.float32) * (1 - scalp)
    low = _slow(colors / tone, keep)
    near = cv2.erode(usable.astype(np.uint8), np.ones((3, 3)))
    trust = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 1.5) * near * (1 - scalp)
    fine = 1 + trust[..., None] * (colors / tone / np.maximum(low, 0.05) - 1)
    bare = (1 - scalp)[..., None]
    low = 1 + bare * np.where(low > 1, GLARE, 1) * (np.clip(low, LEAST, MOST) - 1)
    return Skin(
        cv2.resize(low, (LOW, LOW), interpolation=cv2.INTER_AREA).astype(np.float32),
        np.clip(np.round(fine * NONE), 0, 255).astype(np.uint8),
        tone.astype(np.float32),
    )


def _slow(colors: FloatArray, keep: FloatArray) -> FloatArray:
    """Return a blur over the kept texels, with a wider kernel where few are kept, and 1 where none are."""
    out, missing = np.zeros_like(colors), np.ones(keep.shape, np.float32)
    for sigma in (SLOW, *WIDER):
        weight = cv2.GaussianBlur(keep, (0, 0), sigma)
        mean = cv2.GaussianBlur(colors * keep[..., None], (0, 0), sigma) / np.maximum(weight, 1e-4)[..., None]
        share = missing * np.clip(weight * 4 - 0.4, 0, 1)
        out += share[..., None] * mean
        missing -= share
    return out + missing[..., None]


def _foreign(surface: Surface) -> BoolArray:
    """Eyes, nostrils and the line between the lips."""
    marks = surface.coords[surface.model.landmarks] * PAINT - 0.5
    mask = np.zeros((PAINT, PAINT), np.uint8)
    for eye in (marks[36:42], marks[42:48]):
        cv2.fillPoly(mask, [np.round(eye).astype(np.int32)], 1)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * LASHES + 1, 2 * LASHES + 1)))
    parting = np.round(marks[[48, 60, 61, 62, 63, 64, 54]]).astype(np.int32)
    cv2.polylines(mask, [parting], False, 1, PARTING)
    nostrils = (painted(surface, surface.nostrils) > 0.05).astype(np.uint8)
    foreign: BoolArray = (mask | cv2.dilate(nostrils, np.ones((5, 5)))) > 0
    return foreign


def _brows(surface: Surface, colors: FloatArray, usable: BoolArray) -> BoolArray:
    """Return the texels above the eyes that are darker than their surroundings."""
    marks = surface.coords[surface.model.landmarks] * PAINT
    grey = colors.mean(2)
    keep = usable.astype(np.float32)
    around = cv2.GaussianBlur(grey * keep, (0, 0), 30) / np.maximum(cv2.GaussianBlur(keep, (0, 0), 30), 1e-3)
    rows, columns = np.mgrid[:PAINT, :PAINT]
    top = marks[[37, 38, 43, 44], 1].mean()
    outer = marks[[36, 45], 0]
    band = (rows > top + BROW_REACH[0]) & (rows < top + BROW_REACH[1])
    band &= (columns > outer[0] - 36) & (columns < outer[1] + 36)
    dark = (band & (cv2.GaussianBlur(grey, (0, 0), 1.5) < BROW_DARKER * around)).astype(np.uint8)
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3)))
    brows: BoolArray = (cv2.dilate(dark, np.ones((9, 9))) > 0) & band
    return brows


def _cheeks_and_forehead(surface: Surface) -> BoolArray:
    marks = surface.coords[surface.model.landmarks] * PAINT
    rows, columns = np.mgrid[:PAINT, :PAINT]
    between = (columns > marks[36, 0]) & (columns < marks[45, 0])
    within: BoolArray = between & (rows > marks[33, 1]) & (rows < marks[27, 1] + 70)
    return within


def _scalp(surface: Surface) -> FloatArray:
    """0 on bare skin, 1 well inside the hairline, (PAINT, PAINT) float32."""
    inside = np.clip((surface.scalp_height - HAIRLINE[0]) / (HAIRLINE[1] - HAIRLINE[0]), 0, 1)
    return filled(surface, inside)

"""The video of held-out frames: the footage, and the head as it is read before and after, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ..errors import InputError
from ..face.face_model import FaceModel, triangles
from ..files import atomic_path
from ..opencv import cv2

TILE = 256  # pixels of each picture's side
AROUND = 1.3  # the footage's side, in sides of the crop
HEIGHT_MM, ABOVE_MM = 240.0, 15.0  # of the head's view; of its middle above the landmarks' middle
TOP = 28  # pixels of the line of names
MOST_FRAMES = 240
NAMES = ("footage", "before", "after")
SKIN, BACKGROUND, TEXT = (170, 182, 202), 60, (235, 235, 235)  # BGR
COLOURS = {
    "lips": (130, 130, 190), "mouth_socket": (50, 45, 70), "eyeball_L": (235, 235, 235), "eyeball_R": (235, 235, 235),
    "iris_L": (90, 75, 60), "iris_R": (90, 75, 60), "teeth_upper": (225, 230, 232), "teeth_lower": (225, 230, 232),
    "brow_L": (95, 100, 110), "brow_R": (95, 100, 110),
}  # fmt: skip
LAMP = np.array([0.3, 0.4, 0.87])
AMBIENT = 0.35


class DrawnHead:
    """A face model drawn flat-shaded from the front, in software, with its triangles sorted by depth."""

    def __init__(self, model: FaceModel) -> None:
        assert model.landmarks is not None
        self._model = model
        self._triangles = triangles(model.faces)
        colour = np.tile(np.array(SKIN, np.float64), (model.vertex_count, 1))
        for name, value in COLOURS.items():
            if name in model.regions:
                colour[model.regions[name]] = value
        self._colour = colour[self._triangles].mean(1)
        marks = model.neutral[model.landmarks].astype(np.float64)
        self._middle = (marks.min(0) + marks.max(0)) / 2 + [0, ABOVE_MM, 0]

    def __call__(self, alpha: FloatArray, eta: FloatArray, rotation: FloatArray, size: int = TILE) -> UInt8Array:
        """Return a picture (size, size, 3) BGR of a head with alpha (Ks,) and eta (Ke,), turned by ``rotation``."""
        at = (self._model.vertices(alpha, eta) - self._middle) @ rotation.T
        corners = at[self._triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        ahead = np.flatnonzero(normal[:, 2] > 0)
        ahead = ahead[np.argsort(corners[ahead, :, 2].mean(1), kind="stable")]
        lit = normal[ahead] @ LAMP / np.maximum(np.linalg.norm(normal[ahead], axis=1), 1e-9)
        shade = self._colour[ahead] * (AMBIENT + (1 - AMBIENT) * np.maximum(lit, 0))[:, None]
        scale = 16 * size / HEIGHT_MM  # OpenCV's fixed point: 4 bits
        place = np.rint(corners[ahead, :, :2] * [scale, -scale] + 8 * size).astype(np.int32)
        picture = np.full((size, size, 3), BACKGROUND, np.uint8)
        for polygon, value in zip(place, shade.tolist()):
            cv2.fillConvexPoly(picture, polygon, value, cv2.LINE_8, 4)
        return picture


def write_comparison(
    path: Path,
    model: FaceModel,
    pictures: Sequence[UInt8Array],
    numbers: IntArray,
    alpha: FloatArray,
    rotation: FloatArray,
    before: FloatArray,
    after: FloatArray,
    kept: bool,
    fps: float,
) -> None:
    """Write an .mp4 of F frames: ``pictures`` (TILE, TILE, 3), and heads with eta ``before`` and ``after`` (F, Ke).

    ``numbers`` (F,) are the clip's frames from 1, alpha (F, Ks) and rotation (F, 3, 3) those of the fitted heads.
    ``kept``: whether the new weights were written, which the video says. Raises InputError where no video can be
    written.
    """
    draw = DrawnHead(model)
    names = (*NAMES[:2], NAMES[2] if kept else "after (not kept)")
    with atomic_path(path) as partial:
        video = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), fps, (3 * TILE, TILE + TOP))
        if not video.isOpened():
            raise InputError(f"{path}: this OpenCV writes no video")
        try:
            for i, picture in enumerate(pictures):
                heads = [draw(alpha[i], eta[i], rotation[i]) for eta in (before, after)]
                whole = np.full((TILE + TOP, 3 * TILE, 3), BACKGROUND, np.uint8)
                whole[TOP:] = np.hstack([picture, *heads])
                for column, name in enumerate((f"{names[0]}, frame {numbers[i]}", *names[1:])):
                    place = (column * TILE + 8, TOP - 9)
                    cv2.putText(whole, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, TEXT, 1, cv2.LINE_AA)
                video.write(whole)
        finally:
            video.release()


def shown_rows(test: BoolArray) -> IntArray:
    """Return the held-out frames that the video shows: the first MOST_FRAMES."""
    return np.flatnonzero(test)[:MOST_FRAMES]

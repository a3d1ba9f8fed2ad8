"""A head in even light, drawn in software: the same view, light and colours for every method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.face.face_model import FaceModel, triangles
from ...training.synthetic.rasterizer import NEAR, rasterize, vertex_normals

Image = NDArray[np.uint8]

OVERSAMPLING = 2
DISTANCE_MM = 900.0  # of the camera from the head
HEIGHT_MM, ABOVE_MM = 250.0, 20.0  # of the view; of its middle above the landmarks' middle
CLAY, LIPS, EYE, IRIS, TEETH, DARK, BROW = (
    (178, 186, 200), (148, 146, 190), (235, 235, 235), (96, 84, 72), (228, 232, 235), (70, 62, 90), (120, 122, 130),
)  # BGR  # fmt: skip
COLOURS = {
    "mouth_socket": DARK, "gums_upper": LIPS, "gums_lower": LIPS, "tongue": LIPS, "nostrils": (140, 146, 160),
    "lips": LIPS, "eyeball_L": EYE, "eyeball_R": EYE, "iris_L": IRIS, "iris_R": IRIS, "teeth_upper": TEETH,
    "teeth_lower": TEETH, "lashes_L": DARK, "lashes_R": DARK, "brow_L": BROW, "brow_R": BROW,
}  # fmt: skip
LIGHTS = ((0.35, 0.5, 0.8, 0.62), (-0.75, 0.1, 0.65, 0.26))  # x, y, z towards the lamp, strength
AMBIENT = 0.32
BACKGROUND = 244


@dataclass(frozen=True, eq=False)
class View:
    """What all pictures of a face model share.

    triangles (T, 3) int32;  colours (V, 3) float32 BGR;  middle (3,) mm, the point that is seen in the middle
    """

    triangles: NDArray[np.int32]
    colours: NDArray[np.float32]
    middle: NDArray[np.float64]
    height: float

    @staticmethod
    def of(model: FaceModel) -> View:
        """Return the view of a face model: framed by its landmarks, or whole where it has none."""
        colours = np.tile(np.array(CLAY, np.float32), (model.vertex_count, 1))
        for name, colour in COLOURS.items():
            if name in model.regions:
                colours[model.regions[name]] = colour
        marks = model.neutral if model.landmarks is None else model.neutral[model.landmarks]
        low, high = marks.min(0).astype(np.float64), marks.max(0).astype(np.float64)
        height = HEIGHT_MM if model.landmarks is not None else 1.1 * float((high - low)[:2].max())
        middle = (low + high) / 2 + [0, ABOVE_MM if model.landmarks is not None else 0, 0]
        return View(np.ascontiguousarray(triangles(model.faces), np.int32), colours, middle, height)


def shaded(view: View, vertices: NDArray[Any], rotation: NDArray[np.float64], size: int) -> Image:
    """Draw vertices (V, 3) mm, turned by ``rotation`` (3, 3) about the view's middle, as (size, size, 3) BGR."""
    big = size * OVERSAMPLING
    placed = ((vertices - view.middle) @ rotation.T).astype(np.float32)
    depth_of = (DISTANCE_MM - placed[:, 2]).astype(np.float32)
    scale = big / view.height * DISTANCE_MM
    screen = np.stack(
        [big / 2 + scale * placed[:, 0] / depth_of, big / 2 - scale * placed[:, 1] / depth_of, depth_of], 1
    ).astype(np.float32)
    triangle_of = np.empty((big, big), np.int32)
    bary, depth = np.empty((big, big, 2), np.float32), np.empty((big, big), np.float32)
    every = len(view.triangles)
    rasterize(screen, view.triangles, every, every, np.zeros(4, np.float32), NEAR, triangle_of, bary, depth)
    hit = triangle_of >= 0
    corners = view.triangles[triangle_of[hit]]
    shares = np.concatenate([1 - bary[hit].sum(1, keepdims=True), bary[hit]], 1)
    normals = np.einsum("pkc,pk->pc", vertex_normals(placed, view.triangles)[corners], shares)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    light = np.full(len(normals), AMBIENT)
    for x, y, z, strength in LIGHTS:
        towards = np.array([x, y, z]) / np.linalg.norm([x, y, z])
        light += strength * np.maximum(normals @ towards, 0)
    picture = np.full((big, big, 3), float(BACKGROUND), np.float32)
    picture[hit] = np.einsum("pkc,pk->pc", view.colours[corners], shares) * light[:, None]
    small: Image = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).clip(0, 255).round().astype(np.uint8)
    return small

"""Faces as simple as can be: bright discs on black, and an estimator that reads them exactly.

Finder and tracking decide where to look and what to believe; with discs one can say what is right to the pixel,
which no trained network allows. A disc's crop is three radii wide; its blue level is its ``jawOpen``.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from expnet.model.camera import Camera, Crop, pose_of_crop
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS
from expnet.model.networks.cutting import cut
from expnet.model.networks.estimate import FaceEstimate, FindsFaces, SeesAtAGlance
from expnet.model.sight.finder import FoundFace

JAW = OPEN_KEYS.index("jawOpen")
SIDE_PER_RADIUS = 3.0
VIEW = 64


def disc(image: np.ndarray, x: float, y: float, radius: float, jaw: float = 0.0) -> np.ndarray:
    """Draw a face (in place) whose mouth is open by ``jaw``, 0..1."""
    centre = (round(x * 16), round(y * 16))
    colour = (round(255 * jaw), 255, 255)
    cv2.circle(image, centre, round(radius * 16), colour, -1, cv2.LINE_AA, 4)
    return image


class DiscEstimator(SeesAtAGlance):
    """Reads discs; counts how often it was asked."""

    basis = OPEN_BASIS
    expression_keys = OPEN_KEYS

    def __init__(self) -> None:
        self.looks = 0

    def estimate(self, images: Sequence[np.ndarray], crops: Sequence[Crop], cameras: Sequence[Camera]) -> FaceEstimate:
        self.looks += len(images)
        count = len(images)
        eta, confidence, own = np.zeros((count, 29)), np.zeros(count), []
        rotation, translation = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))
        for i, (image, crop, camera) in enumerate(zip(images, crops, cameras)):
            view = cut(image, crop, VIEW)
            inside = view[..., 1] > 127
            confidence[i] = 0.02
            own.append(crop)
            if inside.mean() > 0.02:
                y, x = (np.average(axis, weights=inside) for axis in np.indices(inside.shape))
                radius = np.sqrt(inside.sum() / np.pi) / VIEW
                shift = (np.array([x, y]) - (VIEW - 1) / 2) / VIEW
                own[i] = crop.moved(
                    float(shift[0]), float(shift[1]), float(np.log(SIDE_PER_RADIUS * radius)), -crop.angle
                )
                eta[i, JAW] = view[..., 0][inside].mean() / 255
                # A disc fills 35 % of its crop; half a disc, or several, are no good face.
                confidence[i] = 0.98 if 0.2 < inside.mean() < 0.6 else 0.4
            rotation[i], translation[i] = pose_of_crop(np.eye(3), camera, own[i])
        return FaceEstimate(
            eta=eta,
            alpha=np.repeat(confidence[:, None], 99, 1),
            gaze=np.zeros((count, 2)),
            rotation=rotation,
            translation=translation,
            crop=own,
            confidence=confidence,
            eta_deviation=np.full((count, 29), 0.1),
            basis=self.basis,
            expression_keys=self.expression_keys,
        )


class FindDiscs:
    """Finds every disc, the largest first; counts how often it was asked."""

    def __init__(self) -> None:
        self.searches = 0

    def __call__(self, image: np.ndarray, estimator: FindsFaces, thorough: bool) -> list[FoundFace]:
        self.searches += 1
        _, _, boxes, centres = cv2.connectedComponentsWithStats((image[..., 1] > 127).astype(np.uint8))
        faces = [
            FoundFace(Crop(float(x), float(y), SIDE_PER_RADIUS * box[2] / 2), 0.9)
            for box, (x, y) in zip(boxes[1:], centres[1:])
        ]
        return sorted(faces, key=lambda f: -f.crop.side)

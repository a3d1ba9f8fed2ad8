"""Face detection in one image, without landmarks.

Candidates come from a small network that sees the whole picture (``candidates.py``). The estimator moves each
candidate to the face's own crop and decides whether it is a face. A candidate can therefore be inexact or wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..array_types import UInt8Array
from ..camera import Camera, Crop
from ..errors import InputError
from ..networks.estimate import FindsFaces
from .candidates import Candidate, candidates

REFINEMENTS = 3
SETTLED = 0.15  # a refined crop that still moves by more (in sides, or in log scale) has found no face
REACH = np.array([0.5, 0.5, 0.5])  # how far (likewise) a face may lie from its candidate
# Small offsets of the crop. A true face is confirmed at each of them, in the same place; letters and flags are not.
ASKEW = (
    (0.12, 0.0, 0.0, 0.0), (-0.12, 0.0, 0.0, 0.0), (0.0, 0.12, 0.0, 0.0), (0.0, -0.12, 0.0, 0.0),
    (0.0, 0.0, 0.2, 0.2), (0.0, 0.0, -0.2, -0.2),
)  # fmt: skip
MAX_CANDIDATES = 64
SMALLEST = 16.0  # pixels; the smallest crop side, except for a crop that fills a small picture
SMALLEST_FILLING, FILLING = 8.0, 0.75  # pixels; the share of the picture's longer side from which a crop fills it
# A picture of at most THUMBNAIL pixels may contain a face only. FinderNet then sees too little around the face. WHOLE
# is the crop of such a face, in sides of the picture: forehead to chin, or with the hair.
THUMBNAIL, WHOLE = 64, (1.05, 1.4)
QUICK_SIDE, THOROUGH_SIDE = 320, 1280  # the picture's longer side during the candidate search
LEAST = 0.2  # minimum confidence of a candidate

Propose = Callable[[UInt8Array, int, float], list[Candidate]]


@dataclass(frozen=True)
class Proof:
    """The acceptance test for a face.

    ``confidence`` is required in every look. No look may move the crop by more than ``shift`` (sides) or ``scale``
    (log).
    """

    confidence: float
    shift: float
    scale: float


PROOF = Proof(0.97, 0.15, 0.25)
# For crops under SMALLEST. With so few pixels the network is less sure of faces and of everything else. Chosen on
# rendered thumbnails with and without a face.
TINY_PROOF = Proof(0.95, 0.15, 0.25)


@dataclass(frozen=True)
class FoundFace:
    """A face's own crop and the network's lowest confidence over all looks, 0..1."""

    crop: Crop
    confidence: float


def find_faces(
    image: UInt8Array, estimator: FindsFaces, thorough: bool = True, propose: Propose = candidates
) -> list[FoundFace]:
    """Find the faces of an image (H, W, 3) uint8 BGR, the largest first.

    ``thorough`` also finds faces that are small in the picture. Without it the search is fast enough for clips.
    """
    height, width = image.shape[:2]
    proposed = propose(image, THOROUGH_SIDE if thorough else QUICK_SIDE, LEAST)
    crops = [c for c in (*_whole(width, height), *(p.crop for p in proposed)) if lies_in(c, width, height)]
    found = _verified(image, _without_twins(crops), estimator)
    return sorted(_distinct(found), key=lambda f: -f.crop.side)


def crop_of_box(box: Sequence[float], size: tuple[int, int]) -> Crop:
    """Return the crop for a face in a drawn box (x, y, width, height), in pixels, from hairline to chin.

    Raises InputError for an invalid box, or one whose centre is not in an image of ``size`` (width, height).
    """
    if len(box) != 4 or not np.isfinite(box).all() or box[2] <= 1 or box[3] <= 1:
        raise InputError(f"the box {list(box)} is not x, y, width, height in pixels")
    x, y, width, height = map(float, box)
    if not (0 <= x + width / 2 < size[0] and 0 <= y + height / 2 < size[1]):
        raise InputError(f"the box {list(box)} lies outside the picture of {size[0]} x {size[1]} pixels")
    return Crop(x + width / 2, y + height / 2, 1.1 * max(width, height))


def refined(
    image: UInt8Array, crops: Sequence[Crop], estimator: FindsFaces, times: int = REFINEMENTS
) -> list[FoundFace]:
    """Move each crop to the face in it, ``times`` times; confidence 0 where it never settles."""
    height, width = image.shape[:2]
    camera = Camera.for_image(width, height)
    crops = list(crops)
    if not crops:
        return []
    for _ in range(times):
        seen = estimator.estimate([image] * len(crops), crops, [camera] * len(crops))
        steps = np.array([crop.offset_to(own) for crop, own in zip(crops, seen.crop)])
        crops = seen.crop
    settled = np.abs(steps[:, :3]).max(1) < SETTLED
    return [
        FoundFace(crop, float(confidence) if steady and lies_in(crop, width, height) else 0.0)
        for crop, confidence, steady in zip(crops, seen.confidence, settled)
    ]


def lies_in(crop: Crop, width: int, height: int) -> bool:
    """Return whether a crop is large enough to be read and has its centre in the image."""
    longer = max(width, height)
    least = min(SMALLEST, max(SMALLEST_FILLING, FILLING * longer))
    return least <= crop.side <= 4 * longer and 0 <= crop.cx < width and 0 <= crop.cy < height


def _whole(width: int, height: int) -> list[Crop]:
    """Return the crops of a face that fills the picture, where that is small enough for an avatar or a cut-out face."""
    if max(width, height) > THUMBNAIL:
        return []
    side = float(np.sqrt(width * height))
    return [Crop((width - 1) / 2, (height - 1) / 2, share * side) for share in WHOLE]


def _verified(image: UInt8Array, crops: list[Crop], estimator: FindsFaces) -> list[FoundFace]:
    near = [
        face
        for crop, face in zip(crops, refined(image, crops, estimator))
        if face.confidence > 0.5 and (np.abs(crop.offset_to(face.crop)[:3]) < REACH).all()
    ]
    checked = [_seen_askew(image, face.crop, estimator) for face in _distinct(near)]
    return [face for face in checked if face is not None]


def _seen_askew(image: UInt8Array, crop: Crop, estimator: FindsFaces) -> FoundFace | None:
    height, width = image.shape[:2]
    proof = TINY_PROOF if crop.side < SMALLEST else PROOF
    looks = [crop.moved(*offset) for offset in ASKEW]
    seen = estimator.estimate([image] * len(looks), looks, [Camera.for_image(width, height)] * len(looks))
    moves = np.abs([crop.offset_to(own) for own in seen.crop])
    confidence = float(seen.confidence.min())
    holds = confidence >= proof.confidence and moves[:, :2].max() <= proof.shift and moves[:, 2].max() <= proof.scale
    return FoundFace(crop, confidence) if holds else None


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    """Return the faces without those that overlap a more confident one."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda f: -f.confidence):
        if all(not same_face(face.crop, other.crop) for other in kept):
            kept.append(face)
    return kept


def _without_twins(crops: list[Crop]) -> list[Crop]:
    """Drop candidates that the estimator would move to the same place as another; keep at most ``MAX_CANDIDATES``."""
    kept: list[Crop] = []
    for crop in crops:
        if all(np.abs(other.offset_to(crop)).max() > 0.15 for other in kept):
            kept.append(crop)
    return kept[:MAX_CANDIDATES]


def same_face(a: Crop, b: Crop) -> bool:
    """Return whether two crops show the same face: the nearer head would hide another one behind it."""
    return float(np.hypot(a.cx - b.cx, a.cy - b.cy)) < 0.35 * max(a.side, b.side)

"""Where the faces are in a picture, without landmarks.

Candidates come from OpenCV's boosted cascades (Viola and Jones 2001; Lienhart and Maydt 2002), which are cheap and
ship with it. The network has the last word: it moves each candidate to the face's own crop and says whether there
is a face, so a cascade's box needs to be neither exact nor right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .camera import Camera, Crop
from .errors import InputError
from .estimator import SeesFaces
from .opencv import cv2

# Width of the crop in widths of a cascade's box, which reaches from the eyebrows to the chin.
CROP_PER_BOX = 1.3
SYSTEM_CASCADES = Path("/usr/share/opencv4/haarcascades")
REFINEMENTS = 3
SETTLED = 0.15  # a refined crop that still moves by more (in sides, or in log scale) has found no face
REACH = np.array([0.5, 0.5, 0.5])  # how far (likewise) a face may lie from its candidate
# A face is a face, and in the same place, when it is looked at a little askew; letters and flags are not.
ASKEW = (
    (0.12, 0.0, 0.0, 0.0), (-0.12, 0.0, 0.0, 0.0), (0.0, 0.12, 0.0, 0.0), (0.0, -0.12, 0.0, 0.0),
    (0.0, 0.0, 0.2, 0.2), (0.0, 0.0, -0.2, -0.2),
)  # fmt: skip
MAX_CANDIDATES = 64
SMALLEST = 16.0  # pixels of a crop's side under which nothing can be read
QUICK_SIDE, THOROUGH_SIDE = 288, 720  # the picture's longer side while candidates are looked for
GRID = (1.0, 0.6, 0.36)  # sides of the squares that the network searches on its own, in heights of the picture
TILTS = (-0.45, 0.45)  # radians: the cascades know upright faces only


@dataclass(frozen=True)
class Proof:
    """What is asked of a face: ``confidence`` in every look, and that no look moves it by more than ``shift`` (sides)
    or ``scale`` (log)."""

    confidence: float
    shift: float
    scale: float


PROPOSED = Proof(0.92, 0.15, 0.25)  # where a cascade agrees
ALONE = Proof(0.95, 0.10, 0.16)


@dataclass(frozen=True)
class FoundFace:
    """A face's own crop and how sure the network is that it is one, 0..1, at its most doubtful look."""

    crop: Crop
    confidence: float


def find_faces(image: np.ndarray, estimator: SeesFaces, thorough: bool = True) -> list[FoundFace]:
    """The faces of an image (H, W, 3) uint8 BGR, the largest first.

    ``thorough`` also finds small, tilted and half-turned faces; without it the search is short enough for footage.
    """
    candidates = _cascade_candidates(image, thorough)
    found = _verified(image, candidates, estimator, PROPOSED)
    if not found and thorough:
        found = _verified(image, _grid_candidates(image), estimator, ALONE)
    return sorted(_distinct(found), key=lambda f: -f.crop.side)


def crop_of_box(box: Sequence[float], size: tuple[int, int]) -> Crop:
    """The crop for a face in a drawn box (x, y, width, height), in pixels, from hairline to chin.

    Raises InputError for what is no box, or one whose middle is not in an image of ``size`` (width, height).
    """
    if len(box) != 4 or not np.isfinite(box).all() or box[2] <= 1 or box[3] <= 1:
        raise InputError(f"the box {list(box)} is not x, y, width, height in pixels")
    x, y, width, height = map(float, box)
    if not (0 <= x + width / 2 < size[0] and 0 <= y + height / 2 < size[1]):
        raise InputError(f"the box {list(box)} lies outside the picture of {size[0]} x {size[1]} pixels")
    return Crop(x + width / 2, y + height / 2, 1.1 * max(width, height))


def refined(
    image: np.ndarray, crops: Sequence[Crop], estimator: SeesFaces, times: int = REFINEMENTS
) -> list[FoundFace]:
    """Each crop moved to the face in it, ``times`` times; confidence 0 where it never settles."""
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
    """Whether a crop is large enough to be read and has its centre in the image."""
    return SMALLEST <= crop.side <= 4 * max(width, height) and 0 <= crop.cx < width and 0 <= crop.cy < height


def _verified(image: np.ndarray, candidates: list[Crop], estimator: SeesFaces, proof: Proof) -> list[FoundFace]:
    near = [
        face
        for candidate, face in zip(candidates, refined(image, candidates, estimator))
        if face.confidence > 0.5 and (np.abs(candidate.offset_to(face.crop)[:3]) < REACH).all()
    ]
    checked = [_seen_askew(image, face.crop, estimator, proof) for face in _distinct(near)]
    return [face for face in checked if face is not None]


def _seen_askew(image: np.ndarray, crop: Crop, estimator: SeesFaces, proof: Proof) -> FoundFace | None:
    height, width = image.shape[:2]
    looks = [crop.moved(*offset) for offset in ASKEW]
    seen = estimator.estimate([image] * len(looks), looks, [Camera.for_image(width, height)] * len(looks))
    moves = np.abs([crop.offset_to(own) for own in seen.crop])
    confidence = float(seen.confidence.min())
    holds = confidence >= proof.confidence and moves[:, :2].max() <= proof.shift and moves[:, 2].max() <= proof.scale
    return FoundFace(crop, confidence) if holds else None


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    """Without those that lie on a surer one."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda f: -f.confidence):
        if all(not same_face(face.crop, other.crop) for other in kept):
            kept.append(face)
    return kept


def _without_twins(crops: list[Crop]) -> list[Crop]:
    """Candidates that the network would pull to the same place, once; at most ``MAX_CANDIDATES``."""
    kept: list[Crop] = []
    for crop in crops:
        if all(np.abs(other.offset_to(crop)).max() > 0.15 for other in kept):
            kept.append(crop)
    return kept[:MAX_CANDIDATES]


def same_face(a: Crop, b: Crop) -> bool:
    """Whether two crops show the same face: the nearer head would hide another one behind it."""
    return float(np.hypot(a.cx - b.cx, a.cy - b.cy)) < 0.35 * max(a.side, b.side)


def _cascade_candidates(image: np.ndarray, thorough: bool) -> list[Crop]:
    height, width = image.shape[:2]
    scale = min(1.0, (THOROUGH_SIDE if thorough else QUICK_SIDE) / max(width, height))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = cv2.cvtColor(cv2.resize(image, small, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    boxes = [(*box, 0.0) for box in _boxes("frontalface_alt2", grey)]
    boxes += [(*box, 0.0) for box in _boxes("profileface", grey)]
    boxes += [(small[0] - x - w, y, w, h, 0.0) for x, y, w, h in _boxes("profileface", grey[:, ::-1].copy())]
    if thorough:
        boxes += [(*box, 0.0) for box in _boxes("frontalface_default", grey)]
    crops = [Crop(x + w / 2, y + h / 2, CROP_PER_BOX * w, angle) for x, y, w, h, angle in boxes]
    if thorough:
        crops += [crop for angle in TILTS for crop in _tilted_candidates(grey, angle)]
    # From the middles of small pixels to those of the image's.
    x, y = width / small[0], height / small[1]
    return _without_twins([Crop((c.cx + 0.5) * x - 0.5, (c.cy + 0.5) * y - 0.5, c.side * x, c.angle) for c in crops])


def _tilted_candidates(grey: np.ndarray, angle: float) -> list[Crop]:
    """Faces that lean clockwise on screen by about ``angle``: looked for in the picture turned back by it."""
    height, width = grey.shape
    whole = Crop((width - 1) / 2, (height - 1) / 2, float(max(width, height)), angle)
    size = max(width, height)
    matrix = whole.matrix(size)
    turned = cv2.warpAffine(grey, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    crops = []
    for x, y, w, h in _boxes("frontalface_alt2", turned):
        cx, cy = matrix @ np.array([x + w / 2, y + h / 2, 1.0])
        crops.append(Crop(float(cx), float(cy), CROP_PER_BOX * w, angle))
    return crops


def _grid_candidates(image: np.ndarray) -> list[Crop]:
    """Places all over the picture, for faces that no cascade knows: the network pulls those near a face onto it."""
    height, width = image.shape[:2]
    crops = []
    for share in GRID:
        side = share * min(width, height)
        if side < 2 * SMALLEST:
            break
        across, down = (max(1, round(2 * n / side) - 1) for n in (width, height))
        for x in (np.arange(across) + 1) * width / (across + 1):
            for y in (np.arange(down) + 1) * height / (down + 1):
                crops.append(Crop(float(x), float(y), 1.2 * side))
    return crops


def _boxes(name: str, grey: np.ndarray) -> list[tuple[float, float, float, float]]:
    # Two neighbours instead of the usual three: the network refuses what is no face.
    boxes = _cascade(name).detectMultiScale(grey, scaleFactor=1.15, minNeighbors=2, minSize=(20, 20))
    return [(float(x), float(y), float(w), float(h)) for x, y, w, h in boxes]


def _cascade_folder() -> Path:
    """OpenCV's cascade files: pip's OpenCV brings them along, Debian's has them in a package of their own."""
    folder = Path(cv2.data.haarcascades) if hasattr(cv2, "data") else SYSTEM_CASCADES
    if not folder.is_dir():
        raise InputError(
            f"This OpenCV has no face cascades in {folder}: install opencv-data, or opencv-python-headless with pip"
        )
    return folder


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    path = _cascade_folder() / f"haarcascade_{name}.xml"
    # From memory: on Windows OpenCV cannot open a path with letters beyond the system's code page.
    storage = cv2.FileStorage(path.read_text(encoding="utf-8"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    cascade = cv2.CascadeClassifier()
    cascade.read(storage.getFirstTopLevelNode())
    return cascade

"""Pictures of one person: choosing them, and estimating their face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray, UInt8Array
from ..camera import Camera, Crop
from ..errors import InputError
from ..files import is_file
from ..networks.architectures import ibug_landmarks
from ..networks.estimate import FaceEstimate, SeesFaces
from ..networks.person import Acquaintance
from ..sight.finder import crop_of_box, find_faces, refined
from ..sight.image_header import image_header
from ..sight.sequences import is_image
from ..sight.tracking import perform
from ..sight.video import open_clip, picture_at

MOST_VIEWS = 8
ALSO_LARGE = 0.4  # of the largest face's side: another face as large may be meant, too
CLIP_FRAMES = 240  # at most so many frames of a clip are read, spread over it
YAW_STEP = 0.2  # radians between two views of a clip


@dataclass(frozen=True, eq=False)
class View:
    """A picture (H, W, 3) uint8 BGR with its camera, and the face in it (a batch of one).

    ``landmarks`` (70, 2) in pixels, where the network gives them.
    """

    name: str
    image: UInt8Array
    camera: Camera
    seen: FaceEstimate
    landmarks: FloatArray | None


def views_of(
    sources: Sequence[str],
    estimator: SeesFaces,
    box: Sequence[float] | None = None,
    face: int | None = None,
    lens_mm: float = 50.0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[View]:
    """Return views of one person from images, folders of images, or clips, the best first.

    Raises InputError for a picture without a face, and for one of several people if neither ``box`` nor ``face`` says
    which is meant.
    """
    views: list[View] = []
    for number, source in enumerate(sources):
        report(number, len(sources))
        for path in _images_in(source):
            if _is_still(path):
                views.append(_still_view(path, estimator, box, face, lens_mm))
            else:
                views += _clip_views(path, estimator, box, face, lens_mm)
    views.sort(key=_quality, reverse=True)
    return views[:MOST_VIEWS]


def alpha_of(views: Sequence[View], estimator: SeesFaces) -> FloatArray:
    """Fit one alpha (Ks,) over all views."""
    if estimator.person is not None and all(view.seen.outputs is not None for view in views):
        known = Acquaintance(estimator.person)
        for view in views:
            assert view.seen.outputs is not None
            known.add(view.seen.outputs, view.seen.confidence)
        return known.alpha
    weights = np.array([_quality(view) for view in views])
    alphas = np.array([view.seen.alpha[0] for view in views])
    mean: FloatArray = np.einsum("f,fk->k", weights, alphas) / weights.sum()
    return mean


def _images_in(source: str) -> list[str]:
    """Return the images of a folder, in order; a file is returned as it is."""
    path = Path(source)
    if not path.is_dir():
        if not is_file(path):
            raise InputError(f"{source}: does not exist: give a photo, a folder of photos, or a clip")
        return [source]
    images = [str(entry) for entry in sorted(path.iterdir()) if is_image(entry)]
    if not images:
        raise InputError(f"{source}: has no images: give a photo, a folder of photos, or a clip")
    return images


def _is_still(path: str) -> bool:
    with open(path, "rb") as file:
        return image_header(file.read(65536)) is not None


def _still_view(path: str, estimator: SeesFaces, box: Sequence[float] | None, face: int | None, lens_mm: float) -> View:
    image = picture_at(path, 0)
    height, width = image.shape[:2]
    if box is not None:
        crop = refined(image, [crop_of_box(box, (width, height))], estimator.finding)[0].crop
    else:
        faces = find_faces(image, estimator.finding)
        if not faces:
            raise InputError(f"{path}: no face was found: use another picture, or draw a box around the face")
        large = [each for each in faces if each.crop.side > ALSO_LARGE * faces[0].crop.side]
        if face is None and len(large) > 1:
            raise InputError(f"{path}: shows {len(large)} people: say which is meant, by number or box, or cut it out")
        if (face or 0) >= len(faces):
            raise InputError(f"{path}: there is no face {(face or 0) + 1}: {len(faces)} found, the largest first")
        crop = faces[face or 0].crop
    return _view(Path(path).name, image, Camera.for_image(width, height, lens_mm), crop, estimator)


def _clip_views(
    path: str, estimator: SeesFaces, box: Sequence[float] | None, face: int | None, lens_mm: float
) -> list[View]:
    """Return the surest views of a clip, each from another side."""
    with open_clip(path, 0, CLIP_FRAMES - 1) as clip:
        performance = perform(clip, estimator, box=box, face=face, lens_mm=lens_mm)
    if not performance.seen.any():
        raise InputError(f"{path}: no face was found: use another clip, or say where the face is")
    eta = np.nan_to_num(performance.eta)
    calm = np.exp(-0.25 * np.abs(eta).sum(1))
    order = np.argsort(-(performance.confidence * (0.2 + calm)))
    chosen: list[int] = []
    yaws: list[float] = []
    for frame in order:
        if not performance.seen[frame] or len(chosen) == MOST_VIEWS:
            break
        yaw = float(np.arcsin(np.clip(performance.rotation[frame, 0, 2], -1, 1)))
        if all(abs(yaw - other) > YAW_STEP for other in yaws):
            chosen.append(int(frame))
            yaws.append(yaw)
    views = []
    for frame in chosen:
        image = picture_at(path, frame)
        camera = Camera.for_image(image.shape[1], image.shape[0], lens_mm)
        views.append(_view(f"{Path(path).name} {frame + 1}", image, camera, Crop(*performance.crop[frame]), estimator))
    return views


def _view(name: str, image: UInt8Array, camera: Camera, crop: Crop, estimator: SeesFaces) -> View:
    located = estimator.finding.estimate([image], [crop], [camera])
    seen = estimator.read([image], [camera], located)
    return View(name, image, camera, seen, _landmarks(seen, crop, estimator))


def _landmarks(seen: FaceEstimate, crop: Crop, estimator: SeesFaces) -> FloatArray | None:
    """Return the network's landmarks (70, 2) in pixels and iBUG's order; None from a network without them."""
    if estimator.person is None or seen.outputs is None or "landmarks" not in estimator.person.widths:
        return None
    return crop.to_image(ibug_landmarks(seen.outputs[0], estimator.person.widths).astype(np.float64))


def _quality(view: View) -> float:
    """Return how much a view counts: a sure, frontal, large face."""
    seen = view.seen
    return float(seen.confidence[0] * max(0.05, seen.rotation[0, 2, 2]) ** 2 * min(seen.crop[0].side / 300, 1.0))

"""Labels of a folder of photographs, in shards that a stopped run continues from.

OUT/readings_00000.npz holds what an image shows on its own (landmarks, alpha, pose). OUT/labels_00000.npz holds the
labels by Eq. (2), once alpha is pooled over each person's images. OUT/label.json holds the settings: a run with others
is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.builtin import OPEN
from ...model.camera import Camera
from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.files import atomic_path, is_dir, is_file, make_folder, write_whole
from ...model.formats import open_face_model
from ...model.networks.estimate import FaceEstimate, SeesFaces
from ...model.reading import json_object, reading
from ...model.sight.images import read_image
from ...model.sight.stills import Still, see_stills
from ...model.worker.chosen_estimator import EstimatorCache
from ...model.worker.messages import EstimatorOptions
from .contour import fit_with_contour
from .eq2 import Floats, landmark_basis, pose_from_landmarks
from .landmark_files import LANDMARKS, Finder, found_by, read_landmarks
from .subjects import pooled

PER_SHARD = 256
GIVEN, SOLVED = "given", "solved"
SETTINGS = "label.json"


@dataclass(frozen=True)
class Settings:
    """What labels depend on besides the images.

    landmarks  the suffix of the landmark files (.pts), or the name of a plug-in
    pose       ``given``: the network's; ``solved``: together with eta
    subjects   see ``subjects.subjects_of``
    lens_mm    of the camera, for a 36 mm sensor
    face_model ``open`` or a path: the head of the labels;  estimator: the network that reads alpha and pose
    """

    landmarks: str
    pose: str
    subjects: str
    lens_mm: float
    face_model: str
    images: int
    estimator: str = OPEN


@dataclass(frozen=True, eq=False)
class Readings:
    """What N images show, each on its own. ``error`` is empty where there is everything.

    landmarks (N, 68, 2) px;  alpha (N, Ks);  rotation (N, 3, 3), translation (N, 3) mm;  crop (N, 4): centre, side in
    px and angle;  confidence (N,);  size (N, 2): width and height
    """

    image: NDArray[np.str_]
    error: NDArray[np.str_]
    landmarks: Floats
    alpha: Floats
    rotation: Floats
    translation: Floats
    crop: Floats
    confidence: Floats
    size: Floats


@dataclass(frozen=True, eq=False)
class LabelShard:
    """The labels of the images of a shard that have them: fields of ``eq2.Labels``, and ``alpha`` pooled by person."""

    image: NDArray[np.str_]
    eta: Floats
    at_bound: NDArray[np.bool_]
    alpha: Floats
    rotation: Floats
    translation: Floats
    crop: Floats
    error: Floats
    converged: NDArray[np.bool_]


def shard_slices(count: int) -> list[slice]:
    return [slice(first, min(first + PER_SHARD, count)) for first in range(0, count, PER_SHARD)]


def check_settings(out: Path, settings: Settings) -> None:
    """Write the settings into an empty folder. Raises InputError where labels with other settings are there."""
    path = out / SETTINGS
    if is_file(path):
        with reading(path, "label settings", "delete the folder and label again"):
            there = json_object(path.read_bytes())
        different = [f.name for f in fields(Settings) if there.get(f.name, f.default) != getattr(settings, f.name)]
        if different:
            raise InputError(f"{out}: holds labels with another setting of {different[0]}: choose another folder")
        return
    make_folder(out)
    write_whole(path, json.dumps(asdict(settings), indent=1).encode())


def load_estimator(settings: Settings) -> SeesFaces:
    """Load the network of the settings. Raises InputError where its basis is not that of their face model."""
    options = EstimatorOptions(estimator=settings.estimator, face_model=settings.face_model)
    estimator: SeesFaces = EstimatorCache().get(options)
    basis = open_face_model(settings.face_model).basis
    if estimator.basis != basis:
        raise InputError(
            f"{settings.estimator}: its alpha and pose belong to the basis {estimator.basis}, the face model "
            f"{settings.face_model} has {basis}: give a pair with --estimator and --face-model"
        )
    return estimator


def read_shard_of_images(
    images: Sequence[Path], settings: Settings, estimator: SeesFaces, finder: Finder | None
) -> Readings:
    """Read landmarks, alpha and pose of images. An image that cannot be used has the reason in ``error``."""
    stills = [Still(image) for image in images]
    rows = [
        _reading(image, seen, settings, finder)
        for image, seen in zip(images, see_stills(stills, estimator, settings.lens_mm), strict=True)
    ]
    return Readings(*(np.array([row[f.name] for row in rows]) for f in fields(Readings)))


def _reading(image: Path, seen: FaceEstimate | InputError, settings: Settings, finder: Finder | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "image": str(image),
        "error": "",
        "landmarks": np.full((LANDMARKS, 2), np.nan),
        "alpha": np.zeros(99),
        "rotation": np.eye(3),
        "translation": np.zeros(3),
        "crop": np.zeros(4),
        "confidence": 0.0,
        "size": np.zeros(2),
    }
    try:
        if isinstance(seen, InputError):
            raise seen
        picture = read_image(image)
        if finder:
            row["landmarks"] = found_by(finder, picture, image.name)
        else:
            row["landmarks"] = read_landmarks(image.with_suffix(settings.landmarks))
    except InputError as error:
        return {**row, "error": str(error)}
    crop = seen.crop[0]
    return {
        **row,
        "alpha": seen.alpha[0].astype(np.float64),
        "rotation": seen.rotation[0].astype(np.float64),
        "translation": seen.translation[0].astype(np.float64),
        "crop": np.array([crop.cx, crop.cy, crop.side, crop.angle]),
        "confidence": float(seen.confidence[0]),
        "size": np.array([picture.shape[1], picture.shape[0]], np.float64),
    }


def label_shard(readings: Readings, alpha: Floats, settings: Settings, model: FaceModel) -> LabelShard:
    """Fit Eq. (2) to the images of ``readings`` that are complete; ``alpha`` (N, Ks) is each one's person's."""
    fine = readings.error == ""
    cameras = [Camera.for_image(int(w), int(h), settings.lens_mm) for w, h in readings.size[fine]]
    points, alpha = readings.landmarks[fine], alpha[fine]
    rotation, translation = readings.rotation[fine], readings.translation[fine]
    if settings.pose == SOLVED and len(points):
        rest = landmark_basis(model).at_rest(alpha)
        rotation, translation = pose_from_landmarks(rest, points, cameras)
    found = fit_with_contour(model, points, alpha, rotation, translation, cameras, solve_pose=settings.pose == SOLVED)
    return LabelShard(
        readings.image[fine],
        found.eta,
        found.at_bound,
        alpha,
        found.rotation,
        found.translation,
        readings.crop[fine],
        found.error,
        found.converged,
    )


def pooled_alpha(shards: Sequence[Readings], subjects: Sequence[str]) -> list[Floats]:
    """Return the alpha of each image's person, by shard."""
    fine = np.concatenate([shard.error == "" for shard in shards])
    confidence = np.concatenate([shard.confidence for shard in shards]) * fine
    alpha = pooled(np.concatenate([shard.alpha for shard in shards]), confidence, subjects)
    return np.split(alpha, np.cumsum([len(shard.image) for shard in shards])[:-1])


def save(path: Path, shard: Readings | LabelShard) -> None:
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **vars(shard))


def load_readings(path: Path) -> Readings:
    return Readings(**_arrays(path, Readings))


def load_labels(folder: Path) -> LabelShard:
    """Read all labels of a folder as one shard. Raises InputError where there are none."""
    paths = sorted(folder.glob("labels_*.npz")) if is_dir(folder) else []
    if not paths:
        raise InputError(f"{folder}: holds no labels: run expnet research label first")
    shards = [_arrays(path, LabelShard) for path in paths]
    return LabelShard(**{f.name: np.concatenate([s[f.name] for s in shards]) for f in fields(LabelShard)})


def has_observations(folder: Path) -> bool:
    """Return whether a folder of labels has the landmarks that they come from."""
    return any(folder.glob("readings_*.npz"))


def observed(folder: Path, images: NDArray[np.str_]) -> tuple[Floats, list[Camera | None]]:
    """Return the landmarks (N, 68, 2) that labelled images have, pixels, and the cameras of their poses.

    NaN and None for labels of a command that keeps neither, such as ``annotate``.
    """
    points = np.full((len(images), LANDMARKS, 2), np.nan)
    cameras: list[Camera | None] = [None] * len(images)
    paths = sorted(folder.glob("readings_*.npz"))
    if not paths:
        return points, cameras
    with reading(folder / SETTINGS, "label settings", "delete the folder and label again"):
        lens_mm = float(json_object((folder / SETTINGS).read_bytes())["lens_mm"])
    places = {str(image): i for i, image in enumerate(images)}
    for readings in map(load_readings, paths):
        for image, landmarks, size in zip(readings.image, readings.landmarks, readings.size):
            at = places.get(str(image))
            if at is not None:
                points[at] = landmarks
                cameras[at] = Camera.for_image(int(size[0]), int(size[1]), lens_mm)
    return points, cameras


def _arrays(path: Path, kind: type[Readings] | type[LabelShard]) -> dict[str, Any]:
    remedy = "delete it and run the same command again"
    with reading(path, "label shard", remedy), np.load(path, allow_pickle=False) as data:
        return {f.name: data[f.name] for f in fields(kind)}


def missing_shards(out: Path, prefix: str, count: int) -> Iterator[int]:
    """Return the indices of shards that are not written yet."""
    return (i for i in range(count) if not is_file(out / f"{prefix}_{i:05d}.npz"))

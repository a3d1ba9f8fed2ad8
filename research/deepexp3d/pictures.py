"""Photographs with landmarks and known expressions, registered and split by subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.errors import InputError
from ...model.face.face_model import FaceModel
from ...model.sight.images import read_image
from ..label.label_shards import SETTINGS, load_labels
from ..label.landmark_files import Finder
from ..label.landmark_method import landmarks_in
from ..label.subjects import subjects_of
from ..tables import table_rows
from .registration import Floats, registered, template

SHARES = (0.70, 0.15)  # of the subjects: training, validation; the rest is the test


@dataclass(frozen=True, eq=False)
class Pictures:
    """N registered pictures (N, S, S, 3) uint8 BGR; landmarks (N, 68, 2) of the photographs, eta (N, Ke), subjects."""

    images: NDArray[np.uint8]
    points: Floats
    eta: Floats
    subjects: NDArray[np.str_]

    def only(self, rows: NDArray[np.int64]) -> Pictures:
        return Pictures(self.images[rows], self.points[rows], self.eta[rows], self.subjects[rows])


def read_pictures(source: Path, model: FaceModel, landmarks: Finder | str, subjects: str, size: int) -> Pictures:
    """Read a table image,KEY,KEY…, or a folder that ``expnet research label`` wrote. Raises InputError."""
    images, eta = _of_labels(source) if source.is_dir() else _of_table(source, model.expression_keys)
    if eta.shape[1:] != (len(model.expression),):
        raise InputError(
            f"{source}: has {eta.shape[1]} expressions, the face model {len(model.expression)}: give its own"
        )
    goal = template(model, size)
    taken = np.empty((len(images), size, size, 3), np.uint8)
    points = np.empty((len(images), 68, 2))
    for i, path in enumerate(tqdm(images, desc="registering", unit="picture")):
        picture = read_image(path)
        points[i] = landmarks_in(landmarks, picture, path, 1.0)
        taken[i] = registered(picture, points[i], goal, size)
    return Pictures(taken, points, eta, np.array(subjects_of(images, subjects)))


def _of_labels(folder: Path) -> tuple[list[Path], Floats]:
    if not (folder / SETTINGS).is_file():
        raise InputError(f"{folder}: give a table image,KEY,KEY…, or a folder that expnet research label wrote")
    found = load_labels(folder)
    return [Path(str(name)) for name in found.image], found.eta.astype(np.float64)


def _of_table(table: Path, keys: Sequence[str]) -> tuple[list[Path], Floats]:
    remedy = "give a CSV with the columns image and the face model's keys"
    with table_rows(table, ("image", *keys), remedy, "table of expressions") as reader:
        rows = [(table.parent / row["image"], [float(row[key]) for key in keys]) for row in reader]
        eta = np.array([values for _, values in rows], np.float64).reshape(-1, len(keys))
        if not len(rows) or not np.isfinite(eta).all():
            raise ValueError("it has no rows, or a value that is no number")
    return [image for image, _ in rows], eta


def split(pictures: Pictures, seed: int, what: str) -> tuple[Pictures, Pictures, Pictures]:
    """Return training, validation and test pictures, 70/15/15 of the subjects. Raises InputError for too few."""
    people = np.random.default_rng(seed).permutation(np.unique(pictures.subjects))
    first, second = (round(n * len(people)) for n in np.cumsum(SHARES))
    parts = people[:first], people[first:second], people[second:]
    if not all(len(part) for part in parts):
        raise InputError(f"{what}: {len(people)} subjects cannot be split into three parts: at least 5 are needed")
    train, check, test = (pictures.only(np.flatnonzero(np.isin(pictures.subjects, part))) for part in parts)
    return train, check, test

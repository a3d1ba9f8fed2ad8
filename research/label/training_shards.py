"""Training pictures made from labelled photographs, as the shards that ``training/train.py`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.camera import Camera, Crop, crop_of_pose, rotation_in_crop
from ...model.errors import InputError
from ...model.files import atomic_path, make_folder
from ...model.networks.cutting import cut
from ...model.sight.images import read_image
from .eq2 import Floats
from .label_shards import LabelShard, load_labels, observed
from .subjects import subjects_of

PER_SHARD = 512
HELD_OUT = 0.1  # share of the subjects whose pictures are not trained on
POINTS = 70  # of a sample: iBUG's 68 and the pupils
MOST_ERROR = 0.08  # of a crop's side; landmarks farther from their fit are not those of this face


def write_training_shards(labels: Path, out: Path, size: int, subjects: str, seed: int) -> tuple[int, int]:
    """Cut the labelled photographs and write shards of seed 0 (training) and 1 (held-out people) into ``out``.

    Returns their numbers of pictures. Raises InputError where there are too few people to hold some out.
    """
    found = load_labels(labels)
    images = [Path(str(name)) for name in found.image]
    of = np.array(subjects_of(images, subjects))
    aside = held_out_subjects(of, seed)
    if not len(aside):
        raise InputError(f"{labels}: all images show one subject: at least 2 are needed, to hold one out")
    points, cameras = observed(labels, found.image)
    usable = found.converged & (found.error < MOST_ERROR * found.crop[:, 2])
    make_folder(out)
    counts = []
    for number, rows in enumerate((~np.isin(of, aside) & usable, np.isin(of, aside) & usable)):
        chosen = np.random.default_rng([seed, number]).permutation(np.flatnonzero(rows))
        if not len(chosen):
            raise InputError(f"{labels}: no usable picture is left to {'hold out' if number else 'train on'}")
        for index, first in enumerate(tqdm(range(0, len(chosen), PER_SHARD), desc="cutting", unit="shard")):
            part = chosen[first : first + PER_SHARD]
            with atomic_path(out / f"seed{number}_shard{index:05d}.npz") as partial:
                np.savez(partial, **_shard(found, images, points, cameras, part, size))
        counts.append(len(chosen))
    return counts[0], counts[1]


def held_out_subjects(subjects: NDArray[np.str_], seed: int) -> NDArray[np.str_]:
    """Return the subjects that are not trained on: a tenth, at least one; none where there is only one."""
    people = np.unique(subjects)
    count = max(1, round(HELD_OUT * len(people))) if len(people) > 1 else 0
    return np.random.default_rng(seed).permutation(people)[:count]


def _shard(
    found: LabelShard,
    images: list[Path],
    points: Floats,
    cameras: Sequence[Camera | None],
    rows: NDArray[np.int64],
    size: int,
) -> dict[str, NDArray[Any]]:
    """Return the fields of ``training.synthetic.sample.Sample``; what photographs have no label for is NaN or 0.

    ``points`` (N, 68, 2) are the landmarks of the images, pixels, NaN where there are none; ``cameras`` those of the
    labels' poses, where they are known. ``training.dataset.read_shard`` fills in the other fields.
    """
    count = len(rows)
    crops = [Crop(*map(float, found.crop[i])) for i in rows]
    landmarks = np.full((count, POINTS, 2), np.nan, np.float32)
    rotation = np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), (count, 1))
    offset = np.zeros((count, 3), np.float32)
    for at, (row, crop) in enumerate(zip(rows, crops)):
        landmarks[at, :68] = crop.from_image(points[row])
        camera = cameras[row]
        if camera is not None:
            rotation[at], offset[at] = pose_labels(found.rotation[row], found.translation[row], camera, crop)
    return {
        "image": np.stack([cut(read_image(images[i]), crop, size) for i, crop in zip(rows, crops)]),
        "eta": found.eta[rows].astype(np.float32),
        "alpha": found.alpha[rows].astype(np.float32),
        "gaze": np.zeros((count, 2), np.float32),
        "rotation": rotation,
        "crop": offset,
        "landmarks": landmarks,
        "visible": np.isfinite(landmarks).all(-1).astype(np.uint8),
        "detail": np.minimum(found.crop[rows, 2], size).astype(np.float32),
        "face": np.ones(count, np.float32),
    }


def pose_labels(
    rotation: Floats, translation: Floats, camera: Camera, given: Crop
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a pose as the network has it: six numbers of the rotation in ``given``, offset (3,) to the own crop."""
    own = crop_of_pose(rotation, translation, camera)
    six = rotation_in_crop(rotation, camera, given, own)[:, :2].T.reshape(6)
    return six.astype(np.float32), given.offset_to(own)[:3].astype(np.float32)

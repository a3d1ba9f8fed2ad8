"""Training pictures made from labelled photographs, as the shards that ``training/train.py`` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...model.camera import Crop
from ...model.errors import InputError
from ...model.files import atomic_path, make_folder
from ...model.networks.cutting import cut
from ...model.sight.images import read_image
from .label_shards import LabelShard, load_labels
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
                np.savez(partial, **_shard(found, images, part, size))
        counts.append(len(chosen))
    return counts[0], counts[1]


def held_out_subjects(subjects: NDArray[np.str_], seed: int) -> NDArray[np.str_]:
    """Return the subjects that are not trained on: a tenth, at least one; none where there is only one."""
    people = np.unique(subjects)
    count = max(1, round(HELD_OUT * len(people))) if len(people) > 1 else 0
    return np.random.default_rng(seed).permutation(people)[:count]


def _shard(found: LabelShard, images: list[Path], rows: NDArray[np.int64], size: int) -> dict[str, NDArray[Any]]:
    """Return the fields of ``training.synthetic.sample.Sample``; what photographs have no label for is NaN or 0.

    ``training.dataset.read_shard`` fills in the others.
    """
    count = len(rows)
    pictures = [cut(read_image(images[i]), Crop(*map(float, found.crop[i])), size) for i in rows]
    return {
        "image": np.stack(pictures),
        "eta": found.eta[rows].astype(np.float32),
        "alpha": found.alpha[rows].astype(np.float32),
        "gaze": np.zeros((count, 2), np.float32),
        "rotation": np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), (count, 1)),
        "crop": np.zeros((count, 3), np.float32),
        "landmarks": np.full((count, POINTS, 2), np.nan, np.float32),
        "visible": np.zeros((count, POINTS), np.uint8),
        "detail": np.minimum(found.crop[rows, 2], size).astype(np.float32),
        "face": np.ones(count, np.float32),
    }

"""Are networks better than the labels that they learn from? Both against the true expressions of held-out people."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.networks import engines
from ...model.performance.accuracy import pearson
from ...model.reading import reading
from ...model.sight.images import read_image
from .eq2 import Floats
from .label_shards import load_labels
from .subjects import subjects_of
from .training_shards import held_out_subjects

TOGETHER = 32


@dataclass(frozen=True)
class Accuracy:
    """Of N estimates: mean absolute error, mean of the keys' r, and how many they are."""

    error: float
    r: float
    count: int


def compare(labels: Path, truth: Path, weights: Path, subjects: str, seed: int) -> str:
    """Return a Markdown table of the labels' and the network's errors on people that it was not trained on."""
    found = load_labels(labels)
    images = [Path(str(name)) for name in found.image]
    of = np.array(subjects_of(images, subjects))
    rows = np.flatnonzero(np.isin(of, held_out_subjects(of, seed)))
    true = _truth(truth, [images[i] for i in rows])
    estimator = engines.start(str(weights)).estimator
    read: list[Floats] = []
    for first in range(0, len(rows), TOGETHER):
        part = rows[first : first + TOGETHER]
        pictures = [read_image(images[i]) for i in part]
        crops = [Crop(*map(float, found.crop[i])) for i in part]
        cameras = [Camera.for_image(p.shape[1], p.shape[0]) for p in pictures]
        read.append(estimator.estimate(pictures, crops, cameras).eta.astype(np.float64))
    resting = np.zeros_like(true)
    rated = {
        "rest (all coefficients 0)": accuracy(resting, true),
        "labels by Eq. (2)": accuracy(found.eta[rows], true),
        "network trained on such labels": accuracy(np.concatenate(read), true),
    }
    lines = ["| | mean absolute error | mean r |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {a.error:.4f} | {'–' if np.isnan(a.r) else f'{a.r:.3f}'} |" for name, a in rated.items()]
    return "\n".join([*lines, f"{len(rows)} pictures of people that were held out"])


def accuracy(eta: Floats, true: Floats) -> Accuracy:
    """Rate estimates ``eta`` (N, Ke) against ``true``."""
    r = pearson(eta, true)[(eta.std(0) > 1e-9) & (true.std(0) > 1e-9)]
    return Accuracy(float(np.abs(eta - true).mean()), float(np.mean(r)) if len(r) else float("nan"), len(eta))


def _truth(table: Path, images: list[Path]) -> Floats:
    remedy = "give a CSV with the columns image and the 29 keys"
    with reading(table, "table of true expressions", remedy), table.open(newline="", encoding="utf-8-sig") as file:
        rows = {row["image"]: [float(row[key]) for key in OPEN_KEYS] for row in csv.DictReader(file)}
    missing = [image.name for image in images if image.name not in rows]
    if missing:
        raise InputError(f"{table}: has no row for {missing[0]}")
    return np.array([rows[image.name] for image in images])

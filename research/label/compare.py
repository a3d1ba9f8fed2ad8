"""Are networks better than the labels that they learn from? Both against the true expressions of held-out people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...model.builtin import OPEN
from ...model.camera import Camera, Crop
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.files import is_dir
from ...model.formats import open_face_model
from ...model.networks import engines
from ...model.networks.two_looks import LooksTwice
from ...model.performance.accuracy import pearson
from ...model.reading import reading
from ...model.sight.images import read_image
from ...training.dataset import read_shard, shard_names
from ..tables import table_rows
from .eq2 import Floats
from .label_shards import load_labels
from .subjects import subjects_of
from .training_shards import held_out_subjects

TOGETHER = 32
REST, MEAN = "rest (all coefficients 0)", "mean of the labels, the same for all"
LABELS, NETWORK = "labels by Eq. (2)", "network trained on such labels"


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Of N estimates: mean absolute error, mean distance of the skin in mm, r of each key (NaN: constant)."""

    error: float
    mm: float
    r: Floats

    @property
    def mean_r(self) -> float:
        known = self.r[np.isfinite(self.r)]
        return float(known.mean()) if len(known) else float("nan")


def compare(labels: Path, truth: Path | None, weights: Path, subjects: str, seed: int) -> str:
    """Return Markdown tables of the labels' and the network's errors on people that it was not trained on.

    ``truth`` is a table, which labels of ``label-renders`` do not need. Raises InputError.
    """
    estimator = engines.start(str(weights)).estimator
    if is_dir(labels) and shard_names(labels, 1):
        true, label, read = _of_shards(labels, estimator)
    elif truth is None:
        raise InputError(f"{labels}: the true expressions are unknown: give their table with --truth")
    else:
        true, label, read = _of_photographs(labels, truth, estimator, subjects, seed)
    rated = {
        REST: accuracy(np.zeros_like(true), true),
        MEAN: accuracy(np.broadcast_to(label.mean(0), label.shape), true),
        LABELS: accuracy(label, true),
        NETWORK: accuracy(read, true),
    }
    lines = ["| | mean absolute error | skin, mm | mean r |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {name} | {a.error:.4f} | {a.mm:.2f} | {_said(a.mean_r)} |" for name, a in rated.items()]
    better = int((rated[NETWORK].r > rated[LABELS].r).sum())
    lines += [f"{len(true)} pictures of people that were held out; the network's r is higher for {better} keys", ""]
    lines += ["| key | r, labels | r, network |", "| --- | ---: | ---: |"]
    both = zip(OPEN_KEYS, rated[LABELS].r, rated[NETWORK].r)
    return "\n".join([*lines, *(f"| {key} | {_said(a)} | {_said(b)} |" for key, a, b in both)])


def _said(r: float) -> str:
    return "–" if np.isnan(r) else f"{r:.3f}"


def _of_shards(labels: Path, estimator: LooksTwice) -> tuple[Floats, Floats, Floats]:
    """Return truth, labels and the network's eta, each (N, Ke), of the pictures of seed 1 of ``label-renders``."""
    true, label, read = [], [], []
    for name in shard_names(labels, 1):
        path = labels / name
        remedy = "delete it and label again"
        with reading(path, "label shard", remedy), np.load(path, allow_pickle=False) as data:
            label.append(data["label"].astype(np.float64))
        shard = read_shard(path)
        true.append(shard["eta"].astype(np.float64))
        for first in range(0, len(shard["eta"]), TOGETHER):
            pictures = list(shard["image"][np.arange(first, min(first + TOGETHER, len(shard["eta"])))])
            size = pictures[0].shape[0]
            crop, camera = Crop((size - 1) / 2, (size - 1) / 2, size), Camera.for_image(size, size)
            found = estimator.estimate(pictures, [crop] * len(pictures), [camera] * len(pictures))
            read.append(found.eta.astype(np.float64))
    return np.concatenate(true), np.concatenate(label), np.concatenate(read)


def _of_photographs(
    labels: Path, truth: Path, estimator: LooksTwice, subjects: str, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return truth, labels and the network's eta, each (N, Ke), of the photographs of held-out subjects."""
    found = load_labels(labels)
    images = [Path(str(name)) for name in found.image]
    of = np.array(subjects_of(images, subjects))
    rows = np.flatnonzero(np.isin(of, held_out_subjects(of, seed)))
    if not len(rows):
        raise InputError(f"{labels}: all images show one subject: at least 2 are needed, to hold one out")
    true = _truth(truth, [images[i] for i in rows])
    read: list[Floats] = []
    for first in range(0, len(rows), TOGETHER):
        part = rows[first : first + TOGETHER]
        pictures = [read_image(images[i]) for i in part]
        crops = [Crop(*map(float, found.crop[i])) for i in part]
        cameras = [Camera.for_image(p.shape[1], p.shape[0]) for p in pictures]
        read.append(estimator.estimate(pictures, crops, cameras).eta.astype(np.float64))
    return true, found.eta[rows], np.concatenate(read)


def accuracy(eta: Floats, true: Floats) -> Accuracy:
    """Rate estimates ``eta`` (N, Ke) against ``true``."""
    head = open_face_model(OPEN)
    moves = head.expression[:, np.asarray(head.regions["skin"])].astype(np.float64)
    parts = range(0, len(eta), TOGETHER)
    gaps = [np.einsum("nk,kvc->nvc", (eta - true)[i : i + TOGETHER], moves, optimize=True) for i in parts]
    mm = float(np.mean(np.concatenate([np.linalg.norm(gap, axis=-1).mean(1) for gap in gaps])))
    r = np.where((eta.std(0) > 1e-9) & (true.std(0) > 1e-9), pearson(eta, true), np.nan)
    return Accuracy(float(np.abs(eta - true).mean()), mm, r)


def _truth(table: Path, images: list[Path]) -> Floats:
    remedy = "give a CSV with the columns image and the 29 keys"
    with table_rows(table, ("image", *OPEN_KEYS), remedy, "table of true expressions") as reader:
        rows = {row["image"]: [float(row[key]) for key in OPEN_KEYS] for row in reader}
    missing = [image.name for image in images if image.name not in rows]
    if missing:
        raise InputError(f"{table}: has no row for {missing[0]}")
    return np.array([rows[image.name] for image in images])

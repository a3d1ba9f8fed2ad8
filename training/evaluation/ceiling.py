"""Upper bounds for eta: from the true positions of facial points, alone and beside the network's outputs.

The first says what the points of the skin could tell without any picture; most of them lie where no picture shows a
point. The second says what a perfect search for the landmarks would add to what the network reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...model.array_types import AnyArray, FloatArray
from ...model.camera import SIDE_MM
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ...model.networks.person import inputs
from ..dataset import read_shard, shard_names
from .held_out import figures
from .measures import correlations, predict_with_mirror_images
from .section import Cell, Section, Table
from .subject import Subject

NOISE_MM = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # deviation of each coordinate of each point
MOST = 20_000  # faces to learn from
SEEN_MOST = 15_000  # of these, faces that the network reads
BESIDE_MM = (2.0, 1.0, 0.5, 0.0)  # deviation of the landmarks that are added to the network's outputs
STRENGTH = 1e-3  # of the ridge, in shares of the features' variance
LABELS = ("points", "landmarks", "crop", "rotation", "eta", "face")
Labels = Mapping[str, AnyArray]


def measure(subject: Subject, training: Path) -> Section:
    """Measure the bounds. ``training`` is a folder with shards of seed 0, the training set of the linear readings."""
    known, held_out = _labels(training), {k: v.numpy() for k, v in subject.truth.items()}
    if "points" not in held_out:
        raise InputError("the held-out shards hold no dense points: generate them anew")
    rows: list[tuple[Cell, ...]] = []
    exact = np.zeros(len(OPEN_KEYS))
    for noise in NOISE_MM:
        rng = np.random.default_rng(0)
        eta = linear_reading(features(known, noise, rng), known["eta"], features(held_out, noise, rng))
        reader = _reading(subject, eta)
        rows.append((_named("points", noise), *_row(reader)))
        if not noise:
            exact = correlations(reader.seen["eta"], subject.truth["eta"])
    rows.append(("the network, from pictures", *_row(subject)))
    r = correlations(subject.seen["eta"], subject.truth["eta"])
    keys = tuple((k, float(a), float(b)) for k, a, b in zip(OPEN_KEYS, exact, r))
    beside, columns = _beside_the_network(subject, training, held_out)
    return Section(
        "Ceiling",
        f"A linear reading (ridge regression trained on {len(known['eta']):,} training faces) of eta from the labels' "
        "own points (the 192 dense ones and the landmarks, hidden ones included) and the head's rotation, without "
        "picture, blur or occlusion. Most of the remaining error is not in the points: people differ in shape and in "
        "how they make an expression, and their resting face is unknown. With less accurate points it shows the "
        "precision that a network needs. Millimetres of noise are standard deviations of each coordinate of each "
        "point in the picture's plane, where the crop is 200 mm wide. The second table has the same regression on all "
        "outputs of the network, without and with the 70 true landmarks beside them: its last row is what a perfect "
        "search for landmarks would add to what the network reads, as far as a linear reading uses it.",
        (),
        (
            Table(("", "mean r", "lips mm", "lids mm", "r, clear", "r, natural"), tuple(rows)),
            Table(columns, tuple(beside), "The network's outputs, read linearly with the true landmarks beside them"),
            Table(("key", "r, points known exactly", "r, the network"), keys, "Per key"),
        ),
    )


def _beside_the_network(
    subject: Subject, training: Path, held_out: Labels
) -> tuple[list[tuple[Cell, ...]], tuple[str, ...]]:
    """Return the rows and columns of the second table."""
    seen = _labels(training, SEEN_MOST, (*LABELS, "image"))
    known_faces = predict_with_mirror_images(subject.network, torch.from_numpy(seen["image"]))
    held_out_faces = {name: value[subject.face] for name, value in subject.raw.items()}
    read, asked = (
        inputs({name: value.numpy() for name, value in outputs.items()}) for outputs in (known_faces, held_out_faces)
    )
    rows: list[tuple[Cell, ...]] = []
    brows = [k for k, key in enumerate(OPEN_KEYS) if key.startswith("brow")]
    for noise in (None, *BESIDE_MM):
        known, sought = read, asked
        if noise is not None:
            rng = np.random.default_rng(0)
            known, sought = (
                np.concatenate([own, features(labels, noise, rng, ("landmarks",))], 1)
                for own, labels in ((read, seen), (asked, held_out))
            )
        reader = _reading(subject, linear_reading(known, seen["eta"], sought))
        of_brows = float(correlations(reader.seen["eta"], subject.truth["eta"])[brows].mean())
        rows.append(("outputs alone" if noise is None else _named("landmarks", noise), *_row(reader), of_brows))
    return rows, ("", "mean r", "lips mm", "lids mm", "r, clear", "r, natural", "r, brows")


def _reading(subject: Subject, eta: FloatArray) -> Subject:
    """Return the subject with ``eta`` (N, 29) instead of its own readings of the held-out faces."""
    read = subject.everything["eta"].clone()
    read[subject.face] = torch.from_numpy(eta).to(read.dtype)
    return replace(subject, outputs={**subject.everything, "eta": read})


def _named(points: str, noise: float) -> str:
    return f"{points} known to {noise:g} mm" if noise else f"{points} known exactly"


def _row(subject: Subject) -> tuple[float, ...]:
    f = figures(subject, np.ones(len(subject.seen["eta"]), bool))
    where = subject.conditions
    return f["r"], f["lips"], f["lids"], figures(subject, where.clear)["r"], figures(subject, where.natural)["r"]


def _labels(folder: Path, most: int = MOST, names: tuple[str, ...] = LABELS) -> Labels:
    """Return the labels of up to ``most`` faces of seed 0, and their pictures where ``names`` has ``image``."""
    parts: list[dict[str, AnyArray]] = []
    for name in shard_names(folder, seed=0):
        shard = read_shard(folder / name)  # landmarks in the order of the held-out ones
        face = (shard["face"] > 0.5) & ~np.isnan(shard["points"]).any((1, 2))
        if face.any():
            parts.append({k: shard[k][face] if k == "image" else shard[k][face].astype(np.float32) for k in names})
        if sum(len(p["eta"]) for p in parts) >= most:
            break
    if not parts:
        raise InputError(f"{folder}: no shards of seed 0 with dense points: name the folder of training pictures")
    return {k: np.concatenate([p[k] for p in parts])[:most] for k in names}


def features(
    labels: Labels, noise_mm: float, rng: np.random.Generator, of: tuple[str, ...] = ("points", "landmarks")
) -> FloatArray:
    """Return (N, F): the points in the face's own crop (its lean stays), off by ``noise_mm``, and the rotation."""
    points = np.concatenate([labels[name] for name in of], 1).astype(np.float32)
    points = (points - 0.5 - labels["crop"][:, None, :2]) / np.exp(labels["crop"][:, None, 2:])
    points = points + (noise_mm / SIDE_MM) * rng.standard_normal(points.shape, np.float32)
    rows: FloatArray = np.concatenate([points.reshape(len(points), -1), labels["rotation"]], 1).astype(np.float64)
    return rows


def linear_reading(known: FloatArray, eta: FloatArray, asked: FloatArray) -> FloatArray:
    """Ridge regression of ``eta`` (N, 29) on ``known`` (N, F), applied to ``asked`` (M, F)."""
    mean, spread = known.mean(0), known.std(0) + 1e-6
    x, y, middle = (known - mean) / spread, (asked - mean) / spread, eta.mean(0)
    gram = x.T @ x + STRENGTH * len(x) * np.eye(x.shape[1])
    read: FloatArray = (y @ np.linalg.solve(gram, x.T @ (eta - middle)) + middle).astype(np.float32)
    return read

"""Upper bound for eta: eta from the true positions of facial points, without any picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...model.array_types import BoolArray, FloatArray
from ...model.camera import SIDE_MM
from ...model.errors import InputError
from ...model.face.semantics import OPEN_KEYS
from ..dataset import read_shard, shard_names
from .held_out import figures
from .measures import correlations
from .section import Cell, Section, Table
from .subject import Subject

NOISE_MM = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # deviation of each coordinate of each point
MOST = 20_000  # faces to learn from
STRENGTH = 1e-3  # of the ridge, in shares of the features' variance
LABELS = ("points", "landmarks", "crop", "rotation", "eta", "face")
Labels = Mapping[str, FloatArray]


def measure(subject: Subject, training: Path) -> Section:
    """Measure the bound. ``training`` is a folder with shards of seed 0, whose labels are the training set."""
    known, held_out = _labels(training), {k: v.numpy() for k, v in subject.truth.items()}
    if "points" not in held_out:
        raise InputError("the held-out shards hold no dense points: generate them anew")
    every, clear = np.ones(len(held_out["eta"]), bool), subject.conditions.clear
    rows: list[tuple[Cell, ...]] = []
    exact = np.zeros(len(OPEN_KEYS))
    for noise in NOISE_MM:
        rng = np.random.default_rng(0)
        eta = linear_reading(features(known, noise, rng), known["eta"], features(held_out, noise, rng))
        read = subject.everything["eta"].clone()
        read[subject.face] = torch.from_numpy(eta).to(read.dtype)
        reader = replace(subject, outputs={**subject.everything, "eta": read})
        name = f"points known to {noise:g} mm" if noise else "points known exactly"
        rows.append((name, *_row(reader, every, clear)))
        if not noise:
            exact = correlations(reader.seen["eta"], subject.truth["eta"])
    rows.append(("the network, from pictures", *_row(subject, every, clear)))
    r = correlations(subject.seen["eta"], subject.truth["eta"])
    keys = tuple((k, float(a), float(b)) for k, a, b in zip(OPEN_KEYS, exact, r))
    return Section(
        "Ceiling",
        f"A linear reading (ridge regression trained on {len(known['eta']):,} training faces) of eta from the labels' "
        "own points (the 192 dense ones and the landmarks, hidden ones included) and the head's rotation, without "
        "picture, blur or occlusion. Most of the remaining error is not in the points: people differ in shape and in "
        "how they make an expression, and their resting face is unknown. With less accurate points it shows the "
        "precision that a network needs. Millimetres of noise are standard deviations of each coordinate of each "
        "point in the picture's plane, where the crop is 200 mm wide.",
        (),
        (
            Table(("", "mean r", "lips mm", "lids mm", "r, clear"), tuple(rows)),
            Table(("key", "r, points known exactly", "r, the network"), keys, "Per key"),
        ),
    )


def _row(subject: Subject, every: BoolArray, clear: BoolArray) -> tuple[float, ...]:
    f = figures(subject, every)
    return f["r"], f["lips"], f["lids"], figures(subject, clear)["r"]


def _labels(folder: Path) -> Labels:
    """Labels of up to MOST faces of seed 0; the pictures are not read."""
    parts: list[dict[str, FloatArray]] = []
    for name in shard_names(folder, seed=0):
        shard = read_shard(folder / name)  # landmarks in the order of the held-out ones
        face = (shard["face"] > 0.5) & ~np.isnan(shard["points"]).any((1, 2))
        if face.any():
            parts.append({k: shard[k][face].astype(np.float32) for k in LABELS})
        if sum(len(p["eta"]) for p in parts) >= MOST:
            break
    if not parts:
        raise InputError(f"{folder}: no shards of seed 0 with dense points: name the folder of training pictures")
    return {k: np.concatenate([p[k] for p in parts])[:MOST] for k in LABELS}


def features(labels: Labels, noise_mm: float, rng: np.random.Generator) -> FloatArray:
    """Return (N, F): the points in the face's own crop (its lean stays), off by ``noise_mm``, and the rotation."""
    points = np.concatenate([labels["points"], labels["landmarks"]], 1).astype(np.float32)
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

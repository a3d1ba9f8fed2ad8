"""Training of emotion heads (``model/networks/emotion_head.py``) on the frozen network's features of labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...model.array_types import FloatArray
from ...model.camera import ANCHOR, SIDE_MM
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS
from ...model.networks.emotion_head import (
    ARCHITECTURE,
    ETA,
    FARTHEST,
    FULL,
    EmotionHead,
    Reading,
    full_inputs,
)
from ...model.networks.weights.open_pack import weights_path
from ...model.networks.weights.weights_file import WeightsHeader, fingerprint, save_weights
from .classify import Classes, Floats
from .clips import read_clips
from .features import Features, features_of, load_estimator

HIDDEN, EPOCHS, BATCH, RATE, DECAY = 32, 20, 128, 3e-3, 0.1
PLAIN = 2 * len(OPEN_KEYS)  # inputs that are learned from as they are: the coefficients and their uncertainty
COMPONENTS = 48  # of the other inputs
DROPPED = 0.15  # share of the inputs and units that are left out at each step
SMOOTHED = 0.05  # of the labels
HELD_OUT = 0.2  # share of the subjects that measure the head


@dataclass(frozen=True)
class HeadOptions:
    """``source`` as ``clips.read_clips`` takes it; ``frames`` as in ``features_of``; ``out`` a .safetensors file."""

    source: Path
    out: Path
    estimator: str
    device: str
    frames: str
    seed: int
    license: str


def train_emotion_head(options: HeadOptions) -> str:
    """Train a head on labelled clips, measure it on held-out subjects, write it. Returns lines. Raises InputError."""
    if options.out.suffix != ".safetensors":
        raise InputError(f"{options.out}: an emotion head's file ends in .safetensors: rename it")
    clips = read_clips(options.source)
    names = tuple(sorted({clip.emotion for clip in clips}))
    estimator = load_estimator(options.estimator, options.device)
    if estimator.basis != OPEN_BASIS or not hasattr(estimator, "head_features"):
        raise InputError(
            f"{options.estimator}: an emotion head needs an open network: give open or weights of its kind"
        )
    read = features_of(clips, estimator, 1.0, options.frames)
    inputs = inputs_of(read)
    if inputs is None:
        raise InputError(f"{options.estimator}: has no features for an emotion head: give a network with glimpses")
    classes = np.array([names.index(clip.emotion) for clip in clips])
    subjects = np.unique([clip.subject for clip in clips], return_inverse=True)[1]
    rng = np.random.default_rng(options.seed)
    people = rng.permutation(subjects.max() + 1)
    aside = np.isin(subjects, people[: max(1, round(HELD_OUT * len(people)))]) & read.found
    learned = ~aside & read.found
    for part, what in ((learned, "to train on"), (aside, "to measure with")):
        missing = sorted(set(range(len(names))) - set(classes[part]))
        if missing:
            raise InputError(
                f"{options.source}: {names[missing[0]]} has no face {what}: label it on more subjects, 5 at least"
            )
    accuracy = {}
    for kind, values in inputs.items():
        tried = trained_reading(values[learned], classes[learned], len(names), options.seed)
        right = tried.probabilities(values[aside]).argmax(1) == classes[aside]
        accuracy[f"accuracy_{kind}"] = round(float(right.mean()), 4)
    readings = {
        kind: trained_reading(values[read.found], classes[read.found], len(names), options.seed)
        for kind, values in inputs.items()
    }
    said = f"{read.found.sum()} clips of {subjects.max() + 1} subjects from {options.source.name}"
    head = EmotionHead(names, OPEN_KEYS, OPEN_BASIS, fingerprint(weights_path(options.estimator)), said, readings)
    save_head(head, options.out, options.seed, options.license, accuracy, estimator.size)
    return "\n".join([
        f"seed {options.seed}: {said}; {aside.sum()} clips of other subjects to measure with",
        f"accuracy there: {accuracy['accuracy_full']:.1%} from all features, {accuracy['accuracy_eta']:.1%} from the "
        "coefficients alone",
        f"{options.out}: an emotion head of {', '.join(names)}",
    ])  # fmt: skip


def inputs_of(read: Features) -> dict[str, Floats] | None:
    """Return the inputs (N, I) of both readings, NaN where there is no face; None for a network without features."""
    if read.seen is None:
        return None
    return {ETA: read.eta, FULL: full_inputs(read.eta, read.deviation, read.seen)}


def trained_reading(inputs: Floats, classes: Classes, count: int, seed: int) -> Reading:
    """Train one hidden layer on inputs (N, I) without NaN, with classes (N,) from 0, of which there are ``count``.

    Rare classes weigh as much as frequent ones. The network's features, the inputs behind the coefficients and their
    uncertainty, are too many for a few thousand clips: their principal components are learned from instead, and the
    layer that is returned has both in one.
    """
    torch.manual_seed(seed)
    mean, deviation = inputs.mean(0), np.maximum(inputs.std(0), 1e-4)
    normal = ((inputs - mean) / deviation).clip(-FARTHEST, FARTHEST)
    projection = _components(normal[:, PLAIN:])
    x = torch.from_numpy(np.concatenate([normal[:, :PLAIN], normal[:, PLAIN:] @ projection], 1)).float()
    y = torch.from_numpy(classes)
    hidden, out = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, count)
    layers = nn.Sequential(nn.Dropout(DROPPED), hidden, nn.SiLU(), nn.Dropout(DROPPED), out)
    optimizer = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * -(-len(x) // BATCH))
    often = torch.bincount(y, minlength=count).clamp(min=1)
    weight = len(y) / (count * often.float())
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = F.cross_entropy(layers(x[rows]), y[rows], weight, label_smoothing=SMOOTHED)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    found = {"hidden.weight": hidden.weight, "hidden.bias": hidden.bias, "out.weight": out.weight, "out.bias": out.bias}
    tensors = {name: value.detach().numpy().astype(np.float64) for name, value in found.items()}
    learned = tensors["hidden.weight"]
    tensors["hidden.weight"] = np.concatenate([learned[:, :PLAIN], learned[:, PLAIN:] @ projection.T], 1)
    return Reading({"mean": mean, "deviation": deviation, **tensors})


def _components(normal: Floats) -> Floats:
    """Return the projection (I, C) of normal inputs (N, I) to their first components, of unit variance."""
    rows, inputs = normal.shape
    count = min(COMPONENTS, inputs, rows // 4)
    few = rows < inputs  # then the products of rows are the smaller matrix, with the same values
    values, vectors = np.linalg.eigh((normal @ normal.T if few else normal.T @ normal) / rows)
    first = slice(len(values) - count, None)
    deviations = np.sqrt(np.maximum(values[first], 1e-9))
    projection: Floats = vectors[:, first] / deviations
    if few:
        projection = normal.T @ projection / (np.sqrt(rows) * deviations)
    return projection


def save_head(
    head: EmotionHead, path: Path, seed: int, license_: str, evaluation: dict[str, float], input_size: int
) -> None:
    """Write a head as ``load_emotion_head`` reads it, in 16 bits where that is precise enough."""
    config = {"emotions": list(head.emotions), "keys": list(head.keys), "network": head.network}
    header = WeightsHeader(
        ARCHITECTURE, config, input_size, {"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM}, head.basis, license_,
        head.training_data, seed, evaluation,
    )  # fmt: skip
    tensors: dict[str, FloatArray] = {
        f"{kind}.{name}": value.astype(np.float16 if name.endswith(".weight") else np.float32)
        for kind, reading in head.readings.items()
        for name, value in reading.tensors.items()
    }
    save_weights(path, header, tensors)


def guesses(head: EmotionHead, kind: str, values: Floats, names: list[str], missed: int) -> Classes:
    """Return the class in ``names`` of each row of inputs (N, I); ``missed`` for rows with NaN.

    The head's emotions that are not among ``names`` take no part.
    """
    there = ~np.isnan(values).any(1)
    columns = [head.emotions.index(name) for name in names]
    found = head.readings[kind].probabilities(np.where(there[:, None], values, 0))[:, columns].argmax(1)
    chosen: Classes = np.where(there, found, missed)
    return chosen

"""``expnet research train-expnet LABELS``: the recipe of Chang et al. 2018 on labelled photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import is_dir, is_file
from ...model.reading import json_object, reading
from ...training import train as training
from ...training.config import load_config
from ...training.dataset import count_pictures, shard_names
from .label_shards import SETTINGS, has_observations
from .training_shards import write_training_shards

PAPER = Path(training.__file__).parent / "configs" / "paper.toml"


@dataclass(frozen=True)
class TrainOptions:
    """``config`` is a recipe that learns eta alone (default: the paper's). ``out`` gets pictures/ and run/."""

    labels: Path
    out: Path
    config: Path | None
    steps: int
    every: int
    subjects: str
    seed: int
    resume: bool


def train_expnet(options: TrainOptions) -> str:
    """Cut the pictures, unless they are there, train, and return where the weights are. Raises InputError."""
    recipe = options.config or PAPER
    config = load_config(recipe)
    size = config.input.size
    pictures = options.out / "pictures"
    if is_dir(options.labels) and shard_names(options.labels, 0):
        pictures = options.labels  # of label-renders: shards already
        _check_pictures(pictures)
        counts = count_pictures(pictures, 0), count_pictures(pictures, 1)
        print(f"seed {options.seed}: {counts[0]} pictures to train on, {counts[1]} of other people to evaluate with")
    elif not (options.resume and is_dir(pictures)):
        _check_basis(options.labels)
        if config.loss.landmarks and not has_observations(options.labels):
            raise InputError(
                f"{recipe}: learns landmarks, which the labels in {options.labels} lack: take another recipe, such as "
                "training/configs/labels.toml"
            )
        counts = write_training_shards(options.labels, pictures, size, options.subjects, options.seed)
        print(f"seed {options.seed}: {counts[0]} pictures to train on, {counts[1]} of other people to evaluate with")
    run = options.out / "run"
    words = [f"--config={recipe}", f"--data={pictures}", f"--out={run}", f"--steps={options.steps}"]
    words += [f"--every={options.every}", f"--seed={options.seed}", f"--threads={torch.get_num_threads()}"]
    training.train(training.arguments().parse_args([*words, *(["--resume"] if options.resume else [])]))
    return f"{run / 'weights.safetensors'}: use it with --estimator"


def _check_pictures(labels: Path) -> None:
    """Raise InputError where the pictures of labelled shards are gone."""
    for name in [*shard_names(labels, 0), *shard_names(labels, 1)]:
        remedy = "delete it and label again"
        with reading(labels / name, "label shard", remedy), np.load(labels / name, allow_pickle=False) as data:
            pictures = Path(str(data["pictures"]))
        if not is_file(pictures):
            raise InputError(f"{pictures}: the pictures of {labels / name} are missing: put them back or label again")


def _check_basis(labels: Path) -> None:
    """Raise InputError for labels of another head: weights of ours say that they give the open head's keys."""
    path = labels / SETTINGS
    if not is_file(path):
        return  # written by another command, for the open head
    with reading(path, "label settings", "delete the folder and label again"):
        model = str(json_object(path.read_bytes()).get("face_model", OPEN))
    if model != OPEN:
        raise InputError(f"{labels}: has labels of {model}; networks are trained on labels of the open head only")

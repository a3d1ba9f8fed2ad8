"""Every recipe in training/configs trains: a few steps on a few small pictures, alone and in two processes."""

import csv
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.training import config, train
from expnet.training.config import load_config

CONFIGS = Path(config.__file__).parent / "configs"
RECIPES = ("ablation", "compact", "glimpse", "large", "paper")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve pictures of noise with labels of noise: enough to run, nothing to learn."""
    folder, rng = tmp_path_factory.mktemp("shards"), np.random.default_rng(0)
    for seed in (0, 1):
        np.savez(
            folder / f"seed{seed}_shard00000.npz",
            image=rng.integers(0, 256, (12, 64, 64, 3), np.uint8),
            eta=rng.normal(0, 0.3, (12, 29)).astype(np.float32),
            gaze=rng.normal(0, 0.3, (12, 2)).astype(np.float32),
            rotation=np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), (12, 1)),
            crop=rng.normal(0, 0.1, (12, 3)).astype(np.float32),
            alpha=rng.normal(0, 1, (12, 99)).astype(np.float32),
            landmarks=rng.uniform(0, 1, (12, 70, 2)).astype(np.float32),
            face=np.ones(12, np.float32),
            points=rng.uniform(0, 1, (12, 192, 2)).astype(np.float16),
            visible=np.ones((12, 70), np.uint8),
            detail=np.full(12, 64, np.float32),
        )
    return folder


def small(recipe: str, folder: Path) -> Path:
    """Return the recipe with small pictures and batches, its size changing after the first step where it changes."""
    text = (CONFIGS / f"{recipe}.toml").read_text()
    sizes = iter([32, 64] if "until" in text else [64])
    text = re.sub(r"\bsize = \d+", lambda m: f"size = {next(sizes)}", text)
    text = re.sub(r"\buntil = \d+", "until = 1", text)
    text = re.sub(r"\bbatch = \d+", "batch = 4", text)
    text = re.sub(r"channels = .*", "channels = [8, 8, 16, 16, 32]", text)
    path = folder / f"{recipe}.toml"
    path.write_text(text)
    load_config(path)
    return path


def arguments(recipe: Path, data: Path, out: Path, steps: int) -> list[str]:
    return [
        "--config",
        str(recipe),
        "--data",
        str(data),
        "--out",
        str(out),
        "--steps",
        str(steps),
        "--every",
        str(steps),
    ]


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_valid(recipe):
    made = load_config(CONFIGS / f"{recipe}.toml")
    assert made.network.size == {"ablation": 64, "compact": 128, "glimpse": 128, "large": 224, "paper": 224}[recipe]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_and_the_estimator_reads_what_it_made(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "MEAN_IMAGE_PICTURES", 64)
    train.main([*arguments(small(recipe, tmp_path), data, tmp_path / "run", 2), "--device", "cpu"])
    log = rows(tmp_path / "run")
    assert [row["step"] for row in log] == [2]
    assert all(math.isfinite(row["loss"]) and row["images_per_second"] > 0 for row in log)
    estimator = Estimator.load(tmp_path / "run" / "weights.safetensors", "cpu")
    assert estimator.size == 64 and estimator.header.architecture in ("compact", "glimpse", "resnet101")


def test_the_papers_recipe_is_the_papers():
    made = load_config(CONFIGS / "paper.toml")
    optimizer, schedule = made.optimizer, made.schedule
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum, optimizer.weight_decay, optimizer.batch) == (
        "sgd", 1e-3, 0.9, 5e-4, 144,
    )  # fmt: skip
    assert (schedule.kind, schedule.factor) == ("plateau", 0.1)
    assert made.network.outputs == ("eta",) and made.network.mean_image
    assert {k: v for k, v in vars(made.loss).items() if v} == {"euclidean": 1.0}


def test_two_processes_share_a_batch(data, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = arguments(small("compact", tmp_path), data, tmp_path / "run", 2)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "-m", "expnet.training.train", *given], check=True, capture_output=True, env=environment)
    assert [row["images"] for row in rows(tmp_path / "run")] == [8]


def test_a_batch_that_cannot_be_shared_is_refused(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(
        train.Processes, "__init__", lambda self, device: vars(self).update(rank=0, count=3, device=device)
    )
    with pytest.raises(SystemExit) as stopped:
        train.main(arguments(small("compact", tmp_path), data, tmp_path / "run", 2))
    assert stopped.value.code == 2 and "cannot be shared by 3 processes" in capsys.readouterr().err

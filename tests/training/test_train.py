"""Training end to end on a handful of pictures: it learns, stops, goes on, and ships what it learned."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from expnet.model.errors import InputError
from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import CompactConfig
from expnet.model.networks.torch_engine.compact import CompactNet, rotation_matrix
from expnet.model.networks.weights.weights_file import load_weights
from expnet.training.average import average
from expnet.training.dataset import ShardFolder
from expnet.training.evaluate import correlations, region_error
from expnet.training.losses import REGION_WEIGHTS, expression_factor
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.surface import build_surface
from expnet.training.train import main

CONFIG = """
[network]
architecture = "compact"
channels = [8, 8, 16, 16, 32]
blocks = [1, 1, 1, 1]
[input]
phases = [{ size = 32, until = 5 }, { size = 64 }]
[optimizer]
name = "adamw"
learning_rate = 3e-3
batch = 16
weight_decay = 0.01
warmup = 5
ema = 0.9
[loss]
vertex = 1.0
face = 0.3
landmarks = 0.05
dense = 0.05
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    surface = build_surface(open_face_model("open"))
    for seed in (0, 1):
        np.savez(folder / f"seed{seed}_shard00000.npz", **make_shard(surface, seed, 0, 48, 64))
    return folder


def train(data: Path, out: Path, *extra: str, recipe: str = CONFIG) -> None:
    config = out.parent / "tiny.toml"
    config.write_text(recipe)
    main(["--config", str(config), "--data", str(data), "--out", str(out), *extra])


@pytest.mark.slow
def test_training_learns_and_resumes(data, tmp_path):
    out = tmp_path / "run"
    train(data, out, "--steps", "20", "--decay", "5", "--every", "10")
    train(data, out, "--steps", "40", "--decay", "5", "--every", "10", "--resume")
    rows = [line.split(",") for line in (out / "log.csv").read_text().splitlines()]
    steps = [int(r[0]) for r in rows[1:]]
    first, *_, last = ({k: float(v) for k, v in zip(rows[0], row)} for row in rows[1:])
    assert steps == [10, 20, 30, 40]
    assert last["landmarks"] < first["landmarks"] - 2 and last["dense"] < first["dense"] - 0.5
    assert last["face"] < first["face"] and last["loss"] < first["loss"]
    header, tensors = load_weights(out / "weights.safetensors")
    network = CompactNet(header.config)
    network.load_state_dict({k: torch.as_tensor(v) for k, v in tensors.items()})
    assert header.basis == "open-29" and "synthetic" in header.training_data and header.evaluation["step"] == 40


@pytest.mark.slow
def test_pictures_seen_are_counted_through_a_change_of_batch(data, tmp_path):
    assert "batch = 16" in CONFIG
    train(data, tmp_path / "run", "--steps", "2", "--decay", "1", "--every", "2")
    wider = CONFIG.replace("batch = 16", "batch = 24")
    train(data, tmp_path / "run", "--steps", "3", "--decay", "1", "--every", "1", "--resume", recipe=wider)
    header, *rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()]
    assert [float(row[header.index("images")]) for row in rows] == [32, 56]


@pytest.mark.slow
def test_training_goes_on_from_shipped_weights(data, tmp_path):
    train(data, tmp_path / "first", "--steps", "20", "--decay", "5", "--every", "10")
    shipped = tmp_path / "first" / "weights.safetensors"
    train(data, tmp_path / "next", "--steps", "2", "--decay", "1", "--every", "1", "--start-from", str(shipped))
    before, after = (
        load_weights(tmp_path / run / "weights.safetensors")[1]["head.weight"] for run in ("first", "next")
    )
    assert np.abs(after - before).max() < 0.1 * np.abs(before).max()  # two careful steps, not a new start


@pytest.mark.slow
def test_weights_of_one_run_are_averaged_and_measured(data, tmp_path):
    run = tmp_path / "run"
    train(data, run, "--steps", "20", "--decay", "5", "--every", "10")
    early = shutil.copy(run / "weights.safetensors", tmp_path / "early.safetensors")
    train(data, run, "--steps", "30", "--decay", "5", "--every", "10", "--resume")
    late, out, held_out = run / "weights.safetensors", tmp_path / "mean.safetensors", ShardFolder(data, seed=1).all()
    scores = average([(Path(early), 0.25), (late, 0.75)], held_out, out)
    header, mean = load_weights(out)
    (_, a), (_, b) = load_weights(early), load_weights(late)
    name = "head.weight"
    np.testing.assert_allclose(mean[name], 0.25 * a[name] + 0.75 * b[name], atol=2e-3)
    assert header.evaluation == scores and scores["r"] < 1
    with pytest.raises(InputError, match="do not sum to 1"):
        average([(Path(early), 0.5), (late, 0.6)], held_out, tmp_path / "no.safetensors")
    assert not (tmp_path / "no.safetensors").exists()


def test_no_shards_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="generate"):
        ShardFolder(tmp_path)


def test_expression_factor_measures_weighted_millimetres():
    model = open_face_model("open")
    factor = expression_factor(model).numpy()
    error = np.random.default_rng(0).normal(0, 0.1, (5, 29)).astype(np.float32)
    weights = np.zeros(model.vertex_count)
    for region, weight in REGION_WEIGHTS.items():
        weights[model.regions.get(region, [])] = weight
    moved = np.einsum("nk,kvc->nvc", error, model.expression)
    direct = np.sqrt(((weights[None, :, None] * moved) ** 2).sum((1, 2)) / (weights**2).sum())
    np.testing.assert_allclose(np.linalg.norm(error @ factor.T, axis=1), direct, rtol=1e-2)
    assert region_error(model, ("lips",), np.zeros((2, 29))) == 0


def test_rotation_from_six_numbers_is_a_rotation():
    r = rotation_matrix(torch.randn(50, 6))
    torch.testing.assert_close(r @ r.transpose(1, 2), torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(50), atol=1e-5, rtol=0)


def test_correlation_of_a_constant_is_zero():
    assert correlations(torch.ones(9, 1), torch.randn(9, 1))[0] == 0


def test_the_default_network_is_small_and_names_every_output():
    network = CompactNet(CompactConfig()).eval()
    out = network.split(network(torch.zeros(2, 3, 96, 96)))
    assert out["eta"].shape == (2, 29) and out["alpha"].shape == (2, 99) and out["landmarks"].shape == (2, 140)
    assert sum(p.numel() for p in network.parameters()) < 6e6

"""Rendering and training in parallel within a given time, on any machine; and pictures that stay in a GPU's memory."""

import numpy as np
import pytest
import torch

from expnet.model.formats import open_face_model
from expnet.model.networks.weights.weights_file import load_weights
from expnet.training import on_gpu, responses
from expnet.training.dataset import ShardFolder
from expnet.training.resident import ResidentFolder
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.surface import build_surface


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    surface = build_surface(open_face_model("open"))
    for index in range(2):
        np.savez(folder / f"seed0_shard{index:05d}.npz", **make_shard(surface, 0, index, 6, 64))
    return folder


def test_a_resident_batch_holds_samples_of_the_shards_and_their_mirror_images(folder):
    resident, plain = ResidentFolder(folder, "cpu"), ShardFolder(folder).all()
    batch = resident.random_batch(np.random.default_rng(0), 16, 64)
    mirrored = plain["image"].flip(2)
    found = {"plain": 0, "mirrored": 0}
    for image, eta in zip(batch["image"], batch["eta"], strict=True):
        for kind, pictures in (("plain", plain["image"]), ("mirrored", mirrored)):
            same = [i for i, picture in enumerate(pictures) if torch.equal(picture, image)]
            if same:
                found[kind] += 1
                left, right = eta[1], eta[2]  # browDown_L and _R
                truth = plain["eta"][same[0]]
                assert (left, right) == ((truth[1], truth[2]) if kind == "plain" else (truth[2], truth[1]))
    assert sum(found.values()) == 16 and min(found.values()) >= 6
    assert set(batch) == set(ShardFolder(folder).random_batch(np.random.default_rng(0), 4, 64))


def test_resident_pictures_of_another_size_are_refused(folder):
    with pytest.raises(ValueError, match="64 pixels, not 96"):
        ResidentFolder(folder, "cpu").random_batch(np.random.default_rng(0), 4, 96)


@pytest.fixture
def recipe(tmp_path):
    """Return the GPU's recipe, with a batch that a CPU can compute."""
    text = (on_gpu.HERE / "configs" / "glimpse_gpu.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("batch = 512", "batch = 8").replace("learning_rate = 3.5e-3", "learning_rate = 1e-5"))
    return path


@pytest.mark.slow
def test_two_minutes_are_enough_to_render_train_and_write_weights_with_responses(tmp_path, recipe):
    out = tmp_path / "run"
    arguments = ["--minutes", "2", "--processes", "1", "--per-shard", "24", "--config", str(recipe)]
    assert on_gpu.main([str(out), *arguments]) == 0
    header, _ = load_weights(out / "weights.safetensors")
    assert len(header.responses) == 29
    assert list((out / "data").glob("seed0_shard*.npz"))


def test_too_little_time_is_said_in_one_line(tmp_path, capfd):
    status = on_gpu.main([str(tmp_path), "--minutes", "0.01", "--processes", "1", "--per-shard", "2"])
    assert status == 2
    assert "--minutes" in capfd.readouterr().err.splitlines()[-1]


def test_a_response_enlarges_a_key_by_as_much_as_its_reading_explains():
    rng = np.random.default_rng(0)
    true = np.clip(rng.normal(-0.6, 0.7, (4000, 29)), 0, 1)
    read = 0.1 + 0.5 * true
    read[:, 1] = rng.uniform(0, 0.3, 4000)  # a key that is not read at all
    table = responses.measured(read, true)
    shown = np.stack([np.interp(read[:, k], *curve) for k, curve in enumerate(table.values())], 1)
    slopes = responses.gains(true, shown)
    np.testing.assert_allclose(np.delete(slopes, 1), 1, atol=0.05)
    assert abs(slopes[1]) < 0.1 and np.abs(shown[:, 1] - read[:, 1]).max() < 0.05


def test_a_key_at_rest_in_all_pictures_keeps_its_readings():
    read, true = np.random.default_rng(1).uniform(0, 0.2, (200, 29)), np.zeros((200, 29))
    table = responses.measured(read, true)
    assert all(np.allclose(*curve, atol=1e-3) for curve in table.values())
    assert np.isnan(responses.gains(true, read)).all()

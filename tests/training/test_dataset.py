"""Shards on disk to batches: of any size, of any age."""

import numpy as np
import pytest
import torch

from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import LANDMARK_ROWS
from expnet.training.dataset import ShardFolder
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.surface import build_surface


@pytest.fixture(scope="module")
def shard():
    return make_shard(build_surface(open_face_model("open")), seed=0, index=0, count=24, size=64)


@pytest.fixture
def folder(shard, tmp_path):
    np.savez(tmp_path / "seed0_shard00000.npz", **shard)
    return tmp_path


def test_a_batch_has_every_label_and_pictures_of_the_size_asked(folder):
    data = ShardFolder(folder)
    for size in (64, 48, 96):
        batch = data.random_batch(np.random.default_rng(0), 16, size)
        assert batch["image"].shape == (16, size, size, 3) and batch["image"].dtype == torch.uint8
        assert batch["points"].shape == (16, 192, 2) and batch["visible"].shape == (16, 70)
        assert batch["detail"].max() <= size
    assert data.all()["image"].shape == (24, 64, 64, 3)
    assert data.all(32)["image"].shape == (24, 32, 32, 3)


def test_a_resized_picture_is_the_same_picture(folder):
    data = ShardFolder(folder)
    large, small = data.all()["image"].float(), data.all(32)["image"].float()
    averaged = large.unflatten(1, (32, 2)).unflatten(3, (32, 2)).mean((2, 4))
    assert (averaged - small).abs().mean() < 6


def test_older_shards_lack_points_visibility_detail_and_what_is_natural(folder, shard):
    older = {k: v for k, v in shard.items() if k not in ("points", "visible", "detail", "natural")}
    np.savez(folder / "seed0_shard00001.npz", **{**older, "image": older["image"][:, ::2, ::2]})
    data = ShardFolder(folder)
    assert data.all()["natural"].isnan().any()
    everything = data.all(64)
    assert everything["points"][:24].isfinite().all() and everything["points"][24:].isnan().all()
    assert (everything["visible"][24:] == 1).all() and (everything["detail"][24:] == 32).all()
    batch = data.random_batch(np.random.default_rng(0), 32, 64)
    assert batch["points"].isnan().any() and batch["points"].isfinite().any()


def test_the_second_half_of_a_batch_is_mirrored(folder):
    """The subject's right eye is left in the picture, mirrored or not."""
    batch = ShardFolder(folder).random_batch(np.random.default_rng(0), 24)
    faces = batch["face"] > 0
    right, left = batch["landmarks"][:, 36, 0], batch["landmarks"][:, 45, 0]
    assert (right < left)[faces].float().mean() > 0.9
    right, left = batch["points"][:, 96:, 0].mean(1), batch["points"][:, :96, 0].mean(1)
    assert (right < left)[faces].float().mean() > 0.9


def test_shards_written_later_are_taken_in(folder, shard):
    data = ShardFolder(folder)
    np.savez(folder / "seed0_shard00001.npz", **shard)
    data.refresh()
    assert len(data) == 48


def test_pictures_stay_on_disk_and_compressed_shards_are_read_too(folder, shard):
    np.savez_compressed(folder / "seed0_shard00001.npz", **shard)
    stored, compressed = ShardFolder(folder).shards.values()
    assert isinstance(stored["image"], np.memmap) and not isinstance(compressed["image"], np.memmap)
    for other in (stored, compressed):
        for name, value in shard.items():
            in_rows = value[:, list(LANDMARK_ROWS)] if name in ("landmarks", "visible") else value
            np.testing.assert_array_equal(other[name], in_rows)


def test_every_picture_keeps_its_labels(folder, shard):
    """Half of a batch equals the pictures on disk, half is mirrored with its labels."""
    batch = ShardFolder(folder).random_batch(np.random.default_rng(1), 10)
    for i in range(10):
        image = batch["image"][i].numpy()[:, ::-1] if i >= 5 else batch["image"][i].numpy()
        (row,) = np.flatnonzero((shard["image"] == image).all((1, 2, 3)))
        assert batch["crop"][i, 1] == shard["crop"][row, 1] and batch["detail"][i] == shard["detail"][row]
        assert batch["gaze"][i, 0] == shard["gaze"][row, 0] * (-1 if i >= 5 else 1)


def test_a_shard_of_labels_reads_its_pictures_from_another_shard(folder, tmp_path):
    with np.load(folder / "seed0_shard00000.npz") as whole:
        rows = np.array([3, 5, 8])
        pictures = whole["image"][rows]
        labels = {name: whole[name][rows] for name in whole.files if name != "image"}
    other = tmp_path / "labels"
    other.mkdir()
    where = np.array(str(folder / "seed0_shard00000.npz"))
    np.savez(other / "seed0_shard00000.npz", pictures=where, rows=rows, **labels)
    data = ShardFolder(other)
    assert np.array_equal(data.all()["image"].numpy(), pictures)
    assert data.all(32)["image"].shape == (3, 32, 32, 3)
    assert data.random_batch(np.random.default_rng(0), 4)["image"].shape == (4, 64, 64, 3)

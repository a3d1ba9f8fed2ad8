"""Labels by Eq. (2) for rendered shards, a network that learns from them alone, and the comparison with the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.camera import Camera, Crop
from expnet.model.errors import InputError
from expnet.model.formats import open_face_model
from expnet.research.label.render_labels import CAMERA_DISTANCE, FACE_SIDE, RenderLabels, fitted, label_renders
from expnet.training import config as training_config
from expnet.training.dataset import ShardFolder
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.surface import build_surface

HEAD = open_face_model(OPEN)
RECIPE = Path(training_config.__file__).parent / "configs" / "labels_glimpse.toml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards to train on and one to evaluate with, 16 pictures of 128 pixels each."""
    folder, surface = tmp_path_factory.mktemp("data"), build_surface(HEAD)
    for seed, index in ((0, 0), (0, 1), (1, 0)):
        shard = make_shard(surface, seed=seed, index=index, count=16, size=128)
        np.savez(folder / f"seed{seed}_shard{index:05d}.npz", **shard)
    return folder


@pytest.fixture(scope="module")
def labels(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "out"
    label_renders(data, out, RenderLabels(2.0, "read", 0), None)
    return out


def test_the_pictures_stay_where_they_are_and_only_natural_faces_are_labelled(labels: Path, data: Path) -> None:
    assert sum(path.stat().st_size for path in labels.iterdir()) < 200_000
    with np.load(data / "seed0_shard00001.npz") as given, np.load(labels / "seed0_shard00001.npz") as label:
        rows = label["rows"]
        assert (given["natural"][rows] == 1).all()
        assert len(rows) == (given["natural"] == 1).sum()
        pictures, truth = given["image"][rows], given["eta"][rows]
        assert not np.allclose(label["eta"], truth)  # what is learned comes from the landmarks
        assert np.abs(label["landmarks"][:, :68] - given["landmarks"][rows, :68]).mean() * 128 > 1
    shards = ShardFolder(labels)
    assert np.array_equal(shards.shards["seed0_shard00001.npz"]["image"][:], pictures)
    batch = shards.random_batch(np.random.default_rng(0), 8, 64)
    assert batch["image"].shape == (8, 64, 64, 3)


def test_held_out_shards_have_the_truth_and_the_label(labels: Path, data: Path) -> None:
    with np.load(data / "seed1_shard00000.npz") as given, np.load(labels / "seed1_shard00000.npz") as label:
        assert np.array_equal(label["eta"], given["eta"][label["rows"]])
        assert not np.allclose(label["label"], label["eta"])
    held_out = ShardFolder(labels, seed=1).all()
    assert len(held_out["image"]) == len(held_out["eta"])


def test_without_noise_the_labels_are_the_truth() -> None:
    rng = np.random.default_rng(0)
    eta, alpha = rng.uniform(0, 0.6, (5, 29)), rng.normal(size=(5, 99))
    shape = HEAD.neutral[HEAD.landmarks] + np.einsum("nk,klc->nlc", eta, HEAD.expression[:, HEAD.landmarks])
    shape = shape + np.einsum("nk,klc->nlc", alpha, HEAD.identity[:, HEAD.landmarks])
    middle = (128 - 1) / 2
    camera = Camera(128 * CAMERA_DISTANCE / FACE_SIDE, middle, middle)
    placed = shape + [0, 0, -CAMERA_DISTANCE]
    scaled = camera.focal * placed[..., :2] / -placed[..., 2:]
    points = np.stack([camera.cx + scaled[..., 0], camera.cy - scaled[..., 1]], -1)
    found, rotation, crop = fitted(HEAD, points, alpha, camera, Crop(middle, middle, 128))
    assert np.allclose(found, eta, atol=1e-3)
    assert np.allclose(rotation, [1, 0, 0, 0, 1, 0], atol=0.05)
    assert (np.abs(crop) < 0.3).all()


def test_a_stopped_run_continues_and_other_settings_are_refused(labels: Path, data: Path) -> None:
    path = labels / "seed0_shard00000.npz"
    before = path.read_bytes()
    path.unlink()
    kept = (labels / "seed0_shard00001.npz").stat().st_mtime_ns
    label_renders(data, labels, RenderLabels(2.0, "read", 0), None)
    assert path.read_bytes() == before
    assert (labels / "seed0_shard00001.npz").stat().st_mtime_ns == kept
    with pytest.raises(InputError, match="another setting of noise"):
        label_renders(data, labels, RenderLabels(3.0, "read", 0), None)


def test_a_folder_without_shards_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs shards of seed 0 and of seed 1"):
        label_renders(tmp_path, tmp_path / "out", RenderLabels(2.0, "true", 0), None)


def test_a_network_learns_from_the_labels_and_is_compared_with_them(
    labels: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.read_text().replace("batch = 96", "batch = 4").replace("decay = 500", "decay = 1"))
    words = [str(labels), "--out", str(tmp_path / "run"), "--steps", "2", "--every", "2", "--config", str(recipe)]
    assert main(["research", "train-expnet", *words]) == 0
    weights = tmp_path / "run" / "run" / "weights.safetensors"
    capsys.readouterr()
    assert main(["research", "compare-labels", str(labels), "--weights", str(weights)]) == 0
    shown = capsys.readouterr().out
    assert "| labels by Eq. (2) |" in shown
    assert "| jawOpen |" in shown
    moved = tmp_path / "moved"
    label_renders(data, moved, RenderLabels(0.0, "mean", 0), 1)
    (moved / "seed0_shard00001.npz").write_bytes((labels / "seed0_shard00001.npz").read_bytes())
    gone = tmp_path / "gone.npz"
    with np.load(moved / "seed0_shard00000.npz") as shard:
        arrays = {**shard, "pictures": np.array(str(gone))}
    np.savez(moved / "seed0_shard00000.npz", **arrays)
    assert main(["research", "train-expnet", str(moved), *words[1:]]) == 2
    assert "the pictures of" in capsys.readouterr().err

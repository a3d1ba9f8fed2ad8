"""Composed scenes and the finder that learns from them: labels where the faces are, nothing where there is none."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from expnet.model.camera import Crop
from expnet.model.errors import InputError
from expnet.model.formats import open_face_model
from expnet.model.networks.weights.weights_file import load_weights
from expnet.model.sight.candidates import candidates
from expnet.training import config
from expnet.training.config import load_recipe, parse
from expnet.training.synthetic.cutouts import FACE, HAND, Cutouts, make_shard, sample_cutout
from expnet.training.synthetic.scenes import Scene, SceneKind, sample_scene, sample_thumbnail
from expnet.training.synthetic.surface import build_surface
from expnet.training.train_finder import Config, targets

CONFIGS = Path(config.__file__).parent / "configs"
SHIPPED_EXPRESSIONS = Path(config.__file__).resolve().parents[1] / "model" / "data" / "open_weights.safetensors"

KIND = SceneKind((128, 96), (14, 80), 3, 2)
CONFIG = """
[network]
channels = [8, 8, 16, 16]
blocks = [1, 1, 1]
[scenes]
size = 64
sides = [15, 50]
heads = 2
others = 1
without_faces = 0.2
thumbnails = 0.3
thumbnail_sizes = [10, 48]
[optimizer]
batch = 8
learning_rate = 3e-3
weight_decay = 0.01
warmup = 5
ema = 0.9
[loss]
offset = 0.5
"""


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, surface):
    folder = tmp_path_factory.mktemp("cutouts")
    np.savez(folder / "seed0_cutouts0000.npz", **make_shard(surface, 0, 0, 24))
    return folder


@pytest.fixture(scope="module")
def cutouts(folder):
    return Cutouts(folder)


def test_a_face_is_in_the_middle_of_its_place_and_what_is_around_it_is_clear(cutouts):
    rng = np.random.default_rng(0)
    for _ in range(12):
        picture, own = cutouts.face(rng)
        size = len(picture)
        assert picture[int(own.y * size), int(own.x * size), 3] > 200  # hair may lie thinly over it
        assert (picture[..., 3] == 0).mean() > 0.2
    kinds = [cutouts.other(rng)[1].kind for _ in range(12)]
    assert FACE not in kinds


def test_hands_come_without_a_head(surface):
    rng = np.random.default_rng(3)
    cutouts = [sample_cutout(rng, surface, 64) for _ in range(80)]
    hands = [(picture[..., 3] > 128).mean() for picture, own in cutouts if own.kind == HAND]
    heads = [(picture[..., 3] > 128).mean() for picture, own in cutouts if own.kind != HAND]
    assert len(hands) >= 3 and np.mean(hands) < 0.25 < min(heads)


def test_the_same_seed_gives_the_same_scene(cutouts):
    first, second = (sample_scene(np.random.default_rng(5), cutouts, KIND) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.faces, second.faces)
    assert first.image.shape == (96, 128, 3) and first.image.dtype == np.uint8


def test_labels_lie_in_the_scene_and_scenes_without_faces_have_none(cutouts):
    rng = np.random.default_rng(1)
    scenes = [sample_scene(rng, cutouts, KIND) for _ in range(40)]
    faces = np.concatenate([s.faces for s in scenes])
    assert len(faces) > 30
    x, y, side, angle, yaw, _ = faces.T
    assert (x >= 0).all() and (x < 128).all() and (y >= 0).all() and (y < 96).all()
    assert (side >= 14).all() and (side <= 80).all()
    assert np.ptp(angle) > 0.8 and np.abs(yaw).max() < np.pi / 2
    for _ in range(10):
        scene = sample_scene(rng, cutouts, KIND, faces=False)
        assert len(scene.faces) == 0 and len(scene.unclear) == 0


@pytest.mark.parametrize("size", [48, 10])
def test_a_thumbnail_is_nothing_but_a_face_or_shows_none(cutouts, size):
    rng = np.random.default_rng(2)
    thumbnails = [sample_thumbnail(rng, cutouts, size) for _ in range(20)]
    faces = np.concatenate([t.faces for t in thumbnails])
    assert all(t.image.shape == (size, size, 3) for t in thumbnails) and len(faces) > 8
    assert (np.abs(faces[:, :2] - (size - 1) / 2) < 0.2 * size).all()
    assert (faces[:, 2] >= size).all() and (faces[:, 2] <= 1.6 * size).all()
    assert all(len(sample_thumbnail(rng, cutouts, size, face=False).faces) == 0 for _ in range(10))


def test_a_cell_at_a_face_is_asked_for_its_place_and_one_at_a_hidden_face_for_nothing():
    faces = np.array([[43.0, 52.0, 30.0, 0.3, 0.0, 0.0]])
    scene = Scene(np.zeros((96, 128, 3), np.uint8), faces, np.array([[100.0, 20.0, 40.0]]))
    truth = targets([scene])
    heat, place = truth["heat"][0].numpy(), truth["place"][0].numpy()
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.shape == (12, 16) and heat.max() == 1
    dx, dy, log_side, sine, cosine = place[:, row, column]
    assert (column + 0.5 + dx) * 8 - 0.5 == pytest.approx(43, abs=1e-3)
    assert (row + 0.5 + dy) * 8 - 0.5 == pytest.approx(52, abs=1e-3)
    assert 40 * np.exp(log_side) == pytest.approx(30, rel=1e-4) and np.arctan2(sine, cosine) == pytest.approx(0.3)
    assert truth["counts"][0, 2, 12] == 0 and truth["counts"][0, row, column] == 1
    assert truth["taught"][0, row, column] == 1 and truth["taught"][0, 2, 12] == 0


def test_training_goes_on_where_it_stopped_and_ships_what_finds(folder, tmp_path):
    (tmp_path / "tiny.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "expnet.training.train_finder", "--config", tmp_path / "tiny.toml"]
    command += ["--cutouts", folder, "--out", tmp_path / "run", "--every", "5"]
    for extra in (["--minutes", "0.03"], ["--steps", "7", "--resume"]):
        subprocess.run([*command, *extra], check=True, capture_output=True)
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()[1:]
    steps = [int(row.split(",")[0]) for row in rows]
    assert steps == sorted(steps) and len(set(steps)) == len(steps) >= 2
    first_run = max(step for step in steps if step <= steps[-1] - 7)
    assert steps[-1] == first_run + 7
    header, _ = load_weights(tmp_path / "run" / "finder.safetensors")
    assert header.architecture == "finder" and "synthetic" in header.training_data
    found = candidates(np.zeros((64, 64, 3), np.uint8), 64, 0.0, tmp_path / "run" / "finder.safetensors")
    assert all(isinstance(c.crop, Crop) for c in found)


def test_weights_of_another_network_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "expnet.training.train_finder", "--config", tmp_path / "tiny.toml"]
    command += ["--cutouts", folder, "--out", tmp_path / "run", "--steps", "1", "--start-from", SHIPPED_EXPRESSIONS]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{SHIPPED_EXPRESSIONS}: does not fit the recipe's [network]: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("batch = 32", "batches = 32"), "the recipe optimizer batches is unknown"),
        (("heads = 3", 'heads = "3"'), "the recipe scenes heads is '3', not a whole number"),
        (("[loss]", "[losses]"), "the recipe losses is unknown"),
    ],
)
def test_a_wrong_recipe_of_the_finder_is_one_line(change: tuple[str, str], reason: str, tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.toml"
    recipe.write_text((CONFIGS / "finder.toml").read_text().replace(*change))
    with pytest.raises(InputError, match=f"^{re.escape(str(recipe))}: {re.escape(reason)}"):
        load_recipe(recipe, lambda table: parse(Config, table, "the recipe"))

"""One alpha from many pictures of a person: their pictures, and what is learned from them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from expnet.model.camera import ANCHOR, SIDE_MM
from expnet.model.formats import open_face_model
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.person import PersonReader
from expnet.model.networks.torch_engine.compact import CompactNet
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import WeightsHeader, save_weights
from expnet.training import person
from expnet.training.evaluation.identity import SurfaceError
from expnet.training.person import Seen, aligned_factor, learn
from expnet.training.synthetic import people
from expnet.training.synthetic.surface import build_surface

PEOPLE, VIEWS, READ = 400, 6, 120


def people_who_are_read(seed: int, mean: float = 0.0) -> Seen:
    """Return inputs that give alpha through a matrix, with errors of each person and of each picture."""
    rng = np.random.default_rng(seed)
    matrix = np.random.default_rng(7).normal(0, 1, (99, READ)) / 10
    alpha = mean + rng.standard_normal((PEOPLE, 99))
    own, fresh = rng.normal(0, 0.3, (PEOPLE, 1, READ)), rng.normal(0, 0.6, (PEOPLE, VIEWS, READ))
    read = (alpha @ matrix)[:, None] + own + fresh
    rows = (torch.tensor(a, dtype=torch.float32) for a in (read, np.zeros((PEOPLE, VIEWS, 99)), alpha))
    return Seen(*rows)


@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_more_views_give_a_better_alpha_and_one_view_is_no_worse_than_the_mean_person(mean: float) -> None:
    reader = PersonReader(learn(people_who_are_read(0, mean), None, torch.eye(99)), {})
    others = people_who_are_read(1, mean)
    truth = others.alpha.numpy()
    error = {0: np.linalg.norm(truth - mean, axis=1).mean()}
    for count in (1, 3, VIEWS):
        alpha = [reader.alpha(reader.readings_of(own[:count]), np.ones(count)) for own in others.inputs.numpy()]
        error[count] = np.linalg.norm(np.array(alpha) - truth, axis=1).mean()
    assert error[VIEWS] < 0.97 * error[3] < 0.95 * error[1] < 0.95 * error[0]


def test_the_factor_measures_what_the_evaluation_measures() -> None:
    """For small alphas; both say the same of a face as it stands elsewhere, larger or smaller."""
    model = open_face_model("open")
    factor, measured = aligned_factor(model).numpy(), SurfaceError(model)
    alphas = 0.3 * np.random.default_rng(0).standard_normal((6, 99))
    ours = np.linalg.norm(alphas @ factor.T, axis=1)
    theirs = measured(alphas, model.neutral).mean(1)  # a mean of distances, where ours is their root mean square
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95
    assert (theirs < ours).all() and (ours < 1.5 * theirs).all()


def test_a_person_stays_the_same_in_all_pictures() -> None:
    surface = build_surface(open_face_model("open"))
    once, again = (people.pictures_of(surface, 9, 0, 2, 64) for _ in range(2))
    for name, values in once.items():
        np.testing.assert_array_equal(values, again[name])
    assert once["image"].shape == (2, 64, 64, 3) and once["alpha"].shape == (99,)
    assert (once["eta"][0] != once["eta"][1]).any() and (once["image"][0] != once["image"][1]).any()


def test_what_is_learned_goes_with_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    config = {"size": 64, "channels": [8, 8, 16, 16, 32], "blocks": [1, 1, 1, 1]}
    header = WeightsHeader(
        architecture="compact",
        config=config,
        input_size=64,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis="open-29",
        license="CC0-1.0",
        training_data="none",
        seed=0,
    )
    weights, out = tmp_path / "weights.safetensors", tmp_path / "out.safetensors"
    save_weights(weights, header, {name: tensor.numpy() for name, tensor in CompactNet(config).state_dict().items()})
    rng = np.random.default_rng(0)
    images, alpha = rng.integers(0, 255, (8, 3, 64, 64, 3), np.uint8), rng.standard_normal((8, 99), np.float32)
    np.savez(tmp_path / "people3_shard00000.npz", image=images, alpha=alpha, eta=np.zeros((8, 3, 29), np.float32))
    person.main([str(weights), str(tmp_path), "--out", str(out)])
    assert "views   network   learned" in capsys.readouterr().out
    assert LightEstimator.load(out).person is not None


def test_a_folder_without_people_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        person.main([str(OPEN_WEIGHTS), str(tmp_path), "--out", str(tmp_path / "out.safetensors")])
    assert "people" in capsys.readouterr().err

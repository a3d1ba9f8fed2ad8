"""DeepExp3D: an orthonormal basis, registration to the template, the linear baseline, and the command at tiny size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.errors import InputError
from expnet.model.face.face_model import FaceModel
from expnet.model.formats import open_face_model
from expnet.model.rotations import rotation_of_euler
from expnet.research.deepexp3d.basis import ExpressionBasis
from expnet.research.deepexp3d.linear_fit import linear_fit
from expnet.research.deepexp3d.network import RESNET50, ResidualRegressor
from expnet.research.deepexp3d.registration import registered, similarity_to, template


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return open_face_model(OPEN)


@pytest.fixture(scope="module")
def basis(model: FaceModel) -> ExpressionBasis:
    return ExpressionBasis.of(model)


def test_the_basis_is_orthonormal_and_keeps_what_the_keys_do(model: FaceModel, basis: ExpressionBasis) -> None:
    flat = basis.components.reshape(28, -1)
    assert np.allclose(flat @ flat.T, np.eye(28), atol=1e-9)
    eta = np.random.default_rng(0).uniform(0, 0.5, (4, 29))
    moved = model.expression_displacement(eta).reshape(4, -1)
    lost = moved - basis.coefficients(eta) @ flat
    assert np.linalg.norm(lost) < 0.05 * np.linalg.norm(moved)
    with pytest.raises(InputError, match="need as many"):
        ExpressionBasis.of(model, 30)


def test_landmarks_come_to_the_template_whatever_the_photographs_scale_and_roll(model: FaceModel) -> None:
    goal = template(model, 64)
    assert ((goal > 0) & (goal < 64)).all()
    turn = 3.1 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    points = goal @ turn.T + [150, 90]
    matrix = similarity_to(points, goal)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], goal, atol=1e-9)
    image = np.zeros((400, 400, 3), np.uint8)
    x, y = points[30].round().astype(int)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255
    small = registered(image, points, goal, 64)[..., 0].astype(float)
    rows, columns = np.indices(small.shape)
    centre = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum()
    assert np.abs(centre - goal[30]).max() < 0.6


def test_the_linear_fit_recovers_a_strong_expression_from_exact_landmarks(
    model: FaceModel, basis: ExpressionBasis
) -> None:
    assert model.landmarks is not None
    marks, rng = model.landmarks, np.random.default_rng(0)
    eta = np.clip(rng.normal(0, 0.4, (6, 29)), *model.expression_bounds.T)
    true = basis.coefficients(eta)
    shapes = model.vertices(eta=eta)[:, marks].astype(float)
    rotation = np.array([rotation_of_euler(*angles) for angles in rng.normal(0, 0.1, (6, 3))])
    seen = shapes @ rotation.transpose(0, 2, 1)
    points = seen[..., :2] * [1.5, -1.5] + 200
    fixed = model.neutral[marks].astype(float), model.identity[:5, marks].astype(float), basis.at(marks)
    found = linear_fit(points, *fixed, np.maximum(true.std(0), 1.0))
    assert ((found - true) ** 2).mean() < 0.5 * (true**2).mean()


def test_the_large_network_is_a_resnet_50_with_28_outputs() -> None:
    network = ResidualRegressor(RESNET50, 28)
    assert len(network.blocks) == 16
    assert network.head.weight.shape == (28, 2048)
    assert 23e6 < sum(p.numel() for p in network.parameters()) < 24e6


def test_the_command_trains_fine_tunes_and_compares_at_tiny_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("first", "0"), ("second", "1")):
        assert main(["research", "photographs", str(tmp_path / name), "--count", "10", "--seed", seed]) == 0
    out = tmp_path / "out"
    table = tmp_path / "first/truth.csv"
    small = ["--out", str(out), "--tiny", "--epochs", "1", "--batch", "8", "--device", "cpu"]
    capsys.readouterr()
    assert main(["research", "deepexp3d", str(table), *small, "--fine-tune", str(tmp_path / "second/truth.csv")]) == 0
    shown = capsys.readouterr().out
    assert "not ResNet-50" in shown
    assert "| truth.csv | linear fit to 68 landmarks | " in shown
    assert "| second/truth.csv, fine-tuned | network | " in shown
    with safe_open(out / "weights.safetensors", "pt") as stored:
        assert stored.get_tensor("of_eta").shape == (28, 29)
    (tmp_path / "first/00003.pts").unlink()
    assert main(["research", "deepexp3d", str(table), *small]) == 2
    assert capsys.readouterr().err.count("expnet: ") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("image\n", "column browInnerUp is missing"), ("", "column image is missing"), ("\0\x80", "broken table")],
)
def test_a_wrong_table_is_one_line(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(text.encode("latin1"))
    for source, what in ((table, said), (tmp_path, "expnet research label wrote")):
        assert main(["research", "deepexp3d", str(source), "--out", str(tmp_path / "out"), "--tiny"]) == 2
        shown = capsys.readouterr().err
        assert what in shown
        assert shown.count("expnet: ") == 1

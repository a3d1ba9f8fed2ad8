"""Losses: zero where nothing is wrong, silent about what is not known, softer about what is hidden."""

import numpy as np
import pytest
import torch

from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import POINTS
from expnet.training.dense_points import DensePoints, point_loss
from expnet.training.glimpse_points import true_points
from expnet.training.losses import LossWeights, factors, identity_factor, total_loss


@pytest.fixture(scope="module")
def millimetres():
    return factors(open_face_model("open"))


def batch(count: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "face": torch.ones(count),
        "eta": torch.rand(count, 29),
        "gaze": torch.rand(count, 2),
        "rotation": torch.tensor([[1.0, 0, 0, 0, 1, 0]]).repeat(count, 1),
        "crop": torch.rand(count, 3),
        "alpha": torch.randn(count, 99),
        "landmarks": torch.rand(count, 70, 2),
        "visible": torch.ones(count, 70),
        "points": torch.rand(count, 192, 2),
    }


def perfect(truth: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    count = len(truth["face"])
    return {
        **{k: truth[k].clone() for k in ("eta", "gaze", "rotation", "crop", "alpha")},
        "landmarks": truth["landmarks"].flatten(1),
        "landmark_log_scale": torch.full((count, 70), -3.0),
        "dense": truth["points"].clone(),
        "dense_log_scale": torch.full((count, 192), -3.0),
        "closer": true_points(truth),
        "closer_log_scale": torch.full((count, POINTS), -3.0),
        "eta_log_variance": torch.zeros(count, 29),
        "face": torch.full((count, 1), 20.0),
    }


ALL = LossWeights(**dict.fromkeys(LossWeights.__dataclass_fields__, 1.0))


def test_a_perfect_answer_costs_nothing_but_its_doubts(millimetres):
    truth = batch()
    _, parts = total_loss(perfect(truth), truth, millimetres, ALL)
    assert set(parts) == set(LossWeights.__dataclass_fields__)
    for name, value in parts.items():
        assert float(value) == pytest.approx(-6.0 if name in ("landmarks", "dense", "closer") else 0.0, abs=0.01), name


def test_only_parts_with_a_weight_are_computed(millimetres):
    truth = batch()
    out = {"eta": truth["eta"] + 0.1}
    loss, parts = total_loss(out, truth, millimetres, LossWeights(euclidean=2.0))
    assert list(parts) == ["euclidean"] and float(loss) == pytest.approx(29 * 0.1**2)


def test_without_a_face_only_the_face_counts(millimetres):
    truth = {**batch(), "face": torch.tensor([1.0, 0, 0, 0])}
    out = perfect(truth)
    for name in ("eta", "gaze", "crop", "alpha", "dense"):
        out[name][1:] += 5
    _, parts = total_loss(out, truth, millimetres, ALL)
    assert all(abs(float(parts[k])) < 1e-6 for k in ("vertex", "coefficient", "gaze", "crop", "identity", "alpha"))
    assert float(parts["face"]) > 5


def test_identity_counts_by_the_surface_of_the_face():
    model = open_face_model("open")
    error = np.random.default_rng(0).normal(0, 1, (5, 99)).astype(np.float32)
    skin = model.regions["skin"]
    face = skin[model.neutral[skin, 2] > 30]
    moved = model.identity_offset(error)[:, face]
    direct = np.sqrt((moved**2).sum(2).mean(1))
    np.testing.assert_allclose(np.linalg.norm(error @ identity_factor(model).numpy().T, axis=1), direct, rtol=1e-2)


def test_unknown_points_cost_nothing_and_teach_nothing(millimetres):
    truth = batch()
    truth["points"][1:] = float("nan")
    out = perfect(truth)
    out["dense"] = torch.rand(4, 192, 2, requires_grad=True)
    loss, _ = total_loss(out, truth, millimetres, LossWeights(dense=1.0))
    loss.backward()
    assert loss.isfinite() and out["dense"].grad[0].abs().sum() > 0 and not out["dense"].grad[1:].any()


def test_a_hidden_landmark_counts_less(millimetres):
    truth = batch()
    out = perfect(truth)
    out["landmarks"] = out["landmarks"].clone()
    out["landmarks"][:, :20] += 0.2  # the first ten points
    _, seen = total_loss(out, truth, millimetres, ALL)
    truth["visible"][:, :10] = 0
    _, hidden = total_loss(out, truth, millimetres, ALL)
    assert hidden["landmarks"] < seen["landmarks"]


def test_the_best_scale_is_half_the_mean_distance():
    """Of distances d in a plane under exp(-d / s) / (2 pi s^2) the likeliest s is mean(d) / 2."""
    torch.manual_seed(0)
    truth = torch.zeros(1, 4000, 2)
    points = 0.04 * torch.randn(1, 4000, 2)
    scales = torch.linspace(-6, -1, 501)
    costs = [float(point_loss(points, s.expand(1, 4000), truth, torch.ones(1, 4000))) for s in scales]
    best = float(scales[int(torch.tensor(costs).argmin())].exp())
    assert best == pytest.approx(float(points.norm(dim=-1).mean()) / 2, rel=0.03)


def test_dense_points_learn_where_points_are():
    torch.manual_seed(0)
    features, truth = torch.randn(32, 16), torch.rand(1, 192, 2).expand(32, -1, -1)
    head = DensePoints(16)
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    for _ in range(200):
        out = head(features)
        loss = point_loss(out["dense"], out["dense_log_scale"], truth, torch.ones(32, 192)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    out = head(features)
    assert (out["dense"] - truth).norm(dim=-1).mean() < 0.02 and out["dense_log_scale"].mean() < -4
    assert out["landmark_log_scale"].shape == (32, 70)


@pytest.mark.parametrize("said", [-30.0, 30.0])
def test_a_wild_variance_finds_its_way_back(said, millimetres):
    truth = batch()
    out = perfect(truth)
    out["eta"] = truth["eta"] + 0.3
    doubt = torch.full((4, 29), said, requires_grad=True)
    loss, _ = total_loss({**out, "eta_log_variance": doubt}, truth, millimetres, LossWeights(variance=1.0))
    loss.backward()
    assert (doubt.grad * said > 0).all()  # a step against the gradient leads towards zero

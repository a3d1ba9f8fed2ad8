"""The evaluation: its measures against cases with known answers, and the command that prints and writes it."""

import hashlib
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from expnet.model.camera import ANCHOR, SIDE_MM
from expnet.model.errors import InputError
from expnet.model.face.alignment import similarity
from expnet.model.face.semantics import OPEN_BASIS, mirror_open_eta
from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import CompactConfig
from expnet.model.networks.torch_engine.compact import CompactNet
from expnet.model.networks.weights.weights_file import WeightsHeader, save_weights
from expnet.training import evaluate
from expnet.training.dataset import ShardFolder
from expnet.training.evaluation import ceiling, held_out, identity, scale, uncertainty
from expnet.training.evaluation.measures import (
    EYE_POINTS,
    LID_REGIONS,
    area_under_curve,
    gaze_error,
    predict,
    region_error,
    seen_region_error,
)
from expnet.training.evaluation.section import Score, Section, Table, as_markdown, as_text
from expnet.training.evaluation.subject import Subject, conditions
from expnet.training.synthetic.generate import make_shard
from expnet.training.synthetic.surface import build_surface

CONFIG = CompactConfig(size=64, channels=(8, 8, 16, 16, 32), blocks=(1, 1, 1, 1))
FACES = 240  # in so many every key moves, in the natural pictures and in the hard ones


@pytest.fixture(scope="module")
def model():
    return open_face_model("open")


@pytest.fixture(scope="module")
def data(tmp_path_factory, model) -> Path:
    folder = tmp_path_factory.mktemp("held_out")
    np.savez(folder / "seed1_shard00000.npz", **make_shard(build_surface(model), 1, 0, FACES, 96))
    return folder


def untrained(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    network = CompactNet(CONFIG)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    crop = {"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM}
    header = WeightsHeader("compact", asdict(CONFIG), CONFIG.size, crop, OPEN_BASIS, "CC0-1.0", "no pictures", seed, {})
    save_weights(path, header, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights") / "new.safetensors", 0)


@pytest.fixture(scope="module")
def subject(weights, data, model) -> Subject:
    return Subject(weights, ShardFolder(data, seed=1).all(), model)


# --- scores and tables ----------------------------------------------------------------------------------------------


def test_a_score_is_held_to_its_bar_in_the_direction_that_is_better():
    assert Score("r", 0.86, "higher", 0.85).met is True
    assert Score("mm", 1.3, "lower", 1.2).met is False
    assert Score("mm", 1.3, "lower").met is None


@pytest.mark.parametrize(
    ("now", "before", "better", "verdict"),
    [(0.9, 0.8, "higher", "better"), (0.9, 0.8, "lower", "worse"), (0.8001, 0.8, "higher", "same")],
)
def test_scores_are_compared_to_the_digits_that_are_shown(now, before, better, verdict):
    assert Score("it", now, better).against(Score("it", before, better)) == verdict
    assert Score("it", now, better).against(None) == "new"


def test_a_section_reads_as_text_and_as_markdown():
    section = Section("Title", "How.", (Score("r", 0.9, "higher", 0.85),), (Table(("", "n"), (("row", 3),), "More"),))
    old = Section("Title", "How.", (Score("r", 0.95, "higher", 0.85),))
    text, page = as_text(section, old), as_markdown(section, "the command", "accuracy", old)
    assert "≥ 0.85  yes   0.950  worse" in text and "More" in text
    assert "| r | 0.900 | ≥ 0.85 | yes | 0.950 | worse |" in page
    assert "## Title" in page and "    the command" in page and "| row | 3 |" in page


# --- measures -------------------------------------------------------------------------------------------------------


def test_area_under_the_curve():
    faces = np.array([True, True, False, False])
    assert area_under_curve(np.array([4.0, 3, 2, 1]), faces) == 1
    assert area_under_curve(np.array([1.0, 2, 3, 4]), faces) == 0
    assert area_under_curve(np.array([1.0, 1, 1, 1]), faces) == 0.5
    assert area_under_curve(np.array([4.0, 2, 3, 1]), faces) == 0.75
    assert np.isnan(area_under_curve(np.ones(2), np.array([True, True])))


def test_gaze_is_off_by_the_angle_between_two_looks():
    ahead, aside = torch.zeros(1, 2), torch.tensor([[0.3, 0.0]])
    assert gaze_error(ahead, aside) == pytest.approx(0.3, abs=1e-6)
    assert gaze_error(ahead, torch.tensor([[0.0, -0.2]])) == pytest.approx(0.2, abs=1e-6)


def test_millimetres_count_only_what_is_in_sight(model):
    error = np.zeros((2, 29), np.float32)
    error[0, 5] = 1  # the subject's left lid, shut instead of open
    everything = np.ones((2, 70))
    whole = region_error(model, LID_REGIONS, error)
    assert seen_region_error(model, LID_REGIONS, EYE_POINTS, error, everything) == pytest.approx(whole, rel=1e-4)
    no_left_eye = everything.copy()
    no_left_eye[:, 42:48] = 0
    assert seen_region_error(model, LID_REGIONS, EYE_POINTS, error, no_left_eye) < 0.02 * whole
    assert np.isnan(seen_region_error(model, LID_REGIONS, EYE_POINTS, error, np.zeros((2, 70))))


def test_pictures_of_another_size_are_cut_for_the_network(subject):
    out = predict(subject.network, subject.held_out["image"][:3])
    assert subject.held_out["image"].shape[1] == 96 and subject.network.config.size == 64
    seen = subject.estimator.estimate(
        list(subject.held_out["image"][:3].numpy()),
        [identity.Crop(47.5, 47.5, 96)] * 3,
        [identity.Camera(96, 48, 48)] * 3,
    )
    np.testing.assert_allclose(out["eta"].numpy(), seen.eta, atol=0.02)


def test_conditions_come_from_the_labels_and_older_shards_know_fewer(subject):
    truth = subject.truth
    known = conditions(truth, 96)
    assert known.detail.max() <= 96 and known.visible.shape == (len(truth["eta"]), 70)
    assert known.yaw.min() >= 0 and (known.clear <= (known.share >= 0.9)).all()
    older = conditions({k: v for k, v in truth.items() if k not in ("visible", "detail")}, 96)
    assert (older.detail == 96).all() and (older.share == 1).all()
    unsaid = conditions({**truth, "natural": torch.full((len(truth["eta"]),), torch.nan)}, 96)
    assert np.array_equal(unsaid.natural, (known.yaw < 30) & (known.detail >= 80) & (known.share >= 0.9))
    assert conditions({**truth, "natural": torch.ones(len(truth["eta"]))}, 96).natural.all()


# --- sections -------------------------------------------------------------------------------------------------------


def test_held_out_groups_cover_all_faces_once_per_condition(subject):
    groups = held_out.groups(subject)
    for start in ("yaw below", "less than 32", "at least 90 %"):
        names = list(groups)
        at = next(i for i, name in enumerate(names) if name.startswith(start))
        assert (sum(groups[name].astype(int) for name in names[at : at + 3]) == 1).all()


def test_held_out_faces_are_read_as_stills_are(subject):
    """Expression and gaze are means over a picture and its mirror image."""
    images = subject.held_out["image"][:8]
    read, mirrored = subject.read(images), subject.read(images.flip(2))
    np.testing.assert_allclose(read["eta"], mirror_open_eta(mirrored["eta"].numpy()), atol=1e-6)
    np.testing.assert_allclose(read["gaze"], mirrored["gaze"] * torch.tensor([-1, 1]), atol=1e-6)
    alone = predict(subject.network, images)["eta"]
    assert np.abs(read["eta"] - alone).max() > 1e-3, "an untrained network is not symmetric"


def test_a_perfect_network_reaches_every_bar(subject):
    known = {k: v for k, v in subject.held_out.items() if k in ("eta", "gaze", "rotation", "crop", "landmarks")}
    outputs = known | {"face": subject.held_out["face"][:, None] - 0.5}
    perfect = Subject(subject.weights, subject.held_out, subject.model, outputs)
    section = held_out.measure(perfect)
    assert not [score for score in section.scores if score.met is False]
    assert {s.what: s.value for s in section.scores}["correlation, mean of the keys"] == pytest.approx(1)


def test_a_picture_at_full_size_is_itself_and_a_small_one_is_blurred(subject):
    pictures = subject.held_out["image"][:2].numpy()
    np.testing.assert_array_equal(scale.shown_at(pictures, 96, 96).numpy(), pictures)
    small = scale.shown_at(pictures, 20, 96).numpy()
    assert (
        small.shape == pictures.shape
        and np.abs(np.diff(small.astype(float), axis=1)).mean() < np.abs(np.diff(pictures.astype(float), axis=1)).mean()
    )


def test_kept_promises_have_the_ratio_one():
    rng = np.random.default_rng(0)
    deviation = np.exp(rng.normal(-2, 0.7, 40_000))
    said, found = uncertainty.by_size(deviation, deviation * rng.standard_normal(len(deviation)))
    np.testing.assert_allclose(found / said, 1, atol=0.1)
    assert said[-1] > 5 * said[0]


def test_points_known_exactly_tell_more_than_points_known_badly(subject, data, tmp_path, model):
    np.savez(tmp_path / "seed0_shard00000.npz", **make_shard(build_surface(model), 0, 0, FACES, 16))
    section = ceiling.measure(subject, tmp_path)
    r = {row[0]: row[1] for row in section.tables[0].rows}
    assert r["points known exactly"] > r["points known to 4 mm"] + 0.1 > r["the network, from pictures"]
    beside = {row[0]: row[1] for row in section.tables[1].rows}
    assert beside["landmarks known exactly"] > beside["landmarks known to 2 mm"] > beside["outputs alone"]
    with pytest.raises(InputError, match="seed 0"):
        ceiling.measure(subject, data)


def test_points_to_learn_from_are_in_the_order_of_the_held_out_ones(tmp_path, model):
    np.savez(tmp_path / "seed0_shard00000.npz", **make_shard(build_surface(model), 0, 0, FACES, 16))
    known, shard = ceiling._labels(tmp_path), ShardFolder(tmp_path, seed=0).all()
    np.testing.assert_array_equal(known["landmarks"], shard["landmarks"][shard["face"] > 0.5])


def test_a_linear_reading_finds_what_is_linear():
    rng = np.random.default_rng(3)
    known, asked, mixing = rng.normal(size=(300, 12)), rng.normal(size=(20, 12)), rng.normal(size=(12, 29))
    np.testing.assert_allclose(ceiling.linear_reading(known, known @ mixing + 1, asked), asked @ mixing + 1, atol=0.05)


def test_an_alignment_is_found_again():
    rng = np.random.default_rng(1)
    points, weight = rng.normal(size=(30, 3)), rng.uniform(0.5, 2, 30)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    scale_, rotation, shift = similarity(points, 1.3 * points @ turn.T + [1, 2, 3], weight, scaled=True)
    assert scale_ == pytest.approx(1.3)
    np.testing.assert_allclose(rotation, turn, atol=1e-9)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-9)


def test_a_head_is_as_far_from_the_truth_as_its_shape_not_as_its_place_and_size(model):
    error = identity.SurfaceError(model)
    alpha = np.random.default_rng(2).standard_normal((1, 99)).astype(np.float32)
    truth = model.vertices(alpha[0]) * 0.9 + [10, 0, -5]
    assert error(alpha, truth).max() < 0.01
    assert error(np.zeros((1, 99), np.float32), truth).min() > 0.3


def test_the_face_is_parted_into_four_regions(model):
    regions = identity.face_regions(model)
    joined = np.concatenate(list(regions.values()))
    assert len(joined) == len(np.unique(joined)) and all(len(r) > 300 for r in regions.values())
    assert model.neutral[regions["nose"]][:, 2].max() == pytest.approx(model.neutral[:, 2].max(), abs=0.5)


def test_pooling_weighs_views():
    alpha = np.array([[1.0], [3.0], [5.0], [7.0], [100.0]])
    np.testing.assert_allclose(identity.pooled(alpha, np.array([1, 1, 3, 1, 1.0]), 2), [[2.0], [5.5]])


def test_one_person_is_the_same_in_every_picture(model):
    surface = build_surface(model)
    first, second = (identity.photographed(surface, 7, views=2, size=64) for _ in range(2))
    np.testing.assert_array_equal(first.pictures["side"], second.pictures["side"])
    assert np.abs(first.head - model.vertices(first.alpha)).max() > 0.1  # proportions that alpha does not span
    assert np.abs(first.head - identity.photographed(surface, 8, views=1, size=64).head).max() > 1


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_compares_weights_line_by_line(weights, data, tmp_path, capsys):
    old = untrained(tmp_path / "old.safetensors", 1)
    assert evaluate.main([str(weights), str(data), "--only", "held_out", "--against", str(old)]) == 0
    printed = capsys.readouterr().out
    assert "before" in printed and "worse on:" in printed
    assert "scale" in next(line for line in printed.splitlines() if line.startswith("Not run:"))


def test_the_page_is_not_written_with_holes_unless_asked(weights, data, tmp_path, capsys):
    docs = tmp_path / "docs"
    ask = [str(weights), str(data), "--only", "held_out", "uncertainty", "--docs", str(docs)]
    assert evaluate.main(ask) == 2
    assert "--partial" in capsys.readouterr().err and not docs.exists()
    assert evaluate.main([*ask, "--partial"]) == 0
    page = (docs / "ACCURACY.md").read_text()
    assert "Not run:" in page and "--only held_out" in page
    for plot in ("held_out_keys", "uncertainty"):
        assert f"(accuracy/{plot}.svg)" in page and (docs / "accuracy" / f"{plot}.svg").is_file()
    assert str(tmp_path) not in page


def test_a_section_that_is_not_run_again_stays_on_the_page_with_its_weights(weights, data, tmp_path):
    docs, other = tmp_path / "docs", untrained(tmp_path / "other.safetensors", 1)
    ask = ["--docs", str(docs), "--partial", "--only"]
    assert evaluate.main([str(weights), str(data), *ask, "uncertainty", "held_out"]) == 0
    before = (docs / "ACCURACY.md").read_text().split("## Uncertainty")
    assert evaluate.main([str(other), str(data), *ask, "held_out"]) == 0
    after = (docs / "ACCURACY.md").read_text().split("## Uncertainty")
    assert after[1] == before[1] and after[0] != before[0]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in (other, weights)]
    assert re.findall(r"Measured with weights (\w+)", "".join(after)) == digests
    assert {plot.name for plot in (docs / "accuracy").iterdir()} == {"held_out_keys.svg", "uncertainty.svg"}


def test_ablations_are_named_weights(weights, data, capsys):
    ask = [str(weights), str(data), "--only", "ablations", "--ablation", f"everything={weights}"]
    assert evaluate.main([*ask, "--ablation", f"without hair={weights}"]) == 0
    printed = capsys.readouterr().out
    assert "without hair" in printed and "Held-out faces of the same engine" in printed
    assert "Another renderer's" not in printed and "Real clips" not in printed  # nothing was given to look at
    with pytest.raises(SystemExit):
        evaluate.main([*ask, "--ablation", "nameless"])


def test_a_missing_file_is_said_in_one_line(data, tmp_path, capsys):
    assert evaluate.main([str(tmp_path / "no.safetensors"), str(data), "--only", "held_out"]) == 2
    assert "no.safetensors" in capsys.readouterr().err

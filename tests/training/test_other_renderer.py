"""Scoring the pictures of another renderer: responses whose answer is known, and the whole way from a folder."""

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import torch

from expnet.model.camera import ANCHOR, SIDE_MM
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.formats import open_face_model
from expnet.model.networks.architectures import CompactConfig
from expnet.model.networks.torch_engine.compact import CompactNet
from expnet.model.networks.torch_engine.estimator import Estimator
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import WeightsHeader, save_weights
from expnet.training.evaluation import other_renderer as scoring
from expnet.training.evaluation.section import as_markdown
from expnet.training.evaluation.subject import Subject

SMILE, JAW, SIDE = (OPEN_KEYS.index(k) for k in ("mouthSmile_L", "jawOpen", "jawSide"))


def arrays(steps: int = 3, combined: int = 4) -> dict[str, np.ndarray]:
    """truth.npz of a head 800 mm before the camera: rest, every key swept, gaze swept, a few mixtures."""
    rng = np.random.default_rng(0)
    eta, gaze, kind, key = [np.zeros(29)], [np.zeros(2)], ["neutral"], [-1]

    def add(what: str, which: int, value_eta: np.ndarray, value_gaze: np.ndarray) -> None:
        eta.append(value_eta), gaze.append(value_gaze), kind.append(what), key.append(which)

    for k, (low, high) in enumerate(open_bounds()):
        for value in np.linspace(low, high, steps + (low == 0))[int(low == 0) :]:
            if value:
                add("key", k, np.eye(29)[k] * value, np.zeros(2))
    for axis in range(2):
        for value in (-0.3, 0.3):
            add("gaze", axis, np.zeros(29), np.eye(2)[axis] * value)
    for _ in range(combined):
        add("combined", -1, rng.uniform(0, 1, 29), np.zeros(2))
    count = len(eta)
    return {
        "eta": np.array(eta), "gaze": np.array(gaze), "kind": np.array(kind), "key": np.array(key),
        "rotation": np.tile(np.eye(3), (count, 1, 1)), "translation": np.tile([0, 0, -800.0], (count, 1)),
        "camera": np.tile([100.0, 23.5, 23.5], (count, 1)), "expression_keys": np.array(OPEN_KEYS),
    }  # fmt: skip


def write(folder, truth) -> None:
    folder.mkdir(parents=True)
    np.savez(folder / "truth.npz", **truth)
    rng = np.random.default_rng(1)
    for i in range(len(truth["kind"])):
        cv2.imwrite(str(folder / f"{i:04d}.png"), rng.integers(0, 255, (48, 48, 3), np.uint8))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    for name in ("ann", "bob"):
        write(folder / name, arrays())
    return folder


def test_a_perfect_network_scores_perfectly(rendered):
    heads = scoring.read(rendered)
    found = scoring.respond(heads, [head.eta for head in heads])
    assert (found.monotone == 1).all()
    np.testing.assert_allclose([found.r, found.gain], 1, atol=1e-9)
    np.testing.assert_allclose(found.pooled, 1, atol=1e-9)
    assert np.nanmax(found.leak) == 0 and (found.rest == 0).all()


def test_what_is_wrong_with_a_key_is_found(rendered):
    heads = scoring.read(rendered)
    seen = [head.eta.copy() for head in heads]
    seen[0][:, SMILE] *= 0.3  # too weak on one head
    seen[0][:, JAW] = np.sin(3 * heads[0].eta[:, JAW])  # rises, then falls
    seen[1][:, SMILE] += 0.4  # the other one smiles at rest
    seen[1][:, JAW] += 0.5 * np.abs(heads[1].eta[:, SIDE])  # and opens its mouth when the jaw moves aside
    found = scoring.respond(heads, seen)
    assert found.gain[:, SMILE] == pytest.approx([0.3, 1.0]) and found.r[:, SMILE] == pytest.approx([1, 1])
    assert found.pooled[SMILE] < 0.9
    assert found.monotone[:, JAW].tolist() == [0, 1]
    assert found.rest[:, SMILE] == pytest.approx([0, 0.4])
    assert found.leak[1, SIDE, JAW] == pytest.approx(0.5) and found.leak[0, SIDE, JAW] == 0
    assert found.leak[0, SIDE, SIDE] == 0  # a key is no cross-talk of its own


def test_a_small_step_back_is_still_monotone(rendered):
    heads = scoring.read(rendered)
    seen = [head.eta.copy() for head in heads]
    for head, eta in zip(heads, seen):
        eta[head.rows("key", JAW)[-1], JAW] = eta[head.rows("key", JAW)[-2], JAW] - 0.5 * scoring.SLACK
    assert scoring.respond(heads, seen).monotone[:, JAW].tolist() == [1, 1]


def test_a_part_of_the_pictures_is_scored_as_far_as_it_goes(rendered, tmp_path):
    truth = arrays()
    write(tmp_path / "cut", truth)
    for i in np.flatnonzero((truth["kind"] == "key") & (truth["key"] == JAW)):
        (tmp_path / "cut" / f"{i:04d}.png").unlink()
    (head,) = scoring.read(tmp_path)
    found = scoring.respond([head], [head.eta])
    assert np.isnan(found.r[0, JAW]) and found.r[0, SMILE] == pytest.approx(1)


def test_of_a_single_step_only_gain_and_cross_talk_are_said(rendered):
    (head, _) = scoring.read(rendered)
    rows = np.flatnonzero((head.kind == "neutral") | ((head.kind == "key") & (head.eta.max(1) == 1)))
    fields = ("kind", "key", "eta", "gaze", "rotation", "translation", "camera")
    ends = scoring.Head("ends", head.pictures, **{name: getattr(head, name)[rows] for name in fields})
    found = scoring.respond([ends], [0.5 * ends.eta])
    assert np.isnan(found.r).all() and np.isnan(found.monotone).all()
    np.testing.assert_allclose(found.gain, 0.5)


def test_the_section_for_an_untrained_network(rendered, tmp_path):
    torch.manual_seed(0)
    config = CompactConfig(size=64, channels=(8, 8, 16, 16, 32), blocks=(1, 1, 1, 1))
    network = CompactNet(config)
    crop = {"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM}
    header = WeightsHeader("compact", asdict(config), 64, crop, OPEN_BASIS, "CC0-1.0", "no pictures", 0, {})
    save_weights(tmp_path / "w.safetensors", header, {k: v.numpy() for k, v in network.state_dict().items()})
    subject = Subject(tmp_path / "w.safetensors", {}, open_face_model("open"))
    section = scoring.measure(subject, rendered)
    page = as_markdown(section, "command", "accuracy")
    assert "| mouthSmile_L |" in page and "| ann |" in page and "nan" not in page
    assert section.scores[0].bar == 1 and section.scores[1].bar == 0.94
    from matplotlib.figure import Figure

    figure = Figure(figsize=section.plots[0].size)
    section.plots[0].draw(figure)
    figure.savefig(tmp_path / "plot.svg")


def test_as_a_clip_all_pictures_of_a_head_move_by_one_offset(rendered):
    estimator = Estimator.load("open", "cpu")
    head = scoring.read(rendered)[0]
    alone = scoring.look(estimator, head)
    as_read = replace(estimator.person, responses=None)
    moves = scoring.as_one_clip(alone, as_read) - alone.eta
    np.testing.assert_allclose(moves, np.broadcast_to(moves[0], moves.shape), atol=1e-6)
    assert np.abs(moves).max() > 1e-3
    section = scoring.measure(Subject(OPEN_WEIGHTS, {}, open_face_model("open")), rendered)
    assert [row[0] for row in section.tables[-1].rows] == ["read alone", "as a clip"]


def test_the_sheet_shows_every_head(rendered):
    assert scoring.sheet(scoring.read(rendered)).shape == (2 * 48, (len(scoring.SHEET) + 3) * 48, 3)


def test_folders_that_hold_no_such_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match="no heads.*benchmarks.other_renderer"):
        scoring.read(tmp_path)
    write(tmp_path / "odd", arrays() | {"gaze": np.zeros((3, 2))})
    with pytest.raises(InputError, match="do not fit together"):
        scoring.read(tmp_path)
    (tmp_path / "odd" / "truth.npz").write_bytes(b"something else")
    with pytest.raises(InputError, match="is no truth"):
        scoring.read(tmp_path)

"""Fine-tuning on one actor's clip: better weights are written, others are not, and mistakes are one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch

from expnet.model.builtin import OPEN
from expnet.model.camera import Camera, Crop
from expnet.model.errors import InputError
from expnet.model.fine_tuning import fine_tune as module
from expnet.model.fine_tuning.comparison import DrawnHead
from expnet.model.fine_tuning.curves import write_curves
from expnet.model.fine_tuning.fine_tune import fine_tune
from expnet.model.fine_tuning.head import Curves, Head
from expnet.model.fine_tuning.measures import RUN, Judged, judge, worse_in
from expnet.model.fine_tuning.reprojection import Located, squared_distances
from expnet.model.fine_tuning.views import VIEWS, mirrored, views_of
from expnet.model.fitting.point_basis import PointBasis
from expnet.model.fitting.whole_clip import Frames, Observed, project_frames
from expnet.model.formats import open_face_model
from expnet.model.networks import engines
from expnet.model.networks.responses import Responses
from expnet.model.networks.weights.open_pack import DATA, OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_all
from expnet.model.sight.tracking import perform
from expnet.model.sight.video import open_clip

CLIP = DATA / "demo_clip.mp4"
HEAD = open_face_model(OPEN)
BLOCK = np.arange(60) // 20


@pytest.fixture(scope="module", autouse=True)
def short():
    """Fewer frames and steps than a real run: a test takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST_FRAMES", 60)
        patch.setattr("expnet.model.fine_tuning.head.STEPS", 40)
        yield


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, module.FineTuned]:
    out = tmp_path_factory.mktemp("tuned") / "actor.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "worse_in", lambda after, before, block: ())
        return out, fine_tune([CLIP], out, most_frames=100)


def test_training_makes_the_views_of_a_frame_agree_more(tuned: tuple[Path, module.FineTuned]) -> None:
    _, result = tuned
    assert result.frames == 100
    assert result.step > 0
    assert result.after.consistency < result.before.consistency


def test_they_are_read_as_weights_of_the_open_network_by_both_engines(tuned: tuple[Path, module.FineTuned]) -> None:
    out, _ = tuned
    read = []
    for source, engine in ((str(out), "full"), (str(out), "light"), (OPEN, "full")):
        estimator = engines.start(source, "cpu", engine).estimator
        with open_clip(CLIP, 0, 3) as clip:
            read.append(perform(clip, estimator))
    between_engines = np.abs(read[0].eta - read[1].eta)  # 16 bits against 32, more where a response is steep
    assert between_engines.max() < 0.1 and between_engines.mean() < 0.005
    assert np.abs(read[0].eta - read[2].eta).max() > 1e-3
    assert np.abs(read[0].gaze - read[2].gaze).max() < 0.1
    assert read[0].crop == pytest.approx(read[2].crop, abs=1e-3)


def test_only_the_last_layers_and_the_header_differ(tuned: tuple[Path, module.FineTuned]) -> None:
    header, tensors, person = load_all(tuned[0])
    old_header, old, old_person = load_all(OPEN_WEIGHTS)
    changed = {name.split(".")[0] for name in old if not np.array_equal(old[name], tensors[name])}
    assert changed == {"hidden", "closer_head"}
    assert all(np.array_equal(person[name], old_person[name]) for name in old_person)
    assert "fine-tuned on 100 frames of demo_clip.mp4" in header.training_data
    assert header.evaluation["fine_tuned"]["frames"] == 100
    assert header.license == old_header.license


def test_weights_that_are_no_better_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "worse_in", lambda after, before, block: ("mirror",))
    result = fine_tune([CLIP], tmp_path / "actor.safetensors", most_frames=100)
    assert not result.kept and result.worse == ("mirror",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["actor.mp4", "actor.svg"]
    assert ElementTree.parse(tmp_path / "actor.svg").getroot().tag.endswith("svg")


def test_the_video_shows_footage_before_and_after(tuned: tuple[Path, module.FineTuned]) -> None:
    movie = cv2.VideoCapture(str(tuned[0].with_suffix(".mp4")))
    frames = [picture for read, picture in iter(movie.read, (False, None)) if read]
    assert len(frames) == 20  # one block of a hundred frames is held out
    picture = frames[0]
    assert picture.shape == (284, 768, 3)
    footage, before, after = np.split(picture[28:].astype(float), 3, 1)
    assert min(tile.std() for tile in (footage, before, after)) > 10
    assert np.abs(before - after).mean() < 0.3 * np.abs(before - footage).mean()


def test_a_drawn_head_is_in_the_middle_and_opens_its_jaw() -> None:
    draw, rest = DrawnHead(HEAD), np.zeros(len(HEAD.expression))
    opened = rest.copy()
    opened[list(HEAD.expression_keys).index("jawOpen")] = 1
    pictures = [draw(np.zeros(3), eta, np.eye(3), 64).astype(int) for eta in (rest, opened)]
    assert pictures[0][30:34, 30:34].min() > 80
    changed = np.abs(pictures[0] - pictures[1]).sum(2) > 30
    assert changed[40:].sum() > 10 * max(changed[:20].sum(), 1)


def readings(seed: int, noise: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (60, 29), and views (60, VIEWS, 29) of them with noise of their own."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.random((12, 29)), 5, 0)
    return label, label[:, None] + noise * rng.normal(size=(60, VIEWS, 29))


def judged(eta: np.ndarray, label: np.ndarray, points: float = 1e-4) -> Judged:
    return judge(eta, label, BLOCK, np.full(60, points))


def test_weights_are_worse_in_what_grows_beyond_its_noise() -> None:
    label, eta = readings(0)
    before = judged(eta, label)
    nearer = label[:, None] + 0.8 * (eta - label[:, None])
    assert worse_in(judged(nearer, label), before, BLOCK) == ()
    assert worse_in(before, before, BLOCK) == ("agreement",)
    assert worse_in(judged(nearer, label, 1.1e-4), before, BLOCK) == ("points",)
    mirrored_off = nearer.copy()
    mirrored_off[:, 1] += 0.05
    assert worse_in(judged(mirrored_off, label), before, BLOCK) == ("mirror",)
    moved_off = nearer.copy()
    moved_off[:, 3] += 0.1
    assert worse_in(judged(moved_off, label), before, BLOCK) == ("shift",)
    shrunk = label.mean(0) + 0.9 * (nearer - label.mean(0))
    assert "motion" in worse_in(judged(shrunk, label), before, BLOCK)


def test_a_difference_within_its_noise_is_not_worse() -> None:
    label, eta = readings(0)
    before = judged(eta, label)
    other = label[:, None] + 0.98 * np.random.default_rng(7).permutation(eta - label[:, None])
    squared = dict(before.squared)
    squared["points"] = squared["points"] + np.repeat(np.resize([1e-5, -0.9e-5], 60 // RUN), RUN)
    assert "points" not in worse_in(replace(judged(other, label), squared=squared), before, BLOCK)


def test_less_motion_does_not_make_the_views_more_alike() -> None:
    label, eta = readings(1)
    small = judge(label.mean(0) + 0.5 * (eta - label.mean(0)), label, BLOCK, np.zeros(60))
    assert small.measures.mirror == pytest.approx(judged(eta, label).measures.mirror, rel=1e-6)


def test_measures_of_a_perfect_reading() -> None:
    label = np.random.default_rng(0).random((40, 29))
    found = judge(np.repeat(label[:, None], VIEWS, 1), label, np.arange(40) // 20, np.zeros(40))
    measured = found.measures
    assert (measured.agreement, measured.consistency, measured.mirror, measured.shift) == pytest.approx((0, 0, 0, 0))
    assert measured.motion == pytest.approx(1)
    second = label[2:] - 2 * label[1:-1] + label[:-2]
    assert measured.jitter == pytest.approx(np.sqrt(np.square(np.delete(second, [18, 19], 0)).mean()))


def test_located_points_prefer_the_true_expression_whatever_the_pose_and_the_proportions() -> None:
    rng = np.random.default_rng(0)
    basis = PointBasis.at(HEAD, HEAD.landmarks)
    eta = np.clip(rng.uniform(0, 0.7, (12, 1)) * rng.random(29), basis.low, basis.high)
    camera, count = Camera.for_image(640, 480), len(basis.mean)
    person = replace(basis, mean=basis.mean + rng.normal(0, 1.5, basis.mean.shape))
    heads = Frames(np.zeros(99), eta, np.tile(np.eye(3), (12, 1, 1)), np.tile([0.0, 0.0, -800.0], (12, 1)))
    points = project_frames(person, heads, camera) + rng.normal(0, 0.3, (12, count, 2))
    seen = Observed(points, np.full((12, count), 5.0), eta, np.ones_like(eta), np.zeros(11, bool))
    moved = replace(heads, anchor=heads.anchor + [5.0, -4.0, 30.0])
    located = (Located(basis, seen, camera, moved, np.full(12, 200.0)),)
    right, wrong = (squared_distances(located, e) for e in (eta, eta + rng.normal(0, 0.1, eta.shape)))
    assert np.sqrt(right.mean()) < 0.004
    assert wrong.mean() > 2 * right.mean()


def test_every_second_view_is_mirrored() -> None:
    image = np.zeros((120, 120, 3), np.uint8)
    image[:, :60] = 200
    views = views_of(image, Crop(60, 60, 100), 64, np.random.default_rng(0))
    left_is_bright = views[:, :, :20].mean((1, 2, 3)) > views[:, :, -20:].mean((1, 2, 3))
    assert list(left_is_bright) == [not mirrored(i) for i in range(VIEWS)]


def test_response_curves_on_tensors_are_those_of_numpy() -> None:
    responses = Responses(np.array([[0.0, 0.3, 1.0]] * 2), np.array([[0.0, 0.0, 1.2], [0.1, 0.5, 1.0]]))
    eta = np.random.default_rng(0).uniform(-0.5, 1.5, (50, 2))
    tensor = torch.tensor(eta, dtype=torch.float32, requires_grad=True)
    shown = Curves(responses)(tensor)
    assert shown.detach().numpy() == pytest.approx(responses(eta), abs=1e-5)
    shown.sum().backward()
    assert (tensor.grad > 0).all()  # also where a curve is flat


def test_a_head_begins_as_the_layers_it_is_made_from() -> None:
    hidden, last = torch.nn.Linear(7, 5), torch.nn.Linear(5, 3)
    x = torch.randn(4, 7)
    assert torch.equal(Head(hidden, last)(x), last(torch.nn.functional.silu(hidden(x))))


def test_too_few_frames_and_clips_without_a_face_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="30 frames show the face"):
        fine_tune([CLIP], tmp_path / "actor.safetensors", most_frames=30)
    folder = tmp_path / "empty"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(InputError, match="no face was found"):
        fine_tune([folder], tmp_path / "actor.safetensors")


def test_curves_name_the_keys_that_move_most(tmp_path: Path) -> None:
    eta = np.zeros((10, 3))
    eta[:, 1] = np.arange(10)
    write_curves(tmp_path / "a.svg", ("still", "moves", "rests"), {"before": eta, "after": eta * 0.5}, shown=1)
    text = (tmp_path / "a.svg").read_text()
    assert "moves" in text
    assert "rests" not in text
    assert text.count("<polyline") == 2

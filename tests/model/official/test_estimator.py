"""The authors' networks where the open one stands: what they are fed, how often they run, and what is done without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from expnet.model.camera import Camera, Crop, project  # noqa: E402
from expnet.model.errors import InputError  # noqa: E402
from expnet.model.face.face_model import FaceModel  # noqa: E402
from expnet.model.formats import open_face_model  # noqa: E402
from expnet.model.networks.estimate import FaceEstimate  # noqa: E402
from expnet.model.official import estimator as official  # noqa: E402
from expnet.model.official import preprocess as pre  # noqa: E402
from expnet.model.official.estimator import OfficialEstimator  # noqa: E402
from expnet.model.official.layouts import EXPRESSION, POSE, SHAPE  # noqa: E402
from expnet.model.official.networks import OfficialNetworks, load_networks  # noqa: E402
from expnet.model.official.preprocess import PAPER, RELEASE, Mode  # noqa: E402
from expnet.model.sight.stills import Still, see_stills  # noqa: E402
from expnet.model.sight.tracking import look, perform  # noqa: E402
from expnet.model.sight.video import open_clip  # noqa: E402

from ..discs import DiscEstimator, FindDiscs, disc  # noqa: E402
from .test_networks import POSE_STATISTICS, tensors, write  # noqa: E402

SIZE = (320, 240)
CAMERA = Camera.for_image(*SIZE)
POSE_SAID = np.array([0.1, -0.2, 0.05, 20.0, -30.0, 3000.0])  # by a FacePoseNet that always says the same


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> OfficialNetworks:
    """ExpNet and the shape net with one trunk, and a FacePoseNet."""
    pose = tensors(POSE, 3)
    pose["fc8.weight"][:], pose["fc8.bias"][:] = 0, 0
    statistics = {
        **POSE_STATISTICS,
        "pose.label_mean": POSE_SAID.astype(np.float32),
        "shape.mean_image": np.full((3, 224, 224), 100, np.float32),
        "expression.mean_image": np.full((3, 224, 224), 120, np.float32),
    }
    folder = write(
        tmp_path_factory.mktemp("official"),
        {EXPRESSION: tensors(EXPRESSION, 1), SHAPE: tensors(SHAPE, 2), POSE: pose},
        {"expression": "expression", "shape": "expression"},
        statistics,
    )
    return load_networks(folder, "cpu")


@pytest.fixture(scope="module")
def open_head() -> FaceModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def other_head(open_head: FaceModel) -> FaceModel:
    """Return the open head, a tenth larger and lying elsewhere."""
    return replace(open_head, mean=(1.1 * open_head.mean + (3, -5, 20)).astype(np.float32))


@pytest.fixture
def made(networks: OfficialNetworks, open_head: FaceModel) -> Callable[..., OfficialEstimator]:
    def make(
        mode: Mode = RELEASE, without: tuple[str, ...] = (), face_model: FaceModel = open_head
    ) -> OfficialEstimator:
        there = {name: network for name, network in networks.networks.items() if name not in without}
        statistics = {name: array for name, array in networks.statistics.items() if name not in without}
        fewer = replace(networks, networks=there, statistics=statistics)
        return OfficialEstimator(fewer, DiscEstimator(), mode, face_model, open_head)

    return make


@pytest.fixture
def runs(networks: OfficialNetworks):
    """How many faces each network saw, call by call."""
    seen: dict[str, list[int]] = {"trunk": [], "expression": [], "shape": [], "pose": []}
    modules = {
        "trunk": networks.networks["expression"].trunk.conv1,
        "expression": networks.networks["expression"].head,
        "shape": networks.networks["shape"].head,
        "pose": networks.networks["pose"],
    }
    hooks = [
        module.register_forward_hook(lambda _, x, __, name=name: seen[name].append(len(x[0])))
        for name, module in modules.items()
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def picture(x: float = 150, y: float = 120, radius: float = 40, jaw: float = 0.5) -> np.ndarray:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.randu(image, 0, 60)
    return disc(image, x, y, radius, jaw)


# ---------------------------------------------------------------------------------------------------- what they are fed


def test_a_known_box_gives_the_releases_own_numbers(made, networks: OfficialNetworks) -> None:
    """Step by step as the release goes: square, cubic, a JPEG, 224 pixels, the shape net's mean for both networks."""
    image, box = picture(), (110.5, 70.0, 80.0, 95.0)
    seen = look(image, made(), box=box)
    crop = cv2.resize(padded(image, 80, 47, 142), (227, 227), interpolation=cv2.INTER_CUBIC)
    crop = cv2.imdecode(cv2.imencode(".jpg", crop)[1], cv2.IMREAD_COLOR)
    fed = pre.legacy_bilinear(crop[None].astype(np.float32), 224).transpose(0, 3, 1, 2) - np.float32(100)
    fed = np.ascontiguousarray(fed)
    found = networks.regress(expression=fed, shape=fed)
    assert_same(seen.eta, found["eta"])
    assert_same(seen.alpha, found["alpha"])
    assert_same(seen.texture, found["texture"])
    assert seen.basis == "expnet-29" and seen.expression_keys[0] == "expression_01"


def assert_same(ours: np.ndarray | None, theirs: np.ndarray) -> None:
    """But for rounding: random networks go on to large numbers."""
    assert ours is not None
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def padded(image: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    big = np.pad(image, ((300, 300), (300, 300), (0, 0)))
    return big[y + 300 : y + 300 + side, x + 300 : x + 300 + side]


def test_the_papers_mode_is_tighter_and_each_network_has_its_mean(made, networks: OfficialNetworks) -> None:
    image, box = picture(), (110.0, 70.0, 80.0, 80.0)
    seen = look(image, made(PAPER), box=box)
    crop = cv2.resize(padded(image, 100, 60, 100), (227, 227), interpolation=cv2.INTER_CUBIC)
    fed = np.ascontiguousarray(pre.legacy_bilinear(crop[None].astype(np.float32), 224).transpose(0, 3, 1, 2))
    assert_same(seen.eta, networks.regress(expression=fed - np.float32(120))["eta"])
    assert_same(seen.alpha, networks.regress(shape=fed - np.float32(100))["alpha"])


def test_without_a_box_the_face_is_cut_out_as_in_the_mean_image(made) -> None:
    image = picture()
    found = look(image, made(), box=(110, 80, 80, 80))
    crop = found.crop[0]
    exact = look(image, made(), box=pre.box_of_crop(crop))
    estimator = made()
    assert_same(estimator.estimate([image], [crop], [CAMERA]).eta, exact.eta)


# ------------------------------------------------------------------------------------------------------- how often


def test_a_face_is_read_once_however_often_it_is_looked_at(made, runs) -> None:
    estimator = made()
    look(picture(), estimator, box=(100, 80, 90, 90))
    assert runs == {"trunk": [1], "expression": [1], "shape": [1], "pose": [1]}, "one trunk for both"
    assert estimator.finding.looks >= 4


def test_frames_and_images_are_read_together(made, runs, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, SIZE)
    for i in range(6):
        writer.write(picture(150 + i) if i != 2 else np.zeros((240, 320, 3), np.uint8))
    writer.release()
    estimator = made(without=("pose",))
    estimator.at_once = 4
    with open_clip(path) as clip:
        performance = perform(clip, estimator, find=FindDiscs())
    assert runs["expression"] == [3, 2]
    assert performance.seen.tolist() == [True, True, False, True, True, True]
    assert performance.basis == "expnet-29" and performance.alpha.shape == (99,)

    cv2.imwrite(str(tmp_path / "a.png"), picture(120))
    (tmp_path / "b.png").write_text("no image")
    stills = [Still(tmp_path / "a.png", (90, 80, 70, 70)), Still(tmp_path / "b.png"), Still(tmp_path / "a.png", (9, 9))]
    runs["expression"].clear()
    first, second, third = see_stills([*stills, stills[0]][:3], estimator)
    assert runs["expression"] == [1]
    assert (
        isinstance(first, FaceEstimate)
        and first.eta.shape == (1, 29)
        and "not an image" in str(second)
        and "no" in str(third)
    )


def test_one_bad_box_does_not_spoil_the_others(made, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(160, 120))
    boxes = [(120, 80, 80, 80), (160 - 500, 120 - 500, 1000, 1000)]
    good, bad = see_stills([Still(tmp_path / "a.png", box) for box in boxes], made(without=("pose", "shape")))
    assert isinstance(good, FaceEstimate) and isinstance(bad, InputError) and "as large as the picture" in str(bad)


# ------------------------------------------------------------------------------------------------------------- the pose


def test_face_pose_nets_head_stands_where_its_crop_is(made) -> None:
    """It says 20 mm to the right and 30 mm up at 3 m: in the crop, whose middle is its own camera's."""
    image, box = picture(), (110, 80, 80, 80)
    seen = look(image, made(), box=box)
    head = open_face_model("open")
    corners = project(head.mean[head.landmarks] @ seen.rotation[0].T + seen.translation[0], CAMERA)
    span = corners.max(axis=0) - corners.min(axis=0)
    assert 30 < span[0] < 80, "a face of the box's size"
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    expected = np.array([150, 120]) + np.array([20, -30]) * 2880 / 3000 * 120 / 224
    assert np.abs(middle - expected).max() < 15
    turned = look(image, made(without=("pose",)), box=box)
    assert np.abs(seen.rotation - turned.rotation).max() > 0.1


def test_without_face_pose_net_the_other_head_covers_the_open_one(made, open_head, other_head) -> None:
    image, box = picture(), (110, 80, 80, 80)
    places = []
    for head in (open_head, other_head):
        seen = look(image, made(without=("pose",), face_model=head), box=box)
        points = head.mean[head.landmarks] @ seen.rotation[0].T + seen.translation[0]
        places.append(project(points, CAMERA))
    assert np.abs(places[0] - places[1]).max() < 0.1


# ------------------------------------------------------------------------------------------------- what is done without


def test_without_the_shape_net_the_face_keeps_the_mean_shape(made) -> None:
    estimator = made(without=("shape", "pose"))
    seen = look(picture(), estimator, box=(110, 80, 80, 80))
    assert seen.alpha.shape == (1, 99) and not seen.alpha.any() and seen.texture is None
    assert len(estimator.notes) == 2 and "alpha is 0" in estimator.notes[0] and "open network" in estimator.notes[1]
    assert made().notes == ()


def test_without_the_mean_image_nothing_can_be_read(made) -> None:
    with pytest.raises(InputError, match="3DMM_shape_mean.npy was not imported"):
        made(without=("shape.mean_image",))
    assert made(PAPER, without=("shape.mean_image", "shape", "pose")).notes, "ExpNet has its own there"


def test_without_expnet_there_is_nothing_to_read(tmp_path: Path, open_head: FaceModel) -> None:
    folder = write(tmp_path / "none", {}, {}, POSE_STATISTICS)
    with pytest.raises(InputError) as caught:
        OfficialEstimator.load(folder, "cpu", DiscEstimator(), RELEASE, open_head, open_head)
    assert "ExpNet was not imported" in str(caught.value) and "ini_exprNet_model.ckpt" in str(caught.value)


def test_a_crop_far_outside_is_black_and_no_fault(made) -> None:
    estimator = made(without=("pose", "shape"))
    found = estimator.finding.estimate([picture()], [Crop(5, 5, 300)], [CAMERA])
    assert np.isfinite(estimator.read([picture()], [CAMERA], found).eta).all()
    assert official.EXPRESSIONS == len(estimator.expression_keys)

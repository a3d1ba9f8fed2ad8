"""A first look locates the face, a closer one reads it: together they are one estimate, in both engines."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from expnet.model.camera import Camera, Crop, roll
from expnet.model.face.semantics import mirror_open_alpha, mirror_open_eta
from expnet.model.networks import engines
from expnet.model.networks.architectures import split_outputs
from expnet.model.networks.estimate import offsets_of, together
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.person import Acquaintance
from expnet.model.networks.two_looks import LooksTwice, read_with_mirror_images
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.performance_files import load_performance
from expnet.model.rotations import rotation_of_columns
from expnet.model.sight.tracking import look, perform
from expnet.model.sight.video import open_clip

DEMO_CLIP = OPEN_WEIGHTS.with_name("demo_clip.mp4")
FRAMES = 12
ROUNDING, PIXELS = 0.01, 0.3  # of 16-bit convolutions, which depends on the size of the batch


@pytest.fixture(scope="module", params=["full", "light"])
def estimator(request: pytest.FixtureRequest) -> LooksTwice:
    if request.param == "full":
        pytest.importorskip("torch")
    return engines.start(device="cpu", engine=request.param).estimator


@pytest.fixture(scope="module")
def views() -> tuple[list[np.ndarray], list[Crop], list[Camera]]:
    truth = load_performance(DEMO_CLIP.with_name("demo_clip_truth.npz"))
    with open_clip(DEMO_CLIP) as clip:
        images = [frame.image for frame in islice(clip, FRAMES)]
    crops = [Crop(*place) for place in truth.crop[:FRAMES]]
    return images, crops, [Camera.for_image(images[0].shape[1], images[0].shape[0])] * FRAMES


def test_a_closer_look_moves_no_crop_and_changes_no_confidence(estimator: LooksTwice, views: tuple) -> None:
    images, crops, cameras = views
    first = estimator.finding.estimate(images, crops, cameras)
    seen = estimator.read(images, cameras, first)
    for located, read in zip(first.crop, seen.crop, strict=True):
        np.testing.assert_allclose(located.offset_to(read), 0, atol=1e-9)
    np.testing.assert_array_equal(first.confidence, seen.confidence)
    assert np.abs(seen.eta).max() > 0.1


def test_first_looks_one_by_one_are_read_together(estimator: LooksTwice, views: tuple) -> None:
    images, crops, cameras = views
    looks = [estimator.finding.estimate([i], [c], [k]) for i, c, k in zip(*views, strict=True)]
    read = estimator.read([], cameras, together(looks))
    alone = [estimator.read([], cameras[:1], look) for look in looks]
    np.testing.assert_allclose(read.eta, together(alone).eta, atol=ROUNDING)
    np.testing.assert_array_equal(read.confidence, together(alone).confidence)
    np.testing.assert_array_equal(read.only(3).rotation[0], alone[3].rotation[0])


def test_a_clip_read_in_batches_is_the_clip_read_frame_by_frame(
    estimator: LooksTwice, monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = performed(estimator)
    monkeypatch.setattr(estimator, "frames_at_once", 1)
    alone = performed(estimator)
    exact = isinstance(estimator, LightEstimator)  # it takes one picture at a time, in 32 bits
    np.testing.assert_allclose(batched.crop, alone.crop, atol=0 if exact else PIXELS)
    np.testing.assert_allclose(batched.rotation, alone.rotation, atol=0 if exact else ROUNDING)
    np.testing.assert_allclose(batched.eta, alone.eta, atol=ROUNDING)
    np.testing.assert_allclose(batched.alpha, alone.alpha, atol=ROUNDING)


def test_a_clip_read_ahead_has_the_curves_of_single_frames(
    estimator: LooksTwice, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = performed(estimator, 5 * FRAMES)
    monkeypatch.setattr(estimator, "looks_ahead", 1)
    alone = performed(estimator, 5 * FRAMES)
    np.testing.assert_array_equal(ahead.seen, alone.seen)
    assert ahead.seen.sum() > 4 * FRAMES
    off = np.abs(ahead.eta - alone.eta)[alone.seen]
    assert off.mean() < 0.01, "of a key's range"
    assert off.mean(0).max() < 0.02, "no key more"


def performed(estimator: LooksTwice, frames: int = FRAMES) -> FacePerformance:
    with open_clip(DEMO_CLIP, 0, frames - 1) as clip:
        return perform(clip, estimator)


def test_offsets_of_the_crop_are_those_of_its_rotation_and_stay_in_bounds() -> None:
    rng = np.random.default_rng(0)
    raw = {"rotation": rng.normal(0, 1, (50, 6)), "crop": rng.normal(0, 1, (50, 3))}
    found = offsets_of(raw)
    np.testing.assert_allclose(found[:, 3], [roll(r) for r in rotation_of_columns(raw["rotation"])], atol=1e-12)
    np.testing.assert_array_equal(found[:, :3], np.clip(raw["crop"], [-0.75, -0.75, -1], [0.75, 0.75, 1]))


@pytest.mark.parametrize("broken", [0.0, np.nan, np.inf])
def test_a_broken_network_has_offsets_that_are_no_numbers(broken: float) -> None:
    raw = {"rotation": np.full((1, 6), broken), "crop": np.full((1, 3), np.nan)}
    assert np.isnan(offsets_of(raw)).all()


def test_faces_are_read_with_their_mirror_images(
    estimator: LooksTwice, views: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading of a mirrored picture is the mirrored reading, but for the responses of sideways keys."""
    monkeypatch.setattr(estimator, "responses", None)
    images, crops, cameras = (each[:1] for each in views)
    plain = estimator.finding.estimate(images, crops, cameras)
    mirrored = estimator.located(np.ascontiguousarray(plain.pixels[:, :, ::-1]), crops)
    one, other = (read_with_mirror_images(estimator, images, cameras, seen) for seen in (plain, mirrored))
    np.testing.assert_allclose(one.eta, mirror_open_eta(other.eta), atol=1e-6)
    np.testing.assert_allclose(one.alpha, mirror_open_alpha(other.alpha), atol=1e-5)  # the reader enlarges rounding
    np.testing.assert_allclose(one.gaze, other.gaze * [-1, 1], atol=1e-6)
    sides = one.crop[0].cx - crops[0].cx, crops[0].cx - other.crop[0].cx
    np.testing.assert_allclose(sides[0], sides[1], atol=1e-3)
    alone = estimator.read(images, cameras, plain)
    assert 0 < np.abs(one.eta - alone.eta).max() < 0.3
    assert 0 < np.abs(one.rotation - alone.rotation).max() < 0.2


def test_identity_is_that_of_the_reader_of_people(estimator: LooksTwice, views: tuple) -> None:
    """The network's own alpha of a picture is not shown: it is drawn to the mean head more than the errors ask for."""
    images, crops, cameras = (each[:1] for each in views)
    seen = estimator.estimate(images, crops, cameras)
    assert estimator.person is not None and seen.outputs is not None
    known = Acquaintance(estimator.person)
    known.add(seen.outputs, np.ones(1))
    own = split_outputs(seen.outputs, estimator.person.widths)["alpha"]
    assert np.linalg.norm(seen.alpha[0] - known.alpha) < 0.5 * np.linalg.norm(seen.alpha - own)


def test_footage_is_read_with_the_mirror_images_of_its_frames(
    estimator: LooksTwice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip of one frame gets the numbers of the same frame as a still image, and the offset that the frame tells."""
    monkeypatch.setattr(estimator, "frames_at_once", 1)
    monkeypatch.setattr(estimator, "looks_ahead", 1)
    with open_clip(DEMO_CLIP) as clip:
        image = next(iter(clip)).image
    crop = look(image, estimator).crop[0]
    box = crop.cx - crop.side / 4, crop.cy - crop.side / 4, crop.side / 2, crop.side / 2
    with open_clip(DEMO_CLIP, 0, 0) as clip:
        performance = perform(clip, estimator, box=box)
    still = look(image, estimator, box=box)
    assert estimator.person is not None and still.outputs is not None
    known = Acquaintance(estimator.person)
    known.add(still.outputs, still.confidence)
    np.testing.assert_allclose(performance.eta[0], still.eta[0] + known.eta_moves[0], atol=1e-4)

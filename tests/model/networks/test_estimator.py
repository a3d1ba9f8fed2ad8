"""From pixels to coefficients: the crop that is cut, the numbers that come out, the files that are refused."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from expnet.model.camera import Camera, Crop, crop_of_pose, rotation_in_crop
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.networks.cutting import block_means, cut
from expnet.model.networks.torch_engine.by_name import build_network
from expnet.model.networks.torch_engine.compact import CompactNet
from expnet.model.networks.torch_engine.estimator import Estimator, convolving_in, fast_precision, ready_to_run
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_weights, save_weights
from expnet.model.rotations import rotation_of_columns
from expnet.model.sight.video import open_clip

DEMO_CLIP = OPEN_WEIGHTS.with_name("demo_clip.mp4")
CAMERA = Camera.for_image(320, 240)
ROUNDING = 0.02  # of 16-bit convolutions, where the processor has them


@pytest.fixture(scope="module")
def estimator(untrained_weights: Path) -> Estimator:
    return Estimator.load(untrained_weights, "cpu")


def noise(seed: int = 0, width: int = 320, height: int = 240) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


PIXELS = torch.from_numpy(cut(noise(), Crop(160, 120, 100), 64)[None]).permute(0, 3, 1, 2).float() / 127.5 - 1


def untrained(weights: Path) -> CompactNet:
    header, tensors = load_weights(weights)
    network = CompactNet({**header.config, "size": 64}).eval()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    return network


def demo_frames(count: int) -> list[np.ndarray]:
    with open_clip(DEMO_CLIP) as clip:
        return [frame.image for frame in islice(clip, count)]


# --- cutting --------------------------------------------------------------------------------------------------------


def test_an_upright_crop_of_its_own_size_is_a_slice() -> None:
    image = noise()
    crop = Crop(100 + 31.5, 50 + 31.5, 64)
    np.testing.assert_array_equal(cut(image, crop, 64), image[50:114, 100:164])


def test_outside_the_image_is_black() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    out = cut(white, Crop(0, 0, 64), 64)
    assert out[:30, :30].max() == 0 and out[40:, 40:].min() == 255
    assert cut(white, Crop(-500, 900, 64), 64).max() == 0
    assert cut(white, Crop(-5000, 900, 6400), 64).max() == 0


@pytest.mark.parametrize("side", [40, 100, 200, 450, 900])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_a_crop_shows_the_same_place_at_every_scale(side: float, angle: float) -> None:
    """Every pixel of this picture holds its own place, so every pixel of the crop tells where it was taken from."""
    x, y = np.meshgrid(np.arange(2000), np.arange(1500))
    image = np.stack([x, y, x * 0], -1).astype(np.float32)
    crop = Crop(1003.3, 740.8, side, angle)
    out = cut(image, crop, 64)
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1)
    places = grid @ crop.matrix(64)[:, :2].T + crop.matrix(64)[:, 2]
    np.testing.assert_allclose(out[..., :2], places, atol=0.02 * side / 64 + 0.02)


def test_a_large_face_is_shrunk_without_aliasing() -> None:
    """A board of single pixels is grey from afar, not a pattern that crawls from frame to frame."""
    board = np.indices((800, 800)).sum(0) % 2 * 255
    image = np.repeat(board[:, :, None], 3, 2).astype(np.uint8)
    for shift in (0.0, 0.3, 0.7):
        assert cut(image, Crop(400 + shift, 400, 640, 0.1), 64).std() < 4


@pytest.mark.parametrize("side", [2, 3, 4, 5, 6, 8, 12])
def test_blocks_of_any_side_are_averaged(side: int) -> None:
    image = noise(0, 40 * side, 30 * side)
    means = image.reshape(30, side, 40, side, 3).mean((1, 3))
    np.testing.assert_allclose(block_means(image, side), means, atol=1.5)


# --- estimating -----------------------------------------------------------------------------------------------------


def test_an_estimate_has_all_its_numbers(estimator: Estimator) -> None:
    seen = estimator.estimate([noise(1), noise(2)], [Crop(160, 120, 100), Crop(100, 90, 150, 0.2)], [CAMERA] * 2)
    shapes = {"eta": (2, 29), "alpha": (2, 99), "gaze": (2, 2), "rotation": (2, 3, 3), "translation": (2, 3)}
    for name, shape in {**shapes, "confidence": (2,), "eta_deviation": (2, 29)}.items():
        assert getattr(seen, name).shape == shape and np.isfinite(getattr(seen, name)).all()
    assert len(seen.crop) == 2
    assert (seen.basis, seen.expression_keys) == ("open-29", OPEN_KEYS)
    assert ((seen.confidence > 0) & (seen.confidence < 1)).all()
    np.testing.assert_allclose(seen.rotation @ seen.rotation.swapaxes(1, 2), [np.eye(3)] * 2, atol=1e-6)


def test_the_pose_is_that_of_the_crop(estimator: Estimator) -> None:
    """The pose, the crop it defines and the rotation seen in it tell the same story."""
    given = Crop(200, 70, 90, 0.4)
    seen = estimator.estimate([noise()], [given], [CAMERA])
    own = crop_of_pose(seen.rotation[0], seen.translation[0], CAMERA)
    np.testing.assert_allclose(own.offset_to(seen.crop[0]), 0, atol=1e-6)
    assert seen.translation[0, 2] < 0, "in front of the camera"
    local = rotation_in_crop(seen.rotation[0], CAMERA, given, at=own)
    raw = estimator._run(cut(noise(), given, 64)[None])
    np.testing.assert_allclose(local, rotation_of_columns(raw["rotation"])[0], atol=1e-6)


def test_a_batch_is_its_images_one_by_one(estimator: Estimator) -> None:
    images, crops = [noise(i) for i in range(5)], [Crop(150 + i, 110, 80 + 30 * i, 0.1 * i) for i in range(5)]
    together = estimator.estimate(images, crops, [CAMERA] * 5)
    for i in range(5):
        alone = estimator.estimate([images[i]], [crops[i]], [CAMERA])
        np.testing.assert_allclose(together.eta[i], alone.eta[0], atol=ROUNDING)
        np.testing.assert_allclose(together.translation[i], alone.translation[0], rtol=ROUNDING)


def test_the_folded_network_is_the_network_as_trained(untrained_weights: Path) -> None:
    trained, folded = (untrained(untrained_weights) for _ in range(2))
    ready_to_run(folded, torch.device("cpu"))
    with torch.inference_mode():
        torch.testing.assert_close(folded(PIXELS), trained(PIXELS), atol=1e-5, rtol=1e-5)


def test_so_is_the_open_one_whose_last_norm_goes_into_the_layer_after_it() -> None:
    header, tensors = load_weights(OPEN_WEIGHTS)
    trained, folded = (build_network(header.architecture, {**header.config, "size": header.input_size}) for _ in "ab")
    for network in (trained, folded):
        network.eval().load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    ready_to_run(folded, torch.device("cpu"))
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)]
    pixels = torch.from_numpy(cut(noise(), Crop(160, 120, 150), header.input_size)[None]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        seen = [network(pixels.float() / 127.5 - 1) for network in (trained, folded)]
    torch.testing.assert_close(seen[1], seen[0], atol=5e-5, rtol=5e-5)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_convolving_in_16_bits_changes_next_to_nothing(untrained_weights: Path, precision: torch.dtype) -> None:
    exact = ready_to_run(untrained(untrained_weights), torch.device("cpu"))
    fast = convolving_in(precision, ready_to_run(untrained(untrained_weights), torch.device("cpu")))
    with torch.inference_mode():
        raw = fast(PIXELS.to(precision))
        assert raw.dtype == torch.float32
        torch.testing.assert_close(raw, exact(PIXELS), atol=ROUNDING, rtol=ROUNDING)


@pytest.mark.skipif(not OPEN_WEIGHTS.is_file(), reason="the open weights are not in the box")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_open_network_reads_the_same_face_in_the_precision_of_the_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    estimator = Estimator.load("open", device)
    frames = demo_frames(12)
    crops = [Crop(image.shape[1] / 2, image.shape[0] / 2, image.shape[0] / 2) for image in frames]
    batch = np.stack([cut(image, crop, estimator.size) for image, crop in zip(frames, crops)])
    header, tensors = load_weights(OPEN_WEIGHTS)
    exact = build_network(header.architecture, {**header.config, "size": header.input_size}).eval()
    exact.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    with torch.inference_mode():
        expected = exact.split(exact(torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 127.5 - 1))
    eta = estimator._run(batch)["eta"]
    np.testing.assert_allclose(eta, expected["eta"].numpy(), atol=0.05)
    assert np.abs(eta - expected["eta"].numpy()).mean() < 0.002


def test_cuda_convolves_in_halves_and_what_has_no_fast_halves_in_float32() -> None:
    assert fast_precision(torch.device("cuda")) == torch.float16
    assert fast_precision(torch.device("mps")) == torch.float32
    assert fast_precision(torch.device("cpu")) in (torch.bfloat16, torch.float32)


# --- loading --------------------------------------------------------------------------------------------------------


def refused(*arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        Estimator.load(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_with_one_weights_file(untrained_weights: Path, tmp_path: Path) -> None:
    assert Estimator.load(untrained_weights.parent, "cpu").size == 64
    assert "0 safetensors" in refused(tmp_path)


def test_devices(untrained_weights: Path) -> None:
    assert "unknown" in refused(untrained_weights, "tpu")
    if not torch.cuda.is_available():
        assert "not there" in refused(untrained_weights, "cuda")
    assert Estimator.load(untrained_weights, "auto").device.type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "transformer"},
        {"basis": "bfm"},
        {"crop": {"anchor": [0.0, 0.0, 0.0], "side_mm": 200.0}},
        {"config": {"channels": [8, 8, 16, 16, 32], "blocks": [1, 1, 1, 2]}},
        {"config": {"channels": [8, 8, 16, 16]}},
        {"config": {"layers": 3}},
        {"config": {"channels": "many"}},
    ],
    ids=lambda c: next(iter(c.items()))[0],
)
def test_weights_of_another_network_are_refused(untrained_weights: Path, tmp_path: Path, changes: dict) -> None:
    header, tensors = load_weights(untrained_weights)
    path = tmp_path / "other.safetensors"
    save_weights(path, replace(header, **changes), tensors)
    assert str(path) in refused(path)


@pytest.mark.skipif(not OPEN_WEIGHTS.is_file(), reason="the open weights are not trained yet")
def test_the_weights_in_the_box() -> None:
    header, _ = load_weights(OPEN_WEIGHTS)
    assert header.license and header.training_data and header.evaluation
    assert OPEN_WEIGHTS.stat().st_size <= 12_000_000
    Estimator.load("open", "cpu")

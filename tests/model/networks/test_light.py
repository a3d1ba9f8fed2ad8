"""The light engine: the open network by OpenCV alone gives torch's numbers, and needs nothing but numpy and OpenCV."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from expnet.model.camera import Camera, Crop
from expnet.model.errors import InputError
from expnet.model.networks.cutting import cut
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.networks.opencv_engine.graphs import Tensors
from expnet.model.networks.opencv_engine.networks import LightFinder, cut_glimpses
from expnet.model.networks.weights.open_pack import OPEN_FINDER, OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_weights, save_weights
from expnet.model.performance.performance_files import load_performance
from expnet.model.sight.video import open_clip

PARITY = 1e-4
DEMO_CLIP = OPEN_WEIGHTS.with_name("demo_clip.mp4")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """(24, 128, 128, 3) uint8: a rendered head, well and badly placed, leaning, too large and too small."""
    truth = load_performance(DEMO_CLIP.with_name("demo_clip_truth.npz"))
    with open_clip(DEMO_CLIP) as clip:
        images = [frame.image for frame in islice(clip, 24)]
    offsets = np.random.default_rng(0).uniform(-1, 1, (24, 4)) * (0.3, 0.3, 0.5, 0.7)
    places = [Crop(*place).moved(*offset) for place, offset in zip(truth.crop, offsets)]
    return np.stack([cut(image, crop, 128) for image, crop in zip(images, places)])


def by_torch(weights: Path, crops: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of the trained network, and GlimpseNet's points, float32."""
    torch = pytest.importorskip("torch")
    from expnet.model.networks.torch_engine.by_name import build_network

    header, tensors = load_weights(weights)
    network = build_network(header.architecture, {**header.config, "size": header.input_size}).eval()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        if header.architecture != "glimpse":
            return {k: v.numpy() for k, v in network.split(network(pixels)).items()}
        seen = network.look(pixels)
        return {**{k: v.numpy() for k, v in network.split(seen.raw).items()}, "points": seen.points.flatten(1).numpy()}


@pytest.mark.parametrize("weights", ["in the box", "CompactNet"])
def test_the_outputs_are_those_of_torch(weights: str, untrained_weights: Path, crops: np.ndarray) -> None:
    path = OPEN_WEIGHTS if weights == "in the box" else untrained_weights
    light = LightEstimator.load(path)
    crops = crops[:, : light.size, : light.size].copy()
    expected, found = by_torch(path, crops), light._run(crops)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=PARITY, rtol=0, err_msg=name)


@pytest.mark.parametrize("closer_identity", [False, True])
def test_the_glimpses_may_correct_alpha_or_not(tmp_path: Path, closer_identity: bool, crops: np.ndarray) -> None:
    pytest.importorskip("torch")
    header, tensors = load_weights(OPEN_WEIGHTS)
    rows = 159 if closer_identity else 60
    rng = np.random.default_rng(0)
    tensors = {
        **tensors,
        "closer_head.weight": rng.normal(0, 0.05, (rows, tensors["closer_head.weight"].shape[1])).astype(np.float32),
        "closer_head.bias": rng.normal(0, 0.05, rows).astype(np.float32),
    }
    path = tmp_path / "other.safetensors"
    save_weights(path, replace(header, config={**header.config, "closer_identity": closer_identity}), tensors)
    expected, found = by_torch(path, crops[:4]), LightEstimator.load(path)._run(crops[:4])
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=PARITY, rtol=0, err_msg=name)


@pytest.mark.parametrize(("size", "blocks"), [(32, 1), (64, 3), (96, 2)])
def test_the_last_map_may_be_small_or_large(tmp_path: Path, untrained_weights: Path, size: int, blocks: int) -> None:
    torch = pytest.importorskip("torch")
    from expnet.model.networks.torch_engine.compact import CompactNet

    header, _ = load_weights(untrained_weights)
    config = {"channels": [8, 8, 16, 16, 32], "blocks": [1, 1, 1, blocks]}
    torch.manual_seed(1)
    network = CompactNet({**config, "size": size})
    for module in network.modules():  # as trained ones, no norm is the identity
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    path = tmp_path / "other.safetensors"
    save_weights(
        path, replace(header, config=config, input_size=size), {k: v.numpy() for k, v in network.state_dict().items()}
    )
    noise = np.random.default_rng(0).integers(0, 255, (2, size, size, 3), np.uint8)
    expected, found = by_torch(path, noise), LightEstimator.load(path)._run(noise)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=PARITY, rtol=0, err_msg=name)


def test_the_finder_gives_what_torch_gives() -> None:
    torch = pytest.importorskip("torch")
    from expnet.model.networks.architectures import FinderConfig, as_config
    from expnet.model.networks.torch_engine.finder import FinderNet

    header, tensors = load_weights(OPEN_FINDER)
    network = FinderNet(header.config).eval()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    light = LightFinder(Tensors(OPEN_FINDER, tensors), as_config(FinderConfig, header.config))
    rng = np.random.default_rng(0)
    for size in ((96, 160), (48, 80), (192, 320), (96, 160)):  # one after the other, as in a pyramid
        pixels = rng.uniform(-1, 1, (1, 3, *size)).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(pixels))[0].numpy()
        np.testing.assert_allclose(light(pixels), expected, atol=PARITY)


def test_glimpses_are_cut_as_torch_cuts_them() -> None:
    """Inside, across the edge, and beyond it, where there is nothing."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    picture = rng.uniform(-1, 1, (3, 64, 64)).astype(np.float32)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)
    frames = np.stack([0.4 * turn, 0.9 * turn @ np.diag([-1, 1]).astype(np.float32), 0.3 * turn])
    centres = np.array([[0.5, 0.45], [0.9, 0.1], [3.0, -2.0]], np.float32)
    pixels = (np.arange(48, dtype=np.float32) + 0.5) / 48 - 0.5
    lattice = np.stack(np.meshgrid(pixels, pixels), 2)
    grid = torch.from_numpy(2 * (lattice @ frames.transpose(0, 2, 1)[:, None] + centres[:, None, None]) - 1)
    pictures = torch.from_numpy(picture).expand(3, -1, -1, -1)
    expected = torch.nn.functional.grid_sample(pictures, grid, align_corners=False).numpy()
    np.testing.assert_allclose(cut_glimpses(picture, frames, centres, pixels), expected, atol=5e-5)


def test_an_estimate_has_all_its_numbers() -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    light, camera = LightEstimator.load(), Camera.for_image(320, 240)
    seen = light.estimate([image] * 2, [Crop(160, 120, 100), Crop(100, 90, 150, 0.2)], [camera] * 2)
    shapes = {"eta": (2, 29), "alpha": (2, 99), "gaze": (2, 2), "rotation": (2, 3, 3), "translation": (2, 3)}
    for name, shape in {**shapes, "confidence": (2,), "eta_deviation": (2, 29)}.items():
        assert getattr(seen, name).shape == shape and np.isfinite(getattr(seen, name)).all()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"architecture": "resnet101"}, "unknown here"),
        ({"basis": "bfm"}, "basis"),
        ({"crop": {"anchor": [0.0, 0.0, 0.0], "side_mm": 200.0}}, "crop"),
        ({"config": {"channels": [8, 8, 16, 16, 32], "blocks": [1, 1, 1, 2]}}, "trunk.4.conv1.weight is missing"),
        ({"config": {"channels": [8, 8, 16, 16, 64], "blocks": [1, 1, 1, 1]}}, "trunk.3.conv1.weight has shape"),
        ({"config": {"channels": [8, 8, 16, 16]}}, "config"),
        ({"config": {"layers": 3}}, "config"),
        ({"config": {"channels": "many"}}, "config"),
    ],
    ids=lambda c: str(c)[:40],
)
def test_weights_of_another_network_are_refused(
    untrained_weights: Path, tmp_path: Path, changes: dict, said: str
) -> None:
    header, tensors = load_weights(untrained_weights)
    path = tmp_path / "other.safetensors"
    save_weights(path, replace(header, **changes), tensors)
    with pytest.raises(InputError, match=said) as caught:
        LightEstimator.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_tensors_that_do_not_fit_together_are_refused(untrained_weights: Path, tmp_path: Path) -> None:
    header, tensors = load_weights(untrained_weights)
    path = tmp_path / "odd.safetensors"
    save_weights(path, header, {**tensors, "trunk.1.conv2.weight": tensors["trunk.1.conv2.weight"][:, :5]})
    with pytest.raises(InputError, match="not those of the network") as caught:
        light = LightEstimator.load(path)
        light._run([np.zeros((64, 64, 3), np.uint8)])
    assert "\n" not in str(caught.value)


def test_nothing_but_numpy_and_opencv_is_imported() -> None:
    """A whole clip is watched, and none of what the light engine does without has been touched."""
    script = f"""
import sys
for missing in ("torch", "scipy", "safetensors", "h5py", "onnx"):
    sys.modules[missing] = None
from expnet.model.networks.opencv_engine.estimator import LightEstimator
from expnet.model.sight.tracking import perform
from expnet.model.performance.performance_files import load_performance
from expnet.model.sight.video import open_clip
with open_clip({str(DEMO_CLIP)!r}, 0, 5) as clip:
    seen = perform(clip, LightEstimator.load()).seen
assert seen.all(), seen
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Convolutions packed for the processor: the same numbers, whatever network they are in."""

import numpy as np
import pytest
import torch

from expnet.model.camera import Crop
from expnet.model.checkpoints.open_pack import OPEN_WEIGHTS
from expnet.model.checkpoints.weights import load_weights
from expnet.model.cutting import cut
from expnet.model.estimator import convolving_in, ready_to_run
from expnet.model.networks import build_network
from expnet.model.networks.compact import CompactNet
from expnet.model.networks.packed import can_pack, pack
from expnet.model.performance_files import load_performance
from expnet.model.video import open_clip

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not can_pack(CompactNet(), CPU), reason="this torch has no oneDNN")


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """(24, 3, 128, 128): a rendered head in its own crop."""
    clip = OPEN_WEIGHTS.with_name("demo_clip.mp4")
    truth = load_performance(clip.with_name("demo_clip_truth.npz"))
    with open_clip(clip, 0, 23) as frames:
        crops = [cut(frame.image, Crop(*place), 128) for frame, place in zip(frames, truth.crop)]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1


def open_network(precision: torch.dtype) -> torch.nn.Module:
    header, tensors = load_weights(OPEN_WEIGHTS)
    network = build_network(header.architecture, {**header.config, "size": header.input_size})
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    return convolving_in(precision, ready_to_run(network, CPU))


@pytest.mark.parametrize("batch", [1, 24])
@pytest.mark.parametrize("precision, bound", [(torch.float32, 1e-5), (torch.bfloat16, 1e-3)])
def test_eta_and_gaze_of_the_open_network(
    pixels: torch.Tensor, batch: int, precision: torch.dtype, bound: float
) -> None:
    """To float32's rounding; in 16 bits, where each sum is rounded once less than before, by that much on average."""
    plain, packed = open_network(precision), open_network(precision)
    pack(packed)
    with torch.inference_mode():
        difference = (packed(pixels[:batch].to(precision)) - plain(pixels[:batch].to(precision)))[:, :31].abs()
    assert (difference.max() if precision == torch.float32 else difference.mean()) <= bound


@pytest.mark.parametrize(
    "architecture, config",
    [
        ("compact", {"size": 64, "channels": (8, 8, 16, 16, 32), "blocks": (1, 2, 1, 1)}),
        ("glimpse", {}),
    ],
)
def test_every_network_of_ours(architecture: str, config: dict) -> None:
    torch.manual_seed(0)
    network = build_network(architecture, config)
    x = torch.randn(3, 3, config.get("size", 128), config.get("size", 128))
    with torch.inference_mode():
        ready_to_run(network, CPU)
        expected = network(x)
        pack(network)
        torch.testing.assert_close(network(x), expected, atol=1e-4, rtol=1e-4)

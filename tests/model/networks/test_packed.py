"""Convolutions packed for the processor: the same numbers in every network."""

from collections.abc import Iterator
from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn

from expnet.model.camera import Crop
from expnet.model.networks.cutting import cut
from expnet.model.networks.torch_engine import packed
from expnet.model.networks.torch_engine.by_name import build_network
from expnet.model.networks.torch_engine.compact import CompactNet
from expnet.model.networks.torch_engine.estimator import convolving_in, fast_precision, ready_to_run
from expnet.model.networks.torch_engine.packed import can_pack, pack
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.networks.weights.weights_file import load_weights
from expnet.model.performance.performance_files import load_performance
from expnet.model.sight.video import open_clip

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not can_pack(CompactNet(), CPU), reason="this torch has no oneDNN")
needs_bfloat16 = pytest.mark.skipif(
    fast_precision(CPU) != torch.bfloat16, reason="this processor has no bfloat16 instructions"
)


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


def eta_and_gaze(network: torch.nn.Module, pixels: torch.Tensor, batch: int) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([network(part)[:, :31] for part in pixels.split(batch)])


@pytest.mark.parametrize("batch", [1, 24])
def test_in_32_bits_the_open_network_says_the_same(pixels: torch.Tensor, batch: int) -> None:
    plain, fast = open_network(torch.float32), open_network(torch.float32)
    pack(fast)
    torch.testing.assert_close(eta_and_gaze(fast, pixels, batch), eta_and_gaze(plain, pixels, batch), atol=1e-5, rtol=0)


@needs_bfloat16
@pytest.mark.parametrize("batch", [1, 24])
def test_in_16_bits_it_is_no_farther_from_32_than_unpacked(pixels: torch.Tensor, batch: int) -> None:
    """Each sum is rounded once less than before. A single picture proves nothing: its errors vary threefold."""
    exact = eta_and_gaze(open_network(torch.float32), pixels, 24)
    plain, fast = open_network(torch.bfloat16), open_network(torch.bfloat16)
    pack(fast)
    far = [float((eta_and_gaze(n, pixels.bfloat16(), batch) - exact).abs().mean()) for n in (fast, plain)]
    assert far[0] <= 1.1 * far[1] and far[0] <= 1.5e-3, far


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


def test_two_threads_can_pack_layers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Footage finds faces in one thread and reads them in another. Layers are packed when a new batch size comes."""
    conv = packed.PackedConv(nn.Conv2d(3, 4, 3, padding=1))
    picture = torch.zeros(1, 3, 16, 16)
    conv(picture)
    layout = packed._layout

    def while_another_thread_reads(weight: torch.Tensor) -> bytes:
        monkeypatch.setattr(packed, "_layout", layout)
        reader = Thread(target=conv, args=(picture.repeat(5, 1, 1, 1),))
        reader.start()
        reader.join(1)  # it may have to wait for this thread
        readers.append(reader)
        return b"another layout"

    readers: list[Thread] = []
    monkeypatch.setattr(packed, "_layout", while_another_thread_reads)
    assert conv(picture.repeat(2, 1, 1, 1)).shape[0] == 2
    readers[0].join()
    assert conv(picture.repeat(5, 1, 1, 1)).shape[0] == 5


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX2", reason="oneDNN may reorder pictures on other processors"
)
def test_no_weights_are_reordered_once_a_batch_of_this_size_was_read(
    pixels: torch.Tensor, threads: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """One reordered layer can take longer than the whole network."""
    network = open_network(torch.float32)
    pack(network)

    def read() -> None:
        for count in (1, 2):
            torch.set_num_threads(count)
            for batch in (1, 3, 24):
                eta_and_gaze(network, pixels, batch)

    read()
    capfd.readouterr()
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        read()
    said = capfd.readouterr().out.splitlines()
    assert [line for line in said if ",convolution," in line]
    assert not [line for line in said if ",reorder," in line]

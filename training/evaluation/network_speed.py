"""Speed of the open network, in the torch engine and in the light engine.

The first figures include the crop, the pose and all other steps. The others time the network alone in every available
precision, to show the gain and the cost of 16 bits.

int8 (static, oneDNN, calibrated on held-out pictures) was measured on an AMD EPYC with AVX-512 VNNI: 1.1 ms a frame at
batch 32, where bfloat16 takes 0.7 (CompactNet, 96 px). Its eta differs by up to 0.23, that of bfloat16 by 0.03. int8 is
therefore not used.

For one face of GlimpseNet the 27 convolutions take half the time (oneDNN's own count: 1.3 ms). Their calls take 0.9 ms
more. These changes did not reduce the call time: a block's shortcut and first convolution as one, wider (no gain, and
slower at batch 32); no garbage collection; another setting of the allocator. Computing the glimpses' positions with
numpy instead of torch saves 0.06 ms, which does not justify a second implementation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...model.camera import Camera, Crop
from ...model.networks.estimate import SeesFaces
from ...model.networks.opencv_engine.estimator import LightEstimator
from ...model.networks.torch_engine.by_name import build_network
from ...model.networks.torch_engine.estimator import Estimator, convolving_in, fast_precision, ready_to_run
from ...model.networks.torch_engine.packed import can_pack, pack
from ...model.networks.weights.open_pack import OPEN_WEIGHTS
from ...model.networks.weights.weights_file import load_weights
from ...model.opencv import cv2
from ..measurement import Measurement, seconds

BOUNDS_MS = {1: 4.0, 32: 2.0}  # by batch, one thread
THREADS = (1, 2)


def measure(weights: Path = OPEN_WEIGHTS) -> list[Measurement]:
    if not weights.is_file():
        return []
    before, devices = torch.get_num_threads(), ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    found = [m for device in devices for m in _as_used(weights, device)]
    found += _light(weights)
    torch.set_num_threads(1)
    found += [m for device in devices for m in _convolutions(weights, torch.device(device))]
    torch.set_num_threads(before)
    return found


def _as_used(weights: Path, device: str) -> list[Measurement]:
    estimator = Estimator.load(weights, device)
    found = []
    for threads in THREADS if device == "cpu" else (1,):
        torch.set_num_threads(threads)
        for batch, bound in BOUNDS_MS.items():
            took = _look(estimator, batch)
            where = f"{threads} thread{'s' * (threads > 1)}" if device == "cpu" else device
            what = f"open network, batch {batch}, {where}"
            held = bound if device == "cpu" and threads == 1 else None
            found.append(Measurement(what, 1e3 * took / batch, "ms/frame", held))
    return found


def _light(weights: Path) -> list[Measurement]:
    estimator, found = LightEstimator.load(weights), []
    before = cv2.getNumThreads()
    for threads in THREADS:
        cv2.setNumThreads(threads)
        for batch in BOUNDS_MS:
            what = f"light engine, batch {batch}, {threads} thread{'s' * (threads > 1)}"
            found.append(Measurement(what, 1e3 * _look(estimator, batch) / batch, "ms/frame"))
    cv2.setNumThreads(before)
    return found


def _look(estimator: SeesFaces, batch: int) -> float:
    """Seconds for a batch of crops of a frame of 720p."""
    image = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    crop, camera = Crop(640, 360, 300, 0.1), Camera.for_image(1280, 720)
    arguments = [image] * batch, [crop] * batch, [camera] * batch
    return seconds(lambda: estimator.estimate(*arguments), repeat=60 // batch + 3, warm_up=3)


def _convolutions(weights: Path, device: torch.device) -> list[Measurement]:
    header, tensors = load_weights(weights)
    found = []
    for precision in dict.fromkeys((torch.float32, fast_precision(device))):
        trained = build_network(header.architecture, {**header.config, "size": header.input_size})
        trained.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
        network = convolving_in(precision, ready_to_run(trained, device))
        if can_pack(network, device):
            pack(network)
        for batch in BOUNDS_MS:
            pixels = torch.rand(batch, 3, header.input_size, header.input_size, device=device).to(precision)
            pixels = pixels.contiguous(memory_format=torch.channels_last)

            def look(network: torch.nn.Module = network, pixels: torch.Tensor = pixels) -> None:
                with torch.inference_mode():
                    network(pixels).cpu()

            took = seconds(look, repeat=60 // batch + 3, warm_up=3)
            what = f"network alone, {str(precision).removeprefix('torch.')}, batch {batch}, {device.type}"
            found.append(Measurement(what, 1e3 * took / batch, "ms/frame"))
    return found

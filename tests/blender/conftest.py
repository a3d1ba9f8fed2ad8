"""What the tests inside Blender share.

Most of them are about keys, files and errors, not about how well the network reads a face. They use networks that were
never trained: one that sees a face wherever it looks, one that never does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest


@pytest.fixture
def poll_until() -> Callable[[Callable[[], object]], None]:
    """Wait for another process: returns as soon as the condition holds, fails after 20 s."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "waited 20 s in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def empty_scene() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture(scope="session")
def sees_a_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained network that is sure to see a face."""
    return _untrained(tmp_path_factory.mktemp("weights") / "sees_a_face.safetensors", face=6.0)


@pytest.fixture(scope="session")
def sees_no_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _untrained(tmp_path_factory.mktemp("weights") / "sees_no_face.safetensors", face=-6.0)


def _untrained(path: Path, face: float) -> Path:
    import torch
    from expnet.model.camera import ANCHOR, SIDE_MM
    from expnet.model.checkpoints.weights import WeightsHeader, save_weights
    from expnet.model.networks.compact import CompactConfig, CompactNet, output_widths
    from expnet.model.semantics import OPEN_BASIS

    torch.manual_seed(1)
    config = CompactConfig(size=32, channels=(4, 4, 8, 8, 8), blocks=(1, 1, 1, 1))
    network = CompactNet(config)
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    start = 0
    with torch.no_grad():
        last.weight.mul_(0.02)
        for name, width in output_widths(config).items():
            bias = last.bias[start : start + width]
            bias.zero_()
            if name == "rotation":
                bias += torch.tensor([1.0, 0, 0, 0, 1, 0])
            elif name == "eta":
                bias += 0.1 + 0.01 * torch.arange(width)
            elif name == "alpha":
                bias[:3] += torch.tensor([1.0, -0.5, 0.25])
            elif name == "face":
                bias += face
            start += width
    header = WeightsHeader(
        architecture="compact",
        config={"channels": config.channels, "blocks": config.blocks},
        input_size=config.size,
        crop={"anchor": ANCHOR.tolist(), "side_mm": SIDE_MM},
        basis=OPEN_BASIS,
        license="GPL-3.0-or-later",
        training_data="none",
        seed=1,
    )
    save_weights(path, header, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


FRAMES = 9


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie of 9 frames, 160 x 120, 25 per second: a bright disc that wanders over grey."""
    import cv2

    path = tmp_path_factory.mktemp("footage") / "disc.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (160, 120))
    for picture in _pictures():
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    path = tmp_path_factory.mktemp("footage") / "disc.png"
    cv2.imwrite(str(path), next(_pictures()))
    return path


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as numbered files, 8 to 16, so that their names do not sort like their numbers."""
    import cv2

    folder = tmp_path_factory.mktemp("sequence")
    for number, picture in enumerate(_pictures(), 8):
        cv2.imwrite(str(folder / f"disc_{number}.png"), picture)
    return folder


def _pictures() -> Iterator:
    import cv2
    import numpy as np

    for frame in range(FRAMES):
        picture = np.full((120, 160, 3), 90, np.uint8)
        cv2.circle(picture, (70 + 2 * frame, 60), 30, (200, 210, 220), -1)
        yield picture

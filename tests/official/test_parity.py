"""Our networks against the same graphs in TensorFlow: every stage, with weights that came through ``import-weights``.

``write_checkpoints.py release`` has TensorFlow write the checkpoints and, by stages.py, what each stage makes of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn
from torch.nn import functional as F

from expnet.model.networks.torch_engine import facepose_alexnet, resnet101
from expnet.model.networks.torch_engine.resnet101 import BLOCKS
from expnet.model.official.networks import OfficialNetworks, load_networks

from .variables import STATISTICS, STATISTICS_IN_NPZ

Theirs = Callable[[str], dict[str, np.ndarray]]
TOLERANCE = 1e-4  # of the greatest difference, in units of the stage's own root mean square
ALEXNET = (
    "conv1",
    "pool1",
    "norm1",
    "conv2",
    "pool2",
    "norm2",
    "conv3",
    "conv4",
    "conv5",
    "pool5",
    "fc6",
    "fc7",
    "fc8",
)


@pytest.fixture(scope="module")
def ours(imported: Path) -> OfficialNetworks:
    return load_networks(imported, "cpu")


@pytest.fixture(scope="module")
def theirs(release: Path) -> Theirs:
    """Of a network, what TensorFlow had of each stage, maps as (B, C, H, W), and under "input" what it was given."""

    def read(network: str) -> dict[str, np.ndarray]:
        with np.load(release / f"stages/{network}.npz") as file:
            arrays = {name: file[name] for name in file.files}
        return {name: np.moveaxis(array, -1, 1) if array.ndim == 4 else array for name, array in arrays.items()}

    return read


# --------------------------------------------------------------------------------------------------------------- stages


def stages(network: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Stages by their names in TensorFlow, in their order, and the module whose output each is.

    Batch norms have been folded: what is left in their place gives the same numbers.
    """
    if network == "pose":
        yield from ((name, getattr(module, name)) for name in ALEXNET)
        return
    trunk = module.trunk
    yield "bn_conv1", trunk.bn_conv1
    for name in BLOCKS:
        block = trunk.blocks[name]
        for branch in ("branch1", "branch2a", "branch2b", "branch2c"):
            if hasattr(block, f"bn_{branch}"):
                yield f"bn{name}_{branch}", getattr(block, f"bn_{branch}")
        yield f"res{name}", block
    if network == "pose_resnet":
        yield from ((name, getattr(module, name)) for name in ("fc1", "fc2", "fc3"))
    else:
        yield "fc1", module.head


def ours_at_each_stage(networks: OfficialNetworks, network: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """By stage, as far as it gets: where a mistake makes shapes that do not fit, the rest is missing."""
    module = networks.networks[network]
    found: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable:
        return lambda _module, _inputs, output: found.__setitem__(name, output.numpy())

    def keep_input(name: str) -> Callable:
        return lambda _module, inputs: found.__setitem__(name, inputs[0].numpy())

    hooks = [m.register_forward_hook(keep(name)) for name, m in stages(network, module)]
    if network != "pose":
        hooks.append(module.trunk.blocks["2a"].register_forward_pre_hook(keep_input("pool1")))
        last = module.fc1 if network == "pose_resnet" else module.head
        hooks.append(last.register_forward_pre_hook(keep_input("pool5")))
    with contextlib.suppress(RuntimeError):
        networks.regress(**{network: pixels})
    for hook in hooks:
        hook.remove()
    return found


def differences(networks: OfficialNetworks, network: str, wanted: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the greatest difference at each of TensorFlow's stages, in order.

    It is in units of the stage's root mean square; infinity where the shapes differ.
    """
    found = ours_at_each_stage(networks, network, np.ascontiguousarray(wanted["input"]))
    result = {}
    for name, stage in wanted.items():
        if name == "input":
            continue
        scale = float(np.sqrt(np.mean(np.square(stage, dtype=np.float64))))
        assert 0.1 < scale < 1e3, f"{name} has vanished or exploded: nothing would be tested"
        fits = name in found and found[name].shape == stage.shape
        result[name] = float(np.abs(found[name] - stage).max() / scale) if fits else np.inf
    return result


def beyond_tolerance(found: dict[str, float]) -> dict[str, float]:
    return {stage: difference for stage, difference in found.items() if not difference <= TOLERANCE}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "count"), [("expression", 140), ("shape", 8), ("pose", 13), ("pose_resnet", 39)])
def test_every_stage_is_tensorflows(ours: OfficialNetworks, theirs: Theirs, network: str, count: int) -> None:
    found = differences(ours, network, theirs(network))
    assert len(found) == count
    assert beyond_tolerance(found) == {}


def test_what_comes_out_is_in_the_releases_units(ours: OfficialNetworks, theirs: Theirs) -> None:
    ends = {"expression": "fc1", "shape": "fc1", "pose": "fc8", "pose_resnet": "fc3"}
    inputs = {network: np.ascontiguousarray(theirs(network)["input"]) for network in ends}
    inputs["shape"] = inputs["expression"]  # the very same array: one trunk runs once
    raw = {network: theirs(network)[end].astype(np.float64) for network, end in ends.items()}
    found = ours.regress(**inputs)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(found["eta"], raw["expression"], **close)
    np.testing.assert_allclose(np.hstack([found["alpha"], found["texture"]]), raw["shape"], **close)
    units = STATISTICS_IN_NPZ["fpn_new_model/perturb_Oxford_train_labels_mean_std.npz"]
    np.testing.assert_allclose(found["pose"], raw["pose"] * units["std_labels"] + units["mean_labels"], **close)
    mean, std = (STATISTICS[f"Face-Pose-Net/train_stats/train_label_{part}_300WLP.npy"][:6] for part in ("mean", "std"))
    np.testing.assert_allclose(found["pose_resnet"], raw["pose_resnet"] * std + mean, **close)


# ------------------------------------------------------------------------------- mistakes, and where they would be seen


def evenly_padded(only: int) -> Callable:
    """PyTorch's usual padding for a kernel of that size, TensorFlow's for others."""
    right = resnet101.pad_same

    def pad(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
        half = (kernel - 1) // 2
        return F.pad(x, (half,) * 4, value=value) if kernel == only else right(x, kernel, stride, value)

    return pad


def relu_before_the_sum(block: Any, x: Tensor) -> Tensor:
    y = F.relu(block.bn_branch2b(block.branch2b(F.relu(block.bn_branch2a(block.branch2a(x))))))
    return F.relu(block.bn_branch2c(block.branch2c(y))) + (block.bn_branch1(block.branch1(x)) if block.project else x)


MISTAKES: dict[str, tuple[str, str, Callable[[pytest.MonkeyPatch, Any], None]]] = {
    "conv1 padded 3 before and 3 after": (
        "expression",
        "bn_conv1",
        lambda patch, _: patch.setattr(resnet101, "pad_same", evenly_padded(7)),
    ),
    "pool1 padded on all sides": (
        "expression",
        "pool1",
        lambda patch, _: patch.setattr(resnet101, "pad_same", evenly_padded(3)),
    ),
    "the stride on the 3x3": (
        "expression",
        "bn3a_branch2a",
        lambda patch, net: (
            patch.setattr(net.trunk.blocks["3a"].branch2a, "stride", (1, 1)),
            patch.setattr(net.trunk.blocks["3a"].branch2b, "stride", (2, 2)),
        ),
    ),
    "ReLU before the sum": (
        "expression",
        "res2a",
        lambda patch, _: patch.setattr(resnet101.Bottleneck, "forward", relu_before_the_sum),
    ),
    "alpha divided by the window": (
        "pose",
        "norm1",
        lambda patch, net: (patch.setattr(net.norm1, "alpha", 2e-5), patch.setattr(net.norm2, "alpha", 2e-5)),
    ),
    "alpha divided by the window in the second norm": (
        "pose",
        "norm2",
        lambda patch, net: patch.setattr(net.norm2, "alpha", 2e-5),
    ),
    "conv1 not padded": ("pose", "conv1", lambda patch, net: patch.setattr(net.conv1, "padding", (0, 0))),
    "pools beyond the edge": (
        "pose",
        "pool2",
        lambda patch, net: patch.setattr(net.pool2, "ceil_mode", True),
    ),
    "maps laid out channel by channel": (
        "pose",
        "fc6",
        lambda patch, _: patch.setattr(facepose_alexnet, "flat", lambda maps: maps.flatten(1)),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen_where_it_is_made(
    ours: OfficialNetworks, theirs: Theirs, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, stage, make = MISTAKES[mistake]
    make(monkeypatch, ours.networks[network])
    assert next(iter(beyond_tolerance(differences(ours, network, theirs(network))))) == stage


def test_another_epsilon_is_seen(imported: Path, theirs: Theirs, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(nn.BatchNorm2d):
        def __init__(self, channels: int, eps: float) -> None:
            super().__init__(channels, eps=1e-3)

    monkeypatch.setattr(nn, "BatchNorm2d", Careless)
    careless = load_networks(imported, "cpu", ["expression"])
    assert next(iter(beyond_tolerance(differences(careless, "expression", theirs("expression"))))) == "bn_conv1"

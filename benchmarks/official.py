"""Speed of the authors' networks: ``python -m expnet.benchmarks.official``.

The weights are random, which takes the same time, so no file of the release is needed.

The paper reports 0.088 s for one forward of ExpNet on a Titan X (Chang et al. 2018). A frame takes three networks.
Their bound is 2.2 forwards of one ResNet-101, or 1.4 where ExpNet and the shape net share a trunk.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from ..model.array_types import FloatArray
from ..model.networks.torch_engine.expnet import ExpNet
from ..model.networks.torch_engine.facepose_alexnet import FacePoseAlexNet
from ..model.official.networks import Module, OfficialNetworks, ready_networks
from ..training.measurement import Measurement, show

PAPER_SECONDS = 0.088
BATCHES, THREADS = (1, 16), (1, 2)
PRECISIONS = (torch.float32, torch.bfloat16)
FORWARDS, FORWARDS_WITH_ONE_TRUNK = 2.2, 1.4
SECONDS = 6.0  # limit of a measurement, except for one run of each kind


def measure() -> Iterator[Measurement]:
    before = torch.get_num_threads()
    yield Measurement("ExpNet, batch 1, Titan X (the paper's)", PAPER_SECONDS, "s/frame")
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        for precision in PRECISIONS:
            together = random_networks(torch.device(device), precision, one_trunk=True)
            for threads in THREADS if device == "cpu" else THREADS[:1]:
                torch.set_num_threads(threads)
                where = f"{threads} thread{'s' * (threads > 1)}" if device == "cpu" else device
                yield from _one(together, f"{str(precision).removeprefix('torch.')}, {where}")
        together = random_networks(torch.device(device), torch.float32, one_trunk=True)
        apart = random_networks(torch.device(device), torch.float32, one_trunk=False)
        for threads in THREADS if device == "cpu" else THREADS[:1]:
            torch.set_num_threads(threads)
            where = f"{threads} thread{'s' * (threads > 1)}" if device == "cpu" else device
            yield from _three(together, apart, where)
    torch.set_num_threads(before)


def random_networks(device: torch.device, precision: torch.dtype, one_trunk: bool) -> OfficialNetworks:
    """ExpNet, the shape net and FacePoseNet."""
    modules: dict[str, Module] = {"expression": ExpNet(29), "shape": ExpNet(198), "pose": FacePoseAlexNet()}
    trunks = {"expression": "expression", "shape": "expression" if one_trunk else "shape"}
    units = {"pose.label_mean": np.zeros(6, np.float32), "pose.label_std": np.ones(6, np.float32)}
    return ready_networks(modules, trunks, units, device, precision)


def _one(networks: OfficialNetworks, how: str) -> Iterator[Measurement]:
    for batch in BATCHES:
        faces = _pixels(batch, 224)
        (took,) = in_turn(lambda: networks.regress(expression=faces))  # noqa: B023
        yield Measurement(f"ExpNet, batch {batch}, {how}", took / batch, "s/frame")


def _three(together: OfficialNetworks, apart: OfficialNetworks, where: str) -> Iterator[Measurement]:
    """Time them in turn, so that other work on the machine slows all of them equally."""
    faces, heads = _pixels(1, 224), _pixels(1, 227)
    one, once, twice = in_turn(
        lambda: together.regress(expression=faces),
        lambda: together.regress(expression=faces, shape=faces, pose=heads),
        lambda: apart.regress(expression=faces, shape=faces, pose=heads),
    )
    yield Measurement(f"three networks, one trunk, {where}", once / one, "forwards", FORWARDS_WITH_ONE_TRUNK)
    yield Measurement(f"three networks, two trunks, {where}", twice / one, "forwards", FORWARDS)


def _pixels(batch: int, side: int) -> FloatArray:
    return np.random.default_rng(0).normal(0, 60, (batch, 3, side, side)).astype(np.float32)


def in_turn(*actions: Callable[[], object]) -> list[float]:
    """Return the median seconds of each; they take turns."""
    for action in actions:
        action()
    taken: list[list[float]] = [[] for _ in actions]
    end = time.perf_counter() + SECONDS
    while len(taken[-1]) < 3 or time.perf_counter() < end:
        for action, seconds in zip(actions, taken, strict=True):
            start = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in taken]


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)

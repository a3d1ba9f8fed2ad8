"""The authors' networks, ready to run: ``load_networks`` and ``OfficialNetworks.regress``.

preprocess.py makes their inputs. Batch norms are folded into the convolutions before them. The default is float32,
which reproduces the published numbers. tests/official/test_parity.py compares every stage with TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..array_types import FloatArray
from ..errors import InputError
from ..networks.torch_engine.estimator import convolving_in, ready_to_run, torch_device
from ..networks.torch_engine.expnet import ExpNet
from ..networks.torch_engine.facepose_alexnet import FacePoseAlexNet
from ..networks.torch_engine.facepose_resnet import FacePoseResNet
from ..networks.torch_engine.resnet101 import OWN_BLOCKS
from .layouts import NETWORKS, Network
from .weights import load_header, load_network, load_statistics

IDENTITY = 99  # outputs of shape among the shape net's 198; the others are of texture
INPUTS = {"expression": (3, 224, 224), "shape": (3, 224, 224), "pose": (3, 227, 227), "pose_resnet": (3, 224, 224)}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# The arrays without which a network's input or output has no meaning.
NEEDED = {
    "pose": ("pose.mean_bgr", "pose.label_mean", "pose.label_std"),
    "pose_resnet": ("pose_resnet.label_mean", "pose_resnet.label_std"),
}
Arrays = dict[str, FloatArray]
ResNet = ExpNet | FacePoseResNet
Module = ResNet | FacePoseAlexNet


@dataclass(frozen=True)
class OfficialNetworks:
    """The networks of the release that can be run.

    networks     by name: of "expression", "shape", "pose", "pose_resnet" those that are there
    statistics   the release's arrays that are there, float32, by their names in release.py: "shape.mean_image" and
                 "expression.mean_image" (3, 224, 224) BGR 0..255, "pose.mean_bgr" (3,) 0..1, "pose.label_mean" (6,), …
    trunks       for each ResNet, the owner of its trunk up to block 5a: the same name where two are equal
    left_out     networks that were imported but cannot be used, with the reason in one line
    """

    networks: dict[str, Module]
    statistics: Arrays
    trunks: dict[str, str]
    device: torch.device
    precision: torch.dtype = torch.float32
    left_out: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.networks

    @property
    def one_trunk(self) -> bool:
        """Return whether ExpNet and the shape net run their trunk once, if they are given the same array."""
        return {"expression", "shape"} <= self.networks.keys() and self.trunks["expression"] == self.trunks["shape"]

    def regress(
        self,
        *,
        expression: FloatArray | None = None,
        shape: FloatArray | None = None,
        pose: FloatArray | None = None,
        pose_resnet: FloatArray | None = None,
    ) -> Arrays:
        """Run the networks that are given an input; all in one batch of B faces.

        expression, shape   (B, 3, 224, 224) float32, BGR 0..255 less a mean image. If both are the same array object,
                            as in the release, an equal trunk is run once
        pose                (B, 3, 227, 227) float32, BGR / 255 less ``pose.mean_bgr``
        pose_resnet         (B, 3, 224, 224) float32, BGR 0..255 less the shape net's mean image

        Returns float64 arrays, of the networks that ran:

        "eta"          (B, 29)  ExpNet's, sigmas
        "alpha"        (B, 99)  and "texture" (B, 99): the shape net's, sigmas
        "pose"         (B, 6)   FacePoseNet's rotation vector (radians) and translation (mm), OpenCV's camera
        "pose_resnet"  (B, 6)   the newer FacePoseNet's scale, pitch, yaw, roll (radians), tx, ty (pixels)

        Raises InputError for a network that is not there, and for numbers beyond the precision.
        """
        given = {"expression": expression, "shape": shape, "pose": pose, "pose_resnet": pose_resnet}
        inputs = {name: array for name, array in given.items() if array is not None}
        for name in inputs:
            self._check(name, inputs[name])
        shared: dict[tuple[str, int], Tensor] = {}
        found: Arrays = {}
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            for name, array in inputs.items():
                network = self.networks[name]
                if isinstance(network, FacePoseAlexNet):
                    raw = network(self._tensor(array))
                else:
                    place = self.trunks[name], id(array)
                    if place not in shared:
                        shared[place] = network.trunk.shared(self._tensor(array).to(self.precision))
                    raw = network.own(shared[place])
                found |= self._meaning(name, raw.double().cpu().numpy())
        return found

    def _check(self, name: str, array: FloatArray) -> None:
        if name not in self.networks:
            title = {network.name: network.title for network in NETWORKS}[name]
            reason = self.left_out.get(name, f"{title} was not loaded; run import-weights with its checkpoint too")
            raise InputError(reason)
        if array.ndim != 4 or array.shape[1:] != INPUTS[name] or array.dtype != np.float32:
            raise ValueError(f"{name} takes (B, *{INPUTS[name]}) float32, not {array.shape} {array.dtype}")

    def _tensor(self, array: FloatArray) -> Tensor:
        return torch.from_numpy(array).to(self.device).contiguous(memory_format=torch.channels_last)

    def _meaning(self, name: str, raw: FloatArray) -> Arrays:
        if not np.isfinite(raw).all():
            raise InputError(f"the numbers of {name} go beyond {self.precision}; use float32, or import again")
        if name == "expression":
            return {"eta": raw}
        if name == "shape":
            return {"alpha": raw[:, :IDENTITY], "texture": raw[:, IDENTITY:]}
        mean, std = (self.statistics[f"{name}.label_{part}"].astype(float) for part in ("mean", "std"))
        return {name: raw * std + mean}


def load_networks(
    folder: str | Path, device: str = "auto", names: Iterable[str] | None = None, precision: str = "float32"
) -> OfficialNetworks:
    """Load the networks in ``folder``/official.safetensors, or in that file: all, or those of ``names`` that are there.

    device      as for the open estimator: auto, cpu, cuda, mps
    precision   of the ResNets' convolutions: float32, bfloat16 or float16

    Raises InputError, one line naming file and tensor: no such file, none of ``names`` in it that can be used, a
    tensor that is missing, of the wrong shape or not a number.
    """
    chosen = torch_device(device)
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r} is unknown: use one of {', '.join(PRECISIONS)}")
    header, statistics = load_header(folder), load_statistics(folder)
    modules: dict[str, Module] = {}
    left_out: dict[str, str] = {}
    for network in NETWORKS:
        if network.name not in header.networks or (names is not None and network.name not in names):
            continue
        absent = [name for name in NEEDED.get(network.name, ()) if name not in statistics]
        if absent:
            left_out[network.name] = f"{folder}: {network.title} cannot be used: {absent[0]} was not imported with it"
        else:
            modules[network.name] = _built(network, load_network(folder, network.name))
    if not modules:
        reason = next(iter(left_out.values()), f"{folder}: has none of the networks; run import-weights again")
        raise InputError(reason)
    trunks = {name: header.networks[name].trunk for name in modules if header.networks[name].trunk}
    return ready_networks(modules, trunks, statistics, chosen, PRECISIONS[precision], left_out)


def ready_networks(
    modules: dict[str, Module],
    trunks: dict[str, str],
    statistics: Arrays,
    device: torch.device,
    precision: torch.dtype = torch.float32,
    left_out: dict[str, str] | None = None,
) -> OfficialNetworks:
    """Prepare trained networks in place: share equal ``trunks`` in memory, fold batch norms."""
    owners: dict[str, ResNet] = {}
    for name, module in modules.items():
        if not isinstance(module, FacePoseAlexNet):
            _share(owners.setdefault(trunks[name], module), module)
        ready_to_run(module, device)
        if not isinstance(module, FacePoseAlexNet):
            convolving_in(precision, module)
    return OfficialNetworks(modules, statistics, trunks, device, precision, left_out or {})


def _built(network: Network, tensors: Arrays) -> Module:
    with torch.device("meta"):  # avoids an initialisation that is overwritten
        if network.name == "pose":
            module: Module = FacePoseAlexNet()
        elif network.name == "pose_resnet":
            module = FacePoseResNet()
        else:
            module = ExpNet(len(tensors["head.bias"]))
    state = {name: torch.from_numpy(tensors[name]) for name in network.layout()}
    for name in module.state_dict():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
    module.load_state_dict(state, assign=True)
    return module


def _share(owner: ResNet, module: ResNet) -> None:
    """Make ``module`` share the trunk of ``owner`` up to block 5a, which is equal."""
    module.trunk.conv1, module.trunk.bn_conv1 = owner.trunk.conv1, owner.trunk.bn_conv1
    for name in module.trunk.blocks:
        if name not in OWN_BLOCKS:
            module.trunk.blocks[name] = owner.trunk.blocks[name]

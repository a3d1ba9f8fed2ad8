"""The open network on torch: ``Estimator.load(...).estimate(images, crops, cameras)``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...array_types import FloatArray, UInt8Array
from ...builtin import OPEN
from ...errors import InputError
from ..architectures import outputs_for_person, split_outputs
from ..person import PersonReader
from ..two_looks import FirstLook, LooksTwice
from ..weights.open_pack import load_open, weights_path
from ..weights.weights_file import WeightsHeader
from .by_name import CONFIGS, Network, build_network
from .compact import CompactNet
from .glimpse import GlimpseNet
from .loading import loaded
from .packed import can_pack, pack

DEVICES = ("auto", "cpu", "cuda", "mps")


class Estimator(LooksTwice):
    """A trained network with its preprocessing. Holds no state between calls."""

    looks_ahead = 4  # with more frames, too many predicted crops are off

    def __init__(
        self, network: Network, header: WeightsHeader, device: torch.device, person: PersonReader | None = None
    ) -> None:
        super().__init__(header, person)
        self.device = device
        self._split = network.split
        whole = network.whole if isinstance(network, GlimpseNet) else network
        self._widths = whole.widths if isinstance(whole, CompactNet) else None
        self._precision = fast_precision(device)
        self._network = convolving_in(self._precision, ready_to_run(network, device))
        if can_pack(self._network, device):
            pack(self._network)

    @staticmethod
    def load(source: str | Path = OPEN, device: str = "auto") -> Estimator:
        """Load the built-in estimator (``open``), one in a folder, or a safetensors file.

        ``device``: auto (cuda, mps or cpu, whichever is available), cpu, cuda, mps. Raises InputError.
        """
        path = weights_path(source)
        header, tensors, person = load_open(path, CONFIGS)
        config = {**header.config, "size": header.input_size}
        network = loaded(path, header, tensors, lambda: build_network(header.architecture, config))
        reader = PersonReader.of(path, person, outputs_for_person(network.config)) if person else None
        return Estimator(network, header, torch_device(device), reader)

    def split(self, outputs: FloatArray) -> dict[str, FloatArray]:
        if self._widths is not None:  # for each frame: torch's own calls take ten times as long
            return split_outputs(outputs, self._widths)
        return {name: value.numpy() for name, value in self._split(torch.from_numpy(outputs)).items()}

    def first_look(self, pixels: UInt8Array) -> tuple[FloatArray, FloatArray]:
        with torch.inference_mode():
            x = self._input(pixels)
            if isinstance(self._network, GlimpseNet):
                features, raw = self._network.first_look(x)
                return features.cpu().numpy(), raw.cpu().numpy()
            return np.empty((len(pixels), 0), np.float32), self._network(x).cpu().numpy()

    def closer_look(self, pixels: UInt8Array, features: FloatArray, outputs: FloatArray) -> dict[str, FloatArray]:
        if not isinstance(self._network, GlimpseNet):
            return self.split(outputs)
        with torch.inference_mode():
            first = (torch.from_numpy(values).to(self.device) for values in (features, outputs))
            seen = self._network.closer_look(self._input(pixels), *first)
            out = self.split(seen.raw.cpu().numpy())
            return {**out, "points": seen.points.flatten(1).cpu().numpy()} if self.person else out

    def head_features(self, seen: FirstLook) -> FloatArray | None:
        """Return the features (B, F) that an emotion head reads: of the whole face, and of the glimpses.

        None from a network without glimpses.
        """
        if not isinstance(self._network, GlimpseNet):
            return None
        with torch.inference_mode():
            first = (torch.from_numpy(values).to(self.device) for values in (seen.features, seen.outputs))
            looked = self._network.closer_look(self._input(seen.pixels), *first)
            features: FloatArray = torch.cat([looked.features, looked.closer], 1).cpu().numpy()
            return features

    def _run(self, batch: UInt8Array) -> dict[str, FloatArray]:
        """Run the network on (B, size, size, 3) uint8 BGR; return its outputs by name."""
        return self.closer_look(batch, *self.first_look(batch))

    def _input(self, pixels: UInt8Array) -> torch.Tensor:
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)  # channels last already
        return x.float().div_(127.5).sub_(1.0).to(self._precision)


def ready_to_run(network: nn.Module, device: torch.device) -> nn.Module:
    network.eval().requires_grad_(False)
    _fold_batch_norms(network)
    return network.to(device=device, memory_format=torch.channels_last)


def fast_precision(device: torch.device) -> torch.dtype:
    """Return the number type of the convolutions: 16 bits where the device multiplies them faster than 32.

    With 16 bits the eta of the open networks changes by 0.001 on average, by 0.03 at most.
    """
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def multiplies_bfloat16() -> bool:
    """Return whether this processor has bfloat16 instructions; without them bfloat16 is slower than float32."""
    if hasattr(torch.cpu, "get_capabilities"):  # newer than the oldest supported torch
        there = torch.cpu.get_capabilities()
        return bool(there.get("avx512_bf16") or there.get("amx_bf16"))
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())


def convolving_in(precision: torch.dtype, network: nn.Module) -> nn.Module:
    """Return the folded network with its convolutions in that precision, for input of the same.

    The open networks compute the steps between and after the convolutions in float32.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(precision)
    return network


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold each batch norm into the convolution before it or the linear layer after it.

    The open networks register the two side by side.
    """
    before = ""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, before, fuse_conv_bn_eval(getattr(module, before), child))
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.Linear) and isinstance(norm := getattr(module, before, None), nn.BatchNorm1d):
            setattr(module, name, _of_normed(child, norm))
            setattr(module, before, nn.Identity())
        else:
            _fold_batch_norms(child)
        before = name


def _of_normed(linear: nn.Linear, norm: nn.BatchNorm1d) -> nn.Linear:
    """Return the linear layer equal to the trained ``norm`` followed by ``linear``."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    both = nn.Linear(linear.in_features, linear.out_features).requires_grad_(False)
    both.weight.copy_(linear.weight * scale)
    both.bias.copy_(linear.bias + linear.weight @ (norm.bias - scale * norm.running_mean))
    return both


def torch_device(name: str) -> torch.device:
    """Return the torch device for ``name``, one of DEVICES. Raises InputError for others and for missing hardware."""
    if name not in DEVICES:
        raise InputError(f"device {name!r} is unknown: use one of {', '.join(DEVICES)}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(k for k, found in there.items() if found)
    if not there[name]:
        raise InputError(f"device {name!r} is not there: use auto or cpu")
    return torch.device(name)

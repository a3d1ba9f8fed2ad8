"""Construction of a network from a weights file's header and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ...array_types import FloatArray
from ...errors import InputError
from ..weights.weights_file import WeightsHeader, check_shapes

N = TypeVar("N", bound=nn.Module)


def loaded(path: Path, header: WeightsHeader, tensors: Mapping[str, FloatArray], build: Callable[[], N]) -> N:
    """Build the network with ``build`` and load these weights.

    Raises InputError where ``build`` cannot read the header's config, and where tensors do not fit.
    """
    try:
        network = build()
    except (TypeError, ValueError, IndexError, KeyError, RuntimeError) as error:
        raise InputError(f"{path}: the header's config does not describe a network ({error})") from error
    check_shapes(path, tensors, {k: tuple(v.shape) for k, v in network.state_dict().items()})
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
    return network

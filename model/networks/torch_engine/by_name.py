"""Construction of networks by the architecture name in their weights.

All have CompactNet's input, outputs and ``split``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from ..architectures import CompactConfig, GlimpseConfig
from .compact import CompactNet
from .glimpse import GlimpseNet
from .resnet101 import ResNet101, ResNet101Config

Network = CompactNet | GlimpseNet | ResNet101
NetworkConfig = CompactConfig | GlimpseConfig | ResNet101Config
CONFIGS: dict[str, type[NetworkConfig]] = {
    "compact": CompactConfig,
    "glimpse": GlimpseConfig,
    "resnet101": ResNet101Config,
}


_CLASSES: dict[str, type[Network]] = {"compact": CompactNet, "glimpse": GlimpseNet, "resnet101": ResNet101}


def build_network(architecture: str, config: NetworkConfig | Mapping[str, Any]) -> Network:
    """Build the untrained network. Raises InputError for an unknown architecture, other errors for a broken config."""
    if architecture not in _CLASSES:
        raise InputError(f"architecture {architecture!r} is unknown; known are {', '.join(_CLASSES)}")
    return _CLASSES[architecture](config)  # type: ignore[arg-type]

"""A network's configuration as its header tells it, made into the dataclass it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

C = TypeVar("C")


def as_config(kind: type[C], config: C | Mapping[str, Any]) -> C:
    """``config`` itself, or what a mapping says: JSON's and TOML's lists are tuples. Raises TypeError for names that
    ``kind`` does not know."""
    if isinstance(config, Mapping):
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()})
    return config

"""A recipe: one TOML file, checked as a whole before anything starts.

Every part is a frozen dataclass, below or where it is used. Fields that a file omits have the default of the class.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..model.errors import InputError
from ..model.networks.torch_engine.by_name import CONFIGS, NetworkConfig
from ..model.networks.torch_engine.glimpse import LEAK
from ..model.networks.torch_engine.resnet101 import WIDTHS, ResNet101Config
from .augment import Augment
from .losses import LossWeights

T = TypeVar("T")


@dataclass(frozen=True)
class Optimizer:
    """The optimizer and its settings.

    ``batch``     pictures of one step, over all processes
    ``momentum``  SGD's, or AdamW's first beta; Muon keeps its own
    ``ema``       decay of the averaged weights that are shipped (0: no averaging)
    ``clip``      norm that gradients are cut to (inf: none)
    ``leak``      share of the expression's gradient that reaches GlimpseNet's glimpses
    """

    name: Literal["muon", "adamw", "sgd"]
    learning_rate: float
    batch: int
    momentum: float = 0.9
    weight_decay: float = 0.0
    warmup: int = 0  # steps
    ema: float = 0.999
    clip: float = 5.0
    leak: float = LEAK
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"


@dataclass(frozen=True)
class Schedule:
    """Schedule of the learning rate.

    ``flat-then-decay``: flat, then to zero over the last ``decay`` steps, so that the flat part can be continued.
    ``plateau``: times ``factor`` whenever the held-out loss has not fallen for ``patience`` evaluations.
    """

    kind: Literal["flat-then-decay", "plateau"] = "flat-then-decay"
    decay: int = 3000
    factor: float = 0.1
    patience: int = 4


@dataclass(frozen=True)
class Phase:
    """Pictures of ``size`` pixels before step ``until`` (none in the last phase)."""

    size: int
    until: int | None = None


@dataclass(frozen=True)
class Input:
    """``mean-image``: bytes less the mean picture of the training data, which is saved with the weights."""

    phases: tuple[Phase, ...]
    normalisation: Literal["bgr/127.5-1", "mean-image"] = "bgr/127.5-1"

    def size_at(self, step: int) -> int:
        return next(p.size for p in self.phases if p.until is None or step < p.until)

    @property
    def size(self) -> int:
        """Of the last phase: what the network is made for."""
        return self.phases[-1].size


@dataclass(frozen=True)
class Data:
    """At most the newest ``shards`` are kept in memory (1,024 pictures of 128 px are 50 MB)."""

    shards: int = 200


@dataclass(frozen=True)
class Config:
    architecture: str
    network: NetworkConfig
    optimizer: Optimizer
    input: Input
    loss: LossWeights
    schedule: Schedule = field(default_factory=Schedule)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)


def load_config(path: Path) -> Config:
    """Read a recipe of ``training.train``. Raises InputError as ``load_recipe`` does."""
    return load_recipe(path, _config)


def load_recipe(path: Path, read: Callable[[dict[str, Any]], T]) -> T:
    """Read a TOML file, and its table with ``read``.

    Raises InputError, one line that starts with the path, for a file that is not TOML, and for anything in it that is
    unknown, missing or of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    try:
        return read(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _config(table: dict[str, Any]) -> Config:
    network = table.pop("network", None)
    parts = {f.name: f for f in dataclasses.fields(Config) if f.name not in ("architecture", "network")}
    hints = typing.get_type_hints(Config)
    for name in table:
        if name not in parts:
            raise InputError(f"[{name}] is unknown; a recipe has [network], [{'], ['.join(parts)}]")
    for name, part in parts.items():
        if name not in table and part.default_factory is dataclasses.MISSING:
            raise InputError(f"[{name}] is missing")
    read = {name: parse(hints[name], table[name], f"[{name}]") for name in parts if name in table}
    _check(read["input"], read["optimizer"], read["loss"])
    if not isinstance(network, dict) or network.get("architecture") not in CONFIGS:
        raise InputError(f"[network] architecture must be one of {', '.join(CONFIGS)}")
    architecture = network.pop("architecture")
    if "size" in network:
        raise InputError("[network] size is that of the last of [input] phases: leave it out")
    given: dict[str, Any] = {"size": read["input"].size}
    if read["input"].normalisation == "mean-image":
        if architecture != "resnet101" or len(read["input"].phases) > 1:
            raise InputError("[input] normalisation mean-image needs architecture resnet101 and a single phase")
        given["mean_image"] = True
    made = parse(CONFIGS[architecture], {**network, **given}, "[network]")
    if isinstance(made, ResNet101Config):
        _check_outputs(made.outputs)
    return Config(architecture, made, **read)


def _check_outputs(outputs: tuple[str, ...]) -> None:
    for name in outputs:
        if name not in WIDTHS or outputs.count(name) > 1:
            raise InputError(f"[network] outputs: {name!r} is unknown or there twice; known are {', '.join(WIDTHS)}")
    if "eta" not in outputs:
        raise InputError("[network] outputs lacks eta, the expression")


def _check(pictures: Input, optimizer: Optimizer, loss: LossWeights) -> None:
    if not pictures.phases:
        raise InputError("[input] phases is empty: give at least one size")
    *ends, last = [p.until for p in pictures.phases]
    if last is not None or None in ends or ends != sorted(set(ends)):  # type: ignore[type-var]
        raise InputError("[input] phases: each but the last needs a later `until` (a step) than the one before")
    for phase in pictures.phases:
        if phase.size < 32 or phase.size % 32:
            raise InputError(f"[input] phases: size {phase.size} is not a multiple of 32")
    if optimizer.name == "muon" and optimizer.precision == "fp16":
        raise InputError("[optimizer] muon learns in bf16 or fp32, not in fp16")
    if bool(loss.landmarks) != bool(loss.dense):
        raise InputError("[loss] landmarks and dense are learned together: give both a weight, or none")
    if optimizer.batch < 2:
        raise InputError("[optimizer] batch must be at least 2: batch normalisation needs company")


def parse(kind: Any, value: Any, where: str) -> Any:
    """Convert ``value`` from TOML or JSON to ``kind``: a dataclass, tuple, Literal, optional, or plain type."""
    if dataclasses.is_dataclass(kind):
        return _parse_table(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{where} is {value!r}, not one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (types.UnionType, typing.Union):
        return None if value is None else parse(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} is {value!r}, not a list")
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(arguments) != len(value):
            raise InputError(f"{where} has {len(value)} entries, not {len(arguments)}")
        return tuple(parse(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(arguments, value)))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{where} is {value!r}, not {_KINDS.get(kind, kind)}")
    return value


_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _parse_table(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {value!r}, not a table")
    hints, fields = typing.get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise InputError(f"{where} {name} is unknown; known are {', '.join(fields)}")
    for name, part in fields.items():
        if name not in value and part.default is part.default_factory is dataclasses.MISSING:
            raise InputError(f"{where} {name} is missing")
    return kind(**{name: parse(hints[name], v, f"{where} {name}") for name, v in value.items()})

"""``official.safetensors``, the authors' networks as ``import-weights`` wrote them, and its readers.

Tensors are called ``NETWORK.NAME``: networks and names as in layouts.py, and beside them the release's statistics
(``shape.mean_image`` (3, 224, 224) BGR 0..255, ``pose.label_mean`` (6,), …). A trunk equal to another network's is
stored there only; ``NetworkInfo.trunk`` names that network. The file may hold float16; arrays are returned as
float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..files import is_dir, is_file
from ..networks.weights.weights_file import check_shapes, refuse_what_is_not_safetensors
from ..reading import reading
from . import FILE
from .layouts import NETWORKS, shared_trunk
from .release import STATISTICS

FORMAT = "expnet-official-1"
LICENSE = "The authors published these weights without a licence, for research: for your own use, never to be passed on"


@dataclass(frozen=True)
class NetworkInfo:
    """``trunk`` is the network under whose name the trunk up to block 5a is stored; empty for one without."""

    trunk: str


@dataclass(frozen=True)
class Source:
    """A file that was imported: its name, its size in bytes, its SHA-256, and the network or tensor it gave."""

    file: str
    bytes: int
    sha256: str
    gave: str


@dataclass(frozen=True)
class OfficialHeader:
    """The header of the file. ``precision``: float32 or float16; ``imported``: the day, ISO 8601."""

    networks: dict[str, NetworkInfo]
    sources: tuple[Source, ...]
    precision: str
    imported: str
    license: str = LICENSE

    def metadata(self) -> dict[str, str]:
        """Return the header as safetensors keeps it: strings only."""
        return {
            "format": FORMAT,
            "networks": json.dumps({name: vars(info) for name, info in self.networks.items()}),
            "sources": json.dumps([vars(source) for source in self.sources]),
            "precision": self.precision,
            "imported": self.imported,
            "license": self.license,
        }


def load_header(path: str | Path) -> OfficialHeader:
    """Read the header of the file, or of the one in a folder. Raises InputError."""
    path = _file(path)
    with _opened(path) as file:
        return _header(path, file.metadata() or {})


def load_network(path: str | Path, name: str) -> dict[str, FloatArray]:
    """Load the tensors of network ``name``, by their names in layouts.py, and its statistics, float32.

    The statistics are ``mean_image``, …. A ResNet's trunk is under ``trunk.``; batch normalisation comes without
    ``num_batches_tracked``. Raises InputError: the network was not imported, or a tensor is missing or has another
    shape.
    """
    path = _file(path)
    network = {n.name: n for n in NETWORKS}[name]
    expected = {ours: tuple(variable.turned_shape) for ours, variable in network.layout().items()}
    with _opened(path) as file:
        header = _header(path, file.metadata() or {})
        if name not in header.networks:
            raise InputError(f"{path}: {network.title} was not imported; run import-weights with its checkpoint too")
        trunk, there = header.networks[name].trunk, set(file.keys())
        shared = set(shared_trunk()) if trunk else set()
        places = {ours: f"{trunk if ours in shared else name}.{ours}" for ours in expected}
        for statistic in STATISTICS:
            owner, _, short = statistic.tensor.partition(".")
            if owner == name and statistic.tensor in there:
                expected[short], places[short] = statistic.shape, statistic.tensor
        shapes = {ours: tuple(file.get_slice(at).get_shape()) for ours, at in places.items() if at in there}
        check_shapes(path, {ours: np.broadcast_to(np.float32(0), shape) for ours, shape in shapes.items()}, expected)
        tensors = {ours: file.get_tensor(at).astype(np.float32) for ours, at in places.items()}
    for ours, tensor in tensors.items():
        _check_finite(path, places[ours], tensor)
    return tensors


def load_statistics(path: str | Path) -> dict[str, FloatArray]:
    """Load all imported arrays of the release, for any networks, by their names in release.py, float32.

    Raises InputError: one has another shape, or a value that is no number.
    """
    path = _file(path)
    with _opened(path) as file:
        _header(path, file.metadata() or {})
        expected = {s.tensor: s.shape for s in STATISTICS if s.tensor in file.keys()}
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in expected}
        check_shapes(path, {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}, expected)
        arrays = {name: file.get_tensor(name).astype(np.float32) for name in expected}
    for name, array in arrays.items():
        _check_finite(path, name, array)
    return arrays


def _check_finite(path: Path, name: str, tensor: FloatArray) -> None:
    if not np.isfinite(tensor).all():
        raise InputError(f"{path}: tensor {name} holds NaN or infinity; import the weights again")


def _file(path: str | Path) -> Path:
    path = Path(path)
    path = path / FILE if is_dir(path) else path
    if not is_file(path):
        raise InputError(f"{path}: there is no such file; make it with: expnet import-weights FOLDER")
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import safe_open

    with reading(path, "weights", "import them again"):
        refuse_what_is_not_safetensors(path)
        with safe_open(str(path), framework="np") as file:
            yield file


def _header(path: Path, metadata: dict[str, str]) -> OfficialHeader:
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: the header says format {metadata.get('format')!r}, not {FORMAT!r}")
    try:
        networks = {name: NetworkInfo(**info) for name, info in json.loads(metadata["networks"]).items()}
        sources = tuple(Source(**source) for source in json.loads(metadata["sources"]))
        header = OfficialHeader(networks, sources, metadata["precision"], metadata["imported"], metadata["license"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: its header is broken ({error}); import the weights again") from error
    names = {network.name for network in NETWORKS}
    if not names.issuperset(networks) or not {"", *names}.issuperset(info.trunk for info in networks.values()):
        raise InputError(f"{path}: its header names networks that are unknown; import the weights again")
    return header

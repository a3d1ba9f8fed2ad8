"""The package's weights files: safetensors with a header that gives their content, origin and accuracy.

A pickle is never opened: a ``.pt`` file can run code, a safetensors file cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...array_types import FloatArray
from ...errors import InputError, one_line
from ...files import atomic_path
from ...reading import check_regular, reading
from .safetensors_file import read_safetensors

FORMAT = "expnet-weights-1"
NORMALISATION = "bgr/127.5-1"
PERSON = "person."  # prefix of the tensors of ``person.PersonReader``, in the network's file


@dataclass(frozen=True)
class WeightsHeader:
    """The header of a weights file.

    architecture   name of the module in ``model/networks``;  config  its arguments
    input_size     side of the square crop in pixels;  normalisation  of the crop's bytes
    crop           the rule that places the crop: {"anchor": [x, y, z] mm, "side_mm": side}
    basis          expression basis of the outputs
    license, training_data, seed   where the weights come from
    evaluation     measured accuracy: measure -> number
    responses      response curve of each key: key -> [read, shown], or empty
    """

    architecture: str
    config: dict[str, Any]
    input_size: int
    crop: dict[str, Any]
    basis: str
    license: str
    training_data: str
    seed: int
    evaluation: dict[str, Any] = field(default_factory=dict)
    normalisation: str = NORMALISATION
    responses: dict[str, Any] = field(default_factory=dict)

    def metadata(self) -> dict[str, str]:
        """Return the header as safetensors keeps it: strings only."""
        return {
            "format": FORMAT,
            "architecture": self.architecture,
            "config": json.dumps(self.config),
            "input_size": str(self.input_size),
            "normalisation": self.normalisation,
            "crop": json.dumps(self.crop),
            "basis": self.basis,
            "license": self.license,
            "training_data": self.training_data,
            "seed": str(self.seed),
            "evaluation": json.dumps(self.evaluation),
            **({"responses": json.dumps(self.responses)} if self.responses else {}),
        }


def save_weights(path: str | Path, header: WeightsHeader, tensors: Mapping[str, FloatArray]) -> None:
    """Write ``tensors`` (numpy, by name) under ``header`` atomically."""
    from safetensors.numpy import save_file

    with atomic_path(path) as partial, writing_tensors(path):
        save_file({k: np.asarray(v, order="C") for k, v in tensors.items()}, partial, metadata=header.metadata())


@contextmanager
def writing_tensors(path: str | Path) -> Iterator[None]:
    """Turn safetensors' write errors, as on a full disk, into an InputError."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise InputError(f"{path}: cannot be written ({one_line(error)}): choose another place") from error


def load_weights(path: str | Path) -> tuple[WeightsHeader, dict[str, FloatArray]]:
    """Return the header and the network's tensors (float32; integers stay as they are) of a weights file.

    Raises InputError for a missing file, a pickle, a broken or incomplete header, or a tensor with NaN.
    """
    header, network, _ = load_all(path)
    return header, network


def load_all(path: str | Path) -> tuple[WeightsHeader, dict[str, FloatArray], dict[str, FloatArray]]:
    """Run ``load_weights``; return the tensors of ``person.PersonReader`` too, without their prefix (possibly none)."""
    path = Path(path)
    with reading(path, "weights", "fetch the file again"):
        refuse_what_is_not_safetensors(path)
        metadata, tensors = read_safetensors(path)
        header = _header(path, metadata)
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f":
            if not np.isfinite(tensor).all():
                raise InputError(
                    f"{path}: tensor {name} holds NaN or infinity: the training went wrong, use other weights"
                )
            tensors[name] = tensor.astype(np.float32)
    person = {name.removeprefix(PERSON): tensors.pop(name) for name in list(tensors) if name.startswith(PERSON)}
    return header, tensors, person


def fingerprint(weights: str | Path) -> str:
    """Return 16 characters that tell a network from others: its tensors, and the responses that shape eta.

    The reading of alpha in the same file does not count. Raises InputError.
    """
    header, tensors = load_weights(weights)
    digest = hashlib.sha256(json.dumps(header.responses, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + np.asarray(tensors[name], np.float32, order="C").tobytes())
    return digest.hexdigest()[:16]


def check_shapes(path: str | Path, tensors: Mapping[str, FloatArray], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless ``tensors`` are exactly those of ``expected`` (name -> shape)."""
    for name, shape in expected.items():
        if name not in tensors:
            raise InputError(f"{path}: tensor {name} is missing: the weights belong to another network")
        if tensors[name].shape != tuple(shape):
            found = tensors[name].shape
            raise InputError(f"{path}: tensor {name} has shape {found}, the network needs {tuple(shape)}")
    for name in tensors:
        if name not in expected:
            raise InputError(f"{path}: tensor {name} is unknown: the weights belong to another network")


def refuse_what_is_not_safetensors(path: Path) -> None:
    """Raise InputError for a pickle and every other file without safetensors' first bytes; OSError."""
    check_regular(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
    # Pickle protocol 2+ begins with 0x80, torch's zip with PK; neither can be a safetensors length and a brace.
    length = int.from_bytes(head[:8], "little")
    if len(head) > 8 and head[8:9] == b"{" and length <= size - 8:
        return
    if head[:2] == b"PK" or head[:1] == b"\x80":
        raise InputError(f"{path}: this is a pickle, which can run code; only safetensors weights are opened")
    raise InputError(f"{path}: not a safetensors file, or cut short")


def _header(path: Path, metadata: Mapping[str, str]) -> WeightsHeader:
    def text(key: str) -> str:
        if key not in metadata:
            raise InputError(f"{path}: the header lacks {key!r}: not weights of this project")
        return metadata[key]

    def parsed(key: str, kind: type) -> Any:
        written = text(key)
        try:
            value = json.loads(written)
        except (ValueError, RecursionError):
            value = None
        if type(value) is not kind:
            raise InputError(f"{path}: the header's {key!r} is broken: {written[:40]!r}")
        return value

    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: the header says format {metadata.get('format')!r}, not {FORMAT!r}")
    if text("normalisation") != NORMALISATION:
        raise InputError(f"{path}: normalisation {metadata['normalisation']!r} is unknown, {NORMALISATION!r} is read")
    size = parsed("input_size", int)
    if not 16 <= size <= 1024:
        raise InputError(f"{path}: the header's input_size {size} is not between 16 and 1024")
    return WeightsHeader(
        architecture=text("architecture"),
        config=parsed("config", dict),
        input_size=size,
        crop=parsed("crop", dict),
        basis=text("basis"),
        license=text("license"),
        training_data=text("training_data"),
        seed=parsed("seed", int),
        evaluation=parsed("evaluation", dict),
        responses=parsed("responses", dict) if "responses" in metadata else {},
    )

"""The built-in weights of the open pack, or others of the same kind, checked before a network is built."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ...array_types import FloatArray
from ...builtin import OPEN
from ...camera import ANCHOR, SIDE_MM
from ...errors import InputError
from ...face.semantics import OPEN_BASIS, OPEN_KEYS
from ...files import is_dir, is_file
from ..responses import responses_of
from .weights_file import WeightsHeader, load_all

DATA = Path(__file__).parents[2] / "data"
OPEN_WEIGHTS, OPEN_FINDER = DATA / "open_weights.safetensors", DATA / "open_finder.safetensors"


def weights_path(source: str | Path) -> Path:
    """Return the file that ``source`` names: ``open``, a folder that holds one, or the file itself."""
    if source == OPEN:
        return OPEN_WEIGHTS
    path = Path(source).expanduser()
    if is_dir(path):
        found = sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            raise InputError(f"{path}: holds {len(found)} safetensors files; an estimator's folder holds one")
        return found[0]
    return path


def load_open(
    path: Path, architectures: Collection[str]
) -> tuple[WeightsHeader, dict[str, FloatArray], dict[str, FloatArray]]:
    """Run ``load_all`` on weights of one of ``architectures`` for this crop and keys. Raises InputError for others."""
    if path in (OPEN_WEIGHTS, OPEN_FINDER) and not is_file(path):
        raise InputError(f"{path}: the open weights are missing: install the extension again")
    header, tensors, person = load_all(path)
    if header.architecture not in architectures:
        known = ", ".join(architectures)
        raise InputError(f"{path}: architecture {header.architecture!r} is unknown here; read are {known}")
    if header.basis != OPEN_BASIS:
        raise InputError(f"{path}: expression basis {header.basis!r} is unknown; {OPEN_BASIS!r} is read")
    if header.crop.get("anchor") != ANCHOR.tolist() or header.crop.get("side_mm") != SIDE_MM:
        raise InputError(f"{path}: trained with another crop ({header.crop}): use weights of this version")
    try:
        responses_of(header.responses, OPEN_KEYS)
    except ValueError as error:
        raise InputError(f"{path}: the header is broken: {error}") from error
    return header, tensors, person

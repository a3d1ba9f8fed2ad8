"""Check and one-time conversion of the authors' checkpoints: from their published files to one safetensors file."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..files import atomic_path, exists, is_dir
from ..networks.weights.weights_file import writing_tensors
from . import FILE
from .layouts import NETWORKS, Layout, Network, shared_trunk
from .release import STATISTICS, Found, Statistic, find_release, missing, read_statistic, sources_of
from .tensorflow import Checkpoint
from .weights import NetworkInfo, OfficialHeader, Source

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Imported:
    """The result of an import: the file written, its header, its sources, and the files that were not found.

    missing      (usual file name, what it would add);  passed_over  (file, why it was not needed)
    face_model   the release's face model if it is there: the value for --face-model
    """

    out: Path
    header: OfficialHeader
    missing: list[tuple[str, str]]
    passed_over: list[tuple[Path, str]]
    face_model: Path | None


def import_weights(
    folder: str | Path, out: str | Path | None = None, half: bool = False, on_progress: Progress = lambda *_: None
) -> Imported:
    """Convert the files in ``folder`` to ``out/official.safetensors`` (default: in the same folder).

    half   convolutions and linear layers as float16: half the size, and a relative error of 0.05 % in each weight

    Every tensor is found with its right name, type and shape before the first is read. The file is written
    atomically. Raises InputError, one line that names file and tensor.
    """
    folder = Path(folder)
    out = Path(out) if out else folder
    if exists(out) and not is_dir(out):
        raise InputError(f"{out}: is a file; give a folder for {FILE}")
    found = find_release(folder)
    if not is_dir(out.absolute().parent):
        raise InputError(f"{out}: there is no folder {out.parent}; make it first")
    networks = [network for network in NETWORKS if network.name in found.checkpoints]
    layouts = {network.name: network.layout() for network in networks}
    origins = {network.name: sources_of(network, found) for network in networks}
    used = _used_statistics(found)
    total = sum(map(len, layouts.values())) + len(used)
    done = 0

    def step(message: str) -> None:
        nonlocal done
        done += 1
        on_progress(done, total, message)

    tensors = {name: read_statistic(statistic, path) for name, (statistic, path) in used.items()}
    done = len(tensors)
    trunks: dict[str, str] = {}
    for network in networks:
        layout, origin = layouts[network.name], origins[network.name]
        own = {}
        for ours in sorted(layout, key=lambda ours: layout[ours].name):  # in the order of the file
            step(network.title)
            own[ours] = _turned(origin[ours], layout, ours, half)
        trunks[network.name] = _trunk(network, own, trunks, tensors)
        tensors |= {f"{network.name}.{ours}": tensor for ours, tensor in own.items()}
    header = OfficialHeader(
        networks={network.name: NetworkInfo(trunks[network.name]) for network in networks},
        sources=_provenance(folder, found, used, on_progress),
        precision="float16" if half else "float32",
        imported=datetime.date.today().isoformat(),
    )
    on_progress(total, total, "writing")
    _write(out, header, tensors)
    return Imported(out / FILE, header, missing(found), found.passed_over, found.face_model)


def _used_statistics(found: Found) -> dict[str, tuple[Statistic, Path]]:
    """Return the arrays that are there, by tensor: (Statistic, file)."""
    return {s.tensor: (s, found.statistics[s.tensor]) for s in STATISTICS if s.tensor in found.statistics}


def _turned(checkpoint: Checkpoint, layout: Layout, ours: str, half: bool) -> FloatArray:
    """Return a tensor in our order of axes.

    Vectors stay float32: variances of pictures 0..255 exceed the range of float16.
    """
    variable = layout[ours]
    array = variable.turned(checkpoint.read(variable.name))
    where = f"{checkpoint.path}: tensor {variable.name}"
    if not np.isfinite(array).all():
        raise InputError(f"{where} holds NaN or infinity; get an intact copy of the checkpoint")
    if ours.endswith("running_var") and (array < 0).any():
        raise InputError(f"{where} has negative variances; get an intact copy of the checkpoint")
    if half and array.ndim > 1:
        if np.abs(array).max() > np.finfo(np.float16).max:
            raise InputError(f"{where} does not fit into float16; import without --half")
        array = array.astype(np.float16)
    return np.ascontiguousarray(array)


def _trunk(network: Network, own: dict[str, FloatArray], trunks: dict[str, str], stored: dict[str, FloatArray]) -> str:
    """Return the network under whose name the trunk is stored. A copy of an earlier one is removed from ``own``."""
    if not network.scope:
        return ""
    shared = shared_trunk()
    for earlier, place in trunks.items():
        if place == earlier and all(np.array_equal(own[ours], stored[f"{earlier}.{ours}"]) for ours in shared):
            for ours in shared:
                del own[ours]
            return earlier
    return network.name


def _provenance(
    folder: Path, found: Found, used: dict[str, tuple[Statistic, Path]], on_progress: Progress
) -> tuple[Source, ...]:
    """Return every file that something was taken from."""
    gave: dict[Path, list[str]] = {}
    for network, checkpoints in found.checkpoints.items():
        for checkpoint in checkpoints:
            for path in checkpoint.files:
                gave.setdefault(path, []).append(network)
    for tensor, (_, path) in used.items():
        gave.setdefault(path, []).append(tensor)
    sources = []
    for i, (path, names) in enumerate(gave.items()):
        on_progress(i, len(gave), f"checking {path.name}")
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            sources.append(Source(path.relative_to(folder).as_posix(), path.stat().st_size, digest, ", ".join(names)))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    return tuple(sources)


def _write(out: Path, header: OfficialHeader, tensors: dict[str, FloatArray]) -> None:
    from safetensors.numpy import save_file

    made = not exists(out)
    try:
        out.mkdir(exist_ok=True)
        with atomic_path(out / FILE) as partial, writing_tensors(out / FILE):
            save_file(tensors, partial, metadata=header.metadata())
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another folder") from error
    except BaseException:
        if made and is_dir(out):
            out.rmdir()
        raise

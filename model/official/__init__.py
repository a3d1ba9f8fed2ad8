"""The authors' own networks, from the files of their releases that a user has downloaded.

layouts.py          the tensor for each of their variables, and its transposition
release.py          the files of the releases, what each adds, and the search for them in a folder
import_weights.py   checks them and converts them, once, to one safetensors file
weights.py          that file: its content, and the tensors of each network
networks.py         the networks ready to run: inputs to coefficients
preprocess.py       from a face's box to their inputs, to the pixel
pose.py             the FacePoseNets' outputs as poses in our camera
estimator.py        all of it behind the interface of the open network
box_list.py         the release's list of faces and boxes
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..files import is_dir, is_file
from ..reading import check_regular, json_object

FILE = "official.safetensors"
MAX_HEADER = 2**22  # bytes


def is_official(path: str | Path) -> bool:
    """Return whether a folder holds such a file, or the path is one by its name."""
    path = Path(path)
    return path.name == FILE and is_file(path) or is_file(path / FILE)


def is_not_imported(path: str | Path) -> bool:
    """Return whether a folder holds the authors' checkpoints as published, and not their conversion."""
    path = Path(path)
    return is_dir(path) and not is_official(path) and any(any(path.glob(at)) for at in ("*.ckpt*", "*/*.ckpt*"))


def imported_networks(folder: str | Path) -> frozenset[str]:
    """Return the networks that ``import-weights`` put into ``folder``, by their names in layouts.py.

    The names come from the file's header; a broken or missing file has none. It is fast and needs no libraries:
    Blender calls it at every redraw.
    """
    file = Path(folder) / FILE
    try:
        check_regular(file)
        return _networks_of(file, file.stat().st_mtime_ns)
    except Exception:  # a hostile header raises many types
        return frozenset()


@lru_cache(maxsize=4)
def _networks_of(file: Path, changed: int) -> frozenset[str]:
    with open(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json_object(opened.read(min(length, MAX_HEADER + 1)), MAX_HEADER)
    return frozenset(json_object(header["__metadata__"]["networks"].encode()))

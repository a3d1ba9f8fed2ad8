"""The authors' own networks, from the files of their releases that a user has downloaded.

layouts.py          which variable of theirs becomes which tensor of ours, and how it is turned
release.py          which files the releases consist of, what each adds, and finding them in a folder
import_weights.py   checks them and converts them, once, to one safetensors file
weights.py          that file: what is in it, and the tensors of each network
networks.py         the networks ready to run: inputs to coefficients
preprocess.py       from a face's box to their inputs, to the pixel
pose.py             what the FacePoseNets say, in our camera
estimator.py        all of it behind the interface of the open network
box_list.py         the release's list of faces and boxes
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..reading import check_regular, json_object

FILE = "official.safetensors"
MAX_HEADER = 2**22  # bytes


def is_official(path: str | Path) -> bool:
    """Whether a folder holds such a file, or the path is one by its name."""
    path = Path(path)
    return path.name == FILE and path.is_file() or (path / FILE).is_file()


def is_not_imported(path: str | Path) -> bool:
    """Whether a folder holds the authors' checkpoints as they published them, and not what becomes of them."""
    path = Path(path)
    return path.is_dir() and not is_official(path) and any(any(path.glob(at)) for at in ("*.ckpt*", "*/*.ckpt*"))


def imported_networks(folder: str | Path) -> frozenset[str]:
    """Which networks ``import-weights`` put into ``folder``, by their names in layouts.py, as the file's header says;
    none of a file that is broken or not there. Quick, and without libraries: Blender asks at every redraw."""
    file = Path(folder) / FILE
    try:
        check_regular(file)
        return _networks_of(file, file.stat().st_mtime_ns)
    except Exception:  # a hostile header raises many kinds
        return frozenset()


@lru_cache(maxsize=4)
def _networks_of(file: Path, changed: int) -> frozenset[str]:
    with open(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json_object(opened.read(min(length, MAX_HEADER + 1)), MAX_HEADER)
    return frozenset(json_object(header["__metadata__"]["networks"].encode()))

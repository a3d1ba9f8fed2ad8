"""The authors' own networks, from the files of their releases that a user has downloaded.

layouts.py          which variable of theirs becomes which tensor of ours, and how it is turned
release.py          which files the releases consist of, what each adds, and finding them in a folder
import_weights.py   checks them and converts them, once, to one safetensors file
weights.py          that file: what is in it, and the tensors of each network
networks.py         the networks ready to run: inputs to coefficients
"""

from pathlib import Path

FILE = "official.safetensors"


def is_official(path: str | Path) -> bool:
    """Whether a folder holds such a file, or the path is one by its name."""
    path = Path(path)
    return path.name == FILE and path.is_file() or (path / FILE).is_file()

"""A clip as the user names it: a movie, an image, a folder of images, or a pattern (``shot_####.png``, ``shot_%04d``).

The worker reads them (``video.py``); here is only what Blender and the command line ask of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..files import by_number
from .image_header import image_header

COUNTER = r"#+|%0?\d*d"


def check_there(path: str, what: str) -> None:
    """Raise InputError unless there is something at ``path``; a pattern is left to the worker."""
    if not path:
        raise InputError(f"No {what} is given: choose one")
    if not Path(path).exists() and not re.search(COUNTER, Path(path).name):
        raise InputError(f"There is no {what} at '{path}'")


def shown_file(clip: str) -> str:
    """The file that Blender opens to show a clip: of a folder or a pattern the first picture."""
    path = Path(clip)
    if path.is_file():
        return clip
    folder, name = (path, ".*") if path.is_dir() else (path.parent, _regex(path.name))
    for image in _images(folder, name):
        return str(image)
    raise InputError(f"There are no images in '{clip}'")


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in the order of the numbers in their names."""
    images = list(_images(folder, ".*"))
    if not images:
        raise InputError(f"There are no images in '{folder}'")
    return images


def _images(folder: Path, name: str) -> Iterator[Path]:
    """Those whose names match; told by what they hold, not by how they are called."""
    for file in sorted((p for p in folder.iterdir() if p.is_file() and re.fullmatch(name, p.name)), key=by_number):
        with file.open("rb") as stream:
            if image_header(stream.read(65536)) is not None:
                yield file


def _regex(pattern: str) -> str:
    return r"\d+".join(re.escape(part) for part in re.split(COUNTER, pattern))

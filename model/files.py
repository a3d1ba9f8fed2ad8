"""Files that appear whole or not at all, and the order of numbered ones."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from .errors import InputError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file that appears whole or not at all. Raises InputError where it cannot be written."""
    path = Path(path)
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}: choose another folder") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(partial, 0o644)  # mkstemp's 0600 would hide the file from the rest of a studio
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}: choose another place") from error
    finally:
        Path(partial).unlink(missing_ok=True)


def by_number(path: Path) -> list[tuple[int, str]]:
    """To sort by the numbers in names: shot_9.png comes before shot_10.png."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]

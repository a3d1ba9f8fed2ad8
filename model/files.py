"""Files that appear whole or not at all."""

from __future__ import annotations

import os
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

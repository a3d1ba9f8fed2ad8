"""The error of the checkpoint readers, and its conversion to one line for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import InputError


class Damaged(ValueError):
    """Bytes that violate the format; the reader that knows file and tensor adds their names."""


@contextmanager
def naming(path: Path, tensor: str = "") -> Iterator[None]:
    """Turn Damaged and OSError inside into InputError with the file's name, and the tensor's if there is one."""
    where = f"{path}: tensor {shown(tensor)}" if tensor else f"{path}"
    try:
        yield
    except Damaged as error:
        raise InputError(f"{where}: {error}: get an intact copy of the checkpoint") from error
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from error


def shown(name: str) -> str:
    """Return a name from a file, printable on one line."""
    return name if name.isprintable() and len(name) <= 200 else repr(name[:200])

"""How the layers of a checkpoint say that something is wrong, and how that becomes one line for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import InputError


class Damaged(ValueError):
    """Bytes that are not what the format says; the layer that knows file and tensor adds them."""


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
    """A name from a file, fit for one line."""
    return name if name.isprintable() and len(name) <= 200 else repr(name[:200])

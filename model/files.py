"""Atomic writing of files, tests of paths that users give, and the numeric order of file names."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError

_PART = re.compile(r"\.[0-9a-f]{6}\.part\d*(\.\w+)?@?")  # Blender writes "NAME@" and renames it


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` at the end, remove it after any failure.

    The temporary name keeps the suffix, since Blender and others choose the format by it. It takes at most 12 bytes
    more than the suffix, so a final name of 255 bytes works. The file's mode always follows the umask. Raises
    InputError for every OSError inside: no such folder, no permission, a full disk.
    """
    path = Path(path)
    suffix = path.suffix if len(path.suffix) <= 16 else ""
    partial = path.with_name(f".{secrets.token_hex(3)}.part{suffix}")
    try:
        with open(partial, "xb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
        partial.unlink()  # Blender would keep a backup of an existing file
        yield partial
        partial.chmod(mode)  # safetensors writes files that only their owner can read
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}: choose another place or free some space"
        ) from error
    finally:
        for leftover in (partial, partial.with_name(f"{partial.name}@")):  # Blender leaves this file on a full disk
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; rename it to ``path`` at the end, remove it after any failure.

    Folders above it are made. Raises InputError for every OSError inside, and where ``path`` is a folder with content.
    """
    path = Path(path)
    partial = path.with_name(f".{secrets.token_hex(3)}.part")
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}: choose another place") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file atomically. Raises InputError where it cannot be written."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def make_folder(path: str | Path) -> None:
    """Create a folder and the folders above it, if they do not exist. Raises InputError where that is not possible."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"'{path}' cannot be made ({error.strerror}): choose another folder") from error


def is_file(path: str | Path) -> bool:
    """Return whether ``path`` is a file: False also for a name that no file can have and in an unreadable folder."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises OSError there


def is_dir(path: str | Path) -> bool:
    """Return whether ``path`` is a folder, as ``is_file`` does."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises OSError there


def exists(path: str | Path) -> bool:
    """Return whether there is anything at ``path``, as ``is_file`` does."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises OSError there


def is_partial(path: Path) -> bool:
    """Return whether ``path`` has a name that ``atomic_path`` gives: a killed process leaves such a file."""
    return _PART.fullmatch(path.name) is not None


def by_number(path: Path) -> list[tuple[int, str]]:
    """Return a sort key by the numbers in a name: shot_9.png comes before shot_10.png."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]

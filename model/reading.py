"""How files of users are read: every failure becomes one InputError, and memory is bounded by the file's own size."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, one_line, shortened

MAX_JSON = 2**20  # bytes; parsed, hostile JSON takes thirty times as much memory
_BASE = 128 * 2**20
# What a broken file cannot cause: these stay faults of ours.
_OUR_FAULTS = (AssertionError, ImportError, NameError)


@contextmanager
def reading(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Turn every failure inside to read the file ``path`` into one InputError: the guarantee that readers rest on.

    As ``parsing``. Devices and pipes are refused before they are opened, since opening a pipe waits for a writer.
    """
    with parsing(path, what, remedy):
        check_regular(path)
        yield


@contextmanager
def parsing(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Turn every failure inside into one InputError that begins with ``path``.

    what    the kind of file, as in "broken performance (…)";  remedy  what the user can do

    A parser meets errors of almost every type in a hostile file (TokenError, RecursionError, OverflowError,
    MemoryError, LZMAError, KeyError …), so all of them count but AssertionError, ImportError and NameError. A mistake
    in a reader shows all the same: then the files that the tests write are refused.
    """
    try:
        yield
    except InputError:
        raise
    except _OUR_FAULTS:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: the {what} cannot be read (no such file); {remedy}") from None
    except MemoryError as error:
        raise InputError(f"{path}: broken {what} (it does not fit into memory); {remedy}") from error
    except OSError as error:
        if error.errno is None:  # a library's, not the system's
            raise InputError(f"{path}: broken {what} ({_reason(error)}); {remedy}") from error
        raise InputError(f"{path}: the {what} cannot be read ({error.strerror}); check the file") from error
    except Exception as error:
        raise InputError(f"{path}: broken {what} ({_reason(error)}); {remedy}") from error


def check_regular(path: str | Path) -> None:
    """Raise InputError for a device, a pipe or a socket; OSError where there is nothing at ``path``."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"{path}: a device or a pipe, not a file; give a file")


def memory_limit(size: int) -> int:
    """Return how many bytes the contents of a file of ``size`` bytes may take in memory.

    With what a reader needs beside them the peak stays below 4 × size + 200 MB.
    """
    return 3 * size + _BASE


def json_object(data: bytes, most: int = MAX_JSON) -> dict[str, Any]:
    """Return the object that UTF-8 JSON of at most ``most`` bytes holds. Raises ValueError, RecursionError."""
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes of JSON are more than {most}")
    found = json.loads(data.decode("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("its JSON is no object")
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # lone surrogates, which no other file can hold
    return found


def _reason(error: BaseException) -> str:
    return shortened(one_line(error), 120)

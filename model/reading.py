"""Reading of user files: every failure becomes one InputError, and the file's size bounds the memory."""

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
# A broken file cannot cause these exceptions: they are defects of this package.
_OUR_FAULTS = (AssertionError, ImportError, NameError)


@contextmanager
def reading(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Turn every failure while reading the file ``path`` into one InputError.

    See ``parsing``. Devices and pipes are refused before they are opened, since opening a pipe waits for a writer.
    """
    with parsing(path, what, remedy):
        check_regular(path)
        yield


@contextmanager
def parsing(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Turn every failure inside into one InputError that begins with ``path``.

    what    the kind of file, as in "broken performance (…)";  remedy  what the user can do

    A parser raises errors of almost every type for a hostile file (TokenError, RecursionError, OverflowError,
    MemoryError, LZMAError, KeyError …). All are converted except AssertionError, ImportError and NameError. A defect
    in a reader still shows: it then refuses the files that the tests write.
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
        if error.errno is None:  # raised by a library, not by the operating system
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

    Including the reader's own working memory, the peak stays below 4 × size + 200 MB.
    """
    return 3 * size + _BASE


def json_object(data: bytes, most: int = MAX_JSON) -> dict[str, Any]:
    """Parse a JSON object from at most ``most`` bytes of UTF-8. Raises ValueError, RecursionError."""
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes of JSON are more than {most}")
    found = json.loads(data.decode("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("its JSON is no object")
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # lone surrogates, which no other file can hold
    return found


def _reason(error: BaseException) -> str:
    return shortened(one_line(error), 120)

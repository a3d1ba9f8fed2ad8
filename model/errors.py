"""``InputError``, the exception for user errors, and the conversion of exceptions to one line of text."""

from __future__ import annotations

from collections.abc import Sequence

MAX_MESSAGE = 300  # characters


class InputError(ValueError):
    """Report bad input: the message is one line that says what is wrong and what to do.

    The code that shows messages to the user (the command line, an operator, the worker) catches this exception and
    shows the line only. Every other exception is a defect of this package. Messages quote names and values from
    files, so the constructor makes every message printable and at most ``MAX_MESSAGE`` characters long.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(printable(str(message))))


def one_line(error: BaseException) -> str:
    """Return the message of an exception as one line, or its type if the message is empty."""
    return shortened(printable(" ".join(str(error).split()) or type(error).__name__))


def printable(text: str) -> str:
    """Return ``text`` without line breaks, control characters, bidirectional marks or lone surrogates.

    White space becomes a blank; every other character that does not print becomes its escape (``\\x1b``, ``\\udcff``).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else _escape(c) for c in text)


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """Return at most ``most`` characters of ``text``. A longer one loses its middle: both ends inform."""
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - end - 1]}…{text[-end:]}"


def first_of(names: Sequence[str], most: int) -> str:
    """Return the first ``most`` names, and the number of the others, as text."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

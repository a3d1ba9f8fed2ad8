"""``InputError``, the exception for the user's mistakes, and how an exception becomes one line of text."""

from __future__ import annotations

MAX_MESSAGE = 300  # characters


class InputError(ValueError):
    """Report bad input: the message is one line that says what is wrong and what to do.

    Whoever talks to a person (the command line, an operator, the worker) catches this one, shows the line and nothing
    else. Every other exception is a fault of ours. Messages quote names and values from files, so the constructor
    makes every message printable and at most ``MAX_MESSAGE`` characters long.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(printable(str(message))))


def one_line(error: BaseException) -> str:
    """Return what an exception says as one line; its type where it says nothing."""
    return shortened(printable(" ".join(str(error).split()) or type(error).__name__))


def printable(text: str) -> str:
    """Return ``text`` without line breaks, control characters, bidirectional marks or lone surrogates.

    White space becomes a blank; every other character that does not print becomes its escape (``\\x1b``, ``\\udcff``).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else _escape(c) for c in text)


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """Return at most ``most`` characters of ``text``: a long one loses its middle, since both ends say something."""
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - end - 1]}…{text[-end:]}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

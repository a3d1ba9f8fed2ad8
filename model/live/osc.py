"""Messages and bundles of Open Sound Control 1.0: addresses with numbers and texts, as one UDP packet each."""

from __future__ import annotations

import struct
from collections.abc import Sequence

Argument = float | int | str | bool
IMMEDIATELY = struct.pack("!Q", 1)  # the time tag of a bundle


def message(address: str, *arguments: Argument) -> bytes:
    """Write a message; floats are float32, whole numbers int32."""
    tags, content = ",", b""
    for argument in arguments:
        if isinstance(argument, bool):
            tags += "T" if argument else "F"
        elif isinstance(argument, int):
            tags, content = tags + "i", content + struct.pack("!i", argument)
        elif isinstance(argument, float):
            tags, content = tags + "f", content + struct.pack("!f", argument)
        else:
            tags, content = tags + "s", content + _text(argument)
    return _text(address) + _text(tags) + content


def bundle(messages: Sequence[bytes]) -> bytes:
    """Write several messages that belong to the same moment."""
    return _text("#bundle") + IMMEDIATELY + b"".join(struct.pack("!i", len(each)) + each for each in messages)


def _text(text: str) -> bytes:
    coded = text.encode()
    return coded + b"\0" * (4 - len(coded) % 4)

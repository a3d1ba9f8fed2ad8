"""The worker's protocol: envelopes and events, and their JSON lines.

The client writes one line for each request of ``messages.py``, ``request_line``. The worker answers with event lines,
``event_line``: any number of ``Progress`` and ``Seen``, then one ``Done`` or ``Failure``. Both sides parse with this
module, so each field is defined once. A request of another ``VERSION``, or an unknown, missing or ill-typed field,
raises InputError with one line.

Standard library only: Blender imports this module without numpy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import InputError
from .messages import REQUESTS, Request
from .typed_json import parsed, shown

VERSION = 1


@dataclass(frozen=True)
class Envelope:
    """A request with its transport options.

    ``out`` is the result file of requests that write one. With ``stay`` the worker waits for another request
    afterwards.
    """

    request: Request[Any]
    out: str = ""
    stay: bool = False


@dataclass(frozen=True)
class Look:
    """What the reader sees: ``pixels`` are RGB rows of a square image of ``size`` in base64, with the crop in it.

    ``keys`` are the expression keys with their values, not smoothed, the strongest first; ``gaze`` is yaw and pitch in
    radians.
    """

    pixels: str
    size: int
    keys: tuple[tuple[str, float], ...]
    gaze: tuple[float, float] = (0.0, 0.0)


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps (None while the total is unknown) and the current step.

    A few times a second it has the ``look``, too.
    """

    done: int = 0
    total: int | None = None
    message: str = ""
    look: Look | None = None

    @property
    def fraction(self) -> float:
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def __str__(self) -> str:
        if self.total:
            return f"{self.message} {self.done}/{self.total}".strip()
        return f"{self.message} {self.done or ''}".strip() or "Starting"


@dataclass(frozen=True)
class Seen:
    """A live face: ``time`` in seconds from the first picture, ``at`` when the picture was there (time.monotonic).

    ``confidence`` is 0, and the rest empty, where no face is seen. ``eta`` in the order of the open keys; ``gaze`` in
    radians; ``rotation`` (w, x, y, z) and ``translation`` (mm) in the camera's frame.
    """

    time: float
    at: float
    confidence: float = 0.0
    eta: tuple[float, ...] = ()
    gaze: tuple[float, ...] = ()
    rotation: tuple[float, ...] = ()
    translation: tuple[float, ...] = ()


@dataclass(frozen=True)
class Done:
    """The request succeeded; ``result`` is of the request's ``result`` class."""

    result: Any


@dataclass(frozen=True)
class Failure:
    """The request failed by bad input, which ``message`` explains in one line, or by a ``fault`` of the worker."""

    message: str
    fault: bool = False
    traceback: str = ""


Event = Progress | Seen | Done | Failure


# Lines ----------------------------------------------------------------------------------------------------------------


def request_line(envelope: Envelope) -> str:
    """Write an envelope as one line of JSON."""
    request = envelope.request
    return _line(version=VERSION, verb=request.verb, out=envelope.out, stay=envelope.stay, request=_fields_of(request))


def parse_request(line: str) -> Envelope:
    """Parse a line of ``request_line``. Raises InputError."""
    parts = _parts(line, "the request")
    version = parts.pop("version", None)
    if version != VERSION or isinstance(version, bool):
        raise InputError(f"the request is of version {shown(version)}, this worker speaks version {VERSION}")
    verb = parts.pop("verb", None)
    if not isinstance(verb, str) or verb not in REQUESTS:
        raise InputError(f"unknown verb {shown(verb)}: use one of {', '.join(REQUESTS)}")
    kept = parsed(_RequestParts, parts, verb)
    return Envelope(parsed(REQUESTS[verb], kept.request, verb), kept.out, kept.stay)


def event_line(event: Event) -> str:
    """Write an event as one line of JSON."""
    if isinstance(event, Done):
        return _line(event="done", result=_fields_of(event.result))
    kind = {Progress: "progress", Seen: "seen", Failure: "failure"}[type(event)]
    return _line(event=kind, **_fields_of(event))


def parse_event(line: str, result: type[Any]) -> Event | None:
    """Parse a line of ``event_line``, in answer to a request with this ``result`` class.

    None if the line is not an event: a library printed it before the worker took over stdout. Raises InputError for an
    event that does not follow the protocol.
    """
    try:
        parts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, dict) or "event" not in parts:
        return None
    kind = parts.pop("event")
    if kind == "done":
        return Done(parsed(result, parsed(_DoneParts, parts, "done").result, "done"))
    if kind == "progress":
        return parsed(Progress, parts, "progress")
    if kind == "seen":
        return parsed(Seen, parts, "seen")
    if kind == "failure":
        return parsed(Failure, parts, "failure")
    raise InputError(f"unknown event {shown(kind)}")


@dataclass(frozen=True)
class _RequestParts:
    request: dict[str, Any]
    out: str = ""
    stay: bool = False


@dataclass(frozen=True)
class _DoneParts:
    result: dict[str, Any]


def _line(**parts: Any) -> str:
    return json.dumps(parts)


def _fields_of(value: Any) -> dict[str, Any]:
    return asdict(value)


def _parts(line: str, what: str) -> dict[str, Any]:
    try:
        parts = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON: {' '.join(str(error).split())}") from error
    if not isinstance(parts, dict):
        raise InputError(f"{what} is not a JSON object but {shown(parts)}")
    return parts

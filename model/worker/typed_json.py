"""JSON objects as dataclasses: every field is checked against its annotation. Standard library only."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InputError

Kind = TypeVar("Kind")


def parsed(kind: type[Kind], parts: Mapping[str, Any], where: str) -> Kind:
    """Convert ``parts`` to the dataclass ``kind``, and check every field against its annotation."""
    hints = _hints(kind)  # type: ignore[arg-type]
    declared = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in parts:
        if name not in declared:
            raise InputError(f"{where}: unknown field {shown(name)}")
    for name, known in declared.items():
        if name not in parts and known.default is MISSING and known.default_factory is MISSING:
            raise InputError(f"{where}: missing field '{name}'")
    return kind(**{name: _value(hints[name], value, f"{where}: field '{name}'") for name, value in parts.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Convert a JSON ``value`` to ``kind``; an integer is a float, a boolean is no number. Raises InputError."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (kind,) = (choice for choice in arguments if choice is not type(None))
        return _value(kind, value, where)
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise InputError(f"{where} is {shown(value)}: use one of {', '.join(arguments)}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{where} is {shown(value)}, not an object")
        return {key: _value(arguments[1], item, f"{where}, {shown(key)}") for key, item in value.items()}
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise InputError(f"{where} is {shown(value)}, not an object")
        return parsed(kind, value, where)  # type: ignore[arg-type]
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000:
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where} is {shown(value)}, not {NAMES[kind]}")
    return value


NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InputError(f"{where} is {shown(value)}, not a list")
    if arguments[-1] is Ellipsis:
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise InputError(f"{where} has {len(value)} entries, not {len(arguments)}")
    return tuple(_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(arguments, value)))


def shown(value: Any) -> str:
    """Format a JSON value for a message: on one line, shortened."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

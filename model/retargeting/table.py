"""The retarget table: values of its rows, their driver expressions, and presets in files.

numpy only. ``name_schemes.py`` makes rows from the names of a character's shape keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..files import write_whole
from ..performance.channels import CHANNELS, channel_values, is_signed
from ..reading import json_object, reading
from .row import BONE, CHARACTER, LOCATIONS, OWN, ROTATIONS, SHAPE_KEY, Row


def row_values(row: Row, values: FloatArray) -> FloatArray:
    """Return the values (F,) of a row's target from signals (F, len(SIGNALS)); NaN where no face was detected."""
    channel = channel_values(values, row.channel)
    if row.invert:
        channel = -channel if is_signed(row.channel) else 1.0 - channel
    return np.clip(row.offset + row.gain * channel, row.low, row.high)


def expression(row: Row, names: Mapping[str, str]) -> str:
    """Return ``row_values`` as an expression of variables, ``names`` by signal.

    It uses only numbers, +, *, min and max. Blender evaluates these without Python, even if scripts are disabled.
    """
    text = ""
    gain, offset = row.gain, row.offset
    if row.invert:
        offset += 0.0 if is_signed(row.channel) else row.gain
        gain = -gain
    for term in CHANNELS[row.channel]:
        name = names[term.signal]
        part = name if term.part == 0 else f"max({name},0)" if term.part > 0 else f"max(-{name},0)"
        text += f"{gain * term.weight:+.5g}*{part}"
    return f"min(max({offset:.5g}{text},{row.low:.5g}),{row.high:.5g})"


# --- presets --------------------------------------------------------------------------------------------------------

PRESET_FORMAT = "expnet-retarget-1"
MAX_PRESET_BYTES = 2**21
MAX_ROWS = 5000
MAX_NUMBER = 1e9  # limit for gain, offset and range


def save_preset(rows: Sequence[Row], path: str | Path) -> None:
    """Write a table as JSON, atomically."""
    lines = ",\n".join("  " + json.dumps(_plain(row)) for row in rows)
    write_whole(path, f'{{"format": "{PRESET_FORMAT}", "rows": [\n{lines}\n]}}\n'.encode())


def _plain(row: Row) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    kept = {f.name: f.default for f in fields(Row)}
    return {k: v for k, v in asdict(row).items() if v != kept[k]}


def load_preset(path: str | Path) -> tuple[Row, ...]:
    """Read the rows of a preset file. Raises InputError if it is missing, damaged, or has an unknown field."""
    path = Path(path)
    with reading(path, "retarget preset", "save it again from the Retarget panel"):
        if path.stat().st_size > MAX_PRESET_BYTES:
            raise InputError(f"{path}: too large for a retarget preset")
        document = json_object(path.read_bytes(), MAX_PRESET_BYTES)
        if document.get("format") != PRESET_FORMAT:
            raise InputError(f"{path}: not a retarget preset of this project")
        rows = document.get("rows")
        if not isinstance(rows, list) or len(rows) > MAX_ROWS:
            raise InputError(f"{path}: its rows are no list, or more than {MAX_ROWS}")
        return tuple(_row(f"{path}: row {i}", row) for i, row in enumerate(rows, 1))


_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": (SHAPE_KEY, BONE),
    "component": ("", *ROTATIONS, *LOCATIONS),
    "axes": (CHARACTER, OWN),
}


def _row(where: str, raw: Any) -> Row:
    if not isinstance(raw, dict):
        raise InputError(f"{where} is no object of names and values")
    kinds = {f.name: f.type for f in fields(Row)}
    for name, value in raw.items():
        if name not in kinds:
            raise InputError(f"{where}: '{name}' is unknown; a row has {', '.join(kinds)}")
        kind = str(kinds[name])
        number = type(value) in (int, float) and abs(value) < MAX_NUMBER
        if not (number if kind == "float" else isinstance(value, bool if kind == "bool" else str)):
            raise InputError(f"{where}: {name} is {value!r}, which is no {_SAID[kind]}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise InputError(f"{where}: {name} is {value!r}; it may be {', '.join(filter(None, _CHOICES[name]))}")
    if not isinstance(raw.get("channel"), str) or raw["channel"] not in CHANNELS:
        raise InputError(f"{where}: channel {raw.get('channel')!r} is unknown; use ARKit's names or those of our keys")
    if not raw.get("target"):
        raise InputError(f"{where}: target, the name of a shape key or bone, is missing")
    values: dict[str, Any] = {k: float(v) if kinds[k] == "float" else v for k, v in raw.items()}
    row = Row(**values)
    if row.kind == BONE and not row.component:
        raise InputError(f"{where}: a bone needs a component, {ROTATIONS[0]} to {LOCATIONS[-1]}")
    if row.low > row.high:
        raise InputError(f"{where}: low {row.low:g} is above high {row.high:g}")
    return row


_SAID = {"float": "number", "bool": "true or false", "str": "text"}

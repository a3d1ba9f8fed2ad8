"""From what was seen to any character: signals, channels, and the table that sends channels to shape keys and bones.

    signal    a number of the performance: one of the 29 open keys, gaze (radians), head pose (radians)
    channel   what a character has a shape for: ``eyeBlinkLeft``, ``mouthSmile``, ``aa``; a sum of parts of signals.
              Signed signals are split here: ``lid_L`` above zero is eyeBlinkLeft, below it is eyeWideLeft
    row       channel -> shape key or bone, with gain, offset, inversion and range

numpy only. ``face_names.py`` fills rows by the names that a character's shapes have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..face.semantics import ARKIT_SOURCES, OPEN_BASIS, OPEN_KEYS, SIGNED_KEYS
from ..files import write_whole
from ..performance.face_performance import FacePerformance
from ..rotations import euler_degrees
from .row import BONE, CHARACTER, LOCATIONS, OWN, ROTATIONS, SHAPE_KEY, Row

ANGLES = ("gazeYaw", "gazePitch", "headYaw", "headPitch", "headRoll")  # radians; signs as in FacePerformance
SIGNALS: tuple[str, ...] = OPEN_KEYS + ANGLES

# ARKit's 52 in the order of Apple's list, which is that of the Live Link Face app but for the sides of jaw and mouth.
ARKIT: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
UNSEEN: tuple[str, ...] = ("jawForward", "mouthClose", "mouthShrugUpper", "tongueOut")  # of them, by our network

LOOK = math.radians(30.0)  # the gaze at which an eyeLook shape is one, as in ICT-FaceKit and in FaceModel.gaze_lids


@dataclass(frozen=True)
class Term:
    """``weight`` times a signal: as it is (``part`` 0), its positive part (+1), or minus its negative part (-1)."""

    signal: str
    weight: float = 1.0
    part: int = 0


def _channels() -> dict[str, tuple[Term, ...]]:
    channels: dict[str, tuple[Term, ...]] = {name: (Term(name),) for name in ANGLES}
    for name in ARKIT:
        if name in ARKIT_SOURCES:
            key, factor = ARKIT_SOURCES[name]
            channels[name] = (Term(key, abs(factor), 1 if factor > 0 else -1),)
    for name, signal, part in (
        ("eyeLookUpLeft", "gazePitch", 1), ("eyeLookDownLeft", "gazePitch", -1),
        ("eyeLookUpRight", "gazePitch", 1), ("eyeLookDownRight", "gazePitch", -1),
        ("eyeLookOutLeft", "gazeYaw", 1), ("eyeLookInLeft", "gazeYaw", -1),
        ("eyeLookInRight", "gazeYaw", 1), ("eyeLookOutRight", "gazeYaw", -1),
    ):  # fmt: skip
        channels[name] = (Term(signal, 1 / LOOK, part),)
    for name in UNSEEN:
        channels[name] = ()
    channels = {name: channels[name] for name in (*ARKIT, *ANGLES)}
    for name in ARKIT:  # both sides in one shape: their mean
        other = name.removesuffix("Left") + "Right"
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            both: dict[tuple[str, int], float] = {}
            for term in channels[name] + channels[other]:
                weight = both.get((term.signal, term.part), 0.0) + term.weight / 2
                both[term.signal, term.part] = weight
            channels[name.removesuffix("Left")] = tuple(Term(s, w, p) for (s, p), w in both.items())
    for name in OPEN_KEYS:  # signed ones as they are
        channels.setdefault(name, (Term(name),))
    channels["lookUp"], channels["lookDown"] = channels["eyeLookUpLeft"], channels["eyeLookDownLeft"]
    channels["lookLeft"], channels["lookRight"] = channels["eyeLookOutLeft"], channels["eyeLookOutRight"]
    # VRM's vowels and moods out of our keys: rounded lips are o and u and take from the open jaw of an a; spread
    # ones are e and i. They are a summary: a character with ARKit's shapes does better by those.
    channels["aa"] = (Term("jawOpen", 1.3), Term("mouthFunnel", -0.7), Term("mouthPucker", -0.7))
    channels["oh"] = (Term("mouthFunnel"),)
    channels["ou"] = (Term("mouthPucker"),)
    channels["ih"] = (Term("mouthStretch", 0.5), Term("mouthLowerDown", 0.5))
    channels["ee"] = (Term("mouthStretch", 0.5), Term("mouthUpperUp", 0.5))
    channels["happy"] = channels["mouthSmile"]
    channels["angry"] = channels["browDown"]
    channels["sad"] = (
        Term("mouthFrown_L", 0.35), Term("mouthFrown_R", 0.35), Term("browInnerUp", 0.3),
    )  # fmt: skip
    channels["surprised"] = (
        Term("browInnerUp", 0.4), Term("browOuterUp_L", 0.3), Term("browOuterUp_R", 0.3),
    )  # fmt: skip
    return channels


CHANNELS: Mapping[str, tuple[Term, ...]] = _channels()


def is_signed(channel: str) -> bool:
    """Whether the channel has negative values at all."""
    return any(t.part == 0 and (t.signal in ANGLES or t.signal in SIGNED_KEYS or t.signal.startswith("lid_"))
               for t in CHANNELS[channel])  # fmt: skip


def signals(performance: FacePerformance) -> np.ndarray:
    """(F, len(SIGNALS)): the open keys, gaze and head pose of a performance; NaN where no face was seen.

    Head angles as ``euler_degrees`` but in radians and without jumps of a whole turn. Raises InputError for another
    basis than the open one.
    """
    p = performance
    if p.basis != OPEN_BASIS or p.expression_keys != OPEN_KEYS:
        raise InputError(
            f"this performance has the expression basis '{p.basis}', whose keys have no names: "
            f"retargeting needs the open keys: watch the clip with the open network (--estimator open)"
        )
    head = np.radians(euler_degrees(p.rotation))
    seen = p.seen
    head[seen] = np.unwrap(head[seen], axis=0)
    return np.concatenate([p.eta, p.gaze, head], axis=1)


def channel_values(values: np.ndarray, channel: str) -> np.ndarray:
    """(F,) of one channel from signals (F, len(SIGNALS))."""
    total = np.zeros(len(values)) + 0.0 * values[:, 0]  # NaN stays where no face was seen
    for term in CHANNELS[channel]:
        signal = values[:, SIGNALS.index(term.signal)]
        if term.part:
            signal = np.maximum(term.part * signal, 0.0)
        total = total + term.weight * signal
    return total


# --- the table ------------------------------------------------------------------------------------------------------


def row_values(row: Row, values: np.ndarray) -> np.ndarray:
    """(F,) what the row's target gets from signals (F, len(SIGNALS)); NaN where no face was seen."""
    channel = channel_values(values, row.channel)
    if row.invert:
        channel = -channel if is_signed(row.channel) else 1.0 - channel
    return np.clip(row.offset + row.gain * channel, row.low, row.high)


def expression(row: Row, names: Mapping[str, str]) -> str:
    """``row_values`` as an expression of variables, ``names`` by signal, in what Blender evaluates without Python.

    Only numbers, + * and min and max: a driver of these runs with scripts switched off.
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
MAX_PRESET_BYTES = 2**22
MAX_ROWS = 5000


def save_preset(rows: Sequence[Row], path: str | Path) -> None:
    """Write a table as JSON; the file appears whole or not at all."""
    lines = ",\n".join("  " + json.dumps(_plain(row)) for row in rows)
    write_whole(path, f'{{"format": "{PRESET_FORMAT}", "rows": [\n{lines}\n]}}\n'.encode())


def _plain(row: Row) -> dict[str, Any]:
    """What differs from a plain row."""
    kept = {f.name: f.default for f in fields(Row)}
    return {k: v for k, v in asdict(row).items() if v != kept[k]}


def load_preset(path: str | Path) -> tuple[Row, ...]:
    """The rows of a preset file. Raises InputError when it is missing, broken, or names what there is not."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_PRESET_BYTES:
            raise InputError(f"{path}: too large for a retarget preset")
        document = json.loads(path.read_bytes().decode())
    except OSError as error:
        raise InputError(f"{path}: cannot read the preset: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not a retarget preset, or broken JSON") from None
    if not isinstance(document, dict) or document.get("format") != PRESET_FORMAT:
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
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not (number if kind == "float" else isinstance(value, bool if kind == "bool" else str)):
            raise InputError(f"{where}: {name} is {value!r}, which is no {_SAID[kind]}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise InputError(f"{where}: {name} is {value!r}; it may be {', '.join(filter(None, _CHOICES[name]))}")
    if raw.get("channel") not in CHANNELS:
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

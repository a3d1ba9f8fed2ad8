"""Signals and channels: the numbers of a performance, and the inputs of a character's shapes.

    signal    a number of the performance: one of the 29 open keys, gaze (radians), head pose (radians)
    channel   the input of a character's shape: ``eyeBlinkLeft``, ``mouthSmile``, ``aa``. A sum of parts of signals.
              Signed signals are split here: ``lid_L`` above zero is eyeBlinkLeft, below it is eyeWideLeft

numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from ..face.semantics import ARKIT_SOURCES, OPEN_BASIS, OPEN_KEYS, SIGNED_KEYS
from ..rotations import euler_degrees
from .face_performance import FacePerformance

ANGLES = ("gazeYaw", "gazePitch", "headYaw", "headPitch", "headRoll")  # radians; signs as in FacePerformance
SIGNALS: tuple[str, ...] = OPEN_KEYS + ANGLES

# ARKit's 52 in the order of Apple's list. The Live Link Face app has the same order except for the sides of jaw and
# mouth.
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
UNSEEN: tuple[str, ...] = (
    "jawForward",
    "mouthClose",
    "mouthShrugUpper",
    "tongueOut",
)  # those that the open network does not estimate

LOOK = math.radians(30.0)  # the gaze angle at eyeLook = 1, as in ICT-FaceKit and in FaceModel.gaze_lids


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
    # VRM's vowels and emotions from the open keys. Rounded lips give o and u, and reduce a. Spread lips give e and i.
    # They are a coarse summary. A character that also has ARKit's shapes is driven by those.
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
    """Whether the channel can have negative values."""
    return any(t.part == 0 and (t.signal in ANGLES or t.signal in SIGNED_KEYS or t.signal.startswith("lid_"))
               for t in CHANNELS[channel])  # fmt: skip


def signals(performance: FacePerformance) -> FloatArray:
    """Return the open keys, gaze and head pose of a performance, (F, len(SIGNALS)); NaN where no face was detected.

    Head angles are those of ``euler_degrees``, in radians and unwrapped. Raises InputError if the performance is not
    in the open basis.
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


def channel_values(values: FloatArray, channel: str) -> FloatArray:
    """Compute one channel (F,) from signals (F, len(SIGNALS))."""
    total = np.zeros(len(values)) + 0.0 * values[:, 0]  # NaN stays where no face was detected
    for term in CHANNELS[channel]:
        signal = values[:, SIGNALS.index(term.signal)]
        if term.part:
            signal = np.maximum(term.part * signal, 0.0)
        total = total + term.weight * signal
    return total

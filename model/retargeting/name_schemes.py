"""Which channel is meant by the name of a character's shape key or bone.

A scheme is a list of names that belong together: ARKit's, VRM's, MPFB's old face units, MetaHuman's curves, our own.
A character's names are compared without case, separators, prefix and the way its sides are written (``_L``, ``Left``,
``.l``, ``left_``); the scheme that explains most of them wins, and only its names count, so that a VRM avatar that
has ARKit's shapes too is not moved twice. Faceit makes ARKit's names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..face.semantics import OPEN_KEYS
from ..performance.channels import ARKIT, CHANNELS
from .row import BONE, Row

Key = tuple[str, str]  # a name's letters in lower case, and its side: L, R or none


@dataclass(frozen=True)
class Match:
    """``target`` is driven by ``channel`` times ``gain``; ``score`` 0..1 says how alike the names are."""

    target: str
    channel: str
    gain: float
    score: float


# --- schemes: a name -> the channel it means, and how much of it -----------------------------------------------------


def _pairs(name: str, channel: str, gain: float = 1.0) -> dict[str, tuple[str, float]]:
    """``*`` stands for L and R in the name, and for Left and Right in the channel."""
    return {
        name.replace("*", short): (channel.replace("*", long), gain) for short, long in (("L", "Left"), ("R", "Right"))
    }


def _arkit() -> dict[str, tuple[str, float]]:
    scheme = {name: (name, 1.0) for name in ARKIT}
    for name in ARKIT:
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            scheme[name.removesuffix("Left")] = (name.removesuffix("Left"), 1.0)
    for name in ("browInnerUp", "cheekPuff"):  # ICT-FaceKit and others split them
        scheme |= _pairs(f"{name}_*", name)
    return scheme


def _vrm() -> dict[str, tuple[str, float]]:
    """Expressions of VRM 0 and 1, and VRoid's shapes behind them."""
    names = {
        "aa": ("aa", "a", "v_aa", "viseme_aa", "mouth_a", "Fcl_MTH_A"),
        "ih": ("ih", "i", "v_ih", "viseme_ih", "mouth_i", "Fcl_MTH_I"),
        "ou": ("ou", "u", "v_ou", "viseme_ou", "mouth_u", "Fcl_MTH_U"),
        "ee": ("ee", "e", "v_e", "viseme_e", "mouth_e", "Fcl_MTH_E"),
        "oh": ("oh", "o", "v_oh", "viseme_oh", "mouth_o", "Fcl_MTH_O"),
        "eyeBlink": ("blink", "Fcl_EYE_Close"),
        "eyeBlinkLeft": ("blinkLeft", "Fcl_EYE_Close_L"),
        "eyeBlinkRight": ("blinkRight", "Fcl_EYE_Close_R"),
        "eyeWide": ("Fcl_EYE_Spread",),
        "happy": ("happy", "joy", "Fcl_MTH_Joy"),
        "angry": ("angry", "Fcl_BRW_Angry"),
        "sad": ("sad", "sorrow", "Fcl_MTH_Sorrow"),
        "surprised": ("surprised", "Fcl_BRW_Surprised"),
        "lookUp": ("lookUp",),
        "lookDown": ("lookDown",),
        "lookLeft": ("lookLeft",),
        "lookRight": ("lookRight",),
    }
    return {name: (channel, 1.0) for channel, group in names.items() for name in group}


def _mpfb() -> dict[str, tuple[str, float]]:
    """MakeHuman's and MPFB's old face units, as far as ours move the same."""
    scheme = {
        "mouth-open": ("jawOpen", 1.0),
        "mouth-corner-puller": ("mouthSmile", 1.0),
        "mouth-depression": ("mouthFrown", 1.0),
        "mouth-retraction": ("mouthStretch", 1.0),
        "mouth-pursing": ("mouthPucker", 1.0),
        "mouth-protusion": ("mouthFunnel", 0.5),
        "mouth-eversion": ("mouthFunnel", 0.5),
        "mouth-compression": ("mouthPress", 1.0),
        "mouth-elevation": ("mouthShrugLower", 1.0),
        "mouth-upward-retraction": ("mouthUpperUp", 1.0),
        "lower-lip-depression": ("mouthLowerDown", 1.0),
        "neck-platysma": ("mouthStretch", 0.5),
    }
    for side, long in (("left", "Left"), ("right", "Right")):
        scheme |= {
            f"eye-{side}-closure": (f"eyeBlink{long}", 1.0),
            f"eye-{side}-opened-up": (f"eyeWide{long}", 1.0),
            f"eye-{side}-slit": (f"eyeSquint{long}", 1.0),
            f"eyebrows-{side}-down": (f"browDown{long}", 1.0),
            f"eyebrows-{side}-inner-up": ("browInnerUp", 1.0),
            f"eyebrows-{side}-extern-up": (f"browOuterUp{long}", 1.0),
            f"nose-{side}-elevation": (f"noseSneer{long}", 1.0),
        }
    return scheme


def _metahuman() -> dict[str, tuple[str, float]]:
    scheme: dict[str, tuple[str, float]] = {
        "jawOpen": ("jawOpen", 1.0),
        "jawLeft": ("jawLeft", 1.0),
        "jawRight": ("jawRight", 1.0),
        "jawFwd": ("jawForward", 1.0),
        "mouthLeft": ("mouthLeft", 1.0),
        "mouthRight": ("mouthRight", 1.0),
        "tongueOut": ("tongueOut", 1.0),
    }
    for name, channel in (
        ("browDown*", "browDown*"), ("browRaiseIn*", "browInnerUp"), ("browRaiseOuter*", "browOuterUp*"),
        ("eyeBlink*", "eyeBlink*"), ("eyeWiden*", "eyeWide*"), ("eyeSquintInner*", "eyeSquint*"),
        ("eyeCheekRaise*", "cheekSquint*"), ("eyeLookUp*", "eyeLookUp*"), ("eyeLookDown*", "eyeLookDown*"),
        ("noseWrinkle*", "noseSneer*"), ("mouthCheekBlow*", "cheekPuff"), ("mouthUpperLipRaise*", "mouthUpperUp*"),
        ("mouthLowerLipDepress*", "mouthLowerDown*"), ("mouthCornerPull*", "mouthSmile*"),
        ("mouthStretch*", "mouthStretch*"), ("mouthDimple*", "mouthDimple*"),
        ("mouthCornerDepress*", "mouthFrown*"), ("mouthUpperLipRollIn*", "mouthRollUpper"),
        ("mouthLowerLipRollIn*", "mouthRollLower"), ("mouthLipsPress*", "mouthPress*"),
        ("jawChinRaiseD*", "mouthShrugLower"), ("jawChinRaiseU*", "mouthShrugUpper"),
        ("mouthLipsPurseU*", "mouthPucker"), ("mouthLipsPurseD*", "mouthPucker"),
        ("mouthFunnelU*", "mouthFunnel"), ("mouthFunnelD*", "mouthFunnel"),
        ("mouthLipsTogetherU*", "mouthClose"), ("mouthLipsTogetherD*", "mouthClose"),
    ):  # fmt: skip
        scheme |= _pairs(name, channel)
    for eye, outwards, inwards in (("L", "Left", "Right"), ("R", "Right", "Left")):
        long = {"L": "Left", "R": "Right"}[eye]
        scheme[f"eyeLook{outwards}{eye}"] = (f"eyeLookOut{long}", 1.0)
        scheme[f"eyeLook{inwards}{eye}"] = (f"eyeLookIn{long}", 1.0)
    return scheme


# In this order where two explain a character equally well.
SCHEMES: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "ARKIT": _arkit(),
    "EXPNET": {name: (name, 1.0) for name in OPEN_KEYS}
    | {"gazeUp": ("lookUp", 1.0), "gazeDown": ("lookDown", 1.0), "gazeLeft": ("lookLeft", 1.0)}
    | {"gazeRight": ("lookRight", 1.0)},
    "METAHUMAN": _metahuman(),
    "MPFB": _mpfb(),
    "VRM": _vrm(),
}
AUTO = "AUTO"

_SIDES = {"l": "L", "left": "L", "r": "R", "right": "R"}


def tokens(name: str) -> list[str]:
    """The words of a name in lower case; a number at its end, as Blender gives to copies, is none."""
    words = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return words


def _key(words: Sequence[str]) -> Key:
    """The side is the last word, or the first, or one in between."""
    places = [len(words) - 1, 0, *range(1, len(words) - 1)]
    for place in places:
        if len(words) > 1 and words[place] in _SIDES:
            return "".join([*words[:place], *words[place + 1 :]]), _SIDES[words[place]]
    return "".join(words), ""


def _keys(words: Sequence[str]) -> list[Key]:
    """What a name may mean, the likeliest first: names in one case hide their side in the last letters."""
    stem, side = _key(words)
    keys = [(stem, side)]
    if not side:
        keys += [(stem.removesuffix(end), s) for end, s in (("left", "L"), ("right", "R")) if stem.endswith(end)]
        keys += [(stem[:-1], s) for end, s in (("l", "L"), ("r", "R")) if stem.endswith(end) and len(stem) > 5]
    return keys


def _book(scheme: Mapping[str, tuple[str, float]]) -> dict[Key, str]:
    return {key: name for name in reversed(list(scheme)) for key in reversed(_keys(tokens(name))[:1])}


_BOOKS = {name: _book(scheme) for name, scheme in SCHEMES.items()}


def match(names: Iterable[str], scheme: str = AUTO) -> tuple[str, list[Match]]:
    """The scheme that ``names`` follow (or the given one) and what each name means in it, in the names' order.

    A name that means nothing in the scheme is left out; of several that mean the same, the likest is kept. The same
    names in the same order always give the same answer.
    """
    names = list(dict.fromkeys(names))
    if scheme != AUTO and scheme not in SCHEMES:
        raise InputError(f"there is no scheme of names '{scheme}'; there are {', '.join(SCHEMES)}")
    answers = {s: _match_one(names, s) for s in (SCHEMES if scheme == AUTO else [scheme])}
    best = max(answers, key=lambda s: sum(m.score for m in answers[s]))
    return best, answers[best]


def _match_one(names: Sequence[str], scheme: str) -> list[Match]:
    best: dict[str, Match] = {}
    for name in names:
        found = _find(name, scheme)
        if found is not None:
            entry, score = found
            channel, gain = SCHEMES[scheme][entry]
            if entry not in best or score > best[entry].score:
                best[entry] = Match(name, channel, gain, score)
    if scheme == "VRM":  # its vowels and moods go by several names, and one avatar may have them all
        for entry in sorted(best, key=lambda e: best[e].score):
            if sum(m.channel == best[entry].channel for m in best.values()) > 1:
                del best[entry]
    order = {name: i for i, name in enumerate(names)}
    return sorted(best.values(), key=lambda m: order[m.target])


def _find(name: str, scheme: str) -> tuple[str, float] | None:
    """The scheme's entry for a name, and how alike they are."""
    if name in SCHEMES[scheme]:
        return name, 1.0
    words = tokens(name)
    for dropped in range(len(words)):  # words of a prefix
        for doubt, key in enumerate(_keys(words[dropped:])):
            entry = _BOOKS[scheme].get(key)
            if entry is not None and (dropped == 0 or len(key[0]) > 2):
                return entry, round(0.95 - 0.08 * dropped - 0.1 * min(doubt, 1), 2)
    return None


# --- bones ----------------------------------------------------------------------------------------------------------

# Names of the bone that turns, by rig: Rigify, Auto-Rig Pro, VRM/VRoid, Mixamo, Character Creator, plain names.
_JAWS = ("jaw_master", "c_jawbone.x", "J_Adj_C_Jaw", "CC_Base_JawRoot", "FACIAL_C_Jaw", "jawbone", "jaw")
_HEADS = ("head", "c_head.x", "J_Bip_C_Head", "mixamorig:Head", "CC_Base_Head")
_GAZE_TARGETS = ("eyes", "eye_common", "c_eye_target.x")  # a bone that both eyes look at
_EYES = ("c_eye", "J_Adj_FaceEye", "CC_Base_Eye", "FACIAL_Eye", "eyeball", "eye")

JAW_OPEN = math.radians(20.0)  # of an open jaw
JAW_SIDE = math.radians(8.0)
ANY = math.pi  # radians: no limit


def match_bones(names: Sequence[str], gaze_distance: float = 1.0, jaw: bool = True) -> list[Row]:
    """Rows for the bones of a face that are known by their names: jaw, eyes, head.

    gaze_distance  metres from the eyes to the bone that they look at, where there is one
    jaw            False where shape keys open the jaw: its rows come switched off
    """
    rows: list[Row] = []

    def turn(bone: str, channel: str, axis: str, gain: float, low: float = -ANY, high: float = ANY, on=True) -> None:
        rows.append(Row(channel, bone, BONE, f"ROTATION_{axis}", gain=gain, low=low, high=high, enabled=on))

    found = _first(names, _JAWS)
    if found:  # a turn about x, to the character's left, brings the chin down
        turn(found, "jawOpen", "X", JAW_OPEN, 0.0, JAW_OPEN, jaw)
        turn(found, "jawSide", "Z", JAW_SIDE, -JAW_SIDE, JAW_SIDE, jaw)
    target = _first(names, _GAZE_TARGETS)
    if target:
        reach = round(gaze_distance, 4)
        for channel, axis in (("gazeYaw", "X"), ("gazePitch", "Z")):
            rows.append(Row(channel, target, BONE, f"LOCATION_{axis}", gain=reach, low=-2 * reach, high=2 * reach))
    else:
        for side in "LR":
            eye = _first(names, _EYES, side)
            if eye:
                turn(eye, "gazePitch", "X", -1.0)
                turn(eye, "gazeYaw", "Z", 1.0)
    head = _first(names, _HEADS)
    if head:
        turn(head, "headYaw", "Z", 1.0)
        turn(head, "headPitch", "X", -1.0)
        turn(head, "headRoll", "Y", 1.0)
    assert all(row.channel in CHANNELS for row in rows)
    return rows


def _first(names: Sequence[str], wanted: Sequence[str], side: str = "") -> str | None:
    """The first of ``wanted`` that is among ``names``, compared as shape keys are."""
    keys: dict[Key, str] = {}
    for name in names:
        if tokens(name):
            keys.setdefault(_key(tokens(name)), name)
    for name in wanted:
        found = keys.get((_key(tokens(name))[0], side))
        if found:
            return found
    return None

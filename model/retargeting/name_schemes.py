"""Matching of the names of a character's shape keys and bones to channels.

Case, separators, prefixes and the notation of sides (``_L``, ``Left``, ``.l``, ``left_``) are ignored. The scheme that
matches most of a character's names is used, and only its names count. So a VRM avatar that also has ARKit's shapes is
not driven twice. ``schemes.py`` lists the names.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..performance.channels import CHANNELS
from .row import BONE, Row
from .schemes import FALLBACKS, SCHEMES

Key = tuple[str, str]  # the letters of a name in lower case, and its side: L, R or ""
AUTO = "AUTO"


@dataclass(frozen=True)
class Match:
    """``target`` is driven by ``channel`` times ``gain``; ``score`` 0..1 is the similarity of the names.

    spare  True if other matches already move everything that the target moves, so that driving it would double it
    """

    target: str
    channel: str
    gain: float
    score: float
    spare: bool = False


_SIDES = {"l": "L", "left": "L", "左": "L", "r": "R", "right": "R", "右": "R"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[左右]|[^\W\d_A-Za-z左右]+")
_COPY = re.compile(r"\.\d{3,}$")  # Blender's number of a copy
_DAZ_CORRECTION = re.compile(r"_div\d+$")  # Daz Studio's facs_bs_MouthSmileLeft_div2


def tokens(name: str) -> list[str]:
    """Split a name into words in lower case, without a number at its end."""
    words = [w.lower() for w in _WORD.findall(_DAZ_CORRECTION.sub("", name))]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return words


def _key(words: Sequence[str]) -> Key:
    """Take the side from the last word, the first, or one in between."""
    places = [len(words) - 1, 0, *range(1, len(words) - 1)]
    for place in places:
        if len(words) > 1 and words[place] in _SIDES:
            return "".join([*words[:place], *words[place + 1 :]]), _SIDES[words[place]]
    return "".join(words), ""


def _keys(words: Sequence[str]) -> list[Key]:
    """Return the possible keys of a name, the most likely first. A name in one case may end in its side."""
    stem, side = _key(words)
    keys = [(stem, side)]
    if not side:
        keys += [(stem.removesuffix(end), s) for end, s in (("left", "L"), ("right", "R")) if stem.endswith(end)]
        keys += [(stem[:-1], s) for end, s in (("l", "L"), ("r", "R")) if stem.endswith(end) and len(stem) > 5]
    return keys


def side_key(name: str) -> Key:
    """Return the letters of a name without its side, and the side: L, R or ""."""
    return _key(tokens(name))


def _same_width(name: str) -> str:
    """Normalise the width of a Japanese name, and remove Blender's number of a copy."""
    return unicodedata.normalize("NFKC", _COPY.sub("", name)).strip()


def _book(scheme: Mapping[str, tuple[str, float]]) -> dict[Key, str]:
    latin = [name for name in scheme if name.isascii()]
    return {key: name for name in reversed(latin) for key in reversed(_keys(tokens(name))[:1])}


_BOOKS = {name: _book(scheme) for name, scheme in SCHEMES.items()}


def match(names: Iterable[str], scheme: str = AUTO) -> tuple[str, list[Match]]:
    """Return the scheme of ``names`` (or the given one) and their matches in it, in the order of the names.

    A name that is not in the scheme is left out. Of several names for the same entry, the most similar is kept. The
    result is deterministic. Raises InputError for an unknown scheme.
    """
    names = list(dict.fromkeys(names))
    if scheme != AUTO and scheme not in SCHEMES:
        raise InputError(f"there is no scheme of names '{scheme}'; there are {', '.join(SCHEMES)}")
    answers = {s: _match_one(names, s) for s in (SCHEMES if scheme == AUTO else [scheme])}
    best = max(answers, key=lambda s: _worth(answers[s]))
    return best, answers[best]


def match_meshes(meshes: Sequence[Sequence[str]], scheme: str = AUTO) -> tuple[str, list[list[Match]]]:
    """Match each mesh of one character separately; ``meshes`` are the names of their shape keys.

    Each mesh has its own prefix, such as Maya's ``blendShape2.``. The returned scheme matches most names of the whole
    character. A mesh uses another scheme only if that scheme matches more of its names.
    """
    if scheme == AUTO:
        totals = {s: sum(_worth(_match_one(names, s)) for names in meshes) for s in SCHEMES}
        scheme = max(totals, key=lambda s: totals[s])
        own = [match(names) for names in meshes]
    else:
        own = [match(names, scheme) for names in meshes]
    matched = []
    for names, (_, mine) in zip(meshes, own):
        common = match(names, scheme)[1]
        matched.append(mine if _worth(mine) > _worth(common) + 0.5 else common)
    return scheme, matched


def _worth(matches: Iterable[Match]) -> float:
    return sum(m.score for m in matches)


def _match_one(names: Sequence[str], scheme: str) -> list[Match]:
    best: dict[str, Match] = {}  # by the scheme's entry
    for name in names:
        found = _find(name, scheme)
        if found is not None:
            entry, score = found
            channel, gain = SCHEMES[scheme][entry]
            if entry not in best or score > best[entry].score:
                best[entry] = Match(name, channel, gain, score)
    if scheme == "VRM":  # its vowels and emotions have several names, and one avatar may have all of them
        for entry in sorted(best, key=lambda e: best[e].score):
            if sum(m.channel == best[entry].channel for m in best.values()) > 1:
                del best[entry]
    for entry in _spare(best, scheme):
        best[entry] = replace(best[entry], spare=True)
    order = {name: i for i, name in enumerate(names)}
    return sorted(best.values(), key=lambda m: order[m.target])


def _spare(best: Mapping[str, Match], scheme: str) -> set[str]:
    """Return the entries that duplicate the motion of other matched entries.

    They are a shape for both sides where both single sides match, and the scheme's fallbacks.
    """
    fallbacks = FALLBACKS.get(scheme, frozenset())
    moved = {m.channel for entry, m in best.items() if entry not in fallbacks}
    spare = {entry for entry, m in best.items() if entry in fallbacks and m.channel in moved}
    sides: dict[str, set[str]] = {}
    for entry, m in best.items():
        stem, side = _sided(m, entry)
        if side and entry not in spare:
            sides.setdefault(stem, set()).add(side)
    for entry, m in best.items():
        stem, side = _sided(m, entry)
        if not side and len(sides.get(stem, ())) == 2:
            spare.add(entry)
    return spare


def _sided(m: Match, entry: str) -> Key:
    """Return the shape and the side of a match, by its channel or by its name."""
    for end, side in (("Left", "L"), ("Right", "R")):
        stem = m.channel.removesuffix(end)
        if stem != m.channel and stem in CHANNELS:
            return stem, side
    if m.channel in ("mouthLeft", "mouthRight", "jawLeft", "jawRight", "lookLeft", "lookRight"):
        return m.channel, ""
    return m.channel, side_key(entry)[1] if entry.isascii() else ""


def _find(name: str, scheme: str) -> tuple[str, float] | None:
    """Return the scheme's entry for a name, and their similarity."""
    if name in SCHEMES[scheme]:
        return name, 1.0
    if not name.isascii():
        entry = _same_width(name)
        if entry in SCHEMES[scheme]:
            return entry, 1.0
    words = tokens(name)
    for dropped in range(len(words)):  # number of prefix words
        for doubt, key in enumerate(_keys(words[dropped:])):
            found = _BOOKS[scheme].get(key)
            if found is not None and (dropped == 0 or len(key[0]) > 2):
                return found, round(0.95 - 0.08 * dropped - 0.1 * min(doubt, 1), 2)
    return None


# --- bones ----------------------------------------------------------------------------------------------------------

# Names of the rotating bone, by rig: Rigify, Auto-Rig Pro, VRM/VRoid, Mixamo, Character Creator, Daz Studio, Unreal
# Engine, 3ds Max's Biped, MikuMikuDance, plain names. A namespace (``mixamorig:``) is ignored.
_JAWS = ("jaw_master", "c_jawbone.x", "J_Adj_C_Jaw", "CC_Base_JawRoot", "FACIAL_C_Jaw", "jawbone", "lowerJaw",
         "Bip01 MJaw", "Bip001 MJaw",
         "jaw", "あご", "顎")  # fmt: skip
_HEADS = ("head", "c_head.x", "J_Bip_C_Head", "CC_Base_Head", "Bip01 Head", "Bip001 Head", "頭")
_GAZE_TARGETS = ("eyes", "eye_common", "c_eye_target.x")  # a target bone of both eyes
_EYES = ("c_eye", "J_Adj_FaceEye", "CC_Base_Eye", "FACIAL_Eye", "eyeball", "eye", "Bip01 Eye", "目")

JAW_OPEN = math.radians(20.0)  # rotation of an open jaw
JAW_SIDE = math.radians(8.0)
ANY = math.pi  # radians: no limit


def match_bones(names: Sequence[str], gaze_distance: float = 1.0, jaw: bool = True, gaze: bool = True) -> list[Row]:
    """Return rows for the bones of a face that match by name: jaw, eyes, head.

    gaze_distance  metres from the eyes to their target bone, if there is one
    jaw            False if shape keys open the jaw: its rows are disabled
    gaze           False if shape keys turn the eyes: the eyes' rows are disabled
    """
    rows: list[Row] = []

    def turn(
        bone: str, channel: str, axis: str, gain: float, low: float = -ANY, high: float = ANY, on: bool = True
    ) -> None:
        rows.append(Row(channel, bone, BONE, f"ROTATION_{axis}", gain=gain, low=low, high=high, enabled=on))

    found = _first(names, _JAWS)
    if found:  # a turn about x, to the character's left, brings the chin down
        turn(found, "jawOpen", "X", JAW_OPEN, 0.0, JAW_OPEN, jaw)
        turn(found, "jawSide", "Z", JAW_SIDE, -JAW_SIDE, JAW_SIDE, jaw)
    target = _first(names, _GAZE_TARGETS)
    if target:
        reach = round(gaze_distance, 4)
        for channel, axis in (("gazeYaw", "X"), ("gazePitch", "Z")):
            component, far = f"LOCATION_{axis}", 2 * reach
            rows.append(Row(channel, target, BONE, component, gain=reach, low=-far, high=far, enabled=gaze))
    else:
        for side in "LR":
            eye = _first(names, _EYES, side)
            if eye:
                turn(eye, "gazePitch", "X", -1.0, on=gaze)
                turn(eye, "gazeYaw", "Z", 1.0, on=gaze)
    head = head_bone(names)
    if head:
        turn(head, "headYaw", "Z", 1.0)
        turn(head, "headPitch", "X", -1.0)
        turn(head, "headRoll", "Y", 1.0)
    assert all(row.channel in CHANNELS for row in rows)
    return rows


def head_bone(names: Sequence[str]) -> str | None:
    """Return the name of the bone that rotates the head, or None."""
    return _first(names, _HEADS)


def _first(names: Sequence[str], wanted: Sequence[str], side: str = "") -> str | None:
    """Return the first of ``wanted`` that is among ``names``, compared as shape keys are."""
    keys: dict[Key, str] = {}
    for name in names:
        words = tokens(name.rpartition(":")[2])
        if words:
            keys.setdefault(_key(words), name)
    for name in wanted:
        found = keys.get((_key(tokens(name))[0], side))
        if found:
            return found
    return None

"""Naming schemes: the shape-key names of families of characters, and the channel of each name.

The names are those that the vendors publish. A scheme maps a name to ``(channel, gain)``. Faceit and MPFB's
``faceunits01`` use ARKit's names, so they need no scheme of their own.

``FALLBACKS`` lists the names of a scheme whose one shape combines several other shapes of the scheme. They are used
only if the character lacks the others, such as iClone's ``Mouth_Smile`` next to ``Mouth_Smile_L``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..face.semantics import OPEN_KEYS
from ..performance.channels import ARKIT

Scheme = Mapping[str, tuple[str, float]]


def _pairs(name: str, channel: str, gain: float = 1.0) -> dict[str, tuple[str, float]]:
    """Return both sides of a name: ``*`` stands for L and R, ``#`` for Left and Right.

    In the channel ``*`` stands for Left and Right.
    """
    return {
        name.replace("*", short).replace("#", long): (channel.replace("*", long), gain)
        for short, long in (("L", "Left"), ("R", "Right"))
    }


def _scheme(names: Iterable[tuple[str, str]]) -> dict[str, tuple[str, float]]:
    """Return a scheme from (name, channel), a name with ``*`` or ``#`` standing for its two sides."""
    scheme: dict[str, tuple[str, float]] = {}
    for name, channel in names:
        scheme |= _pairs(name, channel)
    return scheme


def _arkit() -> dict[str, tuple[str, float]]:
    scheme = {name: (name, 1.0) for name in ARKIT}
    for name in ARKIT:
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            scheme[name.removesuffix("Left")] = (name.removesuffix("Left"), 1.0)
    for name in ("browInnerUp", "cheekPuff"):  # ICT-FaceKit and others split them
        scheme |= _pairs(f"{name}_*", name)
    return scheme


def _vrm() -> dict[str, tuple[str, float]]:
    """Return the expressions of VRM 0 and 1, and the VRoid shapes that they use."""
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
    """Return MakeHuman's and MPFB's old face units that have an equivalent channel."""
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
    scheme = _scheme((
        ("jawOpen", "jawOpen"), ("jawLeft", "jawLeft"), ("jawRight", "jawRight"), ("jawFwd", "jawForward"),
        ("mouthLeft", "mouthLeft"), ("mouthRight", "mouthRight"), ("tongueOut", "tongueOut"),
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
    ))  # fmt: skip
    for eye, outwards, inwards in (("L", "Left", "Right"), ("R", "Right", "Left")):
        long = {"L": "Left", "R": "Right"}[eye]
        scheme[f"eyeLook{outwards}{eye}"] = (f"eyeLookOut{long}", 1.0)
        scheme[f"eyeLook{inwards}{eye}"] = (f"eyeLookIn{long}", 1.0)
    return scheme


def _character_creator() -> dict[str, tuple[str, float]]:
    """Return the shapes of Character Creator 3 and 4 and of iClone.

    Their facial profiles are Standard, Traditional and Extended. The profile ExPlus (``A25_Jaw_Open``) has ARKit's
    names.
    """
    scheme = _scheme((
        # Extended, and what Standard shares with it
        ("Brow_Raise_Inner_*", "browInnerUp"), ("Brow_Raise_Outer_*", "browOuterUp*"), ("Brow_Drop_*", "browDown*"),
        ("Eye_Blink_*", "eyeBlink*"), ("Eye_Squint_*", "eyeSquint*"), ("Eye_Wide_*", "eyeWide*"),
        ("Eye_*_Look_Up", "eyeLookUp*"), ("Eye_*_Look_Down", "eyeLookDown*"),
        ("Nose_Sneer_*", "noseSneer*"), ("Cheek_Raise_*", "cheekSquint*"), ("Cheek_Puff_*", "cheekPuff"),
        ("Mouth_Smile_*", "mouthSmile*"), ("Mouth_Frown_*", "mouthFrown*"), ("Mouth_Stretch_*", "mouthStretch*"),
        ("Mouth_Dimple_*", "mouthDimple*"), ("Mouth_Press_*", "mouthPress*"),
        ("Mouth_Pucker_Up_*", "mouthPucker"), ("Mouth_Pucker_Down_*", "mouthPucker"),
        ("Mouth_Funnel_Up_*", "mouthFunnel"), ("Mouth_Funnel_Down_*", "mouthFunnel"),
        ("Mouth_Roll_In_Upper_*", "mouthRollUpper"), ("Mouth_Roll_In_Lower_*", "mouthRollLower"),
        ("Mouth_L", "mouthLeft"), ("Mouth_R", "mouthRight"), ("Mouth_Shrug_Upper", "mouthShrugUpper"),
        ("Mouth_Shrug_Lower", "mouthShrugLower"), ("Mouth_Up_Upper_*", "mouthUpperUp*"),
        ("Mouth_Down_Lower_*", "mouthLowerDown*"), ("Mouth_Close", "mouthClose"), ("Tongue_Out", "tongueOut"),
        ("Jaw_Open", "jawOpen"), ("Jaw_Forward", "jawForward"), ("Jaw_L", "jawLeft"), ("Jaw_R", "jawRight"),
        # Character Creator 3's own
        ("Nose_Flank_Raise_*", "noseSneer*"), ("Cheek_Blow_*", "cheekPuff"), ("Mouth_Pucker_Open", "mouthFunnel"),
        ("Mouth_Snarl_Upper_*", "mouthUpperUp*"), ("Mouth_Snarl_Lower_*", "mouthLowerDown*"),
        ("Mouth_Top_Lip_Under", "mouthRollUpper"), ("Mouth_Bottom_Lip_Under", "mouthRollLower"),
        ("Mouth_Lips_Tight", "mouthPress"), ("Mouth_Widen", "mouthStretch"),
    ))  # fmt: skip
    for eye, outwards, inwards in (("L", "L", "R"), ("R", "R", "L")):
        long = {"L": "Left", "R": "Right"}[eye]
        scheme[f"Eye_{eye}_Look_{outwards}"] = (f"eyeLookOut{long}", 1.0)
        scheme[f"Eye_{eye}_Look_{inwards}"] = (f"eyeLookIn{long}", 1.0)
    return scheme | _scheme(_CHARACTER_CREATOR_FALLBACKS)


_CHARACTER_CREATOR_FALLBACKS = (
    ("Brow_Raise_*", "browOuterUp*"), ("Eye_Blink", "eyeBlink"), ("Eyes_Blink", "eyeBlink"),
    ("Nose_Scrunch", "noseSneer"), ("Mouth_Smile", "mouthSmile"), ("Mouth_Frown", "mouthFrown"),
    ("Mouth_Pucker", "mouthPucker"), ("Mouth_Blow", "cheekPuff"), ("Mouth_Open", "jawOpen"),
    ("Mouth_Top_Lip_Up", "mouthUpperUp"), ("Mouth_Bottom_Lip_Down", "mouthLowerDown"),
)  # fmt: skip


def _facescape() -> dict[str, tuple[str, float]]:
    """Return the 51 blendshapes of FaceScape's bilinear model, and the names of its 20 captured expressions."""
    scheme = _scheme((
        ("Eye Close #", "eyeBlink*"), ("Eye Squint #", "eyeSquint*"), ("Eye LookDown #", "eyeLookDown*"),
        ("Eye LookIn #", "eyeLookIn*"), ("Eye Wide #", "eyeWide*"), ("Eye LookOut #", "eyeLookOut*"),
        ("Eye LookUp #", "eyeLookUp*"), ("Brow Down #", "browDown*"), ("Brow Inner Up", "browInnerUp"),
        ("Brow Outer Up #", "browOuterUp*"), ("Jaw Forward", "jawForward"), ("Jaw Left", "jawLeft"),
        ("Jaw Open", "jawOpen"), ("Jaw Right", "jawRight"), ("Mouth Left", "mouthLeft"),
        ("Mouth Right", "mouthRight"), ("Mouth Frown #", "mouthFrown*"), ("Mouth Smile #", "mouthSmile*"),
        ("Mouth Press #", "mouthPress*"), ("Mouth Dimple(Stretch) #", "mouthDimple*"),
        ("Mouth Roll Upper", "mouthRollUpper"), ("Mouth Roll Lower", "mouthRollLower"),
        ("Mouth Upper Up", "mouthUpperUp"), ("Mouth Lower Down", "mouthLowerDown"),
        ("Mouth Upper Up #", "mouthUpperUp*"), ("Mouth Lower Down #", "mouthLowerDown*"),
        ("Mouth Shrug Upper", "mouthShrugUpper"), ("Mouth Shrug Lower", "mouthShrugLower"),
        ("Mouth Funnel", "mouthFunnel"), ("Mouth Pucker", "mouthPucker"), ("Cheek Puff", "cheekPuff"),
        ("Cheek Squint #", "cheekSquint*"), ("Nose Sneer #", "noseSneer*"), ("Nose Sneer", "noseSneer"),
        ("brow_lower", "browDown"), ("chin_raiser", "mouthShrugLower"),
    ))  # fmt: skip
    return scheme | _scheme(_FACESCAPE_FALLBACKS)


_FACESCAPE_FALLBACKS = (
    ("eye_closed", "eyeBlink"), ("smile", "mouthSmile"), ("dimpler", "mouthDimple"), ("mouth_stretch", "jawOpen"),
    ("lip_puckerer", "mouthPucker"), ("lip_funneler", "mouthFunnel"), ("cheek_blowing", "cheekPuff"),
    ("sadness", "mouthFrown"),
)  # fmt: skip


def _unified() -> dict[str, tuple[str, float]]:
    """Return Unified Expressions, the names of VRCFaceTracking for VRChat's avatars."""
    scheme = _scheme((
        ("EyeLookUp#", "eyeLookUp*"), ("EyeLookDown#", "eyeLookDown*"), ("EyeLookIn#", "eyeLookIn*"),
        ("EyeLookOut#", "eyeLookOut*"), ("EyeClosed#", "eyeBlink*"), ("EyeSquint#", "eyeSquint*"),
        ("EyeWide#", "eyeWide*"), ("BrowLowerer#", "browDown*"), ("BrowPinch#", "browDown*"),
        ("BrowInnerUp#", "browInnerUp"), ("BrowOuterUp#", "browOuterUp*"), ("NoseSneer#", "noseSneer*"),
        ("CheekSquint#", "cheekSquint*"), ("CheekPuff#", "cheekPuff"), ("JawOpen", "jawOpen"),
        ("JawLeft", "jawLeft"), ("JawRight", "jawRight"), ("JawForward", "jawForward"),
        ("MouthClosed", "mouthClose"), ("LipSuckUpper#", "mouthRollUpper"), ("LipSuckLower#", "mouthRollLower"),
        ("LipFunnelUpper#", "mouthFunnel"), ("LipFunnelLower#", "mouthFunnel"),
        ("LipPuckerUpper#", "mouthPucker"), ("LipPuckerLower#", "mouthPucker"),
        ("MouthUpperUp#", "mouthUpperUp*"), ("MouthLowerDown#", "mouthLowerDown*"),
        ("MouthUpperLeft", "mouthLeft"), ("MouthUpperRight", "mouthRight"), ("MouthLowerLeft", "mouthLeft"),
        ("MouthLowerRight", "mouthRight"), ("MouthCornerPull#", "mouthSmile*"), ("MouthCornerSlant#", "mouthSmile*"),
        ("MouthFrown#", "mouthFrown*"), ("MouthStretch#", "mouthStretch*"), ("MouthDimple#", "mouthDimple*"),
        ("MouthRaiserUpper", "mouthShrugUpper"), ("MouthRaiserLower", "mouthShrugLower"),
        ("MouthPress#", "mouthPress*"), ("TongueOut", "tongueOut"),
    ))  # fmt: skip
    return scheme | _scheme(_UNIFIED_FALLBACKS)


# Shapes that an avatar may have in place of the finer ones above. Unified Expressions calls them blended shapes.
_UNIFIED_FALLBACKS = (
    ("BrowDown#", "browDown*"), ("BrowDown", "browDown"), ("BrowInnerUp", "browInnerUp"),
    ("BrowOuterUp", "browOuterUp"), ("EyeClosed", "eyeBlink"), ("EyeWide", "eyeWide"), ("EyeSquint", "eyeSquint"),
    ("NoseSneer", "noseSneer"), ("CheekSquint", "cheekSquint"), ("CheekPuff", "cheekPuff"),
    ("LipSuckUpper", "mouthRollUpper"), ("LipSuckLower", "mouthRollLower"), ("LipFunnel", "mouthFunnel"),
    ("LipPucker", "mouthPucker"), ("MouthUpperUp", "mouthUpperUp"), ("MouthLowerDown", "mouthLowerDown"),
    ("MouthLeft", "mouthLeft"), ("MouthRight", "mouthRight"), ("MouthSmile#", "mouthSmile*"),
    ("MouthSad#", "mouthFrown*"), ("MouthSmile", "mouthSmile"), ("MouthSad", "mouthFrown"),
    ("MouthStretch", "mouthStretch"), ("MouthDimple", "mouthDimple"), ("MouthPress", "mouthPress"),
)  # fmt: skip


def _mmd() -> dict[str, tuple[str, float]]:
    """Return the morphs that MikuMikuDance models share, by their Japanese names.

    Full-width and half-width spellings are the same name (``ウィンク２`` and ``ｳｨﾝｸ2``).
    """
    return {
        "まばたき": ("eyeBlink", 1.0),
        "ウィンク2": ("eyeBlinkLeft", 1.0),
        "ウィンク2右": ("eyeBlinkRight", 1.0),
        "ウィンク": ("eyeBlinkLeft", 1.0),
        "ウィンク右": ("eyeBlinkRight", 1.0),
        "びっくり": ("eyeWide", 1.0),
        "じと目": ("eyeSquint", 1.0),
        "あ": ("aa", 1.0),
        "い": ("ih", 1.0),
        "う": ("ou", 1.0),
        "え": ("ee", 1.0),
        "お": ("oh", 1.0),
        "口角上げ": ("mouthSmile", 1.0),
        "にやり": ("mouthSmile", 1.0),
        "口角下げ": ("mouthFrown", 1.0),
        "口横広げ": ("mouthStretch", 1.0),
        "怒り": ("browDown", 1.0),
        "困る": ("browInnerUp", 1.0),
        "上": ("browOuterUp", 1.0),
        "ぷくー": ("cheekPuff", 1.0),
        "頬膨らみ": ("cheekPuff", 1.0),
    }


# The order is the priority where two schemes match a character equally well.
SCHEMES: Mapping[str, Scheme] = {
    "ARKIT": _arkit(),
    "EXPNET": {name: (name, 1.0) for name in OPEN_KEYS}
    | {"gazeUp": ("lookUp", 1.0), "gazeDown": ("lookDown", 1.0), "gazeLeft": ("lookLeft", 1.0)}
    | {"gazeRight": ("lookRight", 1.0)},
    "METAHUMAN": _metahuman(),
    "CHARACTER_CREATOR": _character_creator(),
    "UNIFIED": _unified(),
    "FACESCAPE": _facescape(),
    "MPFB": _mpfb(),
    "VRM": _vrm(),
    "MMD": _mmd(),
}

FALLBACKS: Mapping[str, frozenset[str]] = {
    "CHARACTER_CREATOR": frozenset(_scheme(_CHARACTER_CREATOR_FALLBACKS)),
    "UNIFIED": frozenset(_scheme(_UNIFIED_FALLBACKS)),
    "FACESCAPE": frozenset(_scheme(_FACESCAPE_FALLBACKS)),
    "MMD": frozenset(("ウィンク", "ウィンク右", "にやり", "頬膨らみ")),
}

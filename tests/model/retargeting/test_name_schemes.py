"""What the names of a character's shape keys and bones mean, however they are written."""

from __future__ import annotations

import re

import pytest

from expnet.model.errors import InputError
from expnet.model.performance.channels import ARKIT, CHANNELS
from expnet.model.retargeting.name_schemes import SCHEMES, match, match_bones, match_meshes, tokens

SHORT = [re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", name) for name in ARKIT]
WORDS = [re.sub("([A-Z])", lambda letter: "_" + letter[0].lower(), name) for name in ARKIT]

STYLES = {
    "ARKit's own": list(ARKIT),
    "Live Link Face's": [name[0].upper() + name[1:] for name in ARKIT],
    "sides as _L and _R": SHORT,
    "sides as .L and .R": [name.replace("_", ".") for name in SHORT],
    "snake case": WORDS,
    "small letters": [name.lower() for name in ARKIT],
    "capitals": [name.upper() for name in ARKIT],
    "MPFB's prefix": [f"!ex-{name}" for name in ARKIT],
    "an exporter's prefix": [f"blendShape1.{name}" for name in ARKIT],
    "Blender's numbers": [f"{name}.001" for name in ARKIT],
    "sides in front": [re.sub("^(.*)_([LR])$", r"\2_\1", name) for name in SHORT],
}


@pytest.mark.parametrize("style", STYLES)
def test_arkit_is_found_in_every_style(style):
    scheme, matches = match(["Basis", "hat", *STYLES[style]])
    assert scheme == "ARKIT"
    assert [m.channel for m in matches] == list(ARKIT)
    assert [m.target for m in matches] == STYLES[style]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_finds_itself(scheme):
    found, matches = match(SCHEMES[scheme])
    assert found == scheme
    assert {m.channel for m in matches} == {channel for channel, _ in SCHEMES[scheme].values()}
    assert all((m.channel, m.gain) == SCHEMES[scheme][m.target] and m.score == 1 for m in matches)
    assert {m.channel for m in matches} <= set(CHANNELS)


def test_metahuman_curves_with_their_prefix_in_any_case():
    curves = [f"CTRL_expressions_{name}" for name in SCHEMES["METAHUMAN"]]
    for names in (curves, [name.lower() for name in curves]):
        scheme, matches = match(names)
        assert (scheme, len(matches)) == ("METAHUMAN", len(curves))
    channels = {m.target: m.channel for m in match(curves)[1]}
    assert channels["CTRL_expressions_eyeLookLeftL"] == "eyeLookOutLeft"
    assert channels["CTRL_expressions_eyeLookLeftR"] == "eyeLookInRight"
    assert channels["CTRL_expressions_mouthCornerPullR"] == "mouthSmileRight"


@pytest.mark.parametrize("names, channels", [
    (["aa", "ih", "ou", "ee", "oh", "blinkLeft", "happy", "relaxed"],
     ["aa", "ih", "ou", "ee", "oh", "eyeBlinkLeft", "happy"]),
    (["A", "I", "U", "E", "O", "Blink_L", "Blink_R", "Joy", "Sorrow"],
     ["aa", "ih", "ou", "ee", "oh", "eyeBlinkLeft", "eyeBlinkRight", "happy", "sad"]),
    (["Fcl_MTH_A", "Fcl_MTH_O", "Fcl_EYE_Close_R", "Fcl_BRW_Angry", "Fcl_ALL_Joy"],
     ["aa", "oh", "eyeBlinkRight", "angry", "happy"]),
    (["Fcl_ALL_Angry", "Fcl_BRW_Angry", "Fcl_EYE_Angry", "A", "Fcl_MTH_A", "vrc.v_aa"], ["angry", "aa"]),
])  # fmt: skip
def test_vrm_of_both_versions_and_vroid(names, channels):
    scheme, matches = match(names)
    assert scheme == "VRM"
    assert [m.channel for m in matches] == channels


def test_an_avatar_with_arkits_shapes_is_not_moved_by_vowels_too():
    scheme, matches = match([*ARKIT, "A", "I", "U", "E", "O", "Blink"])
    assert scheme == "ARKIT" and len(matches) == 52
    assert [m.channel for m in match([*ARKIT, "A", "Blink"], "VRM")[1] if m.target in ("A", "Blink")] == [
        "aa",
        "eyeBlink",
    ]


def test_of_two_names_for_the_same_the_likest_counts():
    matches = match(["old_jawOpen", "jawOpen", "mouthPucker"])[1]
    assert [m.target for m in matches] == ["jawOpen", "mouthPucker"]


def test_shapes_that_arkit_has_once_may_have_sides():
    assert [(m.target, m.channel) for m in match(["browInnerUp_L", "browInnerUp_R", "cheekPuff_L"])[1]] == [
        ("browInnerUp_L", "browInnerUp"), ("browInnerUp_R", "browInnerUp"), ("cheekPuff_L", "cheekPuff"),
    ]  # fmt: skip


def test_one_shape_for_both_sides():
    assert [(m.target, m.channel) for m in match(["jawOpen", "Mouth Smile", "eye-squint"])[1]] == [
        ("jawOpen", "jawOpen"), ("Mouth Smile", "mouthSmile"), ("eye-squint", "eyeSquint"),
    ]  # fmt: skip


@pytest.mark.parametrize("names", [[], ["Basis"], ["", "123", "…", "目"], ["Key 1", "Key 2"], ["x" * 5000]])
def test_names_that_say_nothing_match_nothing(names):
    assert match(names)[1] == []


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="there is no scheme"):
        match(["jawOpen"], "FACS")


def test_words_of_a_name():
    assert tokens("CTRL_expressions_eyeBlinkL") == ["ctrl", "expressions", "eye", "blink", "l"]
    assert tokens("mouth-corner-puller.001") == ["mouth", "corner", "puller"]


class TestBones:
    def test_rigify(self):
        names = ["spine.006", "head", "jaw_master", "jaw", "eyes", "eye.L", "eye.R", "DEF-jaw", "MCH-eye.L"]
        rows = match_bones(names, gaze_distance=0.2)
        assert {row.target for row in rows} == {"head", "jaw_master", "eyes"}
        assert {row.component for row in rows if row.target == "eyes"} == {"LOCATION_X", "LOCATION_Z"}
        assert next(row for row in rows if row.channel == "gazeYaw").gain == 0.2

    @pytest.mark.parametrize("names", [
        ["head", "jaw", "eye.L", "eye.R"],
        ["Head", "Jaw", "LeftEye", "RightEye"],
        ["J_Bip_C_Head", "J_Adj_C_Jaw", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"],
        ["CC_Base_Head", "CC_Base_JawRoot", "CC_Base_L_Eye", "CC_Base_R_Eye"],
        ["c_head.x", "c_jawbone.x", "c_eye.l", "c_eye.r"],
        ["mixamorig:Head", "jaw", "eye_l", "eye_r"],
    ])  # fmt: skip
    def test_jaw_eyes_and_head_of_other_rigs(self, names):
        assert {row.target for row in match_bones(names)} == set(names)

    def test_a_body_has_no_face(self):
        assert match_bones(["hips", "spine", "hand.L", "headband"]) == []


EXTENDED = [  # Character Creator 4, facial profile Extended
    "Brow_Raise_Inner_L", "Brow_Raise_Inner_R", "Brow_Raise_Outer_L", "Brow_Drop_R", "Brow_Compress_L", "Eye_Blink_L",
    "Eye_L_Look_L", "Eye_R_Look_L", "Eye_L_Look_R", "Eye_R_Look_R", "Eye_L_Look_Up", "Eye_R_Look_Down",
    "Nose_Sneer_L", "Cheek_Raise_R", "Cheek_Puff_L", "Mouth_Smile_L", "Mouth_Pucker_Up_L", "Mouth_Pucker_Down_R",
    "Mouth_Roll_In_Upper_L", "Mouth_Up_Upper_R", "Mouth_Down_Lower_L", "Mouth_L", "Mouth_R", "Jaw_Open", "Jaw_L",
    "V_Explosive", "Head_Turn_L",
]  # fmt: skip
TRADITIONAL = [  # Character Creator 3 and iClone
    "Brow_Raise_Inner_L", "Brow_Drop_L", "Brow_Raise_L", "Eye_Blink", "Eye_Blink_L", "Eye_Blink_R", "Nose_Scrunch",
    "Nose_Flank_Raise_L", "Nose_Flank_Raise_R", "Mouth_Smile", "Mouth_Smile_L", "Mouth_Smile_R", "Mouth_Snarl_Upper_L",
    "Mouth_Snarl_Upper_R", "Mouth_Top_Lip_Up", "Mouth_Pucker", "Mouth_Pucker_Open", "Mouth_Open", "Explosive",
]  # fmt: skip
AVATAR = [  # VRChat's avatars
    "EyeClosedLeft", "EyeClosedRight", "EyeClosed", "BrowPinchLeft", "BrowLowererLeft", "BrowDownLeft",
    "BrowInnerUpLeft", "BrowInnerUpRight", "BrowInnerUp", "LipSuckUpperLeft", "LipFunnelUpperRight",
    "LipPuckerLowerLeft", "LipPucker", "MouthCornerPullLeft", "MouthCornerSlantLeft", "MouthSmileLeft",
    "MouthUpperLeft", "MouthLeft", "MouthRaiserLower", "JawOpen", "MouthClosed", "CheekPuffLeft",
]  # fmt: skip
MMD = [
    "まばたき",
    "笑い",
    "ウィンク",
    "ウィンク右",
    "ウィンク２",
    "ｳｨﾝｸ２右",
    "びっくり",
    "あ",
    "い",
    "う",
    "え",
    "お",
    "口角上げ",
    "怒り",
]


@pytest.mark.parametrize("names, scheme, driven", [
    (EXTENDED, "CHARACTER_CREATOR", {
        "Brow_Raise_Inner_R": "browInnerUp", "Eye_L_Look_L": "eyeLookOutLeft", "Eye_R_Look_L": "eyeLookInRight",
        "Eye_L_Look_R": "eyeLookInLeft", "Eye_R_Look_Down": "eyeLookDownRight", "Mouth_L": "mouthLeft",
        "Mouth_Pucker_Up_L": "mouthPucker", "Cheek_Raise_R": "cheekSquintRight", "Jaw_L": "jawLeft",
        "Mouth_Up_Upper_R": "mouthUpperUpRight", "Brow_Compress_L": None, "V_Explosive": None, "Head_Turn_L": None,
    }),
    (TRADITIONAL, "CHARACTER_CREATOR", {
        "Eye_Blink": None, "Eye_Blink_L": "eyeBlinkLeft", "Nose_Scrunch": None, "Mouth_Smile": None,
        "Mouth_Smile_R": "mouthSmileRight", "Mouth_Top_Lip_Up": None, "Mouth_Pucker": "mouthPucker",
        "Mouth_Open": "jawOpen", "Explosive": None,
    }),
    (AVATAR, "UNIFIED", {
        "EyeClosed": None, "EyeClosedLeft": "eyeBlinkLeft", "BrowDownLeft": None, "BrowPinchLeft": "browDownLeft",
        "BrowInnerUp": None, "LipSuckUpperLeft": "mouthRollUpper", "LipPucker": None,
        "LipPuckerLowerLeft": "mouthPucker", "MouthSmileLeft": None, "MouthCornerSlantLeft": "mouthSmileLeft",
        "MouthLeft": None, "MouthUpperLeft": "mouthLeft", "MouthClosed": "mouthClose",
    }),
    (["Eye Close Left", "Eye LookDown Right", "Mouth Dimple(Stretch) Left", "Brow Inner Up", "Jaw Open"], "FACESCAPE", {
        "Eye Close Left": "eyeBlinkLeft", "Eye LookDown Right": "eyeLookDownRight",
        "Mouth Dimple(Stretch) Left": "mouthDimpleLeft",
    }),
    (["1_neutral", "2_smile", "5_jaw_left", "12_lip_puckerer", "18_eye_closed", "20_brow_lower"], "FACESCAPE", {
        "2_smile": "mouthSmile", "5_jaw_left": "jawLeft", "18_eye_closed": "eyeBlink", "20_brow_lower": "browDown",
    }),
    (MMD, "MMD", {
        "まばたき": None, "ウィンク２": "eyeBlinkLeft", "ｳｨﾝｸ２右": "eyeBlinkRight", "ウィンク": None, "あ": "aa",
        "お": "oh", "口角上げ": "mouthSmile", "笑い": None,
    }),
    (["A25_Jaw_Open", "A14_Eye_Blink_Left", "A01_Brow_Inner_Up", "A38_Mouth_Smile_Left"], "ARKIT", {
        "A25_Jaw_Open": "jawOpen", "A38_Mouth_Smile_Left": "mouthSmileLeft",
    }),
    (["facs_bs_MouthSmileLeft_div2", "facs_bs_BrowInnerUp_div2", "facs_jnt_EyeBlinkRight"], "ARKIT", {
        "facs_bs_MouthSmileLeft_div2": "mouthSmileLeft", "facs_jnt_EyeBlinkRight": "eyeBlinkRight",
    }),
])  # fmt: skip
def test_names_of_other_makers(names, scheme, driven):
    found, matches = match(["Basis", *names])
    assert found == scheme
    channels = {m.target: m.channel for m in matches if not m.spare}
    assert {name: channels.get(name) for name in driven} == driven


def test_each_mesh_is_matched_for_itself():
    body, teeth = [f"blendShape1.{n}" for n in ARKIT], ["teeth_rig|blendShape2.jawOpen", "jawForward"]
    scheme, (of_body, of_teeth) = match_meshes([body, teeth])
    assert scheme == "ARKIT" and [m.target for m in of_body] == body
    assert {m.target: m.channel for m in of_teeth} == {teeth[0]: "jawOpen", teeth[1]: "jawForward"}


def test_of_one_shape_for_both_sides_and_two_for_each_the_two_count():
    spare = {m.target for m in match([*ARKIT, "eyeBlink", "mouthSmile"])[1] if m.spare}
    assert spare == {"eyeBlink", "mouthSmile"}
    assert not [m for m in match(["eyeBlink", "eyeBlinkLeft", "jawOpen"])[1] if m.spare]  # the right eye has no other


@pytest.mark.parametrize("names", [
    ["mixamorig7:Head", "mixamorig7:LeftEye", "mixamorig7:RightEye"],
    ["head", "lowerJaw", "lEye", "rEye"],
    ["head", "lowerjaw", "l_eye", "r_eye"],
    ["head", "FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye"],
    ["頭", "目.L", "目.R"],
    ["頭", "左目", "右目"],
    ["Bip01 Head", "Bip01 MJaw", "Bip01 LEye", "Bip01 REye"],
])  # fmt: skip
def test_bones_of_other_makers(names):
    assert {row.target for row in match_bones(names)} == set(names)

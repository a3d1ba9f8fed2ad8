"""What the 29 open keys mean, mirrored and in ARKit's words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays

from expnet.model.face.semantics import ARKIT_KEYS, LID_WIDE, OPEN_KEYS, arkit_weights, mirror_open_eta, open_bounds

LOW, HIGH = open_bounds().T
shares = arrays(np.float32, 29, elements={"min_value": 0, "max_value": 1})


def eta(**values: float) -> np.ndarray:
    return np.array([values.get(key, 0.0) for key in OPEN_KEYS], np.float32)


def weights(**values: float) -> dict[str, float]:
    """Return the ARKit weights that are not zero."""
    pairs = zip(ARKIT_KEYS, arkit_weights(eta(**values)).tolist())
    return {key: round(weight, 5) for key, weight in pairs if weight}


def test_29_numbers_drive_40_of_arkits_52():
    assert len(OPEN_KEYS) == len(set(OPEN_KEYS)) == 29
    assert len(ARKIT_KEYS) == len(set(ARKIT_KEYS)) == 40


def test_lids_drive_blink_and_wide():
    assert weights(lid_L=0.8) == {"eyeBlinkLeft": 0.8}
    assert weights(lid_R=-LID_WIDE) == {"eyeWideRight": 1.0}


def test_signed_keys_drive_left_and_right():
    assert weights(jawSide=0.5, mouthSide=-0.25) == {"jawLeft": 0.5, "mouthRight": 0.25}


def test_keys_for_both_sides_drive_both():
    assert weights(mouthPress=0.5) == {"mouthPressLeft": 0.5, "mouthPressRight": 0.5}
    assert weights(mouthRoll=0.5) == {"mouthRollUpper": 0.5, "mouthRollLower": 0.5}
    assert weights(mouthSmile_L=1, jawOpen=0.3) == {"mouthSmileLeft": 1.0, "jawOpen": 0.3}


def test_other_rigs_names_and_order():
    names = ("cheekPuff_L", "eyeBlink_R", "browInnerUp_L", "tongueOut", "mouthLeft", "eyeLookUp_L")
    wanted = [0.7, 0.9, 0.2, 0, 0.4, 0]
    given_ = eta(cheekPuff=0.7, lid_R=0.9, browInnerUp=0.2, mouthSide=0.4)
    np.testing.assert_allclose(arkit_weights(given_, names), wanted, atol=1e-6)


@given(shares)
def test_within_the_bounds_every_weight_is_within_0_and_1(share):
    out = arkit_weights(LOW + share * (HIGH - LOW))
    assert (out >= 0).all() and (out <= 1.0001).all()


@given(shares)
def test_frames_are_converted_like_one(share):
    several = np.stack([LOW + share * (HIGH - LOW), HIGH])
    np.testing.assert_array_equal(arkit_weights(several)[0], arkit_weights(several[0]))


@given(shares)
def test_mirrored_twice_is_the_same_face(share):
    face = LOW + share * (HIGH - LOW)
    np.testing.assert_array_equal(mirror_open_eta(mirror_open_eta(face)), face)


def test_the_mirror_swaps_the_sides():
    turned = mirror_open_eta(eta(mouthSmile_L=0.5, jawSide=0.2))
    np.testing.assert_array_equal(turned, eta(mouthSmile_R=0.5, jawSide=-0.2))

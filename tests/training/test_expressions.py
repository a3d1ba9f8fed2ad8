"""What synthetic faces do: how often each key is seen, far enough to be learned and apart from the others."""

import numpy as np
import pytest

from expnet.model.face.semantics import OPEN_KEYS, open_bounds
from expnet.training.synthetic.expressions import INDEX, sample_eta, sample_gaze

STEMS = [key.removesuffix("_L").removesuffix("_R") for key in OPEN_KEYS]
MOUTH = [i for i, key in enumerate(OPEN_KEYS) if key.startswith(("mouth", "jaw", "cheekPuff", "noseSneer"))]


@pytest.fixture(scope="module")
def eta():
    rng = np.random.default_rng(1)
    return np.stack([sample_eta(rng) for _ in range(12000)])


def test_expressions_lie_in_the_keys_bounds_and_reach_them(eta):
    low, high = open_bounds().T
    assert eta.dtype == np.float32 and (eta >= low).all() and (eta <= high).all()
    assert np.allclose(eta.max(0), high, atol=0.02) and np.allclose(eta.min(0), low, atol=0.02)


def test_every_key_is_active_in_at_least_seven_percent_and_strong_in_three_percent_of_the_pictures(eta):
    active, strong = (np.abs(eta) > 0.3).mean(0), (np.abs(eta) > 0.6).mean(0)
    assert active.min() > 0.07, dict(zip(OPEN_KEYS, active.round(3), strict=True))
    assert strong.min() > 0.03, dict(zip(OPEN_KEYS, strong.round(3), strict=True))


def test_one_face_in_eight_does_nothing_or_one_thing_and_one_mouth_in_eight_rests(eta):
    active = np.stack([(eta[:, [s == stem for s in STEMS]] != 0).any(1) for stem in dict.fromkeys(STEMS)], 1).sum(1)
    assert 0.06 < (active == 0).mean() < 0.1
    assert 0.12 < (active <= 1).mean() < 0.25
    assert (eta[:, MOUTH] == 0).all(1).mean() > 0.125


def test_lids_move_in_a_fifth_of_the_pictures_shut_half_shut_winking_and_wide(eta):
    left, right = eta[:, INDEX["lid_L"]], eta[:, INDEX["lid_R"]]
    assert (np.maximum(left, right) > 0.3).mean() > 0.2
    assert (np.minimum(left, right) > 0.8).mean() > 0.08
    assert (np.abs(left - right) > 0.4).mean() > 0.03
    assert (np.minimum(left, right) < -0.15).mean() > 0.03


def test_cheeks_are_puffed_and_lips_rolled_or_pressed_in_a_tenth_of_the_pictures(eta):
    shut = np.abs(eta[:, [INDEX[key] for key in ("cheekPuff", "mouthRoll", "mouthPress")]]) > 0.3
    assert shut.any(1).mean() > 0.1


def test_a_raised_upper_lip_is_seen_with_teeth_and_above_shut_lips(eta):
    upper, sneer, lower, jaw = (
        eta[:, INDEX[key]] for key in ("mouthUpperUp", "noseSneer", "mouthShrugLower", "jawOpen")
    )
    raised = (upper > 0.3) & (jaw < 0.1)
    shut = lower > 0.8 * (1.04 * upper + 0.9 * sneer)
    assert 0.2 < shut[raised].mean() < 0.6


def test_brows_and_lids_do_what_people_do_as_often_as_people_do_it(eta):
    inner, outer, down, lids = (
        eta[:, [INDEX[key] for key in keys]]
        for keys in (
            ("browInnerUp",),
            ("browOuterUp_L", "browOuterUp_R"),
            ("browDown_L", "browDown_R"),
            ("lid_L", "lid_R"),
        )
    )
    raised, wide = (inner.max(1) > 0.3) & (outer.max(1) > 0.3), lids.min(1) < -0.1
    assert 0.1 < raised.mean() < 0.15
    assert 0.4 < wide[raised].mean() < 0.6
    assert 0.17 < (down.max(1) > 0.3).mean() < 0.23
    assert 0.05 < ((inner.max(1) > 0.3) & (outer.max(1) < 0.2) & (down.max(1) < 0.3)).mean() < 0.08
    assert 0.03 < ((inner.max(1) > 0.3) & (outer.max(1) < 0.2) & (down.max(1) > 0.3)).mean() < 0.06  # grief
    assert 0.1 < wide.mean() < 0.15


def test_no_key_predicts_another_and_the_two_sides_of_a_pair_can_be_told_apart(eta):
    r = np.abs(np.corrcoef(eta.T))
    one_face = np.array([[a == b for b in STEMS] for a in STEMS])
    raise_ = np.isin(STEMS, ["browInnerUp", "browOuterUp"])  # one muscle, the frontalis, lifts both ends
    assert r[~one_face & ~(raise_[:, None] & raise_)].max() < 0.3
    assert r[~one_face].max() < 0.5
    assert r[one_face & ~np.eye(len(STEMS), dtype=bool)].max() < 0.92


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mouthPress", "jawOpen"),
        ("cheekPuff", "jawOpen"),
        ("mouthSmile_L", "mouthFrown_L"),
        ("mouthSmile_L", "noseSneer"),
        ("mouthPress", "mouthLowerDown"),
    ],
)
def test_muscles_that_pull_against_each_other_do_not_both_win(eta, one, other):
    assert np.minimum(eta[:, INDEX[one]], eta[:, INDEX[other]]).max() < 0.6


def test_the_same_generator_state_gives_the_same_expression():
    first, second = (sample_eta(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_eyes_look_at_the_camera_about_or_down():
    rng = np.random.default_rng(2)
    gaze = np.stack([sample_gaze(rng, 0.3, 0.1) for _ in range(4000)])
    assert (np.hypot(gaze[:, 0] + 0.3, gaze[:, 1] + 0.1) < 0.15).mean() > 0.3
    assert (gaze[:, 1] < -0.25).mean() > 0.15
    assert (np.abs(gaze[:, 0]) <= 0.65).all()

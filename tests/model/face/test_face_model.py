"""Eq. (1): S' = s + S.alpha + E.eta."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from expnet.model.errors import InputError
from expnet.model.face.face_model import FaceModel, check_face_model, gaze_pivot, triangles

V, KS, KE = 12, 5, 3
RNG = np.random.default_rng(0)
MODEL = FaceModel(
    name="small",
    mean=RNG.normal(0, 50, (V, 3)).astype(np.float32),
    identity=RNG.normal(0, 2, (KS, V, 3)).astype(np.float32),
    expression=RNG.normal(0, 4, (KE, V, 3)).astype(np.float32),
    expression_offset=RNG.normal(0, 1, (V, 3)).astype(np.float32),
    faces=np.int32([[0, 1, 2, 3], [4, 5, 6, -1]]),
    expression_keys=("open", "smile", "blink"),
    expression_bounds=np.float32([[0, 1]] * KE),
    basis="three",
    identity_sigma=np.ones(KS, np.float32),
    regions={"eyeball_L": np.int32([0, 1])},
)

number = st.floats(-4, 4, width=32)
alphas = arrays(np.float32, KS, elements=number)
etas = arrays(np.float32, KE, elements=number)
CLOSE = {"rtol": 0, "atol": 1e-3}


def test_nothing_is_the_neutral_which_is_the_mean_with_its_offset():
    np.testing.assert_array_equal(MODEL.vertices(), MODEL.mean + MODEL.expression_offset)
    np.testing.assert_array_equal(MODEL.vertices(np.zeros(KS), np.zeros(KE)), MODEL.neutral)


def test_a_model_without_an_offset_rests_at_zero():
    np.testing.assert_array_equal(replace(MODEL, expression_offset=np.zeros_like(MODEL.mean)).rest, 0)


def test_rest_undoes_the_offset_and_leaves_head_motion_to_the_pose():
    """As with 3DDFA, whose offset holds 8 mm of motion down, and a face that is not at rest."""
    rng = np.random.default_rng(1)
    mean = rng.normal(0, 60, (30_000, 3)).astype(np.float32)
    expression = rng.normal(0, 1, (29, *mean.shape)).astype(np.float32)
    eta = rng.normal(0, 0.5, 29)
    turn = np.cross([0.01, 0.02, 0], mean)
    offset = np.tensordot(eta, expression, 1) + [0, -8, 0.5] + turn
    model = replace(
        MODEL,
        mean=mean,
        expression=expression,
        expression_offset=offset.astype(np.float32),
        regions={},
        identity=expression,
    )
    np.testing.assert_allclose(model.rest, -eta, atol=0.02)


@given(alphas, etas)
def test_it_is_the_sum_in_the_paper(alpha, eta):
    wanted = MODEL.neutral.astype(float)
    for k in range(KS):
        wanted = wanted + float(alpha[k]) * MODEL.identity[k]
    for k in range(KE):
        wanted = wanted + float(eta[k]) * MODEL.expression[k]
    np.testing.assert_allclose(MODEL.vertices(alpha, eta), wanted, **CLOSE)


@given(alphas, alphas, etas, etas, number)
def test_it_is_linear(a, b, e, f, t):
    left = MODEL.vertices(a + t * b, e + t * f) - MODEL.neutral
    right = MODEL.vertices(a, e) - MODEL.neutral + t * (MODEL.vertices(b, f) - MODEL.neutral)
    np.testing.assert_allclose(left, right, rtol=0, atol=5e-3)


@given(st.integers(1, 4), st.data())
def test_a_batch_is_a_loop(count, data):
    alpha = data.draw(arrays(np.float32, (count, KS), elements=number))
    eta = data.draw(arrays(np.float32, (count, KE), elements=number))
    one_by_one = np.stack([MODEL.vertices(a, e) for a, e in zip(alpha, eta)])
    np.testing.assert_allclose(MODEL.vertices(alpha, eta), one_by_one, **CLOSE)


@given(alphas, st.integers(1, 4))
def test_one_identity_with_many_expressions(alpha, frames):
    eta = np.linspace(0, 1, frames * KE, dtype=np.float32).reshape(frames, KE)
    together = MODEL.vertices(alpha, eta)
    assert together.shape == (frames, V, 3)
    np.testing.assert_allclose(together[-1], MODEL.vertices(alpha, eta[-1]), **CLOSE)


@given(alphas, st.integers(0, KS))
def test_fewer_numbers_mean_zeros_for_the_rest(alpha, count):
    padded = np.where(np.arange(KS) < count, alpha, 0)
    np.testing.assert_allclose(MODEL.vertices(alpha[:count]), MODEL.vertices(padded), **CLOSE)


@pytest.mark.parametrize("argument", [{"alpha": np.zeros(KS + 1)}, {"eta": np.zeros((2, KE + 1))}])
def test_more_numbers_than_components_are_refused(argument):
    with pytest.raises(ValueError, match="numbers, the face model has"):
        MODEL.vertices(**argument)


def test_quads_are_split_and_triangles_among_them_kept():
    np.testing.assert_array_equal(triangles(MODEL.faces), [[0, 1, 2], [4, 5, 6], [0, 2, 3]])
    np.testing.assert_array_equal(triangles(np.int32([[0, 1, 2]])), [[0, 1, 2]])


def test_an_eye_turns_about_its_middle():
    np.testing.assert_allclose(gaze_pivot(MODEL, MODEL.mean, "L"), MODEL.mean[:2].mean(axis=0))


def test_a_sound_model_passes_the_check():
    check_face_model(MODEL, "small")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"identity": MODEL.identity[:, :-1]}, "identity is (5, 11, 3), not (5, 12, 3)"),
        ({"identity_sigma": np.ones(4, np.float32)}, "identity_sigma is (4,), not (5,)"),
        ({"average_alpha": np.ones(4, np.float32)}, "average_alpha is (4,), not (5,)"),
        ({"expression": MODEL.expression * np.nan}, "expression has values that are not numbers"),
        ({"faces": np.int32([[0, 1, 12]])}, "faces point at vertices outside 0..11"),
        ({"faces": np.int32([[0, 1, -1, 3]])}, "fewer than three corners"),
        ({"faces": np.int32([[0, 1, 2, -2]])}, "faces point at vertices outside 0..11"),
        ({"landmarks": np.zeros(67, np.int32)}, "67 landmarks, not 68"),
        ({"landmarks": np.full(68, 12, np.int32)}, "landmarks point at vertices outside"),
        ({"regions": {"lips": np.int32([-1])}}, "region lips point at vertices outside"),
        ({"expression_keys": ("a", "b")}, "2 key names for 3 expressions"),
        ({"expression_keys": ("a", "b", "a")}, "not unique"),
        ({"expression_keys": ("a", "b", "")}, "empty"),
        ({"expression_bounds": np.float32([[1, 0]] * 3)}, "lower bound is above"),
    ],
)
def test_a_model_that_does_not_fit_together_is_one_line(change, complaint):
    with pytest.raises(InputError) as caught:
        check_face_model(replace(MODEL, **change), "somewhere")
    assert str(caught.value).startswith("somewhere: ") and complaint in str(caught.value)

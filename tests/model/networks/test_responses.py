"""What is shown for what a network reads of each key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from expnet.model.networks.responses import responses_of

KEYS = ("one", "other")
TABLE = {"one": [[0.0, 0.1, 0.5], [0.0, 0.02, 1.0]], "other": [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]}


def test_readings_follow_the_curve_and_go_on_with_slope_one_beyond_it():
    responses = responses_of(TABLE, KEYS)
    shown = responses(np.array([[-0.2, 0.0], [0.05, 0.3], [0.5, 1.0], [0.7, 1.5]]))
    np.testing.assert_allclose(shown, [[-0.2, 0.0], [0.01, 0.3], [1.0, 1.0], [1.2, 1.5]], atol=1e-12)


@given(arrays(np.float64, (7, 2), elements=st.floats(-3, 3)))
def test_a_stronger_reading_never_shows_less_and_the_slope_is_that_of_the_curve(eta):
    responses = responses_of(TABLE, KEYS)
    more = responses(eta + 1e-6) - responses(eta)
    assert (more >= 0).all()
    slopes = responses.slopes(eta)
    away = np.abs(eta[:, :, None] - responses.read).min(-1) > 1e-5  # not at a knot
    np.testing.assert_allclose(more[away] / 1e-6, slopes[away], rtol=1e-3, atol=1e-6)


def test_weights_without_responses_show_what_they_read():
    assert responses_of({}, KEYS) is None


@pytest.mark.parametrize(
    "table",
    [
        {"one": TABLE["one"]},
        {**TABLE, "other": [[0.0, 1.0], [0.0, 1.0]]},
        {**TABLE, "other": [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]},
        {**TABLE, "other": [[-1.0, 0.0, 1.0], [0.0, 1.0, 0.5]]},
        {**TABLE, "other": [[-1.0, 0.0, float("nan")], [-1.0, 0.0, 1.0]]},
        {**TABLE, "other": "straight"},
        {"one": 1, "other": 2},
    ],
)
def test_a_broken_table_is_refused(table):
    with pytest.raises(ValueError, match="responses"):
        responses_of(table, KEYS)

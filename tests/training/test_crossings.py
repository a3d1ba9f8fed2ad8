"""The measurement of several people in a clip: what it composes, and what counts as a switch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from expnet.model.formats import open_face_model
from expnet.training.evaluation.crossings import HEIGHT, WIDTH, Staged, outcome, stage
from expnet.training.synthetic.surface import build_surface

FRAMES = 10


def truth() -> Staged:
    places = np.zeros((FRAMES, 2, 3))
    places[:, 0], places[:, 1] = (100, 100, 80), (300, 100, 80)
    return Staged([], places, np.ones((FRAMES, 2), bool))


def person(xs: list[float]) -> Any:
    x = np.array(xs)
    crop = np.stack([x, np.full(FRAMES, 100.0), np.full(FRAMES, 80.0), np.zeros(FRAMES)], 1)
    return SimpleNamespace(crop=crop, seen=np.isfinite(x))


def test_people_who_keep_their_places_make_no_switch() -> None:
    result = outcome(truth(), [person([105.0] * 10), person([295.0] * 10)])
    assert (result.switches, result.made, result.true, result.found) == (0, 2, 2, 1.0)


def test_an_exchange_is_two_switches_and_a_gap_is_none() -> None:
    first, second = [100.0] * 5 + [300.0] * 5, [300.0] * 5 + [100.0] * 5
    assert outcome(truth(), [person(first), person(second)]).switches == 2
    gap = [100.0] * 4 + [np.nan] * 2 + [100.0] * 4
    result = outcome(truth(), [person(gap), person([300.0] * 10)])
    assert result.switches == 0 and result.found == pytest.approx(0.9)


def test_a_face_beside_the_truth_is_not_found() -> None:
    assert outcome(truth(), [person([160.0] * 10)]).found == 0


@pytest.mark.slow
def test_a_composed_clip_shows_its_people_where_the_truth_says() -> None:
    staged = stage(build_surface(open_face_model("open")), seed=0, count=2, frames=4)
    assert len(staged.pictures) == 4 and staged.pictures[0].shape == (HEIGHT, WIDTH, 3)
    assert staged.visible.any() and staged.places.shape == (4, 2, 3)

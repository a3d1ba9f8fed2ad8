"""Lids that a blink leaves ajar are shut, without a change where they meet already."""

from __future__ import annotations

import numpy as np
import pytest

from expnet.model.array_types import FloatArray
from expnet.model.face.meshes import vertex_normals
from expnet.model.own_head.eyes import Eyeball
from expnet.model.own_head.lids import Eye, shut
from expnet.model.own_head.template import edges_of, template


def shut_left(blink: FloatArray) -> FloatArray:
    form = template()
    margin = form.margins["eye_L"]
    ball = form.head.mean[form.head.regions["eyeball_L"]].astype(float)
    corners = form.rest[form.number[form.head.landmarks[[42, 45]]]]
    centre = (ball.min(axis=0) + ball.max(axis=0)) / 2
    eye = Eye(
        (corners[0], corners[1]), form.rest[margin.upper[0]], form.rest[margin.lower[0]], Eyeball(centre, 12, ball)
    )
    normals = vertex_normals(form.rest, form.triangles)
    return shut(form.rest, normals, edges_of(form.triangles), form.side["eye_L"], blink, eye)


def own_blink() -> FloatArray:
    form = template()
    return form.head.expression[form.head.expression_keys.index("lid_L"), form.skin].astype(float)


def test_a_blink_that_meets_is_not_changed() -> None:
    assert np.abs(shut_left(own_blink()) - own_blink()).max() < 1e-3


@pytest.mark.parametrize("share", [0.97, 0.93, 0.8])
def test_a_blink_that_stops_short_is_completed(share: float) -> None:
    form = template()
    margin = form.margins["eye_L"]
    upper, lower = margin.upper[0, 3:-2], margin.lower[0, 3:-2]

    def gap(blink: FloatArray) -> float:
        closed = form.rest + blink
        return float((closed[upper, 1] - closed[lower, 1]).max())

    short = share * own_blink()
    assert gap(short) > 8 * (1 - share)
    assert gap(shut_left(short)) < 0.2
    far = np.linalg.norm(form.rest - form.rest[upper].mean(axis=0), axis=1) > 35
    assert not (shut_left(short) - short)[far].any()

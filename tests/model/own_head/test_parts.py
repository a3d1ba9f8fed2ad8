from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.own_head.parts import HeadPart, guess_kinds, sphere_of

from .heads import open_parts


def test_unnamed_parts_are_known_by_shape_and_place() -> None:
    parts = open_parts(names=("in_between", "row_two", "ball_R", "head", "row_one", "hairs", "ball_L"))
    unknown = [replace(p, kind="other") for p in parts]
    kinds = {p.name: p.kind for p in guess_kinds(unknown)}
    assert kinds == {
        "head": "skin", "ball_L": "eye_L", "ball_R": "eye_R", "row_one": "teeth_upper", "row_two": "teeth_lower",
        "in_between": "tongue", "hairs": "other",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Eyelashes", "lashes"),
        ("GEO_tongue", "tongue"),
        ("Teeth_Lower", "teeth_lower"),
        ("upper teeth", "teeth_upper"),
        ("Eyebrows", "other"),
        ("hair_cards", "other"),
    ],
)
def test_a_telling_name_decides_the_kind(name: str, kind: str) -> None:
    head, ball = open_parts(names=("head", "ball_L"))
    named = HeadPart(name, ball.vertices, ball.triangles, "other")
    assert [p.kind for p in guess_kinds([head, named])] == ["skin", kind]


def test_an_eye_named_without_a_side_takes_the_side_where_it_is() -> None:
    parts = [replace(p, name=n) for p, n in zip(open_parts(names=("head", "ball_R")), ("Body", "Eye.001"))]
    assert [p.kind for p in guess_kinds(parts)] == ["skin", "eye_R"]


def test_no_parts_have_no_kinds() -> None:
    assert guess_kinds([]) == []


def test_the_sphere_of_points_on_a_cap_is_found() -> None:
    angle = np.random.default_rng(0).uniform([0, 0], [np.pi / 3, 2 * np.pi], (200, 2))
    ring = np.column_stack([np.cos(angle[:, 1]), np.sin(angle[:, 1])]) * np.sin(angle[:, :1])
    cap = np.column_stack([ring, np.cos(angle[:, 0])]) * 12 + [1, 2, 3]
    centre, radius, deviation = sphere_of(cap)
    assert np.allclose(centre, [1, 2, 3]) and radius == pytest.approx(12) and deviation < 1e-9

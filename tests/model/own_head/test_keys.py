from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from expnet.model.array_types import IntArray
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.own_head.keys import OwnHeadKeys, make_keys
from expnet.model.own_head.parts import HeadPart
from expnet.model.own_head.template import edges_of, open_head, template
from expnet.model.performance.channels import ARKIT

from .heads import artist_points, members, open_parts, to_model


def closed_mouth() -> tuple[IntArray, IntArray]:
    """Return the vertices of the open head's skin without its mouth, and triangles with a wall between the lips."""
    form = template()
    head = open_parts(names=("head",))[0]
    mouth = open_head().regions["mouth_socket"]
    inner = np.isin(members("head"), mouth)
    lips = form.number[open_head().regions["lips"]]
    upper, lower = (lips[form.side["mouth"][lips] == sign] for sign in (1, -1))
    gap = np.linalg.norm(form.rest[upper][:, None] - form.rest[lower][None], axis=2)
    # The vertices of the upper lip that touch the lower one are replaced by it.
    owner = np.arange(len(inner))
    touching = gap.min(axis=1) < 0.6
    owner[upper[touching]] = lower[gap.argmin(axis=1)][touching]
    triangles = owner[head.triangles]
    triangles = triangles[~inner[triangles].any(axis=1)]
    triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
    kept, edge = np.unique(triangles, return_inverse=True)
    return kept, edge.reshape(-1, 3)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own() -> OwnHeadKeys:
    return make_keys(open_parts(), artist_points(), names="open")


def test_the_open_head_onto_itself_gives_its_own_keys(own: OwnHeadKeys) -> None:
    assert own.names == OPEN_KEYS and own.unmatched == () and own.fit_mm < 1e-3
    these = members("head")
    known = open_head().expression[:, these]
    error = np.abs(to_model(own.offsets["head"]) - known).max(axis=(0, 2))
    # Two creases of the mouth's lining touch each other: there alone a vertex may take its neighbour's motion.
    assert (error > 1e-3).sum() <= 6 and error.max() < 0.2
    assert (open_head().mean[these][error > 1e-3, 2] < 60).all()


def test_eyes_and_upper_teeth_rest_and_lower_teeth_and_tongue_move_rigidly(own: OwnHeadKeys) -> None:
    for still in ("ball_L", "ball_R", "row_one"):
        assert not own.offsets[still].any()
    rest = {p.name: p.vertices for p in open_parts()}
    jaw = OPEN_KEYS.index("jawOpen")
    for name in ("row_two", "in_between"):
        moved = rest[name] + own.offsets[name][jaw]
        before = np.linalg.norm(rest[name][:, None] - rest[name][None, ::40], axis=2)
        after = np.linalg.norm(moved[:, None] - moved[None, ::40], axis=2)
        assert np.abs(before - after).max() < 1e-6
        assert moved[:, 2].mean() < rest[name][:, 2].mean() - 0.015
    gums = np.isin(members("row_two"), open_head().regions["gums_lower"])
    known = open_head().expression[jaw, members("row_two")]
    assert np.abs(to_model(own.offsets["row_two"][jaw]) - known)[gums].max() < 0.5


def test_a_head_that_is_turned_scaled_and_moved_gets_the_keys_turned_and_scaled(own: OwnHeadKeys) -> None:
    turn = Rotation.from_euler("xyz", [10, -20, 70], degrees=True).as_matrix()
    parts = [replace(p, vertices=37 * p.vertices @ turn.T + [1, 2, 3]) for p in open_parts(names=("head", "row_two"))]
    points = {name: 37 * turn @ at + [1, 2, 3] for name, at in artist_points().items()}
    moved = make_keys(parts, points, names="open")
    for name in ("head", "row_two"):
        assert np.abs(moved.offsets[name] / 37 @ turn - own.offsets[name]).max() < 2e-6  # metres


def test_arkits_52_are_made_in_apples_order_and_eyes_turn_with_the_gaze() -> None:
    keys = make_keys(open_parts(), artist_points(), names="arkit")
    assert keys.names == ARKIT and all(o.shape[0] == 52 for o in keys.offsets.values())
    ball = open_parts(names=("ball_L",))[0].vertices
    front = ball[:, 1].argmin()
    for name, axis, sign in (("eyeLookUpLeft", 2, 1), ("eyeLookOutLeft", 0, 1), ("eyeLookInLeft", 0, -1)):
        offset = keys.offsets["ball_L"][ARKIT.index(name)]
        assert 0.005 < sign * offset[front, axis] < 0.009, name
    assert not keys.offsets["ball_L"][ARKIT.index("eyeLookUpRight")].any()
    blink = to_model(keys.offsets["head"][ARKIT.index("eyeBlinkLeft")])
    known = open_head().expression[OPEN_KEYS.index("lid_L"), members("head")]
    assert np.abs(blink - known).max() < 1e-3
    tongue = keys.offsets["in_between"][ARKIT.index("tongueOut")]
    assert tongue[:, 1].min() < -0.015


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    make_keys(
        open_parts(names=("head",)), artist_points(), names="open", progress=lambda done, _what: seen.append(done)
    )
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_several_pieces_in_one_mesh_move_as_if_they_were_parts(own: OwnHeadKeys) -> None:
    parts = open_parts()
    starts = np.cumsum([0] + [len(p.vertices) for p in parts])
    joined = HeadPart(
        "all",
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.triangles + s for p, s in zip(parts, starts)]),
        "skin",
    )
    together = make_keys([joined], artist_points(), names="open").offsets["all"]
    for part, start in zip(parts, starts):
        here = together[:, start : start + len(part.vertices)]
        apart = own.offsets[part.name]
        limit = 2e-3 if part.name == "hairs" else 2e-4
        assert np.abs(here - apart).max() < limit, part.name


def test_a_mesh_split_along_a_seam_and_with_turned_faces_gives_the_same_keys(own: OwnHeadKeys) -> None:
    head = open_parts(names=("head",))[0]
    left = head.vertices[head.triangles].mean(axis=1)[:, 0] > 0
    twin = head.triangles.copy()
    on_left, number = np.unique(head.triangles[left], return_inverse=True)
    twin[left] = len(head.vertices) + number.reshape(-1, 3)
    turned = twin[:, ::-1].copy()
    turned[::3] = turned[::3, ::-1]
    split = HeadPart("head", np.concatenate([head.vertices, head.vertices[on_left]]), turned, "skin")
    keys = make_keys([split], artist_points(), names="open").offsets["head"]
    used = np.unique(twin[~left])
    assert np.abs(keys[:, used] - own.offsets["head"][:, used]).max() < 3e-4
    assert np.abs(keys[:, len(head.vertices) :] - own.offsets["head"][:, on_left]).max() < 3e-4


def test_lips_and_lids_that_are_one_surface_stay_together_and_a_line_says_so(own: OwnHeadKeys) -> None:
    head = open_parts(names=("head",))[0]
    kept, edge = closed_mouth()
    fused = replace(head, vertices=head.vertices[kept], triangles=edge)
    keys = make_keys([fused, *open_parts(names=("ball_L", "ball_R"))], artist_points(), names="open")
    assert any("the lips are one surface and cannot part" in line for line in keys.unmatched)
    jaw = keys.offsets["head"][OPEN_KEYS.index("jawOpen")]
    edges = edges_of(edge)
    front = (head.vertices[kept][edges, 1] < -0.09).all(axis=1)
    step = np.linalg.norm(jaw[edges[:, 0]] - jaw[edges[:, 1]], axis=1)[front]
    torn = np.linalg.norm(
        own.offsets["head"][OPEN_KEYS.index("jawOpen")][kept[edges[:, 0]]]
        - own.offsets["head"][OPEN_KEYS.index("jawOpen")][kept[edges[:, 1]]],
        axis=1,
    )[front]
    assert torn.max() > 0.012 and step.max() < 0.6 * torn.max()


def test_a_head_without_eyes_gets_lids_that_shut_and_two_lines() -> None:
    keys = make_keys(open_parts(names=("head",)), artist_points(), names="open")
    assert len(keys.unmatched) == 2 and all("there is no" in line for line in keys.unmatched)
    shut = open_parts(names=("head",))[0].vertices + keys.offsets["head"][OPEN_KEYS.index("lid_L")]
    margin = template().margins["eye_L"]
    gap = np.linalg.norm(shut[margin.upper[0]] - shut[margin.lower[0]], axis=1)
    assert gap.max() < 3e-4


def test_symmetric_keys_of_a_lopsided_fit_are_mirror_images() -> None:
    rng = np.random.default_rng(3)
    points = {name: at + rng.normal(0, 0.002, 3) for name, at in artist_points().items()}
    keys = make_keys(open_parts(names=("head",)), points, names="open", symmetric=True)
    vertices = open_head().mean[members("head")]
    mirror = np.linalg.norm(vertices[:, None, ::2] - (vertices * [-1, 1, 1])[None, :, ::2], axis=2)
    partner = (mirror + np.abs(vertices[:, None, 1] - vertices[None, :, 1])).argmin(axis=1)
    left = keys.offsets["head"][OPEN_KEYS.index("mouthSmile_L")]
    right = keys.offsets["head"][OPEN_KEYS.index("mouthSmile_R")]
    off = np.linalg.norm(left[partner] * [-1, 1, 1] - right, axis=1)
    assert np.mean(off < 2e-5) > 0.97


# --- what is refused, in one line ------------------------------------------------------------------------------------


def refused(parts: list[HeadPart], points: dict[str, np.ndarray]) -> str:
    with pytest.raises(InputError) as caught:
        make_keys(parts, points, names="open")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_heads_that_cannot_be_used_are_refused_in_one_line() -> None:
    head, ball = open_parts(names=("head", "ball_L"))
    points = artist_points()
    assert "no meshes" in refused([], points)
    assert "none of the meshes is skin" in refused([ball], points)
    assert "it has no faces" in refused([replace(head, triangles=np.zeros((0, 3), np.int64))], points)
    assert "same name" in refused([head, head], points)
    assert "faces name vertices" in refused([replace(head, triangles=head.triangles + 9000)], points)
    nan = head.vertices.copy()
    nan[3] = np.nan
    assert "without a place" in refused([replace(head, vertices=nan)], points)
    many = np.repeat(head.vertices, 330, axis=0)
    assert "2,060,520 vertices" in refused([replace(head, vertices=many)], points)
    doubled = np.concatenate([head.triangles] * 2)
    assert "more than two faces" in refused([replace(head, triangles=doubled)], points)


def test_points_that_are_no_face_are_refused_in_one_line() -> None:
    head = open_parts(names=("head",))
    points = artist_points()
    assert "nose" in refused(head, {n: p for n, p in points.items() if n != "nose_tip"})
    assert "7 of the points are missing" in refused(head, {"chin": points["chin"]})
    assert "not numbers" in refused(head, {**points, "chin": np.array([0, np.nan, 0])})
    assert "in one place" in refused(head, dict.fromkeys(points, points["chin"]))
    assert "off the skin" in refused(head, {n: p - [0, 0.1, 0] for n, p in points.items()})
    swapped = {n: points[n[:-1] + {"L": "R", "R": "L"}.get(n[-1], n[-1])] for n in points}
    assert "right and left are the head's own" in refused(head, swapped)

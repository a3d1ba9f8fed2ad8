"""Lashes, wet lines, caruncles: they follow the lids in every key, touch what they grow from, and pierce nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from expnet.model.builtin import OPEN
from expnet.model.face.face_model import triangles
from expnet.model.face.fine_parts import fine_parts
from expnet.model.face.lashes import STRAND
from expnet.model.formats import open_face_model


@pytest.fixture(scope="module")
def model():
    return open_face_model(OPEN)


@pytest.fixture(scope="module")
def parts(model):
    found = fine_parts(model)
    assert found is not None
    return found


def shape(model, **keys) -> np.ndarray:
    """Return the face (V, 3) with these keys; ``gaze`` is the number of a gaze lid shape at 1."""
    gaze = keys.pop("gaze", None)
    eta = [keys.get(name, keys.get(name.removesuffix("_L").removesuffix("_R"), 0.0)) for name in model.expression_keys]
    face = model.neutral + model.expression_displacement(np.array(eta)).astype(np.float64)
    return face if gaze is None else face + model.gaze_lids[gaze]


def ends(model, parts) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return face and parts at rest and at both ends of every key; parts move along straight lines, as in Blender."""
    found = [("rest", shape(model), placed(parts, shape(model)))]
    for name, (low, high) in zip(model.expression_keys, model.expression_bounds):
        for value in (low, high):
            if value:
                points = as_keyed(parts, model, name, value)
                found.append((f"{name} {value:g}", shape(model, **{name: value}), points))
    gazes = [shape(model, gaze=k) for k in range(4)]
    return found + [(f"gaze {k}", face, placed(parts, face)) for k, face in enumerate(gazes)]


def placed(parts, face) -> np.ndarray:
    return parts.vertices(face[parts.moved_by])


def as_keyed(parts, model, key: str, value: float) -> np.ndarray:
    """Return the parts as a shape key of full strength 1 moves them: along straight lines."""
    rest = placed(parts, shape(model))
    return rest + value * (placed(parts, shape(model, **{key: 1.0})) - rest)


def to_lines(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the distances (n,) of points to a closed polyline (m, 3)."""
    step = np.roll(line, -1, axis=0) - line
    t = np.clip(((points[:, None] - line) * step).sum(-1) / (step**2).sum(-1), 0, 1)
    return np.linalg.norm(points[:, None] - line - t[..., None] * step, axis=-1).min(axis=1)


def over_ball(model, face, points, side) -> np.ndarray:
    """Return the distances (n,) mm of points from the surface of the eyeball; negative inside it."""
    ball = face[model.regions[f"eyeball_{side}"]]
    centre = ball.mean(axis=0)
    quads = model.faces[np.isin(model.faces, model.regions[f"eyeball_{side}"]).all(axis=1)]
    corner = face[triangles(quads)]
    direction = (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)
    _, t = hits(np.repeat(centre[None], len(points), 0), direction * 40, corner, all_of_them=True)
    return np.linalg.norm(points - centre, axis=1) - 40 * t.max(axis=1)


def hits(start, step, corner, all_of_them=False):
    """Return (segment, triangle) pairs that meet, or for every pair the place along the segment (0 where they miss)."""
    a, e1, e2 = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    p = np.cross(step[:, None], e2[None])
    det = (e1 * p).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = start[:, None] - a
        u = (s * p).sum(-1) / det
        q = np.cross(s, e1[None])
        v = (step[:, None] * q).sum(-1) / det
        t = (e2 * q).sum(-1) / det
    slack = -1e-6
    inside = (np.abs(det) > 1e-12) & (u >= slack) & (v >= slack) & (u + v <= 1 - slack) & (t > 0) & (t < 1)
    if all_of_them:
        return None, np.where(inside, t, 0.0)
    return np.argwhere(inside)


def skin_near_eyes(model) -> np.ndarray:
    """Return the triangles (T, 3) of the skin around the left eye, without the linings behind the lids."""
    lids = np.concatenate([model.regions[f"{name}_L"] for name in ("lid_upper", "lid_lower", "brow")])
    low, high = model.neutral[lids].min(axis=0) - 12, model.neutral[lids].max(axis=0) + 12
    near = np.isin(model.faces, model.regions["skin"]).all(axis=1)
    near &= ((model.neutral > low) & (model.neutral < high)).all(axis=1)[model.faces].all(axis=1)
    near &= ~np.isin(model.faces, model.regions["eye_socket_L"]).any(axis=1)
    return triangles(model.faces[near])


def test_the_parts_are_both_eyes_lashes_wet_lines_caruncles_and_conjunctivas(parts):
    names = {"lashes_lower", "lashes_upper", "wet_line", "caruncle", "conjunctiva"}
    assert set(parts.regions) == {f"{name}_{side}" for name in names for side in "LR"}
    assert set(parts.part) == {"lashes", "wet_line", "conjunctiva", "caruncle"}
    assert sorted(np.unique(parts.faces)) == list(range(parts.count))


def test_a_model_without_rings_around_the_eyes_has_no_such_parts(model):
    regions = {name: members for name, members in model.regions.items() if name != "lid_upper_L"}
    assert fine_parts(replace(model, regions=regions)) is None
    margin = rings(fine_parts(model))[2][5]
    assert fine_parts(replace(model, faces=model.faces[(model.faces != margin).all(axis=1)], uv=None)) is None


def test_right_is_the_mirror_image_of_left(model, parts):
    points = placed(parts, shape(model))
    left, right = points[: parts.count // 2], points[parts.count // 2 : parts.count]
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-4)


@pytest.mark.parametrize("key, low", [("lid_L", -0.4), ("eyeSquint_L", 0.0), ("cheekSquint", 0.0), ("browDown_L", 0.0)])
def test_lashes_stay_on_the_edge_of_their_lid_through_a_key(model, parts, key, low):
    for value in np.linspace(low, 1.0, 9):
        points, face = as_keyed(parts, model, key, value), shape(model, **{key: value})
        lower, upper = (face[rings(parts)[k]] for k in (5, 6))  # where the lids' round edges turn into skin
        for name, line in (("lashes_lower_L", lower), ("lashes_upper_L", upper)):
            roots = points[parts.regions[name]].reshape(-1, 4, 2, 3)[:, 0].mean(axis=1)
            assert to_lines(roots, line).max() < 0.3
        roots = points[parts.count :].reshape(-1, STRAND, 3)[:34, :2].mean(axis=1)
        assert to_lines(roots, upper).max() < 0.3


def rings(parts) -> np.ndarray:
    """Return the vertices (10, 38) of the rings round the left eye, from the lining outwards."""
    return parts.moved_by[: 10 * 38].reshape(10, 38)


def test_lashes_of_shut_lids_point_down(model, parts):
    rest, shut = placed(parts, shape(model)), placed(parts, shape(model, lid=1.0))
    strands = [points[parts.regions["lashes_upper_L"]].reshape(-1, 4, 2, 3).mean(axis=2) for points in (rest, shut)]
    rises = [(strand[:, -1] - strand[:, 0])[:, 1] for strand in strands]
    assert (rises[0] > 0.5).mean() > 0.75
    assert rises[1].max() < 0.6 and np.median(rises[1]) < -0.5


def test_the_wet_line_lies_between_lid_and_eyeball_in_every_key(model, parts):
    for name, face, points in ends(model, parts):
        points = points[parts.regions["wet_line_L"]].reshape(3, -1, 3)
        back, middle = (face[rings(parts)[k]] for k in (1, 2))
        margin = np.concatenate([back + share * (middle - back) for share in np.linspace(0, 1, 9)])
        assert np.linalg.norm(points[0][::2][:, None] - margin, axis=-1).min(axis=1).max() < 0.6, name  # on the lid
        gap = over_ball(model, face, points.reshape(-1, 3), "L").reshape(3, -1)
        assert gap.min() > 0.0, name
        lower = slice(12, 32)  # columns of the lower lid between caruncle and outer corner
        assert gap[2, lower].max() < 0.35, name  # on the eyeball


def test_the_conjunctiva_leaves_no_gap_between_lid_and_eyeball(model, parts):
    for name, face, points in ends(model, parts):
        ring = points[: 7 * 76].reshape(7, 76, 3)
        assert over_ball(model, face, ring[-1], "L").max() < 0, name  # its inner border is in the eyeball
        np.testing.assert_allclose(
            ring[1][::2], face[rings(parts)[1]], atol=0.7, err_msg=name
        )  # the outer one at the lid


def test_no_part_pierces_the_skin_at_rest_and_in_every_key(model, parts):
    skin = skin_near_eyes(model)
    strands = np.concatenate([parts.regions[f"{name}_L"] for name in ("lashes_lower", "lashes_upper")])
    for name, face, points in ends(model, parts):
        lines = points[strands].reshape(-1, 4, 2, 3).mean(axis=2)
        own = points[parts.count :].reshape(-1, 3, 2, 3)[:34].mean(axis=2)
        after_root = lines[:, 0] + 0.1 * (lines[:, 1] - lines[:, 0]), own[:, 0] + 0.1 * (own[:, 1] - own[:, 0])
        start = np.concatenate([after_root[0], lines[:, 1], lines[:, 2], after_root[1], own[:, 1]])
        end = np.concatenate([*(lines[:, k] for k in (1, 2, 3)), *(own[:, k] for k in (1, 2))])
        pierced = len(np.unique(hits(start, end - start, face[skin])[:, 0]))
        assert not pierced, name

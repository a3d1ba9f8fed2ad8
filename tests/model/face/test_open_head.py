"""The open head as it lies in the box: what its file promises to the rig, to training and to an artist."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from expnet.model.face.face_model import FaceModel
from expnet.model.face.semantics import (
    OPEN_BASIS,
    OPEN_KEYS,
    SIGNED_KEYS,
    mirror_open_alpha,
    mirror_open_eta,
    open_bounds,
)
from expnet.model.formats import OPEN_HEAD, load_face_model

PARTS = (
    "skin", "mouth_socket", "eyeball_L", "eyeball_R", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower",
    "tongue", "lashes_L", "lashes_R",
)  # fmt: skip
MIRROR = np.array([-1, 1, 1], np.float32)
MIRROR_TOLERANCE_MM = 0.01
IDENTITIES = 20


@pytest.fixture(scope="module")
def head() -> FaceModel:
    return load_face_model(OPEN_HEAD)


@pytest.fixture(scope="module")
def mirror(head) -> np.ndarray:
    """(V,) each vertex's mirror image, found in the mean face; coinciding vertices are distinguished by their part."""
    offset = 1000.0 * part_of(head)[:, None]
    distance, other = cKDTree(np.c_[head.mean, offset]).query(np.c_[head.mean * MIRROR, mirrored_part(head)])
    assert distance.max() < MIRROR_TOLERANCE_MM
    return other


@pytest.fixture(scope="module")
def people(head) -> list[np.ndarray]:
    """Return the mean person and random others, alpha ~ N(0, 1)."""
    alpha = np.random.default_rng(0).standard_normal((IDENTITIES, len(head.identity)))
    return [head.mean, *head.vertices(alpha)]


def part_of(head: FaceModel) -> np.ndarray:
    out = np.zeros(head.vertex_count)
    for k, name in enumerate(PARTS):
        out[head.regions[name]] = k
    return out


def mirrored_part(head: FaceModel) -> np.ndarray:
    out = np.zeros(head.vertex_count)
    for name in PARTS:
        out[head.regions[name]] = PARTS.index(other_side(name))
    return 1000.0 * out[:, None]


def other_side(name: str) -> str:
    return name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name[-2:] in ("_L", "_R") else name


def eta(**values: float) -> np.ndarray:
    return np.array([values.get(key, 0.0) for key in OPEN_KEYS], np.float32)


class TestTheFile:
    def test_is_small(self):
        assert OPEN_HEAD.stat().st_size <= 10e6

    def test_has_the_keys_everyone_counts_on(self, head):
        assert head.basis == OPEN_BASIS
        assert head.expression_keys == OPEN_KEYS
        np.testing.assert_array_equal(head.expression_bounds, open_bounds())
        assert head.expression.shape[0] == 29
        assert head.identity.shape[0] == 99

    def test_says_what_may_be_done_with_it(self, head):
        assert head.license == "MIT"
        assert "ICT" in head.source


class TestTopology:
    def test_is_quads_in_the_agreed_number_of_vertices(self, head):
        assert 8_000 <= head.vertex_count <= 12_000
        assert head.faces.shape[1] == 4
        assert len(np.unique(head.faces)) == head.vertex_count

    def test_is_symmetric(self, head, mirror):
        def quads(faces):
            start = faces.argmin(axis=1)
            return {tuple(np.roll(f, -s)) for f, s in zip(faces.tolist(), start)}

        assert quads(mirror[head.faces[:, ::-1]]) == quads(head.faces)

    def test_has_no_degenerate_quads(self, head):
        corner = head.mean[head.faces].astype(float)
        edge = np.linalg.norm(np.roll(corner, -1, axis=1) - corner, axis=2)
        area = np.linalg.norm(np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1]), axis=1) / 2
        assert edge.min() > 0.02
        assert area.min() > 0.005

    def test_neighbours_are_wound_alike(self, head):
        edges = Counter((a, b) for f in head.faces.tolist() for a, b in zip(f, f[1:] + f[:1]))
        assert max(edges.values()) == 1

    @pytest.mark.parametrize("part", ["eyeball_L", "eyeball_R", "teeth_upper", "teeth_lower"])
    def test_closed_parts_are_closed_and_wound_outward(self, head, part):
        faces = head.faces[np.isin(head.faces[:, 0], head.regions[part])]
        edges = {(a, b) for f in faces.tolist() for a, b in zip(f, f[1:] + f[:1])}
        assert edges == {(b, a) for a, b in edges}
        for piece in pieces(faces):
            assert volume(head.mean, piece) > 0

    def test_the_skin_is_wound_outward(self, head):
        faces = head.faces[np.isin(head.faces, head.regions["skin"]).all(axis=1)]
        assert volume(head.mean, faces) > 1e6  # mm^3; the openings hardly matter

    def test_holes_are_the_neck_and_the_eye_sockets_only(self, head):
        body = np.concatenate([head.regions["skin"], head.regions["mouth_socket"]])
        faces = head.faces[np.isin(head.faces, body).all(axis=1)]
        edges = {(a, b) for f in faces.tolist() for a, b in zip(f, f[1:] + f[:1])}
        open_ends = np.array(sorted({a for a, b in edges if (b, a) not in edges}))
        sockets = np.isin(open_ends, np.r_[head.regions["eye_socket_L"], head.regions["eye_socket_R"]])
        assert sockets.any()
        assert (head.mean[open_ends[~sockets], 1] < -100).all()


class TestRegions:
    def test_parts_share_no_vertex_and_cover_the_head(self, head):
        members = np.concatenate([head.regions[name] for name in PARTS])
        np.testing.assert_array_equal(np.sort(members), np.arange(head.vertex_count))

    @pytest.mark.parametrize(
        "name", ["scalp", "lips", "nostrils", "lid_upper_L", "lid_lower_L", "brow_L", "eye_socket_L"]
    )
    def test_regions_of_the_skin(self, head, name):
        assert np.isin(head.regions[name], head.regions["skin"]).all()

    @pytest.mark.parametrize("side", "LR")
    def test_a_brow_is_on_the_outside_not_in_the_socket_behind_it(self, head, side):
        assert not np.isin(head.regions[f"brow_{side}"], head.regions[f"eye_socket_{side}"]).any()

    def test_regions_are_symmetric(self, head, mirror):
        for name, members in head.regions.items():
            np.testing.assert_array_equal(np.sort(mirror[members]), np.sort(head.regions[other_side(name)]), name)

    def test_the_iris_is_on_the_front_of_the_eyeball(self, head):
        for side in "LR":
            iris, ball = head.regions[f"iris_{side}"], head.regions[f"eyeball_{side}"]
            assert np.isin(iris, ball).all()
            assert head.mean[iris, 2].min() > np.delete(head.mean[ball, 2], np.searchsorted(ball, iris)).max() - 0.5

    def test_the_face_is_where_the_crop_expects_it(self, head):
        points = head.mean[head.landmarks]
        np.testing.assert_allclose(points[36:42].mean(axis=0), [-32, 36, 92], atol=5)
        np.testing.assert_allclose(points[42:48].mean(axis=0), [32, 36, 92], atol=5)
        np.testing.assert_allclose(points[48:60].mean(axis=0), [0, -34, 112], atol=5)
        assert np.isin(head.landmarks, head.regions["skin"]).all()
        assert len(np.unique(head.landmarks)) > 60  # some of the inner lips' fall together

    def test_landmarks_of_the_inner_lips_lie_on_their_own_lip(self, head):
        opened = head.vertices(eta=eta(jawOpen=0.5))[head.landmarks]
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            assert opened[upper, 1] > opened[lower, 1] + 10
        assert opened[61, 0] < 0 < opened[63, 0] and opened[67, 0] < 0 < opened[65, 0]


class TestMirrorImages:
    def test_of_every_key(self, head, mirror):
        for k, key in enumerate(OPEN_KEYS):
            image = mirror_open_eta(np.eye(29, dtype=np.float32)[k]) @ head.expression.reshape(29, -1)
            difference = head.expression[k][mirror] * MIRROR - image.reshape(-1, 3)
            assert np.abs(difference).max() <= MIRROR_TOLERANCE_MM, key

    def test_of_every_head(self, head, mirror):
        alpha = np.random.default_rng(0).standard_normal((IDENTITIES, 99)).astype(np.float32)
        for one, image in zip(head.identity_offset(alpha), head.identity_offset(mirror_open_alpha(alpha)), strict=True):
            np.testing.assert_allclose(one[mirror] * MIRROR, image, atol=MIRROR_TOLERANCE_MM)

    def test_sideways_keys_move_to_the_subjects_left(self, head):
        chin = head.landmarks[8]
        mouth = head.landmarks[57]
        assert head.expression[OPEN_KEYS.index("jawSide"), chin, 0] > 3
        assert head.expression[OPEN_KEYS.index("mouthSide"), mouth, 0] > 3
        assert set(SIGNED_KEYS) == {"jawSide", "mouthSide"}

    def test_of_gaze(self, head, mirror):
        up, down, left, right = head.gaze_lids
        for one, other in ((up, up), (down, down), (left, right)):
            np.testing.assert_allclose(one[mirror] * MIRROR, other, atol=MIRROR_TOLERANCE_MM)

    def test_people_are_as_various_on_both_sides(self, head, mirror):
        spread = np.sqrt((head.identity.astype(float) ** 2).sum(axis=(0, 2)))
        np.testing.assert_allclose(spread[mirror], spread, rtol=0.01)


class TestWhatMovesWhat:
    @pytest.mark.parametrize("part", ["teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue"])
    def test_the_jaw_alone_moves_the_inside_of_the_mouth(self, head, part):
        moved = np.abs(head.expression[:, head.regions[part]]).max(axis=(1, 2))
        assert {key for key, most in zip(OPEN_KEYS, moved) if most > 0} <= {"jawOpen", "jawSide"}

    def test_the_jaw_carries_lower_teeth_and_tongue_and_leaves_the_upper_teeth(self, head):
        drop = -head.expression[OPEN_KEYS.index("jawOpen"), :, 1]
        front = head.mean[head.regions["teeth_lower"], 2] > 90
        assert drop[head.regions["teeth_lower"]][front].min() > 25
        assert drop[head.regions["tongue"]].max() > 25
        assert np.abs(drop[head.regions["teeth_upper"]]).max() < 0.1

    def test_nothing_but_identity_moves_the_eyeballs(self, head):
        for side in "LR":
            ball = head.regions[f"eyeball_{side}"]
            assert not head.expression[:, ball].any()
            assert not head.gaze_lids[:, ball].any()

    def test_eyeballs_stay_alike_in_every_person(self, head, people):
        for side in "LR":
            ball = head.regions[f"eyeball_{side}"]
            rest = head.mean[ball] - head.mean[ball].mean(axis=0)
            for person in people:
                shape = person[ball] - person[ball].mean(axis=0)
                scale = (shape * rest).sum() / (rest * rest).sum()
                np.testing.assert_allclose(shape, scale * rest, atol=0.02)
                assert 0.8 < scale < 1.2


class TestLids:
    """Looked at from the front, on a grid of 0.25 mm: which points show the eyeball and not skin."""

    def test_open_eyes_show_the_ball(self, head, people):
        for person in people:
            assert visible_mm2(head, person, "L") > 60

    @pytest.mark.parametrize("side", ["L", "R"])
    def test_closed_lids_leave_no_gap_in_anyone(self, head, people, side):
        shut = head.expression_displacement(eta(**{f"lid_{side}": 1.0}))
        for person in people:
            assert visible_mm2(head, person + shut, side) == 0

    def test_half_closed_lids_show_about_half(self, head):
        half = visible_mm2(head, head.vertices(None, eta(lid_L=0.5)), "L")
        assert 0.25 < half / visible_mm2(head, head.mean, "L") < 0.7

    def test_a_negative_lid_opens_wide(self, head):
        wide = visible_mm2(head, head.vertices(None, eta(lid_L=-0.35)), "L")
        assert wide > 1.2 * visible_mm2(head, head.mean, "L")


class TestLips:
    def test_at_rest_touch_in_everyone(self, head):
        # 102 hand-set faces of people: mean of three places 0.08 mm, spread 0.28 mm with three open mouths among them.
        alphas = np.random.default_rng(0).standard_normal((200, len(head.identity)))
        upper, lower = (head.landmarks[rows] for rows in ([61, 62, 63], [67, 66, 65]))
        shapes = [head.vertices(alpha) for alpha in alphas]
        gaps = np.array([(shape[upper] - shape[lower])[:, 1].mean() for shape in shapes])
        assert -0.3 < gaps.mean() < 0 and gaps.std() < 0.28 and gaps.max() < 0.7


class TestTextureCoordinates:
    def test_lie_in_the_unit_square(self, head):
        assert head.uv.shape == (*head.faces.shape, 2)
        assert head.uv.min() >= 0
        assert head.uv.max() <= 1

    def test_of_the_skin_fold_nowhere(self, head):
        corner = head.uv[np.isin(head.faces, head.regions["skin"]).all(axis=1)]
        a, b = corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1]
        assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).min() > 0

    def test_of_an_eye_are_centred_on_the_pupil(self, head):
        for side in "LR":
            ball = head.regions[f"eyeball_{side}"]
            pupil = ball[head.mean[ball, 2].argmax()]
            face, corner = (found[0] for found in np.nonzero(head.faces == pupil))
            np.testing.assert_allclose(head.uv[face, corner], [0.5, 0.5], atol=1e-4)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = vertices[triangles(faces)].astype(float).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def triangles(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])


def pieces(faces: np.ndarray) -> list[np.ndarray]:
    """Return the faces of each connected piece."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    i, j = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    label = connected_components(coo_matrix((np.ones(len(i)), (i, j)), (faces.max() + 1,) * 2))[1]
    return [faces[label[faces[:, 0]] == k] for k in np.unique(label[faces[:, 0]])]


def visible_mm2(head: FaceModel, vertices: np.ndarray, side: str, step: float = 0.25) -> float:
    """How much of the eyeball is seen from straight ahead, in mm^2."""
    skin = np.isin(head.faces, head.regions["skin"]).all(axis=1)
    ball = np.isin(head.faces[:, 0], head.regions[f"eyeball_{side}"])
    low, high = (f(vertices[head.regions[f"eyeball_{side}"]], axis=0) for f in (np.min, np.max))
    depth = [
        depth_map(vertices[triangles(head.faces[chosen])], low, high, step) for chosen in (skin, ball)
    ]  # fmt: skip
    return float((depth[1] > depth[0]).sum() * step**2)


def depth_map(corners: np.ndarray, low: np.ndarray, high: np.ndarray, step: float) -> np.ndarray:
    """Return the largest z of triangles (n, 3, 3) over a grid in x and y."""
    x, y = np.arange(low[0], high[0], step), np.arange(low[1], high[1], step)
    out = np.full((len(y), len(x)), -np.inf)
    near = (corners[..., :2].max(axis=1) >= low[:2]).all(axis=1) & (corners[..., :2].min(axis=1) <= high[:2]).all(
        axis=1
    )
    for a, b, c in corners[near].astype(float):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if abs(area) < 1e-9:
            continue
        first, last = np.min([a, b, c], axis=0), np.max([a, b, c], axis=0)
        columns = slice(*np.searchsorted(x, [first[0], last[0]]))
        rows = slice(*np.searchsorted(y, [first[1], last[1]]))
        px, py = x[columns][None], y[rows][:, None]
        v = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) / area
        w = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) / area
        inside = (v >= -1e-9) & (w >= -1e-9) & (v + w <= 1 + 1e-9)
        z = np.where(inside, a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2]), -np.inf)
        out[rows, columns] = np.maximum(out[rows, columns], z)
    return out


class TestTeeth:
    """The rows of teeth at rest and behind an open jaw; 63 vertices a tooth, the left half of a row first."""

    @staticmethod
    def row(head: FaceModel, name: str) -> np.ndarray:
        """(7, 63, 3) mm, from the middle of the jaw backwards."""
        members = head.regions[name]
        teeth = head.mean[members[: len(members) // 2]].reshape(-1, 63, 3)
        return teeth[np.argsort(-teeth[..., 2].mean(axis=1))]

    @pytest.mark.parametrize("name", ["teeth_upper", "teeth_lower"])
    def test_are_a_row_without_gaps(self, head, name):
        teeth = self.row(head, name)
        for a, b in zip(teeth, teeth[1:]):
            along = b.mean(axis=0) - a.mean(axis=0)
            along[1] = 0
            along /= np.linalg.norm(along)
            assert (a @ along).max() > (b @ along).min()
        assert np.abs(teeth[0][:, 0]).min() < 0.2  # the middle ones touch their mirror images

    def test_show_under_the_lip_when_the_jaw_drops(self, head):
        opened = head.vertices(eta=eta(jawOpen=0.7))
        members = head.regions["teeth_upper"]
        front = members[head.mean[members, 2] > 100]
        lips = head.regions["lips"]
        drop = -head.expression[OPEN_KEYS.index("jawOpen"), lips, 1]
        upper_lip = lips[(np.abs(head.mean[lips, 0]) < 8) & (drop < 8)]
        lip = opened[upper_lip, 1].min()
        assert 0.5 < lip - opened[front, 1].min() < 5

    def test_of_the_lower_jaw_bite_behind_the_upper_ones(self, head):
        upper, lower = self.row(head, "teeth_upper")[:2], self.row(head, "teeth_lower")[:2]
        edge = lower[:, -3:].reshape(-1, 3)
        assert (edge[:, 1] > upper[..., 1].min() + 0.5).all()
        assert edge[:, 2].max() < upper[..., 2].max() - 1.0


def test_the_tongue_is_thick_and_at_most_half_a_millimetre_of_it_is_in_a_tooth(head):
    tongue = head.neutral[head.regions["tongue"]]
    middle = tongue[np.abs(tongue[:, 0]) < 1.0]
    front = middle[np.abs(middle[:, 2] - 85) < 6]
    assert np.ptp(front[:, 1]) > 10  # mm
    quads = head.faces[np.isin(head.faces, head.regions["tongue"]).all(axis=1)]
    edges = np.unique(np.sort(np.stack([quads, np.roll(quads, 1, axis=1)], -1).reshape(-1, 2), axis=1), axis=0)
    narrowed = head.neutral * np.array([0.97, 1, 1], np.float32)  # by 0.5 mm where it is widest between the teeth
    start, step = narrowed[edges[:, 0]], np.diff(narrowed[edges], axis=1)[:, 0]
    for teeth in ("teeth_upper", "teeth_lower"):
        corner = head.neutral[triangles(head.faces[np.isin(head.faces, head.regions[teeth]).all(axis=1)])]
        assert not meet(start, step, corner).any()


def meet(start, step, corner) -> np.ndarray:
    """Return which segments (n, 1) meet which triangles (1, m)."""
    e1, e2 = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    p = np.cross(step[:, None], e2)
    det = (e1 * p).sum(-1)
    det = np.where(np.abs(det) < 1e-9, np.inf, det)
    from_corner = start[:, None] - corner[:, 0]
    u = (from_corner * p).sum(-1) / det
    q = np.cross(from_corner, e1)
    v, t = (step[:, None] * q).sum(-1) / det, (e2 * q).sum(-1) / det
    return (u > 0) & (v > 0) & (u + v < 1) & (t > 0) & (t < 1)

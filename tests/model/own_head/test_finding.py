"""The points of a head's face are found in pictures of its meshes, whatever way the meshes are turned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.own_head.finding import PLAIN, middle_of_views, onto_surface
from expnet.model.own_head.from_meshes import check_points, find_named_points, frame_of
from expnet.model.own_head.head_file import Mesh, read_meshes, write_meshes
from expnet.model.own_head.islands import split
from expnet.model.own_head.parts import HeadPart
from expnet.model.own_head.pictures import BACKGROUND, Pinhole, Scene, draw

from .heads import artist_points, open_parts

GREY = (180, 180, 180)
AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # of a camera before a face that looks to -y


def square(z: float, half: float = 1.0) -> np.ndarray:
    """Return the corners of a square that faces -y, at y = z."""
    return np.array([[-half, z, -half], [half, z, -half], [half, z, half], [-half, z, half]])


TWO = np.array([[0, 1, 2], [0, 2, 3]])


def test_the_nearer_square_hides_the_one_behind_it_and_places_are_exact() -> None:
    corners = np.concatenate([square(0.0), square(-0.5, 0.3)])
    triangles = np.concatenate([TWO, TWO + 4])
    scene = Scene(corners, triangles, np.full((8, 3), 200.0))
    picture = draw(scene, Pinhole.around(np.zeros(3), AXES, 4.0, 65))
    assert set(picture.triangle[30:35, 30:35].ravel()) <= {2, 3} and picture.triangle[0, 0] == -1
    assert set(picture.triangle[22].ravel()) <= {-1, 0, 1}
    hit = picture.triangle >= 0
    assert np.abs(picture.at[hit][:, 1] - np.where(picture.triangle[hit] < 2, 0.0, -0.5)).max() < 1e-9
    rows, columns = np.nonzero(hit)
    back = picture.camera.screen(picture.at[hit])
    assert np.abs(back[:, 0] - columns).max() < 1e-6 and np.abs(back[:, 1] - rows).max() < 1e-6
    assert (picture.image[0, 0] == BACKGROUND).all() and picture.image[32, 32].min() > 150


def test_pictures_without_gaps_at_shared_edges() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40)), -1).reshape(-1, 2)
    corner = np.arange(39 * 40).reshape(39, 40)[:, :39].ravel()
    triangles = np.concatenate(
        [np.stack([corner, corner + 1, corner + 41], 1), np.stack([corner, corner + 41, corner + 40], 1)]
    )
    scene = Scene(np.stack([grid[:, 0], np.zeros(1600), grid[:, 1]], 1), triangles, np.full((1600, 3), 200.0))
    picture = draw(scene, Pinhole.around(np.zeros(3), AXES, 3.0, 128))
    hit = picture.triangle >= 0
    rows, columns = np.nonzero(hit)
    assert hit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_points_are_put_onto_faces_edges_and_corners() -> None:
    corners = square(0.0)
    points = np.array([[0.2, -3, 0.1], [5, 1, 0], [9, 0, 9], [np.nan, 0, 0]])
    on = onto_surface(points, corners, TWO)
    assert np.allclose(on[:3], [[0.2, 0, 0.1], [1, 0, 0], [1, 0, 1]]) and np.isnan(on[3]).any()


def test_a_point_needs_views_that_agree_and_one_that_sees_it_plainly() -> None:
    """Pictures from the front, from above and from below have one silhouette: a wrong place on which they agree."""
    near = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [5, 5, 5]])
    at = np.stack([near, near, near + [9.0, 0, 0]], 1)
    weight = np.array([[0.5, PLAIN / 2, 0.5], [0.1, PLAIN / 2, 0.1], [0.1, PLAIN / 2, 0.0], [0.2, 1.0, 0.2]])
    found = middle_of_views(at, weight, 1.0)
    assert np.abs(found[0]).max() < 0.1
    assert np.isnan(found[1]).all(), "seen at a slant only"
    assert np.isnan(found[2]).all(), "two views of three"


def test_pieces_of_a_mesh_come_apart_and_keep_their_vertices() -> None:
    parts = open_parts(names=("head", "ball_L", "ball_R"))
    starts = np.cumsum([0, *(len(p.vertices) for p in parts)])
    rng = np.random.default_rng(0)
    order = rng.permutation(starts[-1])  # the pieces' vertices are mixed
    place = np.argsort(order)
    whole = HeadPart(
        "Hero",
        np.concatenate([p.vertices for p in parts])[order],
        np.concatenate([place[p.triangles + start] for p, start in zip(parts, starts)]),
        "skin",
    )
    pieces = split(whole)
    assert pieces[0][0].name == "Hero" and all(piece.name == "" for piece, _ in pieces[1:])
    assert sorted(np.concatenate([rows for _, rows in pieces])) == list(range(starts[-1]))
    sizes = sorted(len(p.vertices) for p in parts)
    assert [s in [len(piece.vertices) for piece, _ in pieces] for s in sizes[:2]] == [True, True]
    for piece, rows in pieces:
        assert np.array_equal(piece.vertices, whole.vertices[rows]) and piece.triangles.max() < len(rows)


def meshes(turn: np.ndarray, names: tuple[str, ...] = ("head", "ball_L", "ball_R")) -> list[Mesh]:
    parts = open_parts(names=names)
    return [Mesh(p.vertices @ turn.T, p.triangles, np.tile(np.uint8(GREY), (len(p.vertices), 1))) for p in parts]


TURNS = {
    "upright": np.eye(3),
    "to the side": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "y up": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}


@pytest.mark.slow
@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_grey_heads_show_their_points_from_every_side(turn: np.ndarray) -> None:
    from expnet.model.worker.chosen_estimator import EstimatorCache
    from expnet.model.worker.handlers import Work
    from expnet.model.worker.messages import EstimatorOptions

    estimator = Work("", lambda *_, **__: None, EstimatorCache()).estimator(EstimatorOptions(engine="light"))
    names = ["Body", "Ball.001", "Ball.002"]
    found = find_named_points(meshes(turn), names, ["auto"] * 3, estimator, lambda *_: None)
    assert found.kinds == ("skin", "eye_L", "eye_R") and found.views == 7
    truth = artist_points()
    away = {name: 1000 * float(np.linalg.norm(at - turn @ truth[name])) for name, at in found.points.items()}
    assert set(found.missing) <= {"ear_L", "ear_R", "jaw_L", "jaw_R"}
    assert np.mean(list(away.values())) < 4, away
    assert all(away[name] < 4 for name in away if name.startswith(("eye", "lid", "nose_tip", "lip", "mouth"))), away
    assert np.array_equal(frame_of(found.points), turn.T)


def test_a_ball_has_no_face() -> None:
    from expnet.model.worker.chosen_estimator import EstimatorCache
    from expnet.model.worker.handlers import Work
    from expnet.model.worker.messages import EstimatorOptions

    estimator = Work("", lambda *_, **__: None, EstimatorCache()).estimator(EstimatorOptions(engine="light"))
    with pytest.raises(InputError, match="no face was found in the pictures of the head, from any side"):
        find_named_points(meshes(np.eye(3), ("ball_L",)), ["Ball"], ["auto"], estimator, lambda *_: None)


def test_the_frame_of_a_head_that_is_turned_a_little_or_oddly() -> None:
    truth = artist_points()
    for degrees, exact in ((10, True), (40, False)):
        a = np.radians(degrees)
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        frame = frame_of({name: turn @ at for name, at in truth.items()})
        assert np.allclose(frame @ frame.T, np.eye(3)) and np.linalg.det(frame) == pytest.approx(1)
        assert np.array_equal(frame, np.eye(3)) == exact
        assert (frame @ turn)[0, 0] > 0.97


WITHOUT_SCIPY = """
import sys
sys.modules["scipy"] = None  # it cannot be imported
from expnet.model.errors import InputError
from expnet.model.own_head.from_meshes import find_named_points, keys_of
from expnet.model.own_head.head_file import read_meshes
from expnet.model.own_head.landmarks import open_points
meshes = read_meshes(sys.argv[1])
names, kinds = ["Head", "Eye.L", "Eye.R"], ["auto"] * 3
try:
    keys_of(meshes, names, kinds, open_points(), "open", False, False, lambda *_: None)
except InputError as error:
    print(error)
"""


def test_without_scipy_the_points_are_there_and_keys_are_one_line(tmp_path: Path) -> None:
    write_meshes(meshes(np.eye(3)), tmp_path / "head.npz")
    command = [sys.executable, "-P", "-c", WITHOUT_SCIPY, str(tmp_path / "head.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "keys need SciPy, which the full engine has: Install Runtime in the preferences\n"


def test_bad_points_are_one_line() -> None:
    truth = artist_points()
    with pytest.raises(InputError, match="points are missing: tip of the nose, chin: find the points, or click them"):
        check_points({name: at for name, at in truth.items() if name not in ("nose_tip", "chin")})
    with pytest.raises(InputError, match="there is no point 'forehead'"):
        check_points(truth | {"forehead": np.zeros(3)})
    with pytest.raises(InputError, match="has no place of three numbers"):
        check_points(truth | {"chin": np.full(3, np.nan)})
    with pytest.raises(InputError, match="lie on a line"):
        frame_of(dict.fromkeys(truth, np.ones(3)))


def test_meshes_come_back_from_their_file(tmp_path: Path) -> None:
    before = meshes(np.eye(3))
    write_meshes(before, tmp_path / "head.npz")
    for a, b in zip(before, read_meshes(tmp_path / "head.npz")):
        assert np.array_equal(a.vertices, b.vertices) and np.array_equal(a.triangles, b.triangles)
        assert np.array_equal(a.colours, b.colours)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a | {"counts": a["counts"] + 1},
        lambda a: a | {"triangles": a["triangles"] + 10**6},
        lambda a: a | {"vertices": a["vertices"] * np.nan},
        lambda a: a | {"colours": a["colours"][:-1]},
        lambda a: {"counts": a["counts"]},
    ],
)
def test_a_file_of_meshes_that_does_not_fit_together_is_one_line(tmp_path: Path, spoil) -> None:
    write_meshes(meshes(np.eye(3)), tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz") as arrays:
        spoilt = spoil(dict(arrays))
    np.savez(tmp_path / "spoilt.npz", **spoilt)
    with pytest.raises(InputError, match=r"spoilt.npz: broken file of a head's meshes .*; make it again"):
        read_meshes(tmp_path / "spoilt.npz")

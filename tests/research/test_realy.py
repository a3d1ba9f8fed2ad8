"""REALY's regional error: mesh files, nearest points, heads whose error is known, and one line for wrong data."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from expnet.expnet_addon.headless import main
from expnet.model.builtin import OPEN
from expnet.model.errors import InputError
from expnet.model.face.alignment import similarity
from expnet.model.face.face_model import FaceModel, triangles
from expnet.model.face.meshes import nearest_in_triangles
from expnet.model.formats import open_face_model
from expnet.model.formats.ply import save_ply
from expnet.model.rotations import rotation_of_euler
from expnet.research.realy.files import key_points_of_heads, read_scan
from expnet.research.realy.meshes import Mesh, Surface, read_mesh
from expnet.research.realy.regions import Scan, regional_errors
from expnet.research.realy.synthetic import head_regions, subdivided


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return open_face_model(OPEN)


@pytest.fixture(scope="module")
def nose(model: FaceModel) -> Mesh:
    return subdivided(Mesh(model.neutral.astype(float), head_regions(model)["nose"]))


def head_of(model: FaceModel) -> Mesh:
    return Mesh(model.neutral.astype(float), triangles(model.faces).astype(np.int64))


def marks_of(model: FaceModel, points: np.ndarray) -> np.ndarray:
    found = np.full((85, 3), np.nan)
    found[:68] = points[model.landmarks]
    return found


def test_the_same_mesh_is_read_from_every_file(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], np.float64)
    expected = {(0, 1, 2), (0, 2, 3)}
    save_ply(tmp_path / "a.ply", points, np.array([[0, 1, 2, 3]]))
    lines = [f"v {x} {y} {z}" for x, y, z in points]
    (tmp_path / "b.obj").write_text("\n".join([*lines, "vt 0 0", "f 1/1/1 2/1 3//2 4"]))
    (tmp_path / "c.obj").write_text("\n".join([*lines, "f 1 2 3", "f 1 3 4"]))
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    header += (
        "property float z\nproperty uchar red\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
    )
    body = b"".join(struct.pack("<fffB", *p, 9) for p in points)
    body += b"".join(struct.pack("<B3i", 3, *t) for t in sorted(expected))
    (tmp_path / "d.ply").write_bytes(header.encode() + body)
    for path in sorted(tmp_path.iterdir()):
        mesh = read_mesh(path)
        assert np.allclose(mesh.points, points), path
        assert {tuple(t) for t in mesh.triangles.tolist()} == expected, path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.obj", b"v 0 0 0\nf 1 2 3\n"),
        ("a.obj", b"v 0 0 zero\n"),
        ("a.obj", b""),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n"),
        ("a.ply", b"no mesh"),
        ("a.stl", b"solid"),
    ],
)
def test_a_broken_mesh_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_mesh(tmp_path / name)


def test_the_nearest_points_are_those_of_all_triangles(nose: Mesh) -> None:
    points = nose.points[::40] + np.random.default_rng(0).normal(0, 3, nose.points[::40].shape)
    found = Surface(nose, "nose").nearest(points)
    corners = nose.points[nose.triangles]
    for point, at in zip(points, found):
        shares = nearest_in_triangles(np.tile(point, (len(corners), 1)), corners)
        least = np.linalg.norm(np.einsum("nk,nkc->nc", shares, corners) - point, axis=1).min()
        assert np.linalg.norm(at - point) == pytest.approx(least, abs=1e-9)


def test_a_head_that_is_only_moved_and_scaled_has_no_error(model: FaceModel, nose: Mesh) -> None:
    head = head_of(model)
    moved = 0.01 * head.points @ rotation_of_euler(0.4, -0.3, 0.2).T + [3, 4, 5]
    scan = Scan({"nose": nose}, marks_of(model, head.points), 1.0)
    found = regional_errors(Mesh(moved, head.triangles), marks_of(model, moved), scan, "head")
    assert found["nose"].mean < 0.01


def test_the_error_of_a_known_change_is_that_of_its_correspondences_and_the_nearest_points_say_less(
    model: FaceModel,
) -> None:
    head = head_of(model)
    assert model.landmarks is not None
    tip = head.points[model.landmarks[30]]
    near = np.exp(-(((head.points - tip) / 18) ** 2).sum(1))[:, None]
    changed = head.points + near * [5.0, 0, 0]  # a crooked nose: it slides along itself
    region = Mesh(head.points, head_regions(model)["nose"])
    used = np.unique(region.triangles)
    at = Mesh(head.points[used], np.searchsorted(used, region.triangles))
    found = regional_errors(
        Mesh(changed, head.triangles),
        marks_of(model, changed),
        Scan({"nose": at}, marks_of(model, head.points), 1.0),
        "h",
    )["nose"]
    _, rotation, shift = similarity(changed[used], at.points, scaled=False)
    known = np.linalg.norm(changed[used] @ rotation.T + shift - at.points, axis=1).mean()
    assert found.mean == pytest.approx(known, rel=0.35)
    assert found.nearest < found.mean


def test_realys_own_layout_and_the_scale_in_millimetres_are_read(
    model: FaceModel, nose: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head in REALY's units, about 9 mm: the command reports millimetres."""
    assert model.landmarks is not None
    keys, regions, heads = (tmp_path / n for n in ("data/REALY_HIFI3D_keypoints", "data/REALY_scan_region/2", "heads"))
    for folder in (keys, regions, heads):
        folder.mkdir(parents=True)
    mm = 9.0
    marks = np.zeros((85, 3))
    marks[:68] = model.neutral[model.landmarks] / mm
    (keys / "2.obj").write_text("\n".join(f"v {x} {y} {z}" for x, y, z in marks))
    save_ply(regions / "nose.ply", nose.points / mm + np.array([0, 0, 0.5]), nose.triangles)  # off by 4.5 mm
    save_ply(heads / "2_front.ply", model.neutral, model.faces)
    (tmp_path / "data/metrical_scale.txt").write_text(f"8.5\n{mm}\n")
    scan = read_scan(tmp_path / "data", "2")
    assert scan.mm == mm
    arguments = [str(heads), "--scans", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main(["research", "realy", *arguments]) == 0
    shown = capsys.readouterr().out
    value = float(shown.splitlines()[2].split("|")[2])
    assert 0.3 < value < 4.5  # the key points hold the head back, the scan draws it
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"errors.csv", "errors.png", "results.md"}
    (heads / "3.ply").write_bytes((heads / "2_front.ply").read_bytes())
    assert main(["research", "realy", *arguments]) == 2
    assert "no such scan" in capsys.readouterr().err


def test_key_points_come_from_a_face_model_a_barycentric_table_or_beside_the_head(
    model: FaceModel, tmp_path: Path
) -> None:
    head = head_of(model)
    by_model = key_points_of_heads(OPEN)(tmp_path / "a.ply", head)
    assert np.isfinite(by_model[:68]).all()
    assert np.isnan(by_model[68:]).all()
    (tmp_path / "t.txt").write_text(str([[5, 0.25, 0.5]] * 85))
    corners = head.points[head.triangles[5]]
    found = key_points_of_heads(str(tmp_path / "t.txt"))(tmp_path / "a.ply", head)
    assert np.allclose(found, 0.25 * corners[0] + 0.5 * corners[1] + 0.25 * corners[2])
    (tmp_path / "a.csv").write_text("x,y,z\n" + "1,2,3\n" * 7)
    beside = key_points_of_heads("beside")(tmp_path / "a.ply", head)
    assert np.isfinite(beside).all(1).sum() == 7
    (tmp_path / "a.csv").write_text("1,2,3\n" * 8)
    with pytest.raises(InputError, match="8 key points"):
        key_points_of_heads("beside")(tmp_path / "a.ply", head)
    with pytest.raises(InputError, match="has 4 vertices"):
        key_points_of_heads(OPEN)(tmp_path / "a.ply", Mesh(head.points[:4], head.triangles[:0]))


def test_synthetic_scans_have_four_regions_a_photograph_and_the_true_head(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert main(["research", "synthetic-scans", str(made), "--people", "1"]) == 0
    assert main(["research", "synthetic-scans", str(made), "--people", "1"]) == 2
    scan = read_scan(made / "scans", "1")
    assert set(scan.regions) == {"nose", "mouth", "forehead", "cheek"}
    assert all(len(region.points) > 500 for region in scan.regions.values())
    head = read_mesh(made / "heads/1.ply")
    nose = Scan({"nose": scan.regions["nose"]}, scan.key_points, 1.0)
    assert regional_errors(head, key_points_of_heads(OPEN)(made, head), nose, "head")["nose"].mean < 0.3

"""Meshes as PLY: what is written is what another program reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.formats.ply import save_ply
from expnet.model.formats.texture import Texture, read_texture

POINTS = np.array([[0, 0, 0], [1.5, 0, 0], [1.5, 2.00004, 0], [0, 2, -3.25]])
QUADS = np.array([[0, 1, 2, 3], [0, 2, 3, -1]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def read_ply(path: Path) -> tuple[np.ndarray, list[list[int]], list[str]]:
    """Vertex rows, polygons and the names of the vertex properties of a text PLY, read by its header alone."""
    lines = path.read_text("ascii").split("\n")
    assert lines[:2] == ["ply", "format ascii 1.0"]
    end = lines.index("end_header")
    counts = {words[1]: int(words[2]) for words in map(str.split, lines[:end]) if words[0] == "element"}
    names = [line.split()[-1] for line in lines[:end] if line.startswith(("property float", "property uchar"))]
    body = lines[end + 1 :]
    vertices = np.array([line.split() for line in body[: counts["vertex"]]], float)
    faces = [[int(word) for word in line.split()] for line in body[counts["vertex"] : -1]]
    assert body[-1] == "" and len(faces) == counts["face"] and all(face[0] == len(face) - 1 for face in faces)
    return vertices, [face[1:] for face in faces], names


def test_points_and_polygons(tmp_path: Path) -> None:
    save_ply(tmp_path / "a.ply", POINTS, QUADS)
    vertices, faces, names = read_ply(tmp_path / "a.ply")
    np.testing.assert_allclose(vertices, POINTS, atol=5e-5)
    assert faces == [[0, 1, 2, 3], [0, 2, 3]] and names == ["x", "y", "z"]
    assert "property list uchar int vertex_indices\n" in (tmp_path / "a.ply").read_text()


def test_colours(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 1]] * 4, np.uint8)
    save_ply(tmp_path / "a.ply", POINTS, TRIANGLES, colours)
    vertices, faces, names = read_ply(tmp_path / "a.ply")
    assert names == ["x", "y", "z", "red", "green", "blue"] and (vertices[:, 3:] == colours).all()
    assert faces == TRIANGLES.tolist()
    assert "\n1.5000 2.0000 0.0000 255 0 1\n" in (tmp_path / "a.ply").read_text()


def test_all_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_ply(tmp_path / "no" / "a.ply", POINTS, TRIANGLES)
    assert not list(tmp_path.iterdir())


def test_a_texture_is_cut_off_at_both_ends() -> None:
    texture = Texture(np.full((2, 3), 100.0, np.float32), np.array([np.full((2, 3), 50.0)], np.float32))
    assert texture.colours(np.array([1.017])).tolist() == [[150] * 3] * 2  # 150.85: not rounded
    assert texture.colours(np.array([4.0])).tolist() == [[255] * 3] * 2
    assert texture.colours(np.array([-3.0])).tolist() == [[0] * 3] * 2


def test_a_texture_is_read_where_there_is_one(tmp_path: Path, make) -> None:
    import scipy.io

    face = make.face(2000, ks=99)
    fields = make.expnet_fields(face)
    scipy.io.savemat(tmp_path / "without.mat", {"BFM": fields})
    assert read_texture(tmp_path / "without.mat", 2000) is None
    pc, sigma = face.shape_pc[:, :5].astype(np.float32), np.arange(1.0, 6.0)
    scipy.io.savemat(tmp_path / "with.mat", {"BFM": fields | {"texPC": pc, "texEV": sigma[:, None]}})
    texture = read_texture(tmp_path / "with.mat", 2000)
    assert texture is not None and (texture.mean == 128).all()
    np.testing.assert_allclose(texture.components[3].ravel(), pc[:, 3] * 4, rtol=1e-6)
    assert read_texture(tmp_path / "with.mat", 1999) is None, "another model's"
    assert read_texture(tmp_path, 2000) is None

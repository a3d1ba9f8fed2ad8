"""ICT-FaceKit's FaceXModel: a folder of OBJ files of one topology, in centimetres."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.face_model import triangles
from expnet.model.formats import open_face_model
from expnet.model.formats.arrays import wound_outward

NEUTRAL = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1], [2, 0, 1], [2, 1, 1.5]])
EXPRESSIONS = ["jawOpen", "eyeLookUp_L", "eyeLookUp_R", "eyeLookDown_L", "eyeLookDown_R"]
EXPRESSIONS += ["eyeLookIn_L", "eyeLookIn_R", "eyeLookOut_L", "eyeLookOut_R"]


def obj(vertices: np.ndarray) -> str:
    lines = ["# a comment", "mtllib some.mtl", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)]
    lines += [f"vt {x / 2:.3f} {y:.3f}" for x, y, _ in NEUTRAL]
    lines += ["usemtl M_Face", "f 1/1 2/2 3/3 4/4", "usemtl M_BackHead", "f 2/2 5/5 3/3", "f 5/5 6/6 3/3"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path):
    """Six vertices in the layout of FaceXModel: two identity modes, nine expressions."""
    (tmp_path / "generic_neutral_mesh.obj").write_text(obj(NEUTRAL))
    for i in range(2):
        (tmp_path / f"identity{i:03d}.obj").write_text(obj(NEUTRAL + [0.1 * (i + 1), 0, 0]))
    for i, name in enumerate(EXPRESSIONS):
        (tmp_path / f"{name}.obj").write_text(obj(NEUTRAL - [0, 0.1 * (i + 1), 0]))
    info = {"expressions": EXPRESSIONS, "idx_to_landmark_verts": [i % 6 for i in range(68)]}
    (tmp_path / "vertex_indices.json").write_text(json.dumps(info))
    return tmp_path


@pytest.mark.parametrize("given", [".", "generic_neutral_mesh.obj"])
def test_centimetres_become_millimetres_and_shapes_offsets(folder, given):
    model = open_face_model(folder / given)
    np.testing.assert_allclose(model.mean, NEUTRAL * 10)
    np.testing.assert_allclose(model.identity[1], np.tile([2, 0, 0], (6, 1)), atol=1e-5)
    np.testing.assert_allclose(model.expression[0], np.tile([0, -1, 0], (6, 1)), atol=1e-5)
    assert model.expression_keys == tuple(EXPRESSIONS) and model.basis == "ict-53"
    assert (model.expression_bounds == [0, 1]).all()
    assert model.license.startswith("MIT")


def test_quads_stay_quads_and_triangles_have_three_corners(folder):
    model = open_face_model(folder)
    np.testing.assert_array_equal(model.faces, [[0, 1, 2, 3], [1, 4, 2, -1], [4, 5, 2, -1]])
    np.testing.assert_allclose(model.uv[0], NEUTRAL[:4, :2] / [2, 1])


def test_gaze_moves_the_lids_of_both_eyes(folder):
    model = open_face_model(folder)
    up = model.expression[1] + model.expression[2]
    left = model.expression[7] + model.expression[6]  # out on the left eye, in on the right
    np.testing.assert_allclose(model.gaze_lids[0], up)
    np.testing.assert_allclose(model.gaze_lids[2], left)


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("jawOpen.obj", obj(NEUTRAL[:5]), "5 vertices, not 6"),
        ("jawOpen.obj", obj(NEUTRAL).replace("v 0.000000", "v nan", 1), "not three numbers"),
        ("jawOpen.obj", obj(NEUTRAL).replace("v 0.000000", "v zero", 1), "text where numbers belong"),
        ("jawOpen.obj", obj(NEUTRAL).replace("v 0.000000 ", "v ", 1), "not three numbers"),
        ("jawOpen.obj", None, "cannot be read"),
        ("identity000.obj", "", "0 vertices, not 6"),
        ("generic_neutral_mesh.obj", "hello", "0 vertices, not some"),
        ("generic_neutral_mesh.obj", obj(NEUTRAL).replace("6/6", "7/6"), "faces point at vertices outside 1..6"),
        ("generic_neutral_mesh.obj", obj(NEUTRAL).replace("6/6", "-1/6"), "faces point at vertices outside 1..6"),
        ("generic_neutral_mesh.obj", obj(NEUTRAL).replace("6/6", "6"), "not triangles and quads with UVs"),
        ("generic_neutral_mesh.obj", obj(NEUTRAL).replace("6/6", "6/9"), "UVs point at vertices outside 1..6"),
        ("vertex_indices.json", "{", "broken JSON"),
        ("vertex_indices.json", "[]", "its JSON is no object"),
        ("vertex_indices.json", '{"expressions": ["../../etc/passwd"]}', "no list of expressions"),
        ("vertex_indices.json", '{"expressions": ["jawOpen", "jawOpen"]}', "no list of expressions"),
    ],
)
def test_a_broken_file_is_named(folder, file, content, complaint):
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(InputError) as caught:
        open_face_model(folder)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_the_release(folder_for, shared):
    archive = shared / "ict_facekit" / "FaceXModel.tar.xz"
    if not archive.is_file():
        pytest.skip("no FaceXModel.tar.xz")
    place = folder_for("ict")
    with tarfile.open(archive) as files:
        files.extractall(place, filter="data")
    model = open_face_model(place / "FaceXModel", identity_components=3)
    assert model.vertex_count == 26719 and len(model.expression_keys) == 53
    parts = [v for name, v in model.regions.items() if not name.startswith("iris_")]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(26719))
    np.testing.assert_allclose(model.mean[model.regions["eyeball_L"]].mean(axis=0), [32, 36, 84], atol=1)
    jaw = np.linalg.norm(model.expression[model.expression_keys.index("jawOpen")], axis=1)
    for still in ("teeth_upper", "gums_upper", "eyeball_L"):
        assert jaw[model.regions[still]].max() < 0.1
    for carried in ("teeth_lower", "gums_lower", "tongue"):
        assert jaw[model.regions[carried]].min() > 10
    corners = triangles(model.faces)
    np.testing.assert_array_equal(wound_outward(model.mean, corners), corners)

"""The Basel family: every release has its own unit, winding and idea of a sigma; all end as the same FaceModel."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import scipy.io

from expnet.model.face.face_model import FaceModel
from expnet.model.formats import load_face_model, open_face_model, save_face_model


def assert_is(model: FaceModel, face, *, ks: int, ke: int, offset=True) -> None:
    """``model`` is ``face``: millimetres, per sigma, 0-based, wound outward."""
    vertices = len(face.points)
    np.testing.assert_allclose(model.mean, face.points, atol=1e-4)
    np.testing.assert_array_equal(model.faces, face.triangles)
    assert model.identity.shape == (ks, vertices, 3) and model.expression.shape == (ke, vertices, 3)
    for k in (0, ks - 1):
        wanted = (face.shape_pc[:, k] * face.shape_sigma[k]).reshape(-1, 3)
        np.testing.assert_allclose(model.identity[k], wanted, atol=1e-4)
    for k in (0, ke - 1) if ke else ():
        wanted = (face.exp_pc[:, k] * face.exp_sigma[k]).reshape(-1, 3)
        np.testing.assert_allclose(model.expression[k], wanted, atol=1e-4)
    wanted = face.exp_mean.reshape(-1, 3) if offset else np.zeros((vertices, 3))
    np.testing.assert_allclose(model.expression_offset, wanted, atol=1e-4)
    np.testing.assert_allclose(model.identity_sigma, face.shape_sigma[:ks], rtol=1e-5)
    assert model.expression_keys == tuple(f"expression_{i:02d}" for i in range(1, ke + 1))
    assert (model.expression_bounds == [-3, 3]).all() and model.expression_bounds.shape == (ke, 2)
    assert "non-commercial" in model.license


# ---------------------------------------------------------------- the ExpNet release


def test_the_expnet_release_is_in_millimetres_and_scales_its_expressions(expnet_mat, expnet_face):
    model = open_face_model(expnet_mat)
    assert_is(model, expnet_face, ks=99, ke=29)
    assert model.basis == "expnet-29"


def test_the_expnet_release_is_eq_1_with_both_sigmas(expnet_mat, expnet_face):
    model, f = open_face_model(expnet_mat), expnet_face
    rng = np.random.default_rng(5)
    alpha, eta = rng.normal(size=99), rng.normal(size=29)
    wanted = (
        f.points.ravel() + f.exp_mean + f.shape_pc @ (f.shape_sigma * alpha) + f.exp_pc @ (f.exp_sigma * eta)
    ).reshape(-1, 3)
    np.testing.assert_allclose(model.vertices(alpha, eta), wanted, atol=2e-4)


def test_its_landmarks_are_the_outer_jaw_line_counted_from_zero(expnet_mat):
    np.testing.assert_array_equal(open_face_model(expnet_mat).landmarks, np.arange(100, 168))


def test_its_flat_hdf5_twin_is_the_same_model(expnet_h5, expnet_face):
    assert_is(open_face_model(expnet_h5), expnet_face, ks=99, ke=29)


def test_saved_by_matlab_as_version_7_3_it_is_the_same_model(tmp_path, make):
    face = make.face(3000, ks=99)
    path = tmp_path / "BaselFaceModel_mod.mat"
    make.mat73(path, "BFM", make.expnet_fields(face))
    assert_is(open_face_model(path), face, ks=99, ke=29)


@pytest.mark.parametrize("compress", [False, True])
def test_big_and_small_numbers_compressed_or_not_are_all_read(tmp_path, make, compress):
    face = make.face(2000, ks=99)
    fields = make.expnet_fields(face) | {"shapePC": face.shape_pc.astype(np.float64), "note": "text", "cell": [[{}]]}
    path = tmp_path / "model.mat"
    scipy.io.savemat(path, {"more": np.arange(3), "BFM": fields}, do_compression=compress)
    assert_is(open_face_model(path), face, ks=99, ke=29)


def test_a_file_is_known_by_its_content_not_its_name(tmp_path, make):
    face = make.face(2000, ks=99)
    path = tmp_path / "renamed by someone.bin"
    scipy.io.savemat(path, {"BFM": make.expnet_fields(face)}, appendmat=False)
    assert open_face_model(path).name == "bfm-expnet"


def test_triangles_wound_the_other_way_are_turned_over(tmp_path, make):
    face = make.face(2000, ks=99)
    fields = make.expnet_fields(face)
    scipy.io.savemat(tmp_path / "m.mat", {"BFM": fields | {"faces": fields["faces"][:, ::-1]}})
    np.testing.assert_array_equal(open_face_model(tmp_path / "m.mat").faces, face.triangles)


# ---------------------------------------------------------------- 3DDFA


@pytest.mark.parametrize("given", ["Model_Shape.mat", "Model_Expression.mat", "."])
def test_3ddfa_is_read_from_either_file_or_the_folder(ddfa_folder, ddfa_face, given):
    model = open_face_model(ddfa_folder / given)
    assert_is(model, ddfa_face, ks=99, ke=29)
    assert model.basis == "3ddfa-29"
    np.testing.assert_array_equal(model.landmarks, np.arange(68))


def test_all_199_identity_components_can_be_had(ddfa_folder, ddfa_face):
    assert_is(open_face_model(ddfa_folder, identity_components=None), ddfa_face, ks=199, ke=29)
    assert len(open_face_model(ddfa_folder, identity_components=10).identity) == 10


def test_with_the_expnet_table_beside_it_3ddfa_takes_expnets_sigmas(tmp_path, make):
    face = make.face(3000, ks=99)
    make.ddfa(tmp_path, face)
    ours = np.linspace(2, 1, 29)
    make.index_table(tmp_path, make.face(3200, ks=1, ke=1), np.arange(3000), ours)
    model = open_face_model(tmp_path / "Model_Shape.mat")
    assert model.basis == "expnet-29"
    np.testing.assert_allclose(model.expression[28].ravel(), face.exp_pc[:, 28] * ours[28], atol=1e-4)


# ---------------------------------------------------------------- BFM 2009


def test_bfm_2009_alone_has_identity_only(bfm09_mat, bfm09_face):
    model = open_face_model(bfm09_mat)
    assert_is(model, bfm09_face, ks=99, ke=0, offset=False)
    assert model.basis == "none"
    assert model.vertices(np.ones(99), np.zeros(0)).shape == (53490, 3)


@pytest.fixture
def bfm09_with_expressions(tmp_path, bfm09_mat, ddfa_folder):
    """BFM 2009 with 3DDFA's expressions beside it; the table is still missing."""
    (tmp_path / bfm09_mat.name).symlink_to(bfm09_mat)
    (tmp_path / "Model_Expression.mat").symlink_to(ddfa_folder / "Model_Expression.mat")
    return tmp_path / bfm09_mat.name


def test_bfm_2009_with_3ddfas_expressions_and_the_table_is_the_release_s_model(
    bfm09_with_expressions, make, bfm09_face, ddfa_face
):
    wanted_kept = np.flatnonzero(np.abs(bfm09_face.points[:, 1]) < 80)
    exp_sigma = np.linspace(2, 0.1, 29)
    table = make.index_table(bfm09_with_expressions.parent, bfm09_face, wanted_kept, exp_sigma)
    model = open_face_model(bfm09_with_expressions)

    kept = table["vertex_indices"].ravel().astype(int) - 1
    rows = table["vertex_expr_ref"].ravel()[kept] - 1
    assert model.name == "bfm-expnet" and model.basis == "expnet-29"
    np.testing.assert_allclose(model.mean, bfm09_face.points[kept] + [0.231, 0, 0], atol=1e-4)
    np.testing.assert_array_equal(model.faces, table["faces"].astype(int) - 1)
    np.testing.assert_array_equal(model.landmarks, np.arange(200, 268))
    identity = (bfm09_face.shape_pc[:, 7] * bfm09_face.shape_sigma[7]).reshape(-1, 3)[kept]
    np.testing.assert_allclose(model.identity[7], identity, atol=1e-4)
    expression = (ddfa_face.exp_pc[:, 7] * exp_sigma[7]).reshape(-1, 3)[rows]
    np.testing.assert_allclose(model.expression[7], expression, atol=1e-4)
    np.testing.assert_allclose(model.expression_offset, ddfa_face.exp_mean.reshape(-1, 3)[rows], atol=1e-4)


def test_the_published_table_makes_46990_vertices(bfm09_with_expressions, shared):
    shutil.copy(shared / "official" / "mod_struct_expr.mat", bfm09_with_expressions.parent)
    model = open_face_model(bfm09_with_expressions)
    assert model.vertex_count == 46990 and len(model.faces) == 93323
    np.testing.assert_allclose(
        np.linalg.norm(model.expression[0]) / np.linalg.norm(model.expression[1]), 2.14868 / 1.54700, rtol=0.1
    )
    assert len(np.unique(model.landmarks)) == 68


# ---------------------------------------------------------------- BFM 2017 and 2019


def test_bfm_2017_keeps_variances_so_a_sigma_is_their_root(bfm17_h5, bfm17_face):
    model = open_face_model(bfm17_h5)
    assert_is(model, bfm17_face, ks=99, ke=100)
    assert model.basis == "bfm-2017-100"


def test_without_expressions_it_is_identity_only(tmp_path, make):
    face = make.face(3000, ks=50)
    path = make.bfm17(tmp_path / "model2009-publicmm1-bfm.h5", face, expressions=False)
    assert_is(open_face_model(path), face, ks=50, ke=0, offset=False)


# ---------------------------------------------------------------- and into Blender's own file


def test_converted_exactly_nothing_is_lost(tmp_path, ddfa_folder):
    model = open_face_model(ddfa_folder)
    save_face_model(model, tmp_path / "bfm.npz", exact=True)
    again = load_face_model(tmp_path / "bfm.npz")
    (tmp_path / "bfm.npz").unlink()
    for name in ("mean", "identity", "expression", "expression_offset", "faces", "expression_bounds", "landmarks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    assert again.expression_keys == model.expression_keys and again.basis == model.basis

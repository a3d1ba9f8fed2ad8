"""LSFM's models: eigenvalues are variances, triangles count from 0, and the unit is told by the face's width."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io

from expnet.model.errors import InputError
from expnet.model.formats import open_face_model


def write_lsfm(path: Path, face: object, unit: float = 1.0, **changes: np.ndarray) -> Path:
    f = SimpleNamespace(**vars(face))
    fields = {
        "mean": f.points.ravel()[:, None] / unit,
        "components": f.shape_pc,
        "eigenvalues": (f.shape_sigma / unit)[None] ** 2,
        "trilist": f.triangles[:, ::-1].astype(float),  # 3DDFA's and LSFM's wind inward
        "n_training_samples": 9663.0,
        "cumulative_explained_variance": np.linspace(0.5, 1, len(f.shape_sigma)),
    }
    scipy.io.savemat(path, {**fields, **changes})
    return path


@pytest.mark.parametrize("unit", [1.0, 1e-3, 10.0])
def test_it_is_in_millimetres_per_sigma_whatever_its_unit(unit: float, make: SimpleNamespace, tmp_path: Path) -> None:
    face = make.face(600, ks=7)
    model = open_face_model(write_lsfm(tmp_path / "all_all_all.mat", face, unit))
    assert model.name == "lsfm"
    np.testing.assert_allclose(model.mean, face.points, atol=1e-3)
    np.testing.assert_array_equal(model.faces, face.triangles)
    np.testing.assert_allclose(model.identity_sigma, face.shape_sigma, rtol=1e-5)
    wanted = (face.shape_pc[:, 3] * face.shape_sigma[3]).reshape(-1, 3)
    np.testing.assert_allclose(model.identity[3], wanted, atol=1e-3)
    assert model.expression_keys == ()
    assert "non-commercial" in model.license
    assert len(open_face_model(tmp_path / "all_all_all.mat", 5).identity) == 5
    assert open_face_model(tmp_path).name == "lsfm"  # the folder


def test_3ddfas_files_in_its_folder_give_it_expressions_and_landmarks(make: SimpleNamespace, tmp_path: Path) -> None:
    face = make.face(600, ks=7)
    make.ddfa(tmp_path, face)
    model = open_face_model(write_lsfm(tmp_path / "all_all_all.mat", face))
    assert (model.name, model.basis, len(model.identity)) == ("lsfm", "3ddfa-29", 7)
    theirs = open_face_model(tmp_path / "Model_Shape.mat")
    np.testing.assert_allclose(model.expression, theirs.expression, atol=1e-4)
    np.testing.assert_array_equal(model.landmarks, theirs.landmarks)
    assert not model.expression_offset.any()
    make.ddfa(tmp_path, make.face(500, ks=7))
    with pytest.raises(InputError, match="belong together"):
        open_face_model(tmp_path / "all_all_all.mat")


@pytest.mark.parametrize(
    "change",
    [
        {"eigenvalues": -np.ones(7)},
        {"components": np.zeros((10, 7))},
        {"trilist": np.full((5, 3), 600.0)},
        {"mean": np.zeros((1800, 1))},
    ],
)
def test_a_damaged_file_is_one_line(change: dict, make: SimpleNamespace, tmp_path: Path) -> None:
    path = write_lsfm(tmp_path / "a.mat", make.face(600, ks=7), **change)
    with pytest.raises(InputError, match="intact file|belong together") as raised:
        open_face_model(path)
    assert "\n" not in str(raised.value)

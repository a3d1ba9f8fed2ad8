"""Our own face-model file: what goes in comes out, to a thousandth of a millimetre, or exactly."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from expnet.model.errors import InputError
from expnet.model.face.face_model import FaceModel
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS, open_bounds
from expnet.model.formats import OPEN_HEAD, load_face_model, open_face_model, save_face_model


def head(vertices: int = 500, ks: int = 99, **changes) -> FaceModel:
    """Random numbers in the open head's layout."""
    rng = np.random.default_rng(0)
    values = {
        "name": "head",
        "mean": rng.normal(0, 60, (vertices, 3)).astype(np.float32),
        "identity": rng.normal(0, 3, (ks, vertices, 3)).astype(np.float32),
        "expression": rng.normal(0, 5, (29, vertices, 3)).astype(np.float32),
        "expression_offset": np.zeros((vertices, 3), np.float32),
        "faces": rng.integers(0, vertices, (vertices, 4), np.int32),
        "expression_keys": OPEN_KEYS,
        "expression_bounds": open_bounds(),
        "basis": OPEN_BASIS,
        "identity_sigma": np.ones(ks, np.float32),
        "uv": rng.random((vertices, 4, 2)).astype(np.float32),
        "landmarks": np.arange(68, dtype=np.int32),
        "regions": {
            "skin": np.arange(vertices, dtype=np.int32),
            "none": np.zeros(0, np.int32),
            "lips": np.int32([3, 1]),
        },
        "gaze_lids": rng.normal(0, 1, (4, vertices, 3)).astype(np.float32),
        "average_alpha": rng.normal(0, 1, ks).astype(np.float32),
        "license": "MIT",
        "source": "made up – für Tests",
    }
    return FaceModel(**(values | changes))


ARRAYS = (
    "mean",
    "expression_offset",
    "faces",
    "expression_bounds",
    "identity_sigma",
    "uv",
    "landmarks",
    "average_alpha",
)
BASES = ("identity", "expression", "gaze_lids")
WORDS = ("name", "expression_keys", "basis", "license", "source")


@pytest.mark.parametrize("exact", [False, True])
def test_everything_comes_back(tmp_path, exact):
    model = head()
    save_face_model(model, tmp_path / "head.npz", exact=exact)
    again = load_face_model(tmp_path / "head.npz")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name), err_msg=name)
        assert getattr(again, name).dtype == getattr(model, name).dtype
    for name in BASES:
        np.testing.assert_allclose(getattr(again, name), getattr(model, name), rtol=0, atol=0 if exact else 0.001)
        assert getattr(again, name).dtype == np.float32
    for name in WORDS:
        assert getattr(again, name) == getattr(model, name)
    assert list(again.regions) == list(model.regions)
    for name, vertices in model.regions.items():
        np.testing.assert_array_equal(again.regions[name], vertices)


def test_what_a_model_lacks_stays_absent(tmp_path):
    save_face_model(
        head(uv=None, landmarks=None, regions={}, gaze_lids=None, average_alpha=None), tmp_path / "head.npz"
    )
    again = load_face_model(tmp_path / "head.npz")
    assert (again.uv, again.landmarks, again.regions, again.gaze_lids) == (None, None, {}, None)
    assert again.average_alpha is None


def test_a_basis_too_large_for_16_bits_keeps_its_precision(tmp_path):
    model = head(identity=np.linspace(-500, 500, 99 * 500 * 3, dtype=np.float32).reshape(99, 500, 3))
    save_face_model(model, tmp_path / "head.npz")
    np.testing.assert_array_equal(load_face_model(tmp_path / "head.npz").identity, model.identity)


def test_identity_only_and_triangles_among_quads(tmp_path):
    faces = np.int32([[0, 1, 2, 3], [4, 5, 6, -1]])
    model = head(
        expression=np.zeros((0, 500, 3), np.float32),
        expression_keys=(),
        expression_bounds=np.zeros((0, 2), np.float32),
        faces=faces,
        uv=None,
    )
    save_face_model(model, tmp_path / "head.npz")
    again = load_face_model(tmp_path / "head.npz")
    assert again.expression.shape == (0, 500, 3)
    np.testing.assert_array_equal(again.faces, faces)


def test_an_existing_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "head.npz"
    save_face_model(head(), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="mean has values that are not numbers"):
        save_face_model(head(mean=np.full((500, 3), np.nan, np.float32)), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["head.npz"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        save_face_model(head(), tmp_path / "no" / "head.npz")


def test_a_bfm_sized_file_loads_in_a_moment(tmp_path):
    path = tmp_path / "bfm.npz"
    save_face_model(head(53215), path, exact=True)
    start = time.process_time()  # not the clock's: other work goes on on a test machine
    model = load_face_model(path)
    assert time.process_time() - start < 2
    path.unlink()
    assert model.identity.shape == (99, 53215, 3) and model.expression.shape == (29, 53215, 3)


@pytest.mark.skipif(not OPEN_HEAD.is_file(), reason="the open head has not been made")
def test_the_open_head_is_in_the_box():
    model = open_face_model("open")
    assert model.basis == OPEN_BASIS and model.expression_keys == OPEN_KEYS
    assert model.identity.shape[0] == 99
    assert OPEN_HEAD.stat().st_size < 10e6

"""What is no face model, or a broken one, is refused with one line that names the file - at once, in little memory."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expnet.model.errors import InputError
from expnet.model.formats import open_face_model

MEMORY = 64 * 2**20


def refusal(path) -> str:
    """Return the one line with which ``path`` is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            open_face_model(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert "\n" not in line and str(path) in line and ";" in line
    return line


@pytest.fixture
def fields(make):
    """Return a small face in the ExpNet release's layout, to be broken."""
    return make.expnet_fields(make.face(400, ks=99))


def mat(path, fields):
    scipy.io.savemat(path, {"BFM": fields})
    return path


# ---------------------------------------------------------------- not a face model at all


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\n",
        b"\x00" * 5000,
        b"\x80\x04}\x94\x8c\x01xK\x01s.",
        b"MATLAB 5.0 MAT-file",
        b"PK\x03\x04 broken",
    ],
    ids=["empty", "text", "zeros", "pickle", "cut header", "broken zip"],
)
def test_other_files_are_no_face_models(tmp_path, content):
    path = tmp_path / "model.mat"
    path.write_bytes(content)
    assert "not a supported face model" in refusal(path)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing.mat")


def test_a_folder_without_a_model(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "no face model in this folder" in refusal(tmp_path)


def test_a_folder_with_two_models_asks_which(tmp_path, fields):
    mat(tmp_path / "a.mat", fields)
    mat(tmp_path / "b.mat", fields)
    assert "several face models (a.mat, b.mat)" in refusal(tmp_path)


def test_another_mat_file(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.eye(3), "cell": np.array([[1, "a"]], object)})
    assert "not a supported face model" in refusal(tmp_path / "other.mat")


def test_another_zip(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    assert "not a supported face model" in refusal(tmp_path / "arrays.npz")


# ---------------------------------------------------------------- a model whose numbers do not fit together


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"shapePC": np.zeros((1197, 99))}, "shapePC is 1197x99, but the mean has 400 vertices"),
        ({"expPC": np.zeros((1203, 29))}, "expPC is 1203x29, but the mean has 400 vertices"),
        ({"shapeEV": np.ones((98, 1))}, "shapeEV is 98x1, not 99 numbers"),
        ({"shapeEV": -np.ones((99, 1))}, "shapeEV has negative numbers"),
        ({"expEV": np.full((29, 1), np.nan)}, "expEV has values that are not numbers"),
        ({"shapeMU": np.full((1200, 1), np.inf)}, "shapeMU has values that are not numbers"),
        ({"shapeMU": np.ones((1201, 1))}, "shapeMU has 1201 numbers, not 3 for each vertex"),
        ({"shapePC": np.full((1200, 99), np.nan)}, "identity has values that are not numbers"),
        ({"shapePC": np.full((1200, 99), 1e300)}, "identity has values that are not numbers"),
        ({"faces": np.array([[0, 1, 2]])}, "faces point at vertices outside 1..400"),
        ({"faces": np.array([[1, 2, 401]])}, "faces point at vertices outside 1..400"),
        ({"faces": np.array([[1.5, 2, 3]])}, "faces are not whole numbers"),
        ({"faces": np.array([[1, np.nan, 3]])}, "faces are not whole numbers"),
        ({"faces": np.ones((5, 4))}, "faces is 5x4, not triangles"),
        ({"faces": np.ones((0, 3))}, "faces are (0, 3)"),
        ({"outerLandmarkIndex": np.full((68, 1), 401)}, "outerLandmarkIndex point at vertices outside"),
        ({"expMU": "a word"}, "expMU is missing, or is no plain numeric array"),
        ({"expMU": np.ones((1200, 1)) * 1j}, "expMU is missing, or is no plain numeric array"),
    ],
)
def test_numbers_that_do_not_fit(tmp_path, fields, change, complaint):
    assert complaint in refusal(mat(tmp_path / "model.mat", fields | change))


def test_half_of_3ddfa_asks_for_the_other(tmp_path, make):
    make.ddfa(tmp_path, make.face(400, ks=99))
    (tmp_path / "Model_Expression.mat").unlink()
    assert "put Model_Expression.mat into the same folder" in refusal(tmp_path / "Model_Shape.mat")


def test_3ddfa_s_halves_of_different_sizes(tmp_path, make):
    make.ddfa(tmp_path, make.face(400, ks=99))
    make.expressions(tmp_path, make.face(300, ks=1))
    assert "use files that belong together" in refusal_of_either(tmp_path)


def refusal_of_either(folder) -> str:
    with pytest.raises(InputError) as caught:
        open_face_model(folder)
    return str(caught.value)


def test_bfm_2009_with_expressions_but_no_table(tmp_path, make):
    make.expressions(tmp_path, make.face(300, ks=1))
    assert "put mod_struct_expr.mat into the same folder" in refusal(make.bfm09(tmp_path, make.face(400)))


# ---------------------------------------------------------------- files that lie about their sizes


def element(kind: int, data: bytes, declared: int | None = None) -> bytes:
    body = data + b"\0" * (-len(data) % 8) if kind != 15 else data
    return struct.pack("<II", kind, len(body) if kind == 14 else declared or len(data)) + body


def matrix(name: bytes, dims: tuple[int, ...], data: bytes, declared: int | None = None, array_class: int = 6) -> bytes:
    head = element(6, struct.pack("<II", array_class, 0)) + element(5, struct.pack(f"<{len(dims)}i", *dims))
    return element(14, head + element(1, name) + element(9, data, declared))


def write_mat(path, *elements: bytes):
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements))
    return path


HUGE = 2**31 - 1


@pytest.mark.parametrize("dims", [(HUGE, HUGE), (3_000_000, 199), (160470, HUGE)])
def test_gigantic_dimensions_in_a_tiny_mat_file(tmp_path, dims):
    small = b"\0" * 24
    path = write_mat(
        tmp_path / "01_MorphableModel.mat",
        matrix(b"shapeMU", (3, 1), small),
        matrix(b"shapePC", dims, small),
        matrix(b"shapeEV", (199, 1), b"\0" * 1592),
        matrix(b"tl", (1, 3), small),
    )
    assert "shapePC" in refusal(path)


def test_a_gigantic_mean_in_a_tiny_mat_file(tmp_path):
    path = write_mat(
        tmp_path / "01_MorphableModel.mat",
        *(matrix(name, (HUGE, HUGE), b"") for name in (b"shapeMU", b"shapePC", b"shapeEV", b"tl")),
    )
    assert "shapeMU" in refusal(path)


def test_data_shorter_than_declared(tmp_path):
    path = write_mat(
        tmp_path / "m.mat",
        *(matrix(name, (300, 1), b"\0" * 16) for name in (b"shapeMU", b"shapePC", b"shapeEV", b"tl")),
    )
    assert "does not have the size it declares" in refusal(path)


def test_a_compressed_bomb_is_unpacked_no_further_than_it_declares(tmp_path):
    bomb = zlib.compress(matrix(b"shapeMU", (300, 1), b"\0" * 2400) + b"\0" * 100_000_000)
    others = [matrix(name, (300, 1), b"\0" * 2400) for name in (b"shapePC", b"shapeEV", b"tl")]
    path = write_mat(tmp_path / "m.mat", element(15, bomb), *others)
    refusal(path)


def test_a_mat_file_cut_anywhere(tmp_path, fields):
    whole = mat(tmp_path / "whole.mat", fields).read_bytes()
    path = tmp_path / "cut.mat"
    for length in [127, 128, 130, 140, 200, 1000, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(path)


def test_gigantic_dimensions_in_a_tiny_hdf5_file(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = np.zeros(300, np.float32)
        for name in ("pcaBasis", "pcaVariance"):
            file.create_dataset(f"shape/model/{name}", (10**9, 10**6), np.float32, chunks=(100, 100))
        file["shape/representer/cells"] = np.zeros((3, 1), np.int32)
    assert "not a supported face model" in refusal(path)  # HDF5 would fill in what is not stored


@pytest.mark.parametrize("chunks", [None, (300, 20)])
def test_fill_values_are_no_numbers_of_a_face(tmp_path, chunks):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = np.zeros(300, np.float32)
        file["shape/model/pcaVariance"] = np.ones(200, np.float32)
        file.create_dataset("shape/model/pcaBasis", (300, 200), np.float32, chunks=chunks, fillvalue=1.0)
        file["shape/representer/cells"] = np.zeros((3, 1), np.int32)
    assert "not a supported face model" in refusal(path)


def test_an_hdf5_file_whose_packed_numbers_are_a_thousand_times_its_size(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = np.zeros(30_000, np.float32)
        file["shape/model/pcaVariance"] = np.ones(1000, np.float32)
        file.create_dataset(
            "shape/model/pcaBasis", data=np.zeros((30_000, 1000), np.int8), chunks=(3000, 1000), compression="gzip"
        )
        file["shape/representer/cells"] = np.zeros((3, 1), np.int32)
    assert "takes far more memory than the file is large" in refusal(path)


def test_hdf5_names_and_types_that_numpy_does_not_know(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/pcaBasis"] = np.zeros((300, 2), np.float32)
        h5py.h5g.create(file.id, b"\xff\xfe")
        file.create_dataset(b"\xc3\x28", data=np.zeros(3))
    refusal(path)


def test_an_hdf5_file_that_points_into_another(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros(300)
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/pcaBasis"] = np.zeros((300, 2))
        file["shape/model/mean"] = h5py.ExternalLink("other.h5", "secret")
    refusal(path)


def test_an_hdf5_file_cut_short(tmp_path, make):
    path = make.bfm17(tmp_path / "m.h5", make.face(400, ks=9, ke=5))
    path.write_bytes(path.read_bytes()[:4000])
    assert "broken HDF5 file" in refusal(path)


# ---------------------------------------------------------------- our own file


@pytest.fixture
def own(tmp_path, fields):
    """Return a small npz of ours, and its members to be changed."""
    from expnet.model.formats import save_face_model

    save_face_model(open_face_model(mat(tmp_path / "small.mat", fields)), tmp_path / "small.npz")
    with np.load(tmp_path / "small.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("mean", np.zeros((399, 3), np.float32), "not float32 (399, 3)"),
        ("mean", np.full((400, 3), np.nan, np.float32), "mean has values that are not numbers"),
        ("identity", np.zeros((99, 400, 2), np.int16), "identity is int16 (99, 400, 2)"),
        ("identity", np.zeros((99, 400, 3), np.float64), "identity is float64"),
        ("identity_scale", np.zeros(98, np.float32), "identity_scale is float32 (98,)"),
        ("expression", np.zeros((28, 400, 3), np.float32), "expression is float32 (28, 400, 3)"),
        ("faces", np.full((2, 3), 400, np.int32), "faces point at vertices outside 0..399"),
        ("faces", np.full((2, 5), 1, np.int32), "faces are (2, 5)"),
        ("region_sizes", np.array([1, 2], np.int32), "region_sizes is int32 (2,)"),
        ("expression_bounds", np.tile(np.float32([1, -1]), (29, 1)), "lower bound is above its upper bound"),
        ("header", np.frombuffer(b"{", np.uint8), "its header is broken"),
        ("header", np.frombuffer(b'{"format": "expnet-face-model-9"}', np.uint8), "another version"),
    ],
)
def test_a_changed_member(tmp_path, own, name, value, complaint):
    path = tmp_path / "changed.npz"
    np.savez(path, **(own | {name: value}))
    assert complaint in refusal(path)


def test_a_missing_member(tmp_path, own):
    del own["expression"]
    np.savez(tmp_path / "missing.npz", **own)
    assert "expression is missing" in refusal(tmp_path / "missing.npz")


def test_key_names_that_are_not_unique(tmp_path, own):
    own["header"] = np.frombuffer(own["header"].tobytes().replace(b"expression_02", b"expression_01"), np.uint8)
    np.savez(tmp_path / "keys.npz", **own)
    assert "not unique" in refusal(tmp_path / "keys.npz")


def test_a_pickle_inside_is_never_opened(tmp_path, own):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    trap = np.empty(1, object)
    trap[0] = Trap()
    np.savez(tmp_path / "trap.npz", **(own | {"mean": trap}))
    refusal(tmp_path / "trap.npz")


@pytest.mark.parametrize("vertices", [10**6, 10**15])
def test_a_member_that_declares_more_than_there_is(tmp_path, own, vertices):
    path = tmp_path / "liar.npz"
    np.savez(path, **own)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({vertices}, 3), }}".ljust(117) + "\n"
    lie = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "lie.npz", "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, lie if item.filename == "mean.npy" else old.read(item))
    assert "does not have the size it declares" in refusal(tmp_path / "lie.npz")


def test_a_bomb_is_not_unpacked(tmp_path, own):
    path = tmp_path / "bomb.npz"
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000, 3), }".ljust(117) + "\n"
    bomb = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    np.savez(tmp_path / "small.npz", **own)
    with zipfile.ZipFile(tmp_path / "small.npz") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, 1) as new:
        for item in old.infolist():
            if item.filename != "mean.npy":
                new.writestr(item.filename, old.read(item))
        with new.open("mean.npy", "w", force_zip64=True) as member:
            member.write(bomb)
            member.write(bytes(12 * 10**7))
    refusal(path)


# ---------------------------------------------------------------- any damage at all


@pytest.fixture(scope="module")
def small_files(tmp_path_factory, make):
    from expnet.model.formats import save_face_model

    folder = tmp_path_factory.mktemp("small")
    tiny = make.face(60, ks=3, ke=2)
    tiny_fields = make.expnet_fields(tiny) | {"shapePC": tiny.shape_pc}
    tiny_fields = {k: v for k, v in tiny_fields.items() if "Landmark" not in k} | {"shapeEV": tiny.shape_sigma}
    scipy.io.savemat(folder / "plain.mat", {"BFM": tiny_fields})
    scipy.io.savemat(folder / "packed.mat", {"BFM": tiny_fields}, do_compression=True)
    save_face_model(open_face_model(folder / "plain.mat"), folder / "own.npz")
    save_face_model(open_face_model(folder / "plain.mat"), folder / "exact.npz", exact=True)
    return folder


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_either_harmless_or_one_line(tmp_path, small_files, data):
    name = data.draw(st.sampled_from(("plain.mat", "packed.mat", "own.npz", "exact.npz")))
    content = bytearray((small_files / name).read_bytes())
    # Heads and directories are where damage is interesting.
    places = st.one_of(st.integers(0, len(content) - 1), st.integers(0, 400), st.integers(1, 400).map(lambda n: -n))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(content[: data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else None])
    try:
        open_face_model(path)
    except InputError as error:
        assert "\n" not in str(error) and str(path) in str(error)

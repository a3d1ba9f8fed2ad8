"""Face-model files as their makers lay them out, at their real size, filled with a smooth made-up face."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.io

EXPNET_V, DDFA_V, BFM09_V, BFM17_V = 46990, 53215, 53490, 53149


@dataclass(frozen=True)
class Face:
    """A made-up mask of V points in mm and its grid of triangles, wound outward; orthonormal-looking bases."""

    points: np.ndarray
    triangles: np.ndarray
    shape_pc: np.ndarray
    shape_sigma: np.ndarray
    exp_mean: np.ndarray
    exp_pc: np.ndarray
    exp_sigma: np.ndarray


def make_face(vertices: int, ks: int = 199, ke: int = 29, seed: int = 0) -> Face:
    """Return a mask as wide and deep as a face, x to its left, y up, z outward."""
    rng = np.random.default_rng(seed)
    columns = int(np.sqrt(vertices)) + 1
    i = np.arange(vertices)
    longitude = np.radians(80) * (2 * (i % columns) / columns - 1)
    latitude = np.radians(65) * (2 * (i // columns) / (vertices / columns) - 1)
    points = np.stack(
        [75 * np.sin(longitude) * np.cos(latitude), 95 * np.sin(latitude), 110 * np.cos(longitude) * np.cos(latitude)],
        axis=1,
    )
    corner = i[(i % columns < columns - 1) & (i + columns + 1 < vertices)]
    right, up, both = corner + 1, corner + columns, corner + columns + 1
    triangles = np.concatenate([np.stack([corner, right, both], 1), np.stack([corner, both, up], 1)])

    def basis(count: int) -> np.ndarray:
        waves = np.sin(points.astype(np.float32) @ rng.normal(0, 0.03, (3, 3 * count)).astype(np.float32))
        flat = waves.reshape(vertices, count, 3).transpose(0, 2, 1).reshape(3 * vertices, count)
        return flat / np.linalg.norm(flat, axis=0)

    root = np.sqrt(vertices)  # a unit-norm column times this moves each vertex by about one
    return Face(
        points,
        triangles,
        basis(ks),
        np.geomspace(4, 0.1, ks) * root,
        (rng.normal(0, 1, (1, 3)) + 0.01 * points).ravel(),
        basis(ke) * root,
        np.geomspace(2.1, 0.1, ke),
    )


@pytest.fixture(scope="session")
def folder_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Make folders for large files, and remove them: pytest would keep those of three runs."""
    made: list[Path] = []

    def make_folder(name: str) -> Path:
        made.append(tmp_path_factory.mktemp(name))
        return made[-1]

    yield make_folder
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with real files of the releases; tests that want it are skipped where it is not."""
    default = Path(__file__).resolve().parents[4] / "shared"
    folder = Path(os.environ.get("EXPNET_SHARED", default))
    if not (folder / "official").is_dir():
        pytest.skip("no folder with the releases' files (EXPNET_SHARED)")
    return folder


# ---------------------------------------------------------------- the ExpNet release


def expnet_fields(face: Face) -> dict[str, np.ndarray]:
    """Return what is in BaselFaceModel_mod.mat: millimetres, 1-based, vectors as columns."""
    return {
        "faces": (face.triangles + 1).astype(np.uint16 if len(face.points) < 65535 else np.int32),
        "shapeMU": face.points.reshape(-1, 1),
        "shapePC": face.shape_pc[:, :99],
        "shapeEV": face.shape_sigma[:99, None],
        "texMU": np.full((3 * len(face.points), 1), 128.0, np.float32),
        "expMU": face.exp_mean[:, None],
        "expPC": face.exp_pc,
        "expEV": face.exp_sigma[:, None],
        "innerLandmarkIndex": np.arange(1, 69, dtype=float)[:, None],
        "outerLandmarkIndex": np.arange(101, 169, dtype=float)[:, None],
    }


@pytest.fixture(scope="session")
def expnet_face() -> Face:
    return make_face(EXPNET_V, ks=99)


@pytest.fixture(scope="session")
def expnet_mat(folder_for: Callable[[str], Path], expnet_face: Face) -> Path:
    path = folder_for("expnet") / "BaselFaceModel_mod.mat"
    scipy.io.savemat(path, {"BFM": expnet_fields(expnet_face)})
    return path


@pytest.fixture(scope="session")
def expnet_h5(folder_for: Callable[[str], Path], expnet_face: Face) -> Path:
    path = folder_for("expnet_h5") / "BaselFaceModel_mod.h5"
    with h5py.File(path, "w") as file:
        for name, value in expnet_fields(expnet_face).items():
            file[name] = value
    return path


def write_mat73(path: Path, struct: str, fields: dict[str, np.ndarray]) -> None:
    """As MATLAB's `save -v7.3`: HDF5 behind a 512-byte text header, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in fields.items():
            file.create_dataset(f"{struct}/{name}", data=value.T).attrs["MATLAB_class"] = np.bytes_("double")
        file[struct].attrs["MATLAB_class"] = np.bytes_("struct")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


# ---------------------------------------------------------------- 3DDFA


@pytest.fixture(scope="session")
def ddfa_face() -> Face:
    return make_face(DDFA_V, seed=1)


def write_3ddfa(folder: Path, face: Face) -> None:
    """Micrometres; triangles as columns, 1-based, wound inward."""
    scipy.io.savemat(
        folder / "Model_Shape.mat",
        {
            "keypoints": np.arange(1, 69, dtype=float)[None],
            "mu_shape": (1000 * face.points).reshape(-1, 1).astype(np.float32),
            "w": face.shape_pc.astype(np.float32),
            "sigma": 1000 * face.shape_sigma[:, None],
            "tri": (face.triangles[:, ::-1] + 1).T.astype(float),
            "segbin": np.ones((4, len(face.points)), np.uint8),
        },
    )
    write_expressions(folder, face)


def write_expressions(folder: Path, face: Face) -> None:
    scipy.io.savemat(
        folder / "Model_Expression.mat",
        {
            "mu_exp": 1000 * face.exp_mean[:, None],
            "w_exp": (1000 * face.exp_pc).astype(np.float32),
            "sigma_exp": face.exp_sigma[:, None],
        },
        do_compression=True,  # as MATLAB's default
    )


@pytest.fixture(scope="session")
def ddfa_folder(folder_for: Callable[[str], Path], ddfa_face: Face) -> Path:
    folder = folder_for("3ddfa")
    write_3ddfa(folder, ddfa_face)
    return folder


# ---------------------------------------------------------------- BFM 2009 and the index table


@pytest.fixture(scope="session")
def bfm09_face() -> Face:
    return make_face(BFM09_V, seed=2)


def write_bfm09(folder: Path, face: Face) -> Path:
    """Micrometres, unit-norm columns, standard deviations; 1-based, wound inward."""
    path = folder / "01_MorphableModel.mat"
    scipy.io.savemat(
        path,
        {
            "shapeMU": (1000 * face.points).reshape(-1, 1).astype(np.float32),
            "shapePC": face.shape_pc.astype(np.float32),
            "shapeEV": (1000 * face.shape_sigma[:, None]).astype(np.float32),
            "texMU": np.full((3 * len(face.points), 1), 128.0, np.float32),
            "tl": (face.triangles[:, ::-1] + 1).astype(float),
            "segMM": np.ones((len(face.points), 4)),
        },
    )
    return path


@pytest.fixture(scope="session")
def bfm09_mat(folder_for: Callable[[str], Path], bfm09_face: Face) -> Path:
    return write_bfm09(folder_for("bfm09"), bfm09_face)


def write_index_table(folder: Path, face: Face, kept: np.ndarray, exp_sigma: np.ndarray) -> dict[str, np.ndarray]:
    """mod_struct_expr.mat, with the names and the kinds of numbers of the published one."""
    reference = np.full(len(face.points), -1, np.int32)
    inner = np.arange(len(face.points)) % 195 == 100  # 275 of 53,490 that 3DDFA dropped
    reference[~inner] = np.arange(1, np.count_nonzero(~inner) + 1)
    kept = kept[~inner[kept]]
    number = np.full(len(face.points), -1)
    number[kept] = np.arange(len(kept))
    faces = number[face.triangles]
    table = {
        "tx": np.array([[0.231]]),
        "vertex_indices": (kept + 1).astype(np.uint16)[None],
        "innerLandmarkIndex": np.arange(1, 69, dtype=np.uint16)[None],
        "outerLandmarkIndex": np.arange(201, 269, dtype=np.uint16)[None],
        "expEV": exp_sigma[:, None],
        "faces": (faces[(faces >= 0).all(axis=1)] + 1).astype(np.uint16),
        "vertex_expr_ref": reference[:, None],
    }
    scipy.io.savemat(folder / "mod_struct_expr.mat", {"mod_struct": table})
    return table


# ---------------------------------------------------------------- BFM 2017


@pytest.fixture(scope="session")
def bfm17_face() -> Face:
    return make_face(BFM17_V, ke=100, seed=3)


def write_bfm17(path: Path, face: Face, expressions: bool = True) -> Path:
    """statismo's HDF5: variances, triangles as columns, 0-based."""
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = face.points.ravel().astype(np.float32)
        file["shape/model/pcaBasis"] = face.shape_pc.astype(np.float32)
        file["shape/model/pcaVariance"] = (face.shape_sigma**2).astype(np.float32)
        file["shape/representer/cells"] = face.triangles.T.astype(np.int32)
        file["color/model/mean"] = np.full(3 * len(face.points), 0.5, np.float32)
        file["catalog/MorphableModel.shape/modelPath"] = "/shape"
        if expressions:
            file["expression/model/mean"] = face.exp_mean.astype(np.float32)
            file["expression/model/pcaBasis"] = face.exp_pc.astype(np.float32)
            file["expression/model/pcaVariance"] = (face.exp_sigma**2).astype(np.float32)
    return path


@pytest.fixture(scope="session")
def bfm17_h5(folder_for: Callable[[str], Path], bfm17_face: Face) -> Path:
    return write_bfm17(folder_for("bfm17") / "model2017-1_bfm_nomouth.h5", bfm17_face)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Return the makers above, for tests that want a file of their own."""
    return SimpleNamespace(
        face=make_face,
        expnet_fields=expnet_fields,
        mat73=write_mat73,
        ddfa=write_3ddfa,
        expressions=write_expressions,
        bfm09=write_bfm09,
        index_table=write_index_table,
        bfm17=write_bfm17,
    )

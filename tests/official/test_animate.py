"""From the release's files to a scene, through the command line.

The authors' networks have their full size and random weights; the face model has the Basel Face Model's layout.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
scipy_io = pytest.importorskip("scipy.io")

from expnet.expnet_addon.compat import assigned_curves  # noqa: E402
from expnet.expnet_addon.headless import main  # noqa: E402
from expnet.expnet_addon.scene import rig  # noqa: E402
from expnet.model.formats import open_face_model  # noqa: E402
from expnet.model.performance.performance_files import load_performance  # noqa: E402
from expnet.model.sight.video import open_clip  # noqa: E402

from ..model.formats.conftest import EXPNET_V, expnet_fields, make_face  # noqa: E402

DEMO = Path(__file__).parents[2] / "model/data/demo_clip.mp4"
FRAMES = 3


@pytest.fixture(scope="session")
def basel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """BaselFaceModel_mod.mat in full size: a made-up mask whose landmarks lie where a face has them."""
    face = make_face(EXPNET_V, ks=99)
    fields = expnet_fields(face)
    head = open_face_model("open")
    assert head.landmarks is not None
    marks = head.mean[head.landmarks][:, :2]
    nearest = [1.0 + np.argmin(((face.points[:, :2] - mark) ** 2).sum(axis=1)) for mark in marks]
    fields["outerLandmarkIndex"] = np.array(nearest)[:, None]
    fields["texPC"] = face.shape_pc[:, :99].astype(np.float32)
    fields["texEV"] = np.full((99, 1), 20.0)
    path = tmp_path_factory.mktemp("basel") / "BaselFaceModel_mod.mat"
    scipy_io.savemat(path, {"BFM": fields})
    yield path
    path.unlink()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_clip_becomes_a_scene(imported: Path, basel: Path, tmp_path: Path) -> None:
    shot, numbers = tmp_path / "shot.blend", tmp_path / "shot.npz"
    official = ["--estimator", imported, "--face-model", basel, "--device", "cpu"]
    wanted = ["--out", shot, "--performance", numbers, "--smoothing", 0]
    assert run("animate", DEMO, "--last", FRAMES - 1, *official, *wanted) == 0
    performance = load_performance(numbers)
    assert performance.basis == "expnet-29" and performance.eta.shape == (FRAMES, 29) and performance.seen.all()
    assert performance.alpha.shape == (99,) and performance.alpha.any()

    bpy.ops.wm.open_mainfile(filepath=str(shot))
    (head,) = rig.rigs_in(bpy.context.scene)
    assert rig.rig_model(head).vertex_count == EXPNET_V
    blocks = head.data.shape_keys.key_blocks
    keys = [f"expression_{i:02d}" for i in range(1, 30)]
    assert all(key in blocks for key in keys) and (blocks[keys[0]].slider_min, blocks[keys[0]].slider_max) == (-3, 3)
    curves = {curve.data_path: curve for curve in assigned_curves(head.data.shape_keys) or ()}
    for key in (keys[0], keys[28]):
        curve = curves[f'key_blocks["{key}"].value']
        shown = [point.co[1] for point in curve.keyframe_points]
        np.testing.assert_allclose(shown, np.clip(performance.eta[:, keys.index(key)], -3, 3), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.array(head["alpha"]), performance.alpha, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames and where their face is, in the format of the release."""
    folder = tmp_path_factory.mktemp("list")
    crops = load_performance(DEMO.with_name("demo_clip_truth.npz")).crop
    rows = ["ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT"]
    with open_clip(DEMO, 0, 1) as clip:
        for i, frame in enumerate(clip):
            cv2.imwrite(str(folder / f"{i}.png"), frame.image)
            x, y, side = crops[i, :3]
            rows.append(f"face {i},{i}.png,{x - side / 2:.2f},{y - side / 2:.2f},{0.8 * side:.2f},{side:.2f}")
    (folder / "input.csv").write_text("\n".join(rows))
    return folder / "input.csv"


def test_a_list_becomes_numbers_and_meshes(imported: Path, basel: Path, listed: Path, tmp_path: Path) -> None:
    official = ["--estimator", imported, "--face-model", basel, "--device", "cpu"]
    assert run("estimate", listed, *official, "--json", tmp_path / "faces.json", "--ply", tmp_path / "mesh") == 0
    written = json.loads((tmp_path / "faces.json").read_text())
    assert written["pack"]["name"] == "official" and "never to be passed on" in written["pack"]["license"]
    first, second = written["estimates"]
    rows = [line.split(",") for line in listed.read_text().splitlines()[1:]]
    assert first["id"] == "face 0" and second["box"] == [float(number) for number in rows[1][2:]]
    assert list(first["eta"])[28] == "expression_29" and len(first["alpha"]) == len(first["texture"]) == 99
    assert np.isfinite(first["translation"]).all() and first["translation"][2] < 0

    assert sorted(os.listdir(tmp_path / "mesh")) == ["face 0.ply", "face 1.ply"]
    mesh = (tmp_path / "mesh" / "face 0.ply").read_text().split("\n")
    model = open_face_model(basel)
    assert f"element vertex {EXPNET_V}" in mesh and f"element face {len(model.faces)}" in mesh
    assert "property uchar red" in mesh
    vertex = mesh[mesh.index("end_header") + 1].split()
    expected = model.vertices(np.array(first["alpha"]), np.array(list(first["eta"].values())))[0]
    np.testing.assert_allclose([float(number) for number in vertex[:3]], expected, rtol=1e-3, atol=1e-2)

    paper = [*official, "--preprocessing", "paper", "--json", tmp_path / "paper.json"]
    assert run("estimate", listed, *paper) == 0
    other = json.loads((tmp_path / "paper.json").read_text())["estimates"][0]
    assert other["eta"] != first["eta"]


def test_a_mesh_of_another_basis_is_refused_in_one_line(
    imported: Path, listed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("estimate", listed, "--estimator", imported, "--device", "cpu", "--ply", tmp_path / "mesh") == 2
    [line] = capfd.readouterr().err.splitlines()
    assert "open-29" in line and "expnet-29" in line
    assert not list(tmp_path.iterdir())


def test_what_is_not_imported_yet_is_said(
    release: Path, listed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("estimate", listed, "--estimator", release, "--json", tmp_path / "a.json") == 2
    [line] = capfd.readouterr().err.splitlines()
    assert f"expnet import-weights {release}" in line
    assert not list(tmp_path.iterdir())

"""Lists of images with boxes, and meshes of the faces, through the command line and a network of the built-in kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from expnet.expnet_addon import headless
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.formats.npz import OPEN_HEAD, load_face_model

HEADER = "ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"


def run(*arguments: object) -> int:
    return headless.main([str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, image: Path) -> Path:
    """Return a list of one image twice, with two boxes, and a place for what comes of it."""
    shutil.copy(image, tmp_path / "disc.png")
    (tmp_path / "faces.csv").write_text(HEADER + "one,disc.png,40,30,60,60\ntwo,disc.png,45,35,50,60\n")
    (tmp_path / "out").mkdir()
    return tmp_path


def test_a_list_gives_numbers_and_meshes(folder: Path, sees_a_face: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    wanted = ["--json", out / "faces.json", "--ply", out / "meshes"]
    assert run("estimate", folder / "faces.csv", "--estimator", sees_a_face, *wanted) == 0
    assert capfd.readouterr().out.splitlines()[0].split() == ["one", "two"]
    written = json.loads((out / "faces.json").read_text())
    assert (
        written["pack"] == {"name": "open", "basis": "open-29", "license": "GPL-3.0-or-later"}
        and written["notes"] == []
    )
    one, two = written["estimates"]
    assert (one["id"], one["box"], two["box"]) == ("one", [40, 30, 60, 60], [45, 35, 50, 60])

    assert sorted(path.name for path in (out / "meshes").iterdir()) == ["one.ply", "two.ply"]
    head = load_face_model(OPEN_HEAD)
    lines = (out / "meshes/two.ply").read_text().split("\n")
    assert f"element vertex {head.vertex_count}" in lines and f"element face {len(head.faces)}" in lines
    start = lines.index("end_header") + 1
    mesh = np.array([line.split() for line in lines[start : start + head.vertex_count]], float)
    eta = [two["eta"][key] for key in OPEN_KEYS]
    np.testing.assert_allclose(mesh, head.vertices(np.array(two["alpha"]), np.array(eta)), atol=2e-3)


def test_images_and_lists_together(folder: Path, sees_a_face: Path) -> None:
    given = [folder / "disc.png", folder / "faces.csv"]
    out = folder / "out" / "faces.json"
    assert run("estimate", *given, "--estimator", sees_a_face, "--json", out) in (
        0,
        2,
    )  # without a box it may not be found
    assert [e["id"] for e in json.loads(out.read_text())["estimates"]] == ["disc", "one", "two"]


@pytest.mark.parametrize(
    ("rows", "options", "complaint"),
    [
        ("a,disc.png,40,30,60\n", (), "row 2 has 5 columns"),
        ("a,disc.png,40,30,60,60\nb,no.png,40,30,60,60\n", (), "row 3: there is no image 'no.png'"),
        ("a,disc.png,40,30,60,60\n", ("--box", "1", "2", "3", "4"), "leave --box out"),
        ("a,disc.png,40,30,60,60\n", ("--ply", "disc.png"), "is a file"),
        ("a,disc.png,40,30,60,60\n", ("--ply", "no/such"), "there is no folder"),
        ("a,disc.png,40,30,60,60\n", ("--preprocessing", "other"), "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is(
    rows: str, options: tuple, complaint: str, folder: Path, sees_a_face: Path, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(folder)
    (folder / "faces.csv").write_text(HEADER + rows)
    before = sorted(folder.rglob("*"))
    assert run("estimate", "faces.csv", "--estimator", sees_a_face, "--json", "out/a.json", *options) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert complaint in line
    assert sorted(folder.rglob("*")) == before


def test_two_images_of_one_name_cannot_be_two_meshes(folder: Path, sees_a_face: Path, capfd) -> None:
    (folder / "sub").mkdir()
    shutil.copy(folder / "disc.png", folder / "sub" / "disc.png")
    given = [folder / "disc.png", folder / "sub" / "disc.png"]
    assert run("estimate", *given, "--estimator", sees_a_face, "--ply", folder / "out" / "meshes") == 2
    [line] = capfd.readouterr().err.splitlines()
    assert "disc.ply" in line
    assert not list((folder / "out").iterdir())

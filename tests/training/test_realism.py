"""Photographs in the synthetic engine: warped onto the open head, parted, kept in a file, and drawn from it."""

import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from expnet.model.errors import InputError
from expnet.model.face.face_model import triangles
from expnet.model.formats import open_face_model
from expnet.training.realism.environments import directions, harmonics, light_of, read_environment, terms
from expnet.training.realism.makehuman import read_obj
from expnet.training.realism.split import split
from expnet.training.realism.warp import look_up
from expnet.training.synthetic import brows, cutouts, generate, photographs
from expnet.training.synthetic import sample as engine
from expnet.training.synthetic.paint import PAINT
from expnet.training.synthetic.realism import BROW_SHAPE, FINE, FORMAT, LOW, NONE, read_realism
from expnet.training.synthetic.surface import build_surface

INNER = range(27, 68)


@pytest.fixture(scope="module")
def surface():
    return build_surface(open_face_model("open"))


def arrays(surface, **changed):
    """Return what a file of photographs holds: one skin without any contrast, one brow, one map of even light."""
    ambient = np.zeros((1, 3, 9), np.float32)
    ambient[..., 0] = 0.5
    content = {
        "format": np.array(FORMAT),
        "landmarks": surface.coords[surface.model.landmarks],
        "low": np.ones((1, LOW, LOW, 3), np.float16),
        "detail": np.full((1, FINE, FINE, 3), NONE, np.uint8),
        "tones": np.full((1, 3), 0.5, np.float32),
        "brows": np.full((1, *BROW_SHAPE), 90, np.uint8),
        "ambient": ambient,
        "lamps": np.zeros((1, 2, 3), np.float32),
        "lamp_colors": np.zeros((1, 2, 3), np.float32),
    }
    return content | changed


def realism(surface, folder, **changed):
    path = folder / "realism.npz"
    np.savez(path, **arrays(surface, **changed))
    return read_realism(path)


def pictures(surface, count=16):
    return engine.sample_batch([np.random.default_rng([21, i]) for i in range(count)], surface, 64)


# From another head's texture to the chart


def test_what_lies_at_a_landmark_of_another_head_comes_to_lie_at_the_open_heads(surface):
    head = surface.model.neutral.astype(float)
    skin = np.zeros(len(head), bool)
    skin[surface.model.regions["skin"]] = True
    faces = triangles(surface.model.faces)
    faces = faces[skin[faces].all(1)]
    # larger, turned, broader at the jaw: another head with texture coordinates of its own
    other = head * [1 + 0.001 * 0.2, 1, 1] + np.array([[0, 3, 0]]) * np.exp(-((head[:, 1:2] / 60) ** 2))
    other = 1.3 * other @ Rotation.from_euler("y", 20, degrees=True).as_matrix().T + [5, 1600, 30]
    uv = 0.5 + head[:, :2] / 400
    landmarks = surface.model.landmarks
    found = look_up(surface, other, faces, uv, {k: int(landmarks[k]) for k in INNER})

    side = 1024
    for mark in (30, 33, 48, 54, 57, 42, 36):
        spot = np.zeros((side, side, 3), np.float32)
        centre = uv[landmarks[mark]] * side - 0.5
        cv2.circle(spot, tuple(int(round(c * 16)) for c in centre), 16 * 6, (255, 255, 255), -1, cv2.LINE_AA, 4)
        chart = found.resampled(spot, found.uv * side - 0.5)[..., 0] * found.known
        rows, columns = np.nonzero(chart > 100)
        at = np.array([columns.mean(), rows.mean()]) + 0.5
        assert np.linalg.norm(at - surface.coords[landmarks[mark]] * PAINT) < 4  # texels of half a millimetre


def test_a_skin_is_parted_into_tone_slow_and_fine_and_loses_its_brows(surface):
    colors = np.zeros((PAINT, PAINT, 3), np.float32)
    colors[:] = 120, 150, 200
    marks = surface.coords[surface.model.landmarks] * PAINT
    brow = np.round(marks[[43, 44]].mean(0) + [0, 24]).astype(int)
    cv2.line(colors, (brow[0] - 30, brow[1]), (brow[0] + 30, brow[1]), (20, 25, 30), 8)
    mole = np.round(marks[[31, 48]].mean(0) - [30, 0]).astype(int)
    cv2.circle(colors, tuple(int(c) for c in mole), 2, (60, 75, 100), -1)
    known = np.ones((PAINT, PAINT), bool)
    skin = split(surface, colors, known, browed=True)

    np.testing.assert_allclose(skin.tone, np.array([120, 150, 200]) / 255, atol=0.01)
    assert np.abs(skin.low - 1).max() < 0.2  # the mole alone shades what is slow
    assert np.abs(skin.detail[brow[1], brow[0] - 25 : brow[0] + 25].astype(int) - NONE).max() <= 2
    assert skin.detail[mole[1], mole[0]].max() < 0.75 * NONE
    with_brow = split(surface, colors, known)
    assert with_brow.detail[brow[1], brow[0]].max() < 0.75 * NONE


def test_of_a_mesh_only_the_skin_is_read(tmp_path):
    lines = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0", "vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    path = tmp_path / "base.obj"
    path.write_text("\n".join([*lines, "g body", "f 1/1 2/2 3/3 4/4", "g helper", "f 4/4 3/3 2/2 1/1"]))
    mesh = read_obj(path, "body")
    assert mesh.faces.tolist() == [[0, 1, 2, 3]] and mesh.points.max() == 100  # decimetres
    np.testing.assert_array_equal(mesh.uv[2], [1, 1])
    path.write_text("v 0 0\nf 1/1 2/2 9/9")
    with pytest.raises(InputError, match="base.obj"):
        read_obj(path)


# Light


def test_an_even_map_is_even_ambient_light_without_lamps():
    ambient, lamps, colors = light_of(np.full((64, 128, 3), [0.2, 0.4, 0.8], np.float32))
    np.testing.assert_allclose(ambient[:, 0], [0.2, 0.4, 0.8], rtol=0.01)
    assert np.abs(ambient[:, 1:]).max() < 0.01 and not colors.any() and not lamps.any()


def test_the_sun_becomes_a_lamp_and_the_light_in_all_stays_the_same():
    towards, solid = directions(64)
    sun = np.array([0.6, 0.64, 0.48])
    picture = np.full((64, 128, 3), 0.3, np.float32)
    picture[towards @ sun > np.cos(np.radians(4))] = 80, 90, 100
    ambient, lamps, colors = light_of(picture)
    assert lamps[0] @ sun > np.cos(np.radians(2)) and not colors[1].any()
    power = solid[towards @ sun > np.cos(np.radians(4))].sum() / np.pi * np.array([80, 90, 100])
    np.testing.assert_allclose(colors[0], power, rtol=0.1)  # what is not brighter than the sky stays with it
    everything = (picture * solid[..., None]).sum((0, 1)) / (4 * np.pi)
    np.testing.assert_allclose(ambient[:, 0] + colors.sum(0) / 4, everything, rtol=0.02)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=9, max_size=9), st.floats(0, 6.2), st.booleans())
def test_a_turned_sky_lights_turned_normals_as_before(sky, angle, mirrored):
    ambient = np.tile(np.array(sky), (3, 1))
    turn = Rotation.from_rotvec([0, angle, 0]).as_matrix() * ([-1, 1, 1] if mirrored else [1, 1, 1])
    normals = Rotation.random(20, random_state=0).as_matrix()[:, 0]
    before, after = terms(normals) @ ambient.T, terms(normals @ turn.T) @ photographs.turn_harmonics(ambient, turn).T
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_harmonics_light_a_normal_by_what_it_faces():
    towards, _ = directions(64)
    sky = np.repeat(np.clip(towards[..., 1:2], 0, None), 3, 2).astype(np.float32)  # light from above alone
    lit = terms(np.array([[0, 1, 0], [0, 0, 1], [0, -1, 0]])) @ harmonics(sky).T
    # of a sky as bright as its height: irradiance / pi is 2/3 above; order 2 leaves an error of 0.03
    np.testing.assert_allclose(lit[:, 0], [2 / 3, 0.212, 0], atol=0.05)


def test_a_map_of_another_kind_is_refused_in_one_line(tmp_path):
    path = tmp_path / "square.png"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="twice as wide"):
        read_environment(path)


# The engine


def test_a_photograph_without_contrast_changes_nothing(surface, tmp_path, monkeypatch):
    for module, share, value in (
        (photographs, "SKIN_SHARE", 1),
        (photographs, "LIGHT_SHARE", 0),
        (brows, "PHOTOGRAPHED_SHARE", 0),
    ):
        monkeypatch.setattr(module, share, value)
    clothed = build_surface(surface.model, realism=realism(surface, tmp_path))
    for a, b in zip(pictures(surface), pictures(clothed), strict=True):
        assert np.abs(a.image.astype(int) - b.image).max() <= 2  # rounding


def test_photographs_leave_people_expressions_and_views_as_they_are(surface, tmp_path):
    rng = np.random.default_rng(0)
    detail = rng.integers(60, 200, (1, FINE, FINE, 3)).astype(np.uint8)
    brow = np.zeros((1, *BROW_SHAPE), np.uint8)
    brow[:, 50:60, 30:120] = 255
    clothed = build_surface(surface.model, realism=realism(surface, tmp_path, detail=detail, brows=brow))
    plain, photographed = pictures(surface), pictures(clothed)
    for a, b in zip(plain, photographed, strict=True):
        for label in ("eta", "alpha", "gaze", "rotation", "crop", "points", "face", "detail"):
            np.testing.assert_array_equal(getattr(a, label), getattr(b, label))
        but_brows = np.r_[:17, 27:70]
        np.testing.assert_array_equal(a.landmarks[but_brows], b.landmarks[but_brows])
    changed = [(a.image != b.image).any() for a, b in zip(plain, photographed, strict=True)]
    assert 0.3 < np.mean(changed) < 1
    for again, b in zip(pictures(clothed), photographed, strict=True):
        np.testing.assert_array_equal(again.image, b.image)


def test_a_photographed_brow_lies_along_the_heads_brow_line_and_is_longer(surface, tmp_path):
    brow = np.zeros((1, *BROW_SHAPE), np.uint8)
    brow[:, BROW_SHAPE[0] // 2 - 4 : BROW_SHAPE[0] // 2 + 4, 24:-24] = 255  # 2 mm about the line, from end to end
    clothed = build_surface(surface.model, realism=realism(surface, tmp_path, brows=brow))
    [((left, right), middle)] = photographs.photographed_brows(clothed)
    marks = surface.coords[surface.model.landmarks] * PAINT
    for mask, line in ((left, marks[22:27]), (right, marks[17:22])):
        rows, columns = np.nonzero(mask.cover > 128)
        places = np.stack([columns + mask.column, rows + mask.row], 1) + 0.5
        assert max(np.linalg.norm(places - mark, axis=1).min() for mark in line) < 4
        assert np.ptp(places[:, 0]) == pytest.approx(photographs.BROW_LENGTH * np.ptp(line[:, 0]), abs=5)
    # It reaches 2 mm beyond both ends of the line, and ``BROW_RISE`` above and below it.
    assert max(np.linalg.norm(marks[22:27] - p, axis=1).min() for p in middle[[0, -1]]) < 8


# The file


def damaged(folder, content):
    path = folder / "realism.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "no such file"),
        (b"no archive", "not a file of photographs"),
        ({"format": np.array(99)}, "another version"),
        ({"low": np.ones((1, 8, 8, 3), np.float32)}, "low is"),
        ({"detail": np.ones((1, FINE, FINE, 3), np.float32)}, "detail is"),
        ({"tones": np.full((1, 3), np.nan, np.float32)}, "tones holds"),
        ({"brows": np.zeros((1, *BROW_SHAPE), np.uint8)}, "a brow is empty"),
        ({"brows": np.array([{}], object)}, "not a file of photographs"),
        ({"ambient": np.zeros((0, 3, 9), np.float32), "lamps": np.zeros((0, 2, 3), np.float32)}, "ambient is"),
    ],
)
def test_a_missing_or_damaged_file_is_one_line(surface, tmp_path, change, said):
    content = change if change is None or isinstance(change, bytes) else arrays(surface, **change)
    with pytest.raises(InputError, match=said) as caught:
        read_realism(damaged(tmp_path, content))
    assert "\n" not in str(caught.value) and "training.realism.skins" in str(caught.value)


@pytest.mark.parametrize("command", [generate.main, cutouts.main], ids=["generate", "cutouts"])
def test_a_missing_file_is_refused_before_anything_is_rendered(command, tmp_path, monkeypatch, capsys):
    call = ["command", str(tmp_path / "out"), "--shards", "1", "--realism", str(tmp_path / "none.npz")]
    monkeypatch.setattr(sys, "argv", call)
    assert command() == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_skins_made_for_another_head_are_refused(surface, tmp_path):
    moved = surface.coords[surface.model.landmarks] + np.float32(0.05)
    with pytest.raises(InputError, match="another head"):
        build_surface(surface.model, realism=realism(surface, tmp_path, landmarks=moved))

"""Heads that an estimator of another basis drives: the map is made once, from files, by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("torch")

from expnet.expnet_addon import headless
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.unattended import heads
from expnet.expnet_addon.user_files import basis_maps, face_models
from expnet.model.bases.basis_map import load_maps
from expnet.model.errors import InputError
from expnet.model.face.face_model import FaceModel
from expnet.model.face.semantics import ARKIT_KEYS, ICT_BASIS, OPEN_BASIS, arkit_weights
from expnet.model.formats import load_face_model
from expnet.model.official import FILE
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.worker.messages import EstimatorOptions

from ...model.bases.other_head import an_other_head

BOX = ["--box", "40", "30", "60", "60"]
AS_SEEN = Keying(smoothing=0.0, scene_timing=False, match_camera=False)


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a user's folder that is only this file's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("LOCALAPPDATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def basel_mat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another person's face in the layout of the ExpNet release: its keys do nothing that the open ones cannot."""
    return an_other_head(outside=0.0).write_mat(tmp_path_factory.mktemp("basel") / "BaselFaceModel_mod.mat")


@pytest.fixture(scope="module")
def converted(user_folder: Path, basel_mat: Path) -> Path:
    """Return the face model, converted for Blender, and with it the map."""
    return heads.face_model_file(str(basel_mat))


@pytest.fixture
def basel_head(empty_scene: bpy.types.Scene, converted: Path) -> bpy.types.Object:
    return rig.create_rig(load_face_model(converted), model_path=str(converted))


def moved(head: bpy.types.Object, frame: int) -> np.ndarray:
    """How the head's vertices lie at the frame against its keys at zero, mm."""
    bpy.context.scene.frame_set(frame)
    posed = rig.evaluated_vertices(head)
    keys = head.data.shape_keys
    values = [block.value for block in keys.key_blocks]
    action, keys.animation_data.action = keys.animation_data.action, None
    for block in keys.key_blocks:
        block.value = 0
    still = rig.evaluated_vertices(head)
    keys.animation_data.action = action
    for block, value in zip(keys.key_blocks, values):
        block.value = value
    return posed - still


def gentle(performance: FacePerformance) -> FacePerformance:
    """Within what the other head's keys reach."""
    return replace(performance, eta=0.3 * performance.eta)


def test_our_estimator_drives_a_basel_head(
    basel_head: bpy.types.Object, open_head: FaceModel, make_performance
) -> None:
    """Lips and lids go where the open head's do, but for the size of the face; the pose puts it at the same place."""
    performance = gentle(make_performance(frames=4, fps=24.0))
    capture.key_performance(bpy.context.scene, basel_head, performance, AS_SEEN)
    from_open = load_maps(basis_maps.map_file("expnet-29"))[1]
    lies = an_other_head(outside=0.0).origin
    for i in range(4):
        own = open_head.expression_displacement(performance.eta[i].astype(np.float32))
        wanted = from_open.scale * (lies @ own) @ from_open.rotation.T
        neutral = from_open.expression(np.zeros(29)).astype(np.float32)
        got = moved(basel_head, i + 1) - rig.rig_model(basel_head).expression_displacement(neutral)
        got -= (got - wanted).mean(axis=0)  # the motion of the whole head is pose
        where = np.linalg.norm(wanted, axis=1) > 1
        assert (
            np.linalg.norm((got - wanted)[where], axis=1).mean() < 0.15 * np.linalg.norm(wanted[where], axis=1).mean()
        )
    assert basel_head.data.shape_keys.key_blocks["expression_01"].value != 0


def test_official_coefficients_drive_the_open_head(
    empty_scene: bpy.types.Scene, converted: Path, open_head: FaceModel, make_performance
) -> None:
    to_open, from_open = load_maps(basis_maps.map_file("expnet-29"))
    eta = gentle(make_performance(frames=4, fps=24.0)).eta
    official = replace(
        make_performance(frames=4, fps=24.0),
        eta=from_open.expression(eta),
        basis="expnet-29",
        expression_keys=from_open.to_keys,
        alpha=np.zeros(99),
    )
    head = rig.create_rig(open_head)
    capture.key_performance(empty_scene, head, official, AS_SEEN)
    empty_scene.frame_set(3)
    shown = [head.data.shape_keys.key_blocks[key].value for key in open_head.expression_keys]
    assert shown == pytest.approx(to_open.expression(official.eta[2]), abs=1e-5)
    assert np.abs(shown - eta[2]).mean() < 0.03
    # Official poses are given for the head they are asked for.
    camera_space = (head.location.x, head.location.z, -head.location.y)
    assert np.multiply(camera_space, 1000) == pytest.approx(official.translation[2], abs=1e-2)


def test_an_ict_head_is_driven_by_an_open_performance(
    empty_scene: bpy.types.Scene, little_face: FaceModel, make_performance
) -> None:
    """Its keys have the meaning of ours: no map is needed."""
    count = len(ARKIT_KEYS)
    model = replace(
        little_face,
        basis=ICT_BASIS,
        expression=np.repeat(little_face.expression[:1], count, axis=0),
        expression_keys=ARKIT_KEYS,
        expression_bounds=np.tile(np.float32([0, 1]), (count, 1)),
    )
    head = rig.create_rig(model)
    performance = make_performance(frames=4, fps=24.0)
    route = basis_maps.route(OPEN_BASIS, model, "Face")
    shown = route.performance(performance)
    from expnet.expnet_addon.scene import animation

    animation.key_performance(head, shown, empty_scene)
    empty_scene.frame_set(2)
    values = [head.data.shape_keys.key_blocks[key].value for key in ARKIT_KEYS]
    assert values == pytest.approx(arkit_weights(performance.eta[1]), abs=1e-5)
    assert any(values)


def test_one_picture_on_a_basel_head(image: Path, sees_a_face: Path, basel_head: bpy.types.Object) -> None:
    from expnet.expnet_addon.capture.sources import Source

    options = EstimatorOptions(estimator=str(sees_a_face), box=(40, 30, 60, 60))
    said = capture.estimate_picture(bpy.context.scene, basel_head, Source(str(image)), options).run()
    assert "expression_" in said
    assert any(basel_head.data.shape_keys.key_blocks[key].value for key in rig.expression_keys(basel_head))
    assert len(basel_head["alpha"]) == 4


def test_the_command_line_animates_a_basel_head(
    clip: Path, sees_a_face: Path, basel_mat: Path, converted: Path, tmp_path: Path
) -> None:
    shot = tmp_path / "shot.blend"
    arguments = ["animate", clip, "--estimator", sees_a_face, *BOX, "--face-model", basel_mat, "--out", shot]
    assert headless.main([str(a) for a in arguments]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    (head,) = rig.rigs_in(bpy.context.scene)
    assert head["expnet_basis"] == "expnet-29"
    bpy.context.scene.frame_set(4)
    assert any(head.data.shape_keys.key_blocks[key].value for key in rig.expression_keys(head))


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Return a folder that looks like the authors' networks: whoever opens it finds nothing."""
    folder = tmp_path / "official"
    folder.mkdir()
    (folder / FILE).touch()
    return folder


@pytest.mark.parametrize("verb", ["animate", "batch"])
def test_a_head_of_too_few_identity_components_is_refused_before_anything_is_seen(
    verb: str, clip: Path, official: Path, basel_mat: Path, converted: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tables = ["--performance", tmp_path / "shot.csv"] if verb == "animate" else []
    out = tmp_path / ("shot.blend" if verb == "animate" else "shots")
    arguments = [verb, clip, "--estimator", official, "--face-model", basel_mat, "--out", out, *tables]
    assert headless.main([str(a) for a in arguments]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "has 4 identity components, the estimator gives 99" in line and "--no-identity" in line
    assert not (tmp_path / "shot.csv").exists() and not list(tmp_path.glob("**/*.blend"))


def test_so_is_one_in_the_scene_unless_its_shape_stays(
    clip: Path, official: Path, basel_head: bpy.types.Object
) -> None:
    from expnet.expnet_addon.capture.sources import Source

    options, scene = EstimatorOptions(estimator=str(official)), bpy.context.scene
    with pytest.raises(InputError, match="4 identity components"):
        capture.animate_clip(scene, basel_head, Source(str(clip)), options, Keying())
    with pytest.raises(InputError, match="4 identity components"):
        capture.estimate_picture(scene, basel_head, Source(str(clip)), options)
    capture.animate_clip(scene, basel_head, Source(str(clip)), options, Keying(identity=False))


def test_live_link_of_the_official_networks_is_refused_before_anything_is_seen(
    clip: Path, official: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outputs = ["--live-link", tmp_path / "shot.csv", "--performance", tmp_path / "shot.npz"]
    assert headless.main([str(a) for a in ["animate", clip, "--estimator", official, *outputs]]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "--live-link holds the open keys, the estimator gives those of 'expnet-29'" in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["official"]


def test_map_basis_prints_what_is_lost_and_writes_the_map(
    user_folder: Path, basel_mat: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert headless.main(["map-basis", str(basel_mat), "--out", str(tmp_path / "map.npz")]) == 0
    said = capfd.readouterr().out
    assert "expnet-29 -> open-29" in said and "open-29 -> expnet-29" in said and "jawOpen" in said
    assert [m.to_basis for m in load_maps(tmp_path / "map.npz")] == ["open-29", "expnet-29"]
    assert basis_maps.map_file("expnet-29").is_file()
    assert basis_maps.map_file("expnet-29").is_relative_to(user_folder)


def test_a_basis_without_a_map_is_refused_at_once(
    user_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], open_head: FaceModel
) -> None:
    with pytest.raises(InputError, match="'expnet map-basis PATH', PATH being Model_Shape.mat"):
        basis_maps.route("3ddfa-29", open_head, "Face")
    assert headless.main(["map-basis", str(face_models.OPEN_HEAD)]) == 2
    assert "nothing to map" in capfd.readouterr().err


def test_a_head_without_landmarks_is_converted_and_has_no_map(
    user_folder: Path, bfm_like: FaceModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from expnet.model.formats import save_face_model

    save_face_model(replace(bfm_like, basis="somebodys-29"), tmp_path / "theirs.npz")
    assert headless.main(["map-basis", str(tmp_path / "theirs.npz")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "no 68 landmarks" in line
    assert not basis_maps.map_file("somebodys-29").exists()


@pytest.mark.parametrize("basis", ["../../evil", "..", "a/b", "C:\\x", "å b"])
def test_a_basis_of_any_name_stays_in_its_folder(user_folder: Path, basis: str) -> None:
    file = basis_maps.map_file(basis)
    assert file.parent == face_models.user_folder() / "basis_maps"
    assert "/" not in file.name and "\\" not in file.name and file.name not in (".", "..")

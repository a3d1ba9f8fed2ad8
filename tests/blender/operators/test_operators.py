"""What the artist's buttons do to the scene, and that they leave it alone when they cannot do it."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

import expnet
from expnet import operators, panels
from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.capture.sources import Source
from expnet.expnet_addon.engine import packs, tasks
from expnet.expnet_addon.engine.jobs import WorkerFault
from expnet.expnet_addon.scene import rig
from expnet.model.errors import InputError
from expnet.model.formats.npz import OPEN_HEAD, load_face_model, save_face_model
from expnet.model.worker.messages import EstimatorOptions
from expnet.operators import task as modal_task

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("objects", "meshes", "actions", "cameras", "movieclips", "shape_keys", "materials", "collections")


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def settings(sees_a_face: Path, empty_scene: bpy.types.Scene):
    """Return the panel's properties; the face is in a box about the disc."""
    settings = empty_scene.expnet
    settings.network = "FILE"
    settings.estimator = str(sees_a_face)
    settings.use_box = True
    settings.box = (40, 30, 60, 60)
    return settings


@pytest.fixture
def head(empty_scene: bpy.types.Scene) -> bpy.types.Object:
    assert bpy.ops.expnet.add_face() == {"FINISHED"}
    return rig.rigs_in(empty_scene)[0]


def state_of_the_file() -> dict[str, object]:
    """Everything that an operator of ours could have touched."""
    state: dict[str, object] = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}
    scene = bpy.context.scene
    render = scene.render
    state["timing"] = (scene.frame_start, scene.frame_end, scene.frame_current, render.fps, render.fps_base)
    state["size"] = (render.resolution_x, render.resolution_y, scene.camera and scene.camera.name)
    for face in rig.rigs_in(scene):
        keys = face.data.shape_keys
        state[face.name] = (
            list(face["alpha"]),
            [key.value for key in keys.key_blocks],
            rig.evaluated_vertices(face).tolist(),
            keys.animation_data and keys.animation_data.action and keys.animation_data.action.name,
        )
    return state


def report_of(operator: Callable) -> str:
    """Return the red report of an operator that fails; from Python it comes as an exception."""
    with pytest.raises(RuntimeError) as caught:
        operator()
    lines = [line for line in str(caught.value).strip().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0].removeprefix("Error: ")


# Add Face -------------------------------------------------------------------------------------------------------------


def test_add_face_makes_the_active_selected_head(head: bpy.types.Object) -> None:
    assert bpy.context.view_layer.objects.active == head
    assert bpy.context.selected_objects == [head]
    assert bpy.context.scene.expnet.result == "Face: 8456 vertices, 29 keys".replace(
        "8456", str(load_face_model(OPEN_HEAD).vertex_count)
    )


def test_add_face_takes_a_model_of_the_users_own(empty_scene: bpy.types.Scene, tmp_path: Path) -> None:
    model = load_face_model(OPEN_HEAD)
    save_face_model(model, tmp_path / "mine.npz")
    empty_scene.expnet.face_model = "FILE"
    empty_scene.expnet.face_model_path = str(tmp_path / "mine.npz")
    assert bpy.ops.expnet.add_face() == {"FINISHED"}
    (head,) = rig.rigs_in(empty_scene)
    assert head["expnet_model_path"] == str(tmp_path / "mine.npz")


def test_add_face_refuses_what_is_no_face_model(
    empty_scene: bpy.types.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "notes.mat").write_text("no face")
    empty_scene.expnet.face_model = "FILE"
    empty_scene.expnet.face_model_path = str(tmp_path / "notes.mat")
    before = state_of_the_file()
    assert "notes.mat" in report_of(bpy.ops.expnet.add_face)
    assert state_of_the_file() == before


# Estimate Expression --------------------------------------------------------------------------------------------------


def test_estimate_keys_the_current_frame(settings, head: bpy.types.Object, image: Path) -> None:
    settings.source = str(image)
    bpy.context.scene.frame_set(7)
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    blocks = head.data.shape_keys.key_blocks
    assert blocks["jawOpen"].value == pytest.approx(0.35, abs=0.05)
    assert head["alpha"][0] == pytest.approx(1.0, abs=0.1)
    assert list(head.data.shape_keys.animation_data.action.frame_range) == [7, 7]
    assert settings.result.startswith("disc.png, keyed at frame 7\n")


def test_an_estimate_on_an_animated_face_changes_the_current_frame_only(
    settings, head: bpy.types.Object, clip: Path, image: Path
) -> None:
    settings.source = str(clip)
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    action = head.data.shape_keys.animation_data.action

    def keys() -> dict:
        curves = [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]
        return {(c.data_path, c.array_index): [tuple(p.co) for p in c.keyframe_points] for c in curves}

    head["alpha"][0] = -3.0
    before, shape, timing = keys(), list(head["alpha"]), state_of_the_file()["timing"]
    settings.source = str(image)
    bpy.context.scene.frame_set(5)
    changed = list(timing)
    changed[2] = 5
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    after = keys()
    assert head.data.shape_keys.animation_data.action == action
    assert list(head["alpha"]) == shape and state_of_the_file()["timing"] == tuple(changed)
    assert after.keys() == before.keys()
    for path, points in after.items():
        others = [point for point in points if point[0] != 5]
        assert len(points) == 9 and others == [point for point in before[path] if point[0] != 5]
    settings.estimate_shape = True
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    assert head["alpha"][0] == pytest.approx(1.0, abs=0.1)


def test_a_failure_replaces_the_line_of_the_last_success(settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source = str(clip)
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    settings.source = str(clip.parent / "gone.mp4")
    told = report_of(bpy.ops.expnet.animate_footage)
    assert "gone.mp4" in settings.result and settings.result in told


@pytest.mark.parametrize(
    "pointer, tool, playing, cancels",
    [
        ("panel", "TRANSFORM_OT_translate", True, True),
        ("view", "", False, True),
        ("view", "TRANSFORM_OT_translate", False, False),
        ("view", "", True, False),
        ("view", "EXPNET_OT_animate_footage", False, True),
    ],
)
def test_escape_cancels_over_the_panel_or_where_nothing_else_uses_it(pointer, tool, playing, cancels) -> None:
    """There is no window without a screen; these have the attributes that are read."""
    regions = [SimpleNamespace(type="WINDOW", x=0, y=0, width=100, height=50)]
    regions += [SimpleNamespace(type="UI", x=100, y=0, width=40, height=50)]
    area = SimpleNamespace(type="VIEW_3D", regions=regions)
    screen = SimpleNamespace(areas=[area], is_animation_playing=playing, show_fullscreen=False)
    running = [SimpleNamespace(bl_idname=tool)] if tool else []
    context = SimpleNamespace(window=SimpleNamespace(screen=screen, modal_operators=running))
    event = SimpleNamespace(mouse_x=120 if pointer == "panel" else 20, mouse_y=10)
    assert modal_task._is_for_task(context, event) == cancels


def test_the_button_says_beforehand_what_it_changes(settings) -> None:
    def told() -> str:
        return operators.EXPNET_OT_animate_footage.description(bpy.context, None)

    assert told().endswith(
        "the frame rate and range, the camera and resolution, playback sync and the sound strip, the shape of the head"
    )
    settings.match_camera = settings.sound = settings.identity = False
    assert told().endswith(": the frame rate and range")
    settings.scene_timing = False
    assert told().endswith(": nothing else")


@pytest.mark.parametrize(("earlier", "means"), [("KEEP", "stays in the list"), ("REPLACE", "replaces the edited one")])
def test_the_menu_that_asks_says_what_its_rows_do(earlier: str, means: str) -> None:
    kind = operators.EXPNET_OT_animate_footage
    items = bpy.ops.expnet.animate_footage.get_rna_type().properties["earlier"].enum_items
    chosen = SimpleNamespace(
        earlier=earlier, bl_rna=SimpleNamespace(properties={"earlier": SimpleNamespace(enum_items=items)})
    )
    assert means in kind.description(bpy.context, chosen)


def test_a_file_that_is_dropped_on_the_viewport_becomes_the_source(settings, clip: Path) -> None:
    settings.source_kind = "FOLDER"
    handler = bpy.types.FileHandler.bl_rna_get_subclass_py("EXPNET_FH_clip")
    assert clip.suffix in handler.bl_file_extensions.split(";")
    assert not handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type="NODE_EDITOR")))
    assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type="VIEW_3D")))
    assert bpy.ops.expnet.drop_clip(filepath=str(clip)) == {"FINISHED"}
    assert (settings.source_kind, settings.source) == ("FILE", str(clip))
    assert settings.result == "The source is 'disc.mp4'"


def test_artists_count_from_one(settings) -> None:
    settings.first_frame, settings.last_frame, settings.face_number = 1, 10, 2
    assert (settings.first, settings.last, settings.face) == (0, 9, 1)
    settings.first = 4
    assert settings.first_frame == 5


def test_a_second_image_adds_keys_at_its_frame(settings, head: bpy.types.Object, image: Path) -> None:
    settings.source = str(image)
    settings.identity = False
    shape = list(head["alpha"])
    for frame in (10, 20):
        bpy.context.scene.frame_set(frame)
        assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    assert list(head.data.shape_keys.animation_data.action.frame_range) == [10, 20]
    assert list(head["alpha"]) == shape


# Animate from Footage -------------------------------------------------------------------------------------------------


def test_animate_keys_the_clip_and_matches_the_camera(settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source = str(clip)
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    scene = bpy.context.scene
    assert list(head.data.shape_keys.animation_data.action.frame_range) == [1, 9]
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 9, 25)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (160, 120)
    assert scene.camera is not None
    keyed, changed = settings.result.splitlines()
    assert keyed.splitlines()[0] == "9 of 9 frames keyed, 1 to 9"
    assert changed == "Scene: 25 frames a second, frames 1 to 9, camera 'ExpNet camera', 160 x 120 pixels"


def test_the_scene_keeps_its_timing_and_camera_on_request(settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source = str(clip)
    settings.scene_timing = settings.match_camera = settings.identity = False
    scene, shape = bpy.context.scene, list(head["alpha"])
    camera = scene.camera
    place = camera.location.copy()
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert (scene.frame_end, scene.render.fps, scene.camera) == (250, 24, camera)
    assert camera.location == place
    action = head.data.shape_keys.animation_data.action
    assert action.frame_range[1] == 8  # the clip ends at 8.68, and keys lie on whole frames
    action.expnet.source_times = True
    assert action.frame_range[1] == pytest.approx(1 + 8 * 24 / 25, abs=1e-3)
    assert list(head["alpha"]) == shape


def test_the_face_that_is_selected_is_animated(settings, head: bpy.types.Object, clip: Path) -> None:
    bpy.ops.expnet.add_face()
    second = bpy.context.view_layer.objects.active
    assert second != head
    settings.source = str(clip)
    bpy.context.view_layer.objects.active = rig.eyes_of(head)["L"]  # an eye stands for its face
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert head.data.shape_keys.animation_data.action
    assert second.data.shape_keys.animation_data is None or second.data.shape_keys.animation_data.action is None


def test_two_faces_do_not_mix(settings, head: bpy.types.Object, clip: Path) -> None:
    """Each has keys, a shape and a take of its own; what is done to one leaves the other as it is."""
    bpy.ops.expnet.add_face()
    second = bpy.context.view_layer.objects.active
    settings.source, settings.match_camera = str(clip), False

    def keys(face: bpy.types.Object) -> list:
        curves = [*compat.assigned_curves(face.data.shape_keys), *compat.assigned_curves(face)]
        return [(c.data_path, c.array_index, [tuple(p.co) for p in c.keyframe_points]) for c in curves]

    def action(face: bpy.types.Object) -> bpy.types.Action:
        return face.data.shape_keys.animation_data.action

    settings.rig = head
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    first_keys, first_shape = keys(head), list(head["alpha"])
    assert second.data.shape_keys.animation_data is None or action(second) is None

    settings.rig, settings.use_range, settings.last = second, True, 3
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert action(second) not in (None, action(head))
    assert len(curve_frames(second)) == 4
    assert (keys(head), list(head["alpha"])) == (first_keys, first_shape)

    action(second).expnet.regions["jaw"].gain = 0.0
    jaw = second.data.shape_keys.key_blocks["jawOpen"]
    bpy.context.scene.frame_set(2)
    assert jaw.value == pytest.approx(0, abs=1e-6) and head.data.shape_keys.key_blocks["jawOpen"].value > 0.1
    assert keys(head) == first_keys

    kept = keys(second)
    bpy.data.objects.remove(head)
    assert keys(second) == kept


def test_footage_relative_to_the_file_is_found(settings, head: bpy.types.Object, clip: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(clip.parent / "shot.blend"))
    settings.source = "//disc.mp4"
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    (clip.parent / "shot.blend").unlink()


# Sources --------------------------------------------------------------------------------------------------------------


def curve_frames(head: bpy.types.Object) -> list[float]:
    (curve, *_) = compat.assigned_curves(head)
    return [round(point.co.x, 3) for point in curve.keyframe_points]


def test_estimate_reads_a_movie_at_the_current_frame(settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source = str(clip)
    bpy.context.scene.frame_set(5)
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    assert settings.result.startswith("disc.mp4 at frame 5, keyed at frame 5\n")
    assert list(head.data.shape_keys.animation_data.action.frame_range) == [5, 5]


def test_a_folder_of_images_takes_the_scenes_rate(settings, head: bpy.types.Object, image_folder: Path) -> None:
    settings.source_kind, settings.source_folder = "FOLDER", str(image_folder)
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert curve_frames(head) == list(range(1, 10))
    assert bpy.context.scene.render.fps == 24


def test_an_open_movie_clip_is_keyed_where_it_shows(settings, head: bpy.types.Object, clip: Path) -> None:
    block = bpy.data.movieclips.load(str(clip))
    block.frame_start, block.frame_offset = 101, 2
    settings.source_kind, settings.source_clip = "CLIP", block
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert curve_frames(head) == list(range(101, 108))
    assert (block.frame_start, block.frame_offset) == (101, 2)
    assert bpy.context.scene.camera.data.background_images[0].clip == block
    assert len(bpy.data.movieclips) == 1


def test_an_open_image_sequence_is_keyed_from_its_file_on(settings, head: bpy.types.Object, image_folder: Path) -> None:
    image = bpy.data.images.load(str(image_folder / "disc_10.png"))
    image.source = "SEQUENCE"
    settings.source_kind, settings.source_image = "IMAGE", image
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert curve_frames(head) == list(range(1, 8))


def test_an_open_image_is_estimated(settings, head: bpy.types.Object, image: Path) -> None:
    settings.source_kind, settings.source_image = "IMAGE", bpy.data.images.load(str(image))
    assert bpy.ops.expnet.estimate_expression() == {"FINISHED"}
    assert settings.result.startswith("disc.png, keyed at frame 1\n")


def test_an_image_without_a_file_is_one_line(settings, head: bpy.types.Object) -> None:
    settings.source_kind, settings.source_image = "IMAGE", bpy.data.images.new("painted", 8, 8)
    assert "save it to disk first" in report_of(bpy.ops.expnet.estimate_expression)


def test_a_part_of_the_footage(settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source, settings.use_range = str(clip), True
    settings.first, settings.last = 3, 5
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert curve_frames(head) == [1, 2, 3]
    (shown,) = bpy.data.movieclips
    assert (shown.frame_start, shown.frame_offset) == (1, 3)
    settings.first = 6
    assert "the last comes before the first" in report_of(bpy.ops.expnet.animate_footage)


def test_a_part_of_an_open_clip_lies_in_its_place(settings, head: bpy.types.Object, clip: Path) -> None:
    block = bpy.data.movieclips.load(str(clip))
    block.frame_start = 101
    settings.source_kind, settings.source_clip, settings.use_range = "CLIP", block, True
    settings.first, settings.last = 2, 100
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert curve_frames(head) == list(range(103, 110))
    settings.first = 50
    assert "has no frame 51: it has 9" in report_of(bpy.ops.expnet.animate_footage)


def test_the_face_that_is_named_is_driven(settings, head: bpy.types.Object, clip: Path) -> None:
    bpy.ops.expnet.add_face()
    settings.source, settings.rig = str(clip), head
    assert bpy.context.view_layer.objects.active != head
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}
    assert head.animation_data.action is not None


def test_the_faces_in_the_picture_are_shown_to_choose_from(settings, head: bpy.types.Object, image: Path) -> None:
    from expnet.expnet_addon.capture import faces

    portrait = next((ROOT.parent / "shared" / "faces").glob("*.jpg"), None)
    if portrait is None:
        pytest.skip("needs a picture of a face")
    settings.network, settings.source = "OPEN", str(portrait)
    assert bpy.ops.expnet.find_faces() == {"FINISHED"}
    assert settings.result == f"One face in '{portrait.name}'"
    assert len(faces.found().icons) == 1
    assert bpy.ops.expnet.choose_face(face=1) == {"FINISHED"}
    assert (settings.face, settings.use_box) == (1, False)
    settings.source = str(image)
    assert "No face was found in 'disc.png'" in report_of(bpy.ops.expnet.find_faces)


# Apply Face Shape -----------------------------------------------------------------------------------------------------


def test_apply_face_shape_takes_the_numbers_of_the_property(head: bpy.types.Object) -> None:
    alpha = np.zeros(len(head["alpha"]))
    alpha[:2] = 1.5, -2.0
    head["alpha"] = alpha.tolist()
    assert bpy.ops.expnet.apply_identity() == {"FINISHED"}
    model = rig.rig_model(head)
    skin = model.regions["skin"]
    assert np.abs(rig.evaluated_vertices(head) - model.vertices(alpha))[skin].max() < 1e-4


# The authors' own networks --------------------------------------------------------------------------------------------


@pytest.fixture
def preferences(empty_scene: bpy.types.Scene):
    """Return the extension's preferences, as Blender keeps them for what is enabled."""
    addon = bpy.context.preferences.addons.new()
    addon.module = "expnet"
    yield addon.preferences
    bpy.context.preferences.addons.remove(addon)


def write_face_pose_net(folder: Path) -> None:
    """Return the smallest of the release's checkpoints, in its real size, and a face model to go with it."""
    from ...model.official.tensorflow.forged import write_bundle
    from ...official.variables import face_pose_net

    write_bundle(folder / "model_0_1.0_1.0_1e-07_1_16000.ckpt", face_pose_net(), {})


def test_import_weights_says_what_is_there_and_what_is_missing(preferences, tmp_path: Path) -> None:
    write_face_pose_net(tmp_path)
    (tmp_path / "BaselFaceModel_mod.mat").touch()
    preferences.release_folder, preferences.half = str(tmp_path), True
    assert bpy.ops.expnet.import_weights() == {"FINISHED"}
    assert (tmp_path / packs.OFFICIAL_FILE).is_file()
    assert preferences.official_pack == str(tmp_path)
    assert preferences.official_face_model == str(tmp_path / "BaselFaceModel_mod.mat")
    first, *others = preferences.import_report.splitlines()
    assert first == "Found: pose, BaselFaceModel_mod"
    assert others[0].startswith("Missing: ini_exprNet_model.ckpt: the expression")
    assert "never to be passed on" in others[-1]


def test_import_weights_of_an_empty_folder_is_one_line(preferences, tmp_path: Path) -> None:
    preferences.release_folder = str(tmp_path)
    assert "none of the release's checkpoints is here" in report_of(bpy.ops.expnet.import_weights)
    assert not preferences.official_pack and not list(tmp_path.iterdir())


def test_the_official_pack_can_be_chosen_once_it_is_there(preferences, settings, tmp_path: Path) -> None:
    settings.network = settings.face_model = "OFFICIAL"
    assert "Import the official weights" in settings.chosen_network().missing
    assert "BaselFaceModel_mod" in settings.chosen_head().missing
    preferences.official_pack, preferences.official_face_model = str(tmp_path), str(tmp_path / "bfm.mat")
    assert "There is no official.safetensors" in settings.chosen_network().missing
    write_official(tmp_path, "expression", "shape")
    (tmp_path / "bfm.mat").touch()
    for choice, path in ((settings.chosen_network(), tmp_path), (settings.chosen_head(), tmp_path / "bfm.mat")):
        assert (choice.missing, choice.path) == ("", str(path))
        assert "esearch only" in choice.license


def write_official(folder: Path, *networks: str) -> None:
    """Return what ``import-weights`` writes, by its header; a test of that is in tests/model/official."""
    metadata = {"networks": json.dumps({name: {"trunk": ""} for name in networks})}
    header = json.dumps({"__metadata__": metadata}).encode()
    (folder / packs.OFFICIAL_FILE).write_bytes(len(header).to_bytes(8, "little") + header)


def test_the_official_pack_is_ready_when_expnet_itself_is_there(preferences, settings, tmp_path: Path) -> None:
    """A pose network alone says nothing of the expression."""
    write_face_pose_net(tmp_path)
    preferences.release_folder, preferences.half = str(tmp_path), True
    assert bpy.ops.expnet.import_weights() == {"FINISHED"}
    settings.network = "OFFICIAL"
    assert "Only pose was imported" in settings.chosen_network().missing
    assert "ini_exprNet_model.ckpt" in settings.chosen_network().missing
    for content in (b"", b"no weights", (2).to_bytes(8, "little") + b"[]"):
        (tmp_path / packs.OFFICIAL_FILE).write_bytes(content)
        assert "official.safetensors is broken" in settings.chosen_network().missing


def test_the_packs_name_what_import_weights_names() -> None:
    from expnet.model.official import layouts, release

    assert packs.EXPNET == layouts.EXPRESSION.name
    assert packs.EXPNET_FILE == release.USUAL_NAMES[packs.EXPNET]


# When it cannot be done -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["estimate_expression", "animate_footage"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text"])
def test_a_bad_source_is_one_line_and_changes_nothing(
    verb: str, kind: str, settings, head: bpy.types.Object, tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.mp4"
    if kind != "missing":
        path.write_text("" if kind == "empty" else "no footage")
    settings.source = str(path)
    before = state_of_the_file()
    assert path.name in report_of(getattr(bpy.ops.expnet, verb))
    assert state_of_the_file() == before


@pytest.mark.parametrize("verb", ["estimate_expression", "animate_footage"])
def test_footage_without_a_face_changes_nothing(
    verb: str, settings, head: bpy.types.Object, clip: Path, image: Path, sees_no_face: Path
) -> None:
    settings.estimator = str(sees_no_face)
    settings.use_box = False
    settings.source = str(image if verb.startswith("estimate") else clip)
    before = state_of_the_file()
    assert "face was found" in report_of(getattr(bpy.ops.expnet, verb))
    assert state_of_the_file() == before


def test_without_a_python_that_sees_one_line_says_what_to_do(
    settings, head: bpy.types.Object, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("expnet.expnet_addon.engine.jobs.NEEDED", {})
    monkeypatch.delenv("EXPNET_PYTHON", raising=False)
    settings.source = str(clip)
    assert "Install Runtime" in report_of(bpy.ops.expnet.animate_footage)


def test_a_face_of_another_basis_is_refused_at_once(settings, head: bpy.types.Object, clip: Path) -> None:
    head["expnet_basis"] = "3ddfa-29"
    settings.network = "OPEN"
    settings.source = str(clip)
    assert "3ddfa-29" in report_of(bpy.ops.expnet.animate_footage)


def test_the_buttons_are_grey_with_a_reason(settings, clip: Path) -> None:
    def refused(verb: str) -> str:
        operator = getattr(bpy.ops.expnet, verb)
        assert not operator.poll()
        with pytest.raises(RuntimeError) as caught:
            operator()
        return str(caught.value)

    assert "Choose an image" in refused("estimate_expression")
    assert "Choose an image or a movie" in refused("animate_footage")
    settings.source_kind = "FOLDER"
    assert "Choose a folder" in refused("animate_footage")
    settings.source_kind = "CLIP"
    assert "Choose a movie clip" in refused("animate_footage")
    settings.source_kind = "FILE"
    settings.source = str(clip)
    assert "Add a face first" in refused("animate_footage")
    assert "Add a face first" in refused("apply_identity")
    assert "Add a face first" in refused("neutral_from_frame")
    assert "Nothing is under way" in refused("cancel")
    settings.face_model = "FILE"
    assert "Choose the face model's file" in refused("add_face")
    settings.face_model = "OPEN"
    for _ in range(2):
        bpy.ops.expnet.add_face()
    bpy.context.view_layer.objects.active = None
    assert "Select one of the faces first" in refused("animate_footage")


# A task under way -----------------------------------------------------------------------------------------------------


@pytest.fixture
def options(sees_a_face: Path) -> EstimatorOptions:
    return EstimatorOptions(estimator=str(sees_a_face), box=(40, 30, 60, 60))


@pytest.fixture
def task(head: bpy.types.Object, clip: Path, options: EstimatorOptions) -> Iterator[tasks.Task]:
    """Animating the clip, started as a modal operator starts it."""
    task = capture.animate_clip(bpy.context.scene, head, Source(str(clip)), options, Keying())
    task.start()
    yield task
    task.cancel()


def test_stepping_from_a_timer_ends_like_waiting(task: tasks.Task, poll_until: Callable) -> None:
    poll_until(lambda: not task.step())
    assert task.finish().splitlines()[0] == "9 of 9 frames keyed, 1 to 9"


def test_a_cancelled_task_has_changed_nothing(task: tasks.Task, tmp_path: Path) -> None:
    before = state_of_the_file()
    folder = task._job.folder
    task.cancel()
    assert state_of_the_file() == before
    assert not folder.exists()


def test_a_killed_worker_has_changed_nothing(task: tasks.Task) -> None:
    before = state_of_the_file()
    os.kill(task._job.pid, signal.SIGKILL)
    with pytest.raises(WorkerFault, match="was killed"):
        task.finish()
    assert state_of_the_file() == before


def test_the_face_may_be_deleted_meanwhile(task: tasks.Task, head: bpy.types.Object) -> None:
    bpy.data.objects.remove(head)
    before = state_of_the_file()
    with pytest.raises(InputError, match="The face that 'disc.mp4' was for is gone: nothing was written"):
        task.finish()
    assert state_of_the_file() == before


@pytest.fixture
def own_clip(clip: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may move away."""
    return Path(shutil.copyfile(clip, tmp_path / "own.mp4"))


@pytest.mark.parametrize("kind", ["movie", "images"])
def test_a_clip_that_is_moved_before_it_was_read_is_one_line(
    kind: str, head: bpy.types.Object, own_clip: Path, image_folder: Path, tmp_path: Path, options: EstimatorOptions
) -> None:
    """The worker takes a moment to start, and by then the file is gone."""
    source = own_clip if kind == "movie" else Path(shutil.copytree(image_folder, tmp_path / "own"))
    task = capture.animate_clip(bpy.context.scene, head, Source(str(source)), options, Keying())
    before = state_of_the_file()
    task.start()
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="own") as caught:
        task.finish()
    assert "\n" not in str(caught.value)
    assert state_of_the_file() == before


def test_a_clip_that_is_moved_once_it_was_read_loses_nothing(
    head: bpy.types.Object, own_clip: Path, options: EstimatorOptions, poll_until: Callable
) -> None:
    task = capture.animate_clip(bpy.context.scene, head, Source(str(own_clip)), options, Keying())
    task.start()
    poll_until(lambda: not task.step())
    own_clip.unlink()
    keyed, shown, _ = task.finish().splitlines()
    assert keyed.splitlines()[0] == "9 of 9 frames keyed, 1 to 9"
    assert shown.startswith("The footage is not shown:") and "own.mp4" in shown
    assert curve_frames(head) == list(range(1, 10))


def test_the_face_may_be_renamed_meanwhile(task: tasks.Task, head: bpy.types.Object) -> None:
    head.name = "Ada"
    assert task.finish().splitlines()[0] == "9 of 9 frames keyed, 1 to 9"
    assert head.data.shape_keys.animation_data.action


def test_opening_another_file_ends_the_task(
    task: tasks.Task, poll_until: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks.follow(task)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert tasks.under_way() is None
    assert capsys.readouterr().out.splitlines()[-1:] == ["Animate from Footage: cancelled, the file was closed"]
    assert not task._job.folder.exists()


def test_one_task_at_a_time(task: tasks.Task, settings, head: bpy.types.Object, clip: Path) -> None:
    settings.source = str(clip)
    tasks.follow(task)
    assert not bpy.ops.expnet.animate_footage.poll()
    assert bpy.ops.expnet.cancel() == {"FINISHED"}
    assert tasks.under_way() is None
    assert bpy.ops.expnet.animate_footage.poll()


# Habits that every button keeps ---------------------------------------------------------------------------------------


CHANGE_NO_FILE = {
    f"expnet.{verb}"
    for verb in (
        "live_stop", "live_pause", "live_record", "live_neutral", "find_cameras",
        "cancel", "open_guide", "import_weights", "find_faces",
        "install_runtime", "remove_runtime", "check_python", "test_engine",
        "open_footage_beside", "settings_preset_add", "take_preset_add",
        "next_doubtful", "previous_doubtful", "go_to_part",
        "save_retarget_preset", "export_retarget_preset", "export_live_link",
    )
}  # fmt: skip


@pytest.mark.parametrize("operator", operators.CLASSES, ids=lambda o: o.bl_idname)
def test_every_operator_is_named_told_and_undoable(operator: type[bpy.types.Operator]) -> None:
    assert operator.__name__ == "EXPNET_OT_" + operator.bl_idname.removeprefix("expnet.")
    assert operator.bl_description and not operator.bl_description.endswith(".")
    assert {"REGISTER", "UNDO"} <= set(operator.bl_options) or operator.bl_idname in CHANGE_NO_FILE
    assert any("poll" in vars(kind) for kind in operator.__mro__ if kind.__module__.startswith("expnet."))


def ours(kind: Any) -> list[Any]:
    """Our registered classes of a kind of Blender's."""
    found: list[Any] = [c for c in kind.__subclasses__() if c.__module__.startswith("expnet.") and hasattr(c, "bl_rna")]
    return sorted(found, key=lambda c: c.__name__)


def test_every_property_of_ours_has_a_tooltip() -> None:
    kinds = (bpy.types.PropertyGroup, bpy.types.AddonPreferences, bpy.types.Operator)
    groups = [(group, kind) for kind in kinds for group in ours(kind)]
    assert len(groups) > 10
    for group, kind in groups:
        own = [p for p in group.bl_rna.properties if p.identifier not in kind.bl_rna.properties]
        for setting in own:
            where = (group.__name__, setting.identifier)
            assert setting.description and setting.name, where
            assert not setting.description.endswith("."), where
            for choice in getattr(setting, "enum_items", ()):
                assert choice.description, (*where, choice.identifier)


def test_what_panels_say_can_be_translated() -> None:
    """Blender translates what stands in the code as it is; what is put together there is data, and marked so."""
    for file in Path(inspect.getfile(panels)).parent.glob("*.py"):
        for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
            given = {k.arg: k.value for k in call.keywords}
            translate = given.get("translate")
            untranslated = isinstance(translate, ast.Constant) and translate.value is False
            assert untranslated or not isinstance(given.get("text"), ast.JoinedStr), (file.name, call.lineno)


def test_why_a_button_is_grey_can_be_translated() -> None:
    """Blender looks the whole sentence up: names go into it afterwards."""
    files = sorted(Path(inspect.getfile(operators)).parent.glob("*.py"))
    calls = [n for file in files for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
    reasons = [n for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "poll_message_set"]
    assert len(reasons) > 10
    for reason in reasons:
        assert not any(isinstance(part, ast.JoinedStr) for part in ast.walk(reason)), ast.unparse(reason)


def test_panels_do_not_compute() -> None:
    """``draw`` runs at every move of the mouse."""
    source = inspect.getsource(importlib.import_module(f"{panels.__name__}.sidebar"))
    assert not {"numpy", "rig", "capture", "jobs"} & set(source.replace("import ", " ").replace(",", " ").split())


def test_register_and_unregister_leave_nothing() -> None:
    for _ in range(2):
        expnet.unregister()
        assert not hasattr(bpy.types.Scene, "expnet")
        assert not [name for name in dir(bpy.types) if name.startswith("EXPNET_")]
        assert not [f for f in bpy.app.handlers.load_pre if "expnet" in getattr(f, "__module__", "")]
        expnet.register()


def test_what_counts_from_0_is_not_shown_below_the_last_step() -> None:
    counted = [
        prop
        for name in dir(bpy.ops.expnet)
        for prop in getattr(bpy.ops.expnet, name).get_rna_type().properties
        if "from 0" in prop.description
    ]
    assert {prop.identifier for prop in counted} == {"face", "part"}
    assert all(prop.is_hidden for prop in counted)

"""On one's own character: shape keys of other names, bones, several meshes; keys or live drivers; and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

import expnet
from expnet.benchmarks.stand_in import stand_in
from expnet.expnet_addon import compat
from expnet.expnet_addon.characters.character import Character, character_of, is_retargeted
from expnet.expnet_addon.characters.drivers import apply_drivers
from expnet.expnet_addon.characters.keys import apply_keys
from expnet.expnet_addon.characters.motion import face_motion, performance_motion
from expnet.expnet_addon.characters.name_matching import matched_rows
from expnet.expnet_addon.characters.restore import remove
from expnet.expnet_addon.properties import character_settings as characters
from expnet.expnet_addon.scene import animation, rig
from expnet.model.errors import InputError
from expnet.model.face.face_model import KAPPA
from expnet.model.performance.channels import ARKIT, SIGNALS, signals
from expnet.model.performance.live_link import read_live_link, write_live_link
from expnet.model.retargeting.row import BONE, OWN, Row
from expnet.model.retargeting.table import row_values
from expnet.model.rotations import euler_degrees


def mesh_with_keys(name: str, keys: list[str]) -> bpy.types.Object:
    """Return a little mesh whose shape keys each move its first corner."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    obj.shape_key_add(name="Basis", from_mix=False)
    for i, key in enumerate(keys):
        block = obj.shape_key_add(name=key, from_mix=False)
        block.data[0].co = (0, 0, i + 1)
        block.value = 0.0  # from 5.0 on it begins at 1
    return obj


def armature(bones: dict[str, tuple[Vector, Vector]]) -> bpy.types.Object:
    """Return an armature of unconnected bones, name -> head and tail."""
    data = bpy.data.armatures.new("rig")
    obj = bpy.data.objects.new("rig", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (head, tail) in bones.items():
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = head, tail
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def value(obj: bpy.types.Object, key: str) -> float:
    """Return what Blender makes of a shape key now, drivers and all."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return evaluated.data.shape_keys.key_blocks[key].value


def turned(rig_: bpy.types.Object, bone: str) -> np.ndarray:
    """(3, 3) how the evaluated bone is turned from its rest, in the armature's axes."""
    evaluated = rig_.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[bone]
    rest = rig_.data.bones[bone].matrix_local.to_3x3()
    return np.array(evaluated.matrix.to_3x3() @ rest.inverted())


def wanted(performance, row: Row) -> np.ndarray:
    return row_values(row, signals(performance))


@pytest.fixture
def performance(make_performance):
    return make_performance(frames=8, fps=24.0, missing=[3])


@pytest.fixture
def motion(empty_scene, performance):
    empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
    return performance_motion(empty_scene, performance)


@pytest.fixture
def face(empty_scene, little_face, performance):
    empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
    head = rig.create_rig(little_face)
    animation.key_performance(head, performance, empty_scene)
    return head


SEEN = [1, 2, 3, 5, 6, 7, 8]  # scene frames with a face
STYLES = {
    "ARKit": list(ARKIT),
    "sides as _L and _R": [re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", n) for n in ARKIT],
    "MPFB's face units": [f"!ex-{n}" for n in ARKIT],
}


class TestKeys:
    @pytest.mark.parametrize("style", STYLES)
    def test_arkit_shapes_in_any_style_get_what_was_seen(self, empty_scene, performance, motion, style):
        mesh = mesh_with_keys("hero", STYLES[style])
        scheme, rows = matched_rows(Character((mesh,)))
        assert scheme == "ARKIT"
        assert [row.target for row in rows] == STYLES[style]
        report = apply_keys(Character((mesh,)), rows, motion)
        assert report.shape_keys == 48
        assert len(report.left) == 4  # not read from footage
        for frame in SEEN:
            empty_scene.frame_set(frame)
            for row in rows:
                assert value(mesh, row.target) == pytest.approx(wanted(performance, row)[frame - 1], abs=2e-4), row

    def test_a_signed_key_becomes_two_shapes(self, empty_scene, performance, motion):
        performance.eta[0, 5], performance.eta[1, 5] = 0.8, -0.35  # lid_L: shut, then wide
        mesh = mesh_with_keys("hero", ["eyeBlinkLeft", "eyeWideLeft"])
        motion = performance_motion(empty_scene, performance)
        apply_keys(Character((mesh,)), matched_rows(Character((mesh,)))[1], motion)
        shown = []
        for frame in (1, 2):
            empty_scene.frame_set(frame)
            shown.append((value(mesh, "eyeBlinkLeft"), value(mesh, "eyeWideLeft")))
        np.testing.assert_allclose(shown, [(0.8, 0), (0, 1)], atol=1e-4)

    def test_frames_without_a_face_get_no_keys(self, empty_scene, motion):
        mesh = mesh_with_keys("hero", ["jawOpen"])
        apply_keys(Character((mesh,)), [Row("jawOpen", "jawOpen")], motion)
        curve = compat.assigned_curves(mesh.data.shape_keys).find('key_blocks["jawOpen"].value')
        assert [point.co[0] for point in curve.keyframe_points] == SEEN

    def test_several_meshes_move_together(self, empty_scene, performance, motion):
        body, teeth = mesh_with_keys("body", ["jawOpen", "mouthSmileLeft"]), mesh_with_keys("teeth", ["jawOpen"])
        character = Character((body, teeth))
        report = apply_keys(character, matched_rows(character)[1], motion)
        assert report.shape_keys == 3
        empty_scene.frame_set(6)
        assert value(body, "jawOpen") == value(teeth, "jawOpen") > 0.01

    def test_gain_offset_inversion_and_range(self, empty_scene, performance, motion):
        mesh = mesh_with_keys("hero", ["shut", "half", "more"])
        rows = [
            Row("jawOpen", "shut", invert=True),
            Row("jawOpen", "half", gain=0.5, offset=0.25),
            Row("jawOpen", "more", gain=3.0, high=2.5),  # further than the slider reached
        ]
        apply_keys(Character((mesh,)), rows, motion)
        jaw = signals(performance)[5, 25]
        empty_scene.frame_set(6)
        assert value(mesh, "shut") == pytest.approx(1 - jaw, abs=1e-4)
        assert value(mesh, "half") == pytest.approx(0.25 + jaw / 2, abs=1e-4)
        assert value(mesh, "more") == pytest.approx(min(3 * jaw, 2.5), abs=1e-4)

    def test_a_row_without_a_target_is_said(self, empty_scene, motion):
        mesh = mesh_with_keys("hero", ["jawOpen"])
        report = apply_keys(Character((mesh,)), [Row("jawOpen", "jawOpen"), Row("cheekPuff", "puff")], motion)
        assert report.left == ("puff (no such shape key)",)
        with pytest.raises(InputError, match="nothing in the table has a target"):
            apply_keys(Character((mesh,)), [Row("cheekPuff", "puff")], motion)


class TestTheArtistsOwn:
    def keyed_by_hand(self, mesh: bpy.types.Object) -> bpy.types.Action:
        for key, frame, number in (("jawOpen", 1, 0.1), ("jawOpen", 9, 0.9), ("hat", 1, 0.2), ("hat", 9, 1.0)):
            mesh.data.shape_keys.key_blocks[key].value = number
            mesh.data.shape_keys.key_blocks[key].keyframe_insert("value", frame=frame)
        return mesh.data.shape_keys.animation_data.action

    @staticmethod
    def keys_of(block: bpy.types.ID) -> list:
        return [(c.data_path, [tuple(p.co) for p in c.keyframe_points]) for c in compat.assigned_curves(block)]

    def test_their_other_keys_play_on_and_their_action_is_as_it_was(self, empty_scene, performance, motion):
        mesh = mesh_with_keys("hero", ["jawOpen", "hat"])
        theirs = self.keyed_by_hand(mesh)
        before = self.keys_of(mesh.data.shape_keys)
        character = Character((mesh,))
        apply_keys(character, [Row("jawOpen", "jawOpen")], motion)
        assert mesh.data.shape_keys.animation_data.action != theirs
        empty_scene.frame_set(6)
        assert value(mesh, "jawOpen") == pytest.approx(performance.eta[5, 25], abs=1e-4)
        assert 0.2 < value(mesh, "hat") < 1.0
        assert remove(character) == 1
        assert mesh.data.shape_keys.animation_data.action == theirs
        assert self.keys_of(mesh.data.shape_keys) == before
        empty_scene.frame_set(9)
        assert value(mesh, "jawOpen") == pytest.approx(0.9)

    @pytest.mark.parametrize("live", [False, True])
    def test_removing_leaves_nothing_behind(self, empty_scene, motion, face, live):
        mesh = mesh_with_keys("hero", ["jawOpen"])
        bones = armature({"jaw": (Vector((0, 0, 0)), Vector((0, -1, 0)))})
        mesh.data.shape_keys.key_blocks["jawOpen"].value = 0.4
        mesh.data.shape_keys.key_blocks["jawOpen"].slider_max = 0.5
        bones.pose.bones["jaw"].rotation_quaternion = (0.6, 0.8, 0, 0)
        character, actions = Character((mesh,), bones), set(bpy.data.actions)
        rows = [Row("jawOpen", "jawOpen"), Row("jawOpen", "jaw", BONE, "ROTATION_X")]
        for _ in range(2):  # again takes back what was there first
            apply_drivers(character, rows, face) if live else apply_keys(character, rows, motion)
            assert is_retargeted(character)
        empty_scene.frame_set(7)
        remove(character)
        assert not is_retargeted(character)
        block = mesh.data.shape_keys.key_blocks["jawOpen"]
        assert (block.value, block.slider_max) == pytest.approx((0.4, 0.5))
        assert bones.pose.bones["jaw"].rotation_mode == "QUATERNION"
        assert tuple(bones.pose.bones["jaw"].rotation_quaternion) == pytest.approx((0.6, 0.8, 0, 0))
        assert mesh.data.shape_keys.animation_data is None and bones.animation_data is None
        assert set(bpy.data.actions) == actions
        assert not [name for data in (mesh.data.shape_keys, bones) for name in data.keys() if "expnet" in name]

    def test_a_shape_with_a_driver_of_its_own_is_left_alone(self, empty_scene, motion):
        mesh = mesh_with_keys("hero", ["jawOpen", "mouthPucker"])
        curve = mesh.data.shape_keys.driver_add('key_blocks["jawOpen"].value')
        curve.driver.expression = "0.125"
        report = apply_keys(Character((mesh,)), [Row("jawOpen", "jawOpen"), Row("mouthPucker", "mouthPucker")], motion)
        assert report.left == ("jawOpen (it has a driver of its own)",)
        remove(Character((mesh,)))
        assert len(mesh.data.shape_keys.animation_data.drivers) == 1

    def test_it_comes_back_from_a_saved_file(self, empty_scene, motion, tmp_path):
        mesh = mesh_with_keys("hero", ["jawOpen", "hat"])
        theirs = self.keyed_by_hand(mesh).name
        apply_keys(Character((mesh,)), [Row("jawOpen", "jawOpen")], motion)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "hero.blend"))
        mesh = bpy.data.objects["hero"]
        remove(Character((mesh,)))
        assert mesh.data.shape_keys.animation_data.action.name == theirs


class TestLiveDrivers:
    def test_they_follow_the_face_without_python(self, empty_scene, face, performance):
        mesh = mesh_with_keys("hero", list(ARKIT))
        rows = matched_rows(Character((mesh,)))[1]
        report = apply_drivers(Character((mesh,)), rows, face)
        assert report.shape_keys == 48
        drivers = [curve.driver for curve in mesh.data.shape_keys.animation_data.drivers]
        assert all(driver.is_valid and driver.is_simple_expression for driver in drivers)
        for frame in (1, 6, 8):
            empty_scene.frame_set(frame)
            for row in rows:
                assert value(mesh, row.target) == pytest.approx(wanted(performance, row)[frame - 1], abs=5e-4), row

    def test_vowels_and_moods_follow_too(self, empty_scene, face, performance):
        mesh = mesh_with_keys("avatar", ["aa", "ih", "ou", "ee", "oh", "blink", "happy", "angry", "sad", "surprised"])
        scheme, rows = matched_rows(Character((mesh,)))
        assert scheme == "VRM" and len(rows) == 10
        apply_drivers(Character((mesh,)), rows, face)
        empty_scene.frame_set(5)
        for row in rows:
            now = np.clip(wanted(performance, row)[4], 0, 1)
            if not np.isnan(now):
                assert value(mesh, row.target) == pytest.approx(now, abs=1e-3)
        empty_scene.frame_set(6)
        for row in rows:
            assert value(mesh, row.target) == pytest.approx(wanted(performance, row)[5], abs=1e-3), row

    def test_inversion_and_offset(self, empty_scene, face, performance):
        mesh = mesh_with_keys("hero", ["shut", "side"])
        rows = [Row("jawOpen", "shut", invert=True, gain=0.5), Row("jawSide", "side", invert=True, offset=0.5)]
        apply_drivers(Character((mesh,)), rows, face)
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            for row in rows:
                assert value(mesh, row.target) == pytest.approx(wanted(performance, row)[frame - 1], abs=1e-4)


# A jaw as riggers lay it, forwards and down; a head upwards; eyes forwards; and one with a roll of its own.
BONES = {
    "head": (Vector((0, 0, 1.5)), Vector((0, 0, 1.7))),
    "jaw_master": (Vector((0, 0, 1.5)), Vector((0, -0.08, 1.45))),
    "eye.L": (Vector((0.03, -0.05, 1.6)), Vector((0.03, -0.1, 1.6))),
    "eye.R": (Vector((-0.03, -0.05, 1.6)), Vector((-0.03, -0.1, 1.6))),
}


class TestBones:
    @pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE"])
    def test_keys_turn_head_and_eyes_as_the_actor_did(self, empty_scene, performance, motion, mode):
        bones = armature(BONES)
        for bone in bones.pose.bones:
            bone.rotation_mode = mode
        character = Character((), bones)
        rows = matched_rows(character)[1]
        assert {row.target for row in rows} == set(BONES)
        apply_keys(character, rows, motion)
        for frame in (1, 6, 8):
            empty_scene.frame_set(frame)
            self.check(bones, performance, frame - 1)

    def test_so_do_drivers(self, empty_scene, performance, face):
        bones = armature(BONES)
        character = Character((), bones)
        rows = [row for row in matched_rows(character)[1] if row.channel != "jawSide"]  # rotated relative to the jaw
        report = apply_drivers(character, rows, face)
        assert report.bones == 4
        assert all(curve.driver.is_simple_expression for curve in bones.animation_data.drivers)
        for frame in (1, 6, 8):
            empty_scene.frame_set(frame)
            self.check(bones, performance, frame - 1, jaw_side=0.0)

    def check(self, bones, performance, frame, jaw_side=1.0):
        from expnet.expnet_addon.scene.coordinates import M
        from expnet.model.retargeting.name_schemes import JAW_OPEN, JAW_SIDE

        # The head: exactly the head pose of the performance, in Blender's axes.
        np.testing.assert_allclose(turned(bones, "head"), M @ performance.rotation[frame] @ M.T, atol=2e-3)
        # Eyes: what looked forwards, along -Y, looks along the gaze.
        yaw, pitch = performance.gaze[frame]
        looks = np.array([np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
        for eye in ("eye.L", "eye.R"):
            np.testing.assert_allclose(turned(bones, eye) @ [0, -1, 0], looks, atol=2e-3)
        # The jaw: open brings the chin down, to the left brings it to the character's left, +X.
        jaw, side = performance.eta[frame, 25], performance.eta[frame, 27] * jaw_side
        a, b = JAW_OPEN * jaw, JAW_SIDE * side
        chin = np.array([np.sin(b) * np.cos(a), -np.cos(b) * np.cos(a), -np.sin(a)])
        np.testing.assert_allclose(turned(bones, "jaw_master") @ [0, -1, 0], chin, atol=2e-3)

    def test_a_bones_own_axis_and_a_location(self, empty_scene, performance, motion):
        bones = armature(
            {"ctrl": (Vector((0, 0, 0)), Vector((0, -1, 0))), "slide": (Vector((0, 0, 0)), Vector((0, 0, 1)))}
        )
        rows = [
            Row("jawOpen", "ctrl", BONE, "ROTATION_Y", axes=OWN, gain=0.5),
            Row("jawOpen", "slide", BONE, "LOCATION_Z", gain=0.1),  # up, whichever way the bone lies
        ]
        apply_keys(Character((), bones), rows, motion)
        empty_scene.frame_set(6)
        jaw = performance.eta[5, 25]
        pose = bones.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        assert pose["ctrl"].matrix_basis.to_euler().y == pytest.approx(0.5 * jaw, abs=1e-3)
        np.testing.assert_allclose(pose["slide"].head, (0, 0, 0.1 * jaw), atol=1e-4)

    def test_a_driver_refuses_three_turns_of_a_bone_that_lies_askew(self, empty_scene, face):
        bones = armature({"jaw": (Vector((0, 0, 0)), Vector((0.5, -1, -0.7)))})
        with pytest.raises(InputError, match="lies askew"):
            rows = [Row("jawOpen", "jaw", BONE, f"ROTATION_{axis}") for axis in "XYZ"]
            apply_drivers(Character((), bones), rows, face)
        assert bones.animation_data is None

    def test_the_jaw_is_opened_once(self, empty_scene):
        mesh, bones = mesh_with_keys("hero", ["jawOpen"]), armature(BONES)
        mesh.parent = bones
        rows = matched_rows(character_of(mesh))[1]
        assert [(row.target, row.enabled) for row in rows if row.channel == "jawOpen"] == [
            ("jawOpen", True), ("jaw_master", False),
        ]  # fmt: skip


class TestFaceAsSource:
    def test_its_keys_are_taken_as_they_are_now(self, empty_scene, face, performance):
        motion = face_motion(face)
        np.testing.assert_allclose(motion.frames, SEEN, atol=1e-3)
        expected = signals(performance)[performance.seen]
        np.testing.assert_allclose(motion.values, expected, atol=2e-4)
        angles = np.radians(euler_degrees(performance.rotation[performance.seen]))
        np.testing.assert_allclose(motion.values[:, -3:], angles, atol=2e-4)

    def test_curves_between_few_keys_are_followed_at_every_frame(self, empty_scene, face):
        for curve in compat.assigned_curves(face.data.shape_keys):
            for point in list(curve.keyframe_points)[-2:0:-1]:
                curve.keyframe_points.remove(point)
        for block in (face.data.shape_keys, face):
            for curve in compat.assigned_curves(block):
                for point in curve.keyframe_points:
                    point.interpolation = "BEZIER"
        motion = face_motion(face)
        np.testing.assert_allclose(motion.frames, range(1, 9))
        jaw = compat.assigned_curves(face.data.shape_keys).find('key_blocks["jawOpen"].value')
        shown = [jaw.evaluate(frame) for frame in range(1, 9)]
        np.testing.assert_allclose(motion.values[:, SIGNALS.index("jawOpen")], shown, atol=1e-5)

    def test_a_face_without_keys_is_refused(self, empty_scene, little_face):
        with pytest.raises(InputError, match="has no keys yet"):
            face_motion(rig.create_rig(little_face))


class TestInThePanel:
    """The operators and the table that the artist edits."""

    @pytest.fixture(autouse=True)
    def registered(self, empty_scene, tmp_path, monkeypatch) -> Iterator[None]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        expnet.register()
        yield
        expnet.unregister()

    @pytest.fixture
    def hero(self, face) -> bpy.types.Object:
        mesh = mesh_with_keys("hero", ["jawOpen", "mouthSmileLeft", "hat"])
        bpy.context.view_layer.objects.active = mesh
        return mesh

    def test_match_retarget_and_back(self, empty_scene, hero, performance):
        assert not bpy.ops.expnet.retarget.poll()  # the table is empty
        assert bpy.ops.expnet.match_names() == {"FINISHED"}
        table = hero.expnet_character.rows
        assert [(row.channel, row.target) for row in table] == [
            ("jawOpen", "jawOpen"), ("mouthSmileLeft", "mouthSmileLeft"),
        ]  # fmt: skip
        assert hero.expnet_character.result == (
            "2 shape keys by ARKit, 0 bones\nUnknown names, add rows for those that should move: hat"
        )
        table[0].gain = 0.5
        assert bpy.ops.expnet.retarget() == {"FINISHED"}
        empty_scene.frame_set(6)
        assert value(hero, "jawOpen") == pytest.approx(performance.eta[5, 25] / 2, abs=1e-3)
        hero.expnet_character.output = "DRIVERS"
        assert bpy.ops.expnet.retarget() == {"FINISHED"}
        assert len(hero.data.shape_keys.animation_data.drivers) == 2
        assert bpy.ops.expnet.remove_retarget() == {"FINISHED"}
        assert hero.data.shape_keys.animation_data is None
        assert not bpy.ops.expnet.remove_retarget.poll()

    def test_one_button_matches_checks_and_retargets(self, empty_scene, hero, performance):
        assert bpy.ops.expnet.drive_character() == {"FINISHED"}
        assert hero.expnet_character.result.startswith("2 shape keys by ARKit, 0 bones\n")
        assert hero.expnet_character.result.endswith("\n2 shape keys keyed")
        empty_scene.frame_set(6)
        assert value(hero, "jawOpen") == pytest.approx(performance.eta[5, 25], abs=1e-3)
        hero.expnet_character.rows[0].gain = 0.5
        assert bpy.ops.expnet.drive_character() == {"FINISHED"}  # with the table as the artist left it
        empty_scene.frame_set(6)
        assert value(hero, "jawOpen") == pytest.approx(performance.eta[5, 25] / 2, abs=1e-3)

    def test_one_button_leaves_the_table_empty_where_nothing_would_move(self, empty_scene, hero):
        stranger = mesh_with_keys("stranger", ["hat", "boots"])
        stranger.location.x = 5.0
        bpy.context.view_layer.objects.active = stranger
        with pytest.raises(RuntimeError, match="has a known name"):
            bpy.ops.expnet.drive_character()
        assert "has a known name" in stranger.expnet_character.result  # in place of an older success
        hero.expnet_character.source, hero.expnet_character.file = "FILE", "no such file.csv"
        bpy.context.view_layer.objects.active = hero
        with pytest.raises(RuntimeError, match="no such file"):
            bpy.ops.expnet.drive_character()
        assert not hero.expnet_character.rows

    def test_presets_keep_the_table(self, hero):
        bpy.ops.expnet.match_names()
        hero.expnet_character.rows[1].gain = 1.5
        assert bpy.ops.expnet.save_retarget_preset(name="Hero") == {"FINISHED"}
        bpy.ops.expnet.retarget_row_remove()
        bpy.ops.expnet.retarget_row_add()
        assert bpy.ops.expnet.load_retarget_preset(name="Hero") == {"FINISHED"}
        assert [row.gain for row in hero.expnet_character.rows] == [1.0, 1.5]
        assert [path.stem for path in characters.presets()] == ["Hero"]

    def test_a_preset_goes_through_a_file(self, hero, tmp_path):
        bpy.ops.expnet.match_names()
        wanted_ = hero.expnet_character.table()
        assert bpy.ops.expnet.export_retarget_preset(filepath=str(tmp_path / "hero.json")) == {"FINISHED"}
        hero.expnet_character.rows.clear()
        assert bpy.ops.expnet.import_retarget_preset(filepath=str(tmp_path / "hero.json")) == {"FINISHED"}
        assert hero.expnet_character.table() == wanted_

    @pytest.mark.parametrize("name", ["", "../up", "a/b", "nul:"])
    def test_a_preset_cannot_be_called_like_a_path(self, hero, name):
        bpy.ops.expnet.match_names()
        with pytest.raises(RuntimeError, match="cannot be a preset's name"):
            bpy.ops.expnet.save_retarget_preset(name=name)

    def test_other_selected_meshes_come_along(self, hero, face):
        teeth = mesh_with_keys("teeth", ["jawOpen"])
        for obj in (hero, teeth, face):
            obj.select_set(True)
        bpy.context.view_layer.objects.active = hero
        bpy.ops.expnet.character_meshes()
        bpy.ops.expnet.match_names()
        bpy.ops.expnet.retarget()
        assert teeth.data.shape_keys.animation_data is not None

    def test_a_recording_goes_to_a_character_and_to_our_face_and_out_again(
        self, empty_scene, hero, face, performance, tmp_path
    ):
        write_live_link(performance, tmp_path / "phone.csv")
        settings = hero.expnet_character
        settings.source, settings.file = "FILE", str(tmp_path / "phone.csv")
        bpy.ops.expnet.match_names()
        assert bpy.ops.expnet.retarget() == {"FINISHED"}
        bpy.context.view_layer.objects.active = face
        assert bpy.ops.expnet.import_live_link(filepath=str(tmp_path / "phone.csv"), fps=24.0) == {"FINISHED"}
        empty_scene.frame_set(6)
        assert face.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(performance.eta[5, 25], abs=1e-4)
        assert bpy.ops.expnet.export_live_link(filepath=str(tmp_path / "out.csv")) == {"FINISHED"}
        again = read_live_link(tmp_path / "out.csv", fps=24.0)
        np.testing.assert_allclose(again.eta, performance.eta[performance.seen], atol=1e-3)

    @pytest.mark.parametrize("settings, said", [
        ({"source": "FILE"}, "Choose the file to follow"),
        ({"source": "FILE", "file": "/nowhere.csv"}, "cannot read|no such|not"),
        ({"source": "FILE", "output": "DRIVERS"}, "Drivers need a face"),
    ])  # fmt: skip
    def test_mistakes_are_one_line_and_change_nothing(self, hero, settings, said):
        bpy.ops.expnet.match_names()
        for name, setting in settings.items():
            setattr(hero.expnet_character, name, setting)
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.expnet.retarget()
        assert hero.data.shape_keys.animation_data is None

    def test_an_object_without_shape_keys_is_refused(self, empty_scene):
        cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
        empty_scene.collection.objects.link(cube)
        bpy.context.view_layer.objects.active = cube
        for operator in ("match_names", "retarget", "retarget_row_add", "retarget_row_remove", "save_retarget_preset"):
            with pytest.raises(RuntimeError, match="Select the character: a mesh with shape keys, or an armature"):
                getattr(bpy.ops.expnet, operator)()

    @pytest.mark.parametrize("operator", ["retarget", "retarget_row_remove", "save_retarget_preset"])
    def test_an_empty_table_is_told(self, hero, operator):
        with pytest.raises(RuntimeError, match="The table is empty"):
            getattr(bpy.ops.expnet, operator)()


class TestTheSameFace:
    """A character with ARKit's shapes made of our own head does, to the last vertex, what our head does."""

    @pytest.mark.parametrize("live", [False, True])
    def test_keys_and_drivers_show_what_the_face_shows(self, empty_scene, open_head, performance, live):
        empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
        alpha = np.random.default_rng(1).normal(0, 1, len(open_head.identity))
        face = rig.create_rig(open_head)
        rig.apply_alpha(face, open_head, alpha)
        animation.key_performance(face, performance, empty_scene)
        mesh, bones = stand_in(open_head, alpha)
        character = character_of(mesh)
        assert character.armature == bones
        scheme, rows = matched_rows(character)
        report = apply_drivers(character, rows, face) if live else apply_keys(character, rows, face_motion(face))
        assert (scheme, report.shape_keys, report.bones) == ("ARKIT", 48, 3)
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            graph = bpy.context.evaluated_depsgraph_get()
            ours, theirs = (obj.evaluated_get(graph) for obj in (face, mesh))
            apart = coordinates(ours) - coordinates(theirs)
            assert np.abs(apart).max() < 2e-6  # metres
            turns = [np.array(obj.matrix_world.to_3x3()) for obj in (ours, theirs)]
            np.testing.assert_allclose(*turns, atol=2e-3)
            for eye, outwards in (("eye L", KAPPA), ("eye R", -KAPPA)):
                looks = [
                    np.array(bpy.data.objects[f"{name} {eye}"].evaluated_get(graph).matrix_world.to_3x3())
                    for name in ("Face", "Hero")
                ]
                # A character's eyes look where they point; ours point outwards from the line of sight.
                back = turns[0] @ np.array(Matrix.Rotation(-outwards, 3, "Z")) @ np.linalg.inv(turns[0])
                np.testing.assert_allclose(back @ looks[0], looks[1], atol=2e-3)


def coordinates(evaluated: bpy.types.Object) -> np.ndarray:
    mesh = evaluated.to_mesh()
    out = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", out)
    evaluated.to_mesh_clear()
    return out


class TestRigify:
    """The face of Blender's own Rigify, generated here: its controls do what the actor did."""

    @pytest.fixture
    def bones(self, empty_scene) -> Iterator[bpy.types.Object]:
        addon_utils.enable("rigify", default_set=True)
        bpy.ops.object.armature_human_metarig_add()
        metarig = bpy.context.object
        bpy.ops.object.mode_set(mode="EDIT")  # the face alone: a whole body takes four times as long
        bones = metarig.data.edit_bones
        face = {"spine.004", "spine.005", "spine.006", "face", *(b.name for b in bones["face"].children_recursive)}
        for bone in [b for b in bones if b.name not in face]:
            bones.remove(bone)
        bpy.ops.object.mode_set(mode="POSE")
        metarig.pose.bones["spine.004"].rigify_type = ""
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.ops.pose.rigify_generate()
        yield bpy.data.objects["rig"]
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        addon_utils.disable("rigify", default_set=True)

    def test_jaw_and_gaze(self, empty_scene, bones, make_performance):
        empty_scene.render.fps = 24
        character = Character((), bones)
        rows = matched_rows(character)[1]
        assert {row.target for row in rows} == {"jaw_master", "eyes"}
        performance = make_performance(frames=8, fps=24.0)
        apply_keys(character, rows, performance_motion(empty_scene, performance))
        rest = {name: bones.data.bones[name].matrix_local for name in ("ORG-eye.L", "ORG-eye.R")}
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            pose = bones.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            # Eyes look where the actor's did, nearly: their target moves on a plane.
            yaw, pitch = performance.gaze[frame - 1]
            for eye in ("ORG-eye.L", "ORG-eye.R"):
                turn = np.array(pose[eye].matrix.to_3x3() @ rest[eye].to_3x3().inverted())
                looks = turn @ [0, -1, 0]
                assert looks[0] == pytest.approx(np.sin(yaw), abs=0.04)
                assert looks[2] == pytest.approx(np.sin(pitch), abs=0.04)
            # The deforming jaw's tip is lower, the more the mouth is open.
            assert pose["DEF-jaw"].tail.z < bones.data.bones["DEF-jaw"].tail_local.z - 0.005

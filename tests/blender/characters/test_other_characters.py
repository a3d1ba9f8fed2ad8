"""Characters of other programs: which way they face, which of their meshes move, and what is said of what does not."""

from __future__ import annotations

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Vector

from expnet.expnet_addon.characters.character import Character, character_of
from expnet.expnet_addon.characters.drivers import apply_drivers
from expnet.expnet_addon.characters.keys import apply_keys
from expnet.expnet_addon.characters.motion import performance_motion
from expnet.expnet_addon.characters.name_matching import matched_rows, unmatched_names
from expnet.expnet_addon.scene import animation, rig
from expnet.expnet_addon.scene.coordinates import M
from expnet.model.errors import InputError
from expnet.model.performance.channels import ARKIT
from expnet.model.retargeting.name_schemes import JAW_OPEN
from expnet.model.retargeting.row import BONE, Row

from .other_rigs import MAKERS, imported, turn_in_world


@pytest.fixture
def performance(make_performance):
    return make_performance(frames=8, fps=24.0)


@pytest.fixture
def motion(empty_scene, performance):
    empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
    return performance_motion(empty_scene, performance)


def mesh_with_keys(name: str, keys, parent=None, at=(0.0, 0.0, 0.0), moved=(0,)) -> bpy.types.Object:
    """Return a triangle of 0.1 m; each shape key moves its corners ``moved``."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (0.1, 0, 0), (0, 0, 0.1)], [], [(0, 1, 2)])
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    obj.location, obj.parent = at, parent
    obj.shape_key_add(name="Basis", from_mix=False)
    for key in keys:
        block = obj.shape_key_add(name=key, from_mix=False)
        for corner in moved:
            block.data[corner].co += Vector((0, 0, 0.05))
        block.value = 0.0
    bpy.context.view_layer.update()
    return obj


def in_the_world(axes, rotation) -> np.ndarray:
    """Return a head's rotation in the camera's axes as a turn of a character with these axes in the world."""
    axes = np.array(axes)
    return axes @ M @ rotation @ M.T @ axes.T


def gaze_in_the_world(axes, gaze) -> np.ndarray:
    yaw, pitch = gaze
    return np.array(axes) @ [np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch)]


class TestAxes:
    """Yaw stays yaw, however the file has turned the armature."""

    @pytest.mark.parametrize("maker", MAKERS)
    def test_the_head_the_eyes_and_the_jaw_move_as_the_actors_did(self, empty_scene, performance, motion, maker):
        bones, axes = imported(MAKERS[maker])
        names = MAKERS[maker]
        apply_keys(Character((), bones), matched_rows(Character((), bones))[1], motion)
        front = np.array(axes) @ [0, -1, 0]
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            expected = in_the_world(axes, performance.rotation[frame - 1])
            head = turn_in_world(bones, names.head)
            np.testing.assert_allclose(head, expected, atol=3e-3)
            looks = head @ gaze_in_the_world(axes, performance.gaze[frame - 1])
            for eye in names.eyes:
                if bones.data.bones[eye].parent is None:
                    continue
                np.testing.assert_allclose(turn_in_world(bones, eye) @ front, looks, atol=3e-3)
            if names.jaw:
                chin = head.T @ turn_in_world(bones, names.jaw) @ front
                down = -chin @ np.array(axes) @ [0, 0, 1]
                assert down == pytest.approx(np.sin(JAW_OPEN * performance.eta[frame - 1, 25]), abs=3e-3)

    def test_without_bones_of_two_sides_it_is_upright_in_the_world(self, empty_scene, performance, motion):
        plain = MAKERS["Mixamo"]
        bones, axes = imported(plain)
        bpy.context.view_layer.objects.active = bones
        bpy.ops.object.mode_set(mode="EDIT")
        for name in plain.eyes:
            bones.data.edit_bones.remove(bones.data.edit_bones[name])
        bpy.ops.object.mode_set(mode="OBJECT")
        apply_keys(Character((), bones), matched_rows(Character((), bones))[1], motion)
        empty_scene.frame_set(6)
        np.testing.assert_allclose(
            turn_in_world(bones, plain.head), in_the_world(axes, performance.rotation[5]), atol=3e-3
        )

    @pytest.mark.parametrize("importer", ["import_scene.fbx", "wm.fbx_import"])
    @pytest.mark.parametrize("maker", ["Mixamo", "Character Creator", "Daz Studio", "Unreal Engine"])
    def test_an_fbx_file_through_blenders_own_importers(
        self, empty_scene, performance, motion, tmp_path, maker, importer
    ):
        """Which of the two importers has turned or scaled what does not matter."""
        addon_utils.enable("io_scene_fbx")
        bones, axes = imported(MAKERS[maker])
        bpy.ops.export_scene.fbx(filepath=str(tmp_path / "hero.fbx"), object_types={"ARMATURE"}, add_leaf_bones=False)
        bpy.data.objects.remove(bones)
        group, name = importer.split(".")
        if name not in dir(getattr(bpy.ops, group)):
            pytest.skip("this Blender does not have it")
        getattr(getattr(bpy.ops, group), name)(filepath=str(tmp_path / "hero.fbx"))
        (bones,) = [obj for obj in empty_scene.objects if obj.type == "ARMATURE"]
        assert abs(bones.rotation_euler.x) > 1 and bones.scale.x < 0.1
        apply_keys(Character((), bones), matched_rows(Character((), bones))[1], motion)
        empty_scene.frame_set(6)
        head = turn_in_world(bones, MAKERS[maker].head)
        np.testing.assert_allclose(head, in_the_world(axes, performance.rotation[5]), atol=3e-3)
        looks = head @ gaze_in_the_world(axes, performance.gaze[5])
        np.testing.assert_allclose(
            turn_in_world(bones, MAKERS[maker].eyes[0]) @ np.array(axes) @ [0, -1, 0], looks, atol=3e-3
        )

    def test_a_location_is_in_metres_whatever_the_armatures_scale(self, empty_scene, performance, motion):
        bones, axes = imported(MAKERS["a head alone"])
        rows = [Row("jawOpen", "Jaw", BONE, "LOCATION_Z", gain=-0.1, low=-1.0)]
        apply_keys(Character((), bones), rows, motion)
        empty_scene.frame_set(6)
        pose = bones.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["Jaw"]
        moved = bones.matrix_world.to_3x3() @ (pose.head - bones.data.bones["Jaw"].head_local)
        np.testing.assert_allclose(moved, np.array(axes) @ [0, 0, -0.1 * performance.eta[5, 25]], atol=1e-4)


LOOKS = [name for name in ARKIT if name.startswith("eyeLook")]


class TestLiveAxes:
    def test_a_head_follows_live_in_an_imported_armature(self, empty_scene, little_face, performance):
        empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
        face = rig.create_rig(little_face)
        animation.key_performance(face, performance, empty_scene)
        bones, axes = imported(MAKERS["turned to the side"], straight=True)
        rows = [row for row in matched_rows(Character((), bones))[1] if row.channel.startswith("head")]
        assert apply_drivers(Character((), bones), rows, face).left == ()
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            expected = in_the_world(axes, performance.rotation[frame - 1])
            np.testing.assert_allclose(turn_in_world(bones, "Head"), expected, atol=3e-3)

    @pytest.mark.parametrize("maker", MAKERS)
    def test_head_and_eyes_follow_live_however_their_bones_lie(self, empty_scene, little_face, performance, maker):
        empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
        face = rig.create_rig(little_face)
        animation.key_performance(face, performance, empty_scene)
        bones, axes = imported(MAKERS[maker])
        character = Character((), bones)
        report = apply_drivers(character, matched_rows(character)[1], face)
        assert report.bones == (4 if MAKERS[maker].jaw else 3) and not report.left
        curves = bones.animation_data.drivers
        assert all(
            c.driver.is_valid and c.driver.is_simple_expression and len(c.driver.expression) < 256 for c in curves
        )
        for frame in (1, 6):
            empty_scene.frame_set(frame)
            head = turn_in_world(bones, MAKERS[maker].head)
            np.testing.assert_allclose(head, in_the_world(axes, performance.rotation[frame - 1]), atol=3e-3)
            looks = head @ gaze_in_the_world(axes, performance.gaze[frame - 1])
            for eye in MAKERS[maker].eyes:
                front = np.array(axes) @ [0, -1, 0]
                np.testing.assert_allclose(turn_in_world(bones, eye) @ front, looks, atol=3e-3)

    @pytest.mark.parametrize("maker", [name for name, made in MAKERS.items() if made.jaw])
    def test_a_jaw_turns_live_as_its_keys_turn_it(self, empty_scene, little_face, performance, motion, maker):
        """Whatever the rotation of its bone at rest: about the axes of the head, open first and then to the side."""
        empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
        face = rig.create_rig(little_face)
        animation.key_performance(face, performance, empty_scene)
        bones, jaw = imported(MAKERS[maker])[0], MAKERS[maker].jaw
        character = Character((), bones)
        rows = [*matched_rows(character)[1], Row("jawOpen", jaw, BONE, "LOCATION_Z", gain=-0.02, low=-1.0)]
        for followed in (rows, [row for row in rows if row.channel != "jawSide"]):
            keyed = {}
            apply_keys(character, followed, motion)
            for frame in (1, 4, 6):
                empty_scene.frame_set(frame)
                keyed[frame] = turn_in_world(bones, jaw), self.place(bones, jaw)
            assert np.abs(keyed[6][0] - keyed[1][0]).max() > 0.02, "it moves"
            assert apply_drivers(character, followed, face).left == ()
            for frame, (turned, place) in keyed.items():
                empty_scene.frame_set(frame)
                np.testing.assert_allclose(turn_in_world(bones, jaw), turned, atol=2e-3)
                np.testing.assert_allclose(self.place(bones, jaw), place, atol=1e-4)

    def place(self, bones, name) -> np.ndarray:
        evaluated = bones.evaluated_get(bpy.context.evaluated_depsgraph_get())
        return np.array(evaluated.matrix_world @ evaluated.pose.bones[name].head)

    def test_rows_that_no_driver_can_do_are_left_out_and_said(self, empty_scene, little_face, performance):
        face = rig.create_rig(little_face)
        animation.key_performance(face, performance, empty_scene)
        bones = imported(MAKERS["Character Creator"])[0]
        character = Character((), bones)
        third = Row("mouthSide", "CC_Base_JawRoot", BONE, "ROTATION_Y", low=-1.0)
        report = apply_drivers(character, [*matched_rows(character)[1], third], face)
        assert report.left == (
            "jawOpen, jawSide, mouthSide of 'CC_Base_JawRoot' (the bone lies askew to the character's axes: use keys)",
        )


class TestOnce:
    """A feature that a character has as shapes and as bones moves once."""

    @pytest.fixture
    def bones(self, empty_scene) -> bpy.types.Object:
        return imported(MAKERS["Character Creator"])[0]

    def skinned(self, bones, name, keys, bone, moved) -> bpy.types.Object:
        """Return a triangle at a bone, which it follows; its keys move the corners ``moved``."""
        place = bones.matrix_world @ bones.data.bones[bone].head_local
        mesh = mesh_with_keys(name, keys, at=place, moved=moved)
        mesh.vertex_groups.new(name=bone).add(range(3), 1.0, "REPLACE")
        mesh.modifiers.new("Armature", "ARMATURE").object = bones
        return mesh

    def enabled(self, rows, channel: str) -> dict[str, bool]:
        return {row.target: row.enabled for row in rows if row.kind == BONE and row.channel == channel}

    def test_eyes_that_shapes_turn_are_not_turned_by_bones_too(self, bones):
        mesh = self.skinned(bones, "eye", LOOKS, "CC_Base_L_Eye", moved=(0, 1, 2))
        rows = matched_rows(character_of(mesh))[1]
        assert self.enabled(rows, "gazeYaw") == {"CC_Base_L_Eye": False, "CC_Base_R_Eye": False}
        assert all(row.enabled for row in rows if row.target in LOOKS)

    def test_shapes_that_move_only_the_lids_leave_the_eyes_to_the_bones(self, bones):
        lids = self.skinned(bones, "lids", LOOKS, "CC_Base_Head", moved=(0, 1, 2))
        for side in "LR":  # eyeballs without shape keys
            place = bones.matrix_world @ bones.data.bones[f"CC_Base_{side}_Eye"].head_local
            ball = mesh_with_keys(f"ball {side}", [], at=place)
            ball.shape_key_clear()
            ball.vertex_groups.new(name=f"CC_Base_{side}_Eye").add(range(3), 1.0, "REPLACE")
            ball.modifiers.new("Armature", "ARMATURE").object = bones
        rows = matched_rows(character_of(lids))[1]
        assert self.enabled(rows, "gazeYaw") == {"CC_Base_L_Eye": True, "CC_Base_R_Eye": True}
        assert all(row.enabled for row in rows if row.target in LOOKS)

    @pytest.mark.parametrize("moved, bone_moves", [((0, 1, 2), False), ((), True)])
    def test_the_jaw_bone_turns_where_the_shape_only_corrects(self, bones, moved, bone_moves):
        mesh = self.skinned(bones, "body", ["Jaw_Open"], "CC_Base_JawRoot", moved)
        rows = matched_rows(character_of(mesh))[1]
        assert self.enabled(rows, "jawOpen") == {"CC_Base_JawRoot": bone_moves}

    def test_gaze_in_shapes_alone_and_bones_that_hold_nothing(self, bones):
        mesh = mesh_with_keys("head", LOOKS, parent=bones)
        assert set(self.enabled(matched_rows(character_of(mesh))[1], "gazePitch").values()) == {False}

    def test_one_shape_for_both_sides_beside_the_two_is_off(self, empty_scene, motion):
        mesh = mesh_with_keys("head", [*ARKIT, "eyeBlink"])
        rows = {row.target: row for row in matched_rows(character_of(mesh))[1]}
        assert not rows["eyeBlink"].enabled and rows["eyeBlinkLeft"].enabled
        assert apply_keys(character_of(mesh), list(rows.values()), motion).shape_keys == 48


class TestMeshes:
    def names(self, character: Character) -> list[str]:
        return sorted(mesh.name for mesh in character.meshes)

    def test_children_of_the_head_and_the_head_of_a_child(self, empty_scene):
        """MPFB's teeth and brows hang on the base mesh."""
        head = mesh_with_keys("base mesh", ARKIT)
        teeth = mesh_with_keys("teeth", ["jawOpen"], parent=head)
        brows = mesh_with_keys("brows", ["browInnerUp"], parent=teeth)
        mesh_with_keys("stranger", ["hat"])
        for mesh in (head, teeth, brows):
            assert self.names(character_of(mesh)) == ["base mesh", "brows", "teeth"]

    def test_siblings_below_an_empty(self, empty_scene):
        root = bpy.data.objects.new("root", None)
        empty_scene.collection.objects.link(root)
        head, teeth = (mesh_with_keys(n, ["jawOpen"], parent=root) for n in ("head", "teeth"))
        mesh_with_keys("another head", ["jawOpen"])
        assert self.names(character_of(head)) == self.names(character_of(teeth)) == ["head", "teeth"]

    def test_loose_meshes_with_the_same_names_at_the_same_place(self, empty_scene):
        head = mesh_with_keys("head", [f"blendShape1.{n}" for n in ARKIT])
        mesh_with_keys("teeth", ["blendShape2.jawOpen", "blendShape2.jawForward"])
        mesh_with_keys("hat", ["tip"])
        mesh_with_keys("friend", ARKIT, at=(1.0, 0, 0))
        assert self.names(character_of(head)) == ["head", "teeth"]

    def test_a_mesh_brings_the_others_of_its_armature(self, empty_scene):
        bones = imported(MAKERS["Mixamo"])[0]
        head, lashes = (mesh_with_keys(n, ["eyeBlinkLeft"], parent=bones) for n in ("head", "lashes"))
        mesh_with_keys("tear", ["eyeBlinkLeft"], parent=lashes)
        for chosen in (head, lashes, bones):
            character = character_of(chosen)
            assert (self.names(character), character.armature) == (["head", "lashes", "tear"], bones)

    def test_meshes_that_the_artist_names_are_all_there_is(self, empty_scene):
        head, teeth, brows = (mesh_with_keys(n, ["jawOpen"]) for n in ("head", "teeth", "brows"))
        assert self.names(character_of(head, [teeth])) == ["head", "teeth"]
        assert brows.name not in self.names(character_of(head, [teeth]))

    def test_each_mesh_is_matched_for_itself(self, empty_scene, motion, performance):
        """Maya numbers its deformers: the shorter prefix does not take the channel from the longer."""
        head = mesh_with_keys("head", [f"blendShape1.{n}" for n in ARKIT])
        teeth = mesh_with_keys("teeth", ["teethRig:lower_blendShape2.jawOpen"])
        tongue = mesh_with_keys("tongue", ["jawOpen", "tongueOut"])
        character = character_of(head)
        rows = matched_rows(character)[1]
        apply_keys(character, rows, motion)
        empty_scene.frame_set(6)
        jaws = [mesh.data.shape_keys.key_blocks[1 + i].value for mesh, i in (
            (head, ARKIT.index("jawOpen")), (teeth, 0), (tongue, 0)
        )]  # fmt: skip
        assert jaws == pytest.approx([performance.eta[5, 25]] * 3, abs=1e-4)


class TestWhatMoves:
    """The report counts what moves, and says of the rest why it does not and what to do."""

    @pytest.fixture
    def hero(self, empty_scene) -> bpy.types.Object:
        return mesh_with_keys("hero", ["jawOpen", "mouthPucker", "hat"])

    def moves(self, mesh) -> bool:
        """Whether the mesh that Blender shows differs between two frames."""
        shown = []
        for frame in (1, 6):
            bpy.context.scene.frame_set(frame)
            evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
            shown.append([tuple(v.co) for v in evaluated.vertices])
        return not np.allclose(*shown, atol=1e-5)

    def key(self, mesh, motion):
        character = character_of(mesh)
        return apply_keys(character, matched_rows(character)[1], motion)

    def test_muted_keys(self, hero, motion):
        hero.data.shape_keys.key_blocks["jawOpen"].mute = True
        report = self.key(hero, motion)
        assert (report.shape_keys, report.left) == (1, ("jawOpen (muted: tick it in the Shape Keys panel)",))
        assert hero.data.shape_keys.animation_data.action is not None

    def test_a_mesh_that_shows_one_key_alone(self, hero, motion):
        hero.show_only_shape_key = True
        report = self.key(hero, motion)
        (left,) = report.left
        assert report.shape_keys == 0 and str(report) == "nothing that moves" and not self.moves(hero)
        hero.show_only_shape_key = False
        assert self.moves(hero)
        assert left.startswith("all shape keys of 'hero'") and "switch off Solo Active Shape Key" in left

    def test_absolute_shape_keys(self, hero, motion):
        hero.data.shape_keys.use_relative = False
        report = self.key(hero, motion)
        assert report.shape_keys == 0 and "switch on Relative" in report.left[0] and not self.moves(hero)

    @pytest.mark.parametrize("live, moving", [(False, 0), (True, 2)])
    def test_a_solo_nla_track(self, hero, motion, live, moving, little_face, performance):
        data = hero.data.shape_keys.animation_data_create()
        data.nla_tracks.new().is_solo = True
        if live:
            face = rig.create_rig(little_face)
            animation.key_performance(face, performance, bpy.context.scene)
            report = apply_drivers(character_of(hero), matched_rows(character_of(hero))[1], face)
        else:
            report = self.key(hero, motion)
        assert (report.shape_keys, self.moves(hero)) == (moving, live)
        assert [("switch its star off" in left) for left in report.left] == [True] * (not live)

    def test_a_solo_track_of_the_armature(self, empty_scene, motion):
        bones = imported(MAKERS["Mixamo"])[0]
        bones.animation_data_create().nla_tracks.new().is_solo = True
        report = apply_keys(Character((), bones), matched_rows(Character((), bones))[1], motion)
        assert report.bones == 0 and report.left[0].startswith("all bones of 'Armature'")

    def test_names_that_mean_nothing(self, hero):
        character = character_of(hero)
        assert unmatched_names(character, matched_rows(character)[1]) == ["hat"]

    @pytest.fixture
    def library(self, empty_scene, tmp_path) -> str:
        mesh_with_keys("linked", ["jawOpen"])
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        return str(tmp_path / "library.blend")

    def linked(self, library: str) -> bpy.types.Object:
        with bpy.data.libraries.load(library, link=True) as (_, wanted):
            wanted.objects = ["linked"]
        bpy.context.scene.collection.objects.link(wanted.objects[0])
        return wanted.objects[0]

    def test_an_overridden_object_whose_mesh_is_linked(self, library, make_performance):
        mesh = self.linked(library).override_create(remap_local_usages=True)
        motion = performance_motion(bpy.context.scene, make_performance(frames=8, fps=24.0))
        with pytest.raises(InputError, match="'linked' .its mesh is still linked .* override of the mesh too"):
            self.key(mesh, motion)
        teeth = mesh_with_keys("teeth", ["jawOpen"])
        report = self.key(teeth, motion)
        assert report.shape_keys == 1 and report.left[0].startswith("'linked' (its mesh is still linked")
        mesh.data.override_create(remap_local_usages=True)
        assert self.key(teeth, motion).shape_keys == 2

    def test_a_linked_object(self, library, make_performance):
        mesh = self.linked(library)
        motion = performance_motion(bpy.context.scene, make_performance(frames=8, fps=24.0))
        with pytest.raises(InputError, match="linked from another file: make it local, or override object and mesh"):
            self.key(mesh, motion)

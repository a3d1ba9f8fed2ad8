"""The rig is Eq. (1), number for number, and lets itself be given another identity at any time."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.scene.coordinates import to_model
from expnet.model.errors import InputError
from expnet.model.face.face_model import KAPPA, gaze_pivot
from expnet.model.face.fine_parts import fine_parts
from expnet.model.formats.npz import load_face_model, save_face_model
from expnet.model.rotations import rotation_of_euler

TOLERANCE_MM = 1e-4


def random_coefficients(model, seed):
    rng = np.random.default_rng(seed)
    low, high = model.expression_bounds.T
    return rng.normal(size=len(model.identity)), np.clip(rng.normal(scale=high / 2), low, high)


def without_lashes(model, points):
    """Return the points (V, 3) with zeros for the lashes, which follow their lids in finer ways than Eq. (1)."""
    points = points.copy()
    points[np.concatenate([model.regions["lashes_L"], model.regions["lashes_R"]])] = 0.0
    return points


def straightened(model, points):
    """Return the points (V, 3) of a head that looks ahead with its eyes straight, as Eq. (1) has them."""
    points = points.copy()
    for side, angle in (("L", -KAPPA), ("R", KAPPA)):
        ball = points[model.regions[f"eyeball_{side}"]]
        pivot = ball.mean(axis=0)
        points[model.regions[f"eyeball_{side}"]] = (ball - pivot) @ rotation_of_euler(angle, 0, 0).T + pivot
    return points


def assert_shown(head, model, alpha, eta=None):
    """Assert that a head that looks ahead is Eq. (1) at ``alpha`` and ``eta``, except for the lashes."""
    shown, expected = straightened(model, rig.evaluated_vertices(head)), model.vertices(alpha, eta)
    np.testing.assert_allclose(without_lashes(model, shown), without_lashes(model, expected), rtol=0, atol=TOLERANCE_MM)


def set_gaze(head, yaw, pitch):
    rig.set_expression(head, {}, gaze=np.array([yaw, pitch]))
    bpy.context.view_layer.update()


class TestIsEquation1:
    """Evaluated vertices, with 29 shape keys at once, against ``FaceModel.vertices``."""

    @pytest.mark.parametrize("seed", range(3))
    def test_on_the_open_head(self, empty_scene, open_head, seed):
        head = rig.create_rig(open_head)
        alpha, eta = random_coefficients(open_head, seed)
        rig.apply_alpha(head, open_head, alpha)
        rig.set_expression(head, eta)
        assert_shown(head, open_head, alpha, eta)

    @pytest.mark.parametrize("seed", range(3))
    def test_on_a_model_of_the_size_of_the_basel_face_model(self, empty_scene, bfm_like, seed):
        head = rig.create_rig(bfm_like)
        alpha, eta = random_coefficients(bfm_like, seed)
        rig.apply_alpha(head, bfm_like, alpha)
        rig.set_expression(head, eta)
        np.testing.assert_allclose(
            rig.evaluated_vertices(head), bfm_like.vertices(alpha, eta), rtol=0, atol=TOLERANCE_MM
        )

    def test_in_the_neutral_it_is_the_mean_person(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        np.testing.assert_allclose(
            straightened(little_face, rig.evaluated_vertices(head)), little_face.neutral, rtol=0, atol=TOLERANCE_MM
        )

    def test_a_new_open_head_is_the_average_person(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        assert_shown(head, open_head, open_head.average_alpha)
        np.testing.assert_array_equal(head["alpha"], open_head.average_alpha)

    def test_whatever_the_head_s_own_pose(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        rig.set_pose(head, np.diag([1.0, -1.0, -1.0]), np.array([30.0, 40.0, -900.0]))
        np.testing.assert_allclose(
            straightened(little_face, rig.evaluated_vertices(head)), little_face.neutral, rtol=0, atol=TOLERANCE_MM
        )

    def test_one_head_is_life_size_and_upright_and_looks_along_minus_y(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        points = np.array([v.co for v in head.data.vertices])
        assert 0.2 < np.ptp(points[:, 2]) < 0.5  # metres, crown to shoulders
        nose = points[:, 1].argmin()
        assert abs(points[nose, 0]) < 0.01


class TestKeys:
    def test_have_their_real_ranges(self, empty_scene, little_face):
        blocks = rig.create_rig(little_face).data.shape_keys.key_blocks
        for key, (low, high) in zip(little_face.expression_keys, little_face.expression_bounds):
            assert (blocks[key].slider_min, blocks[key].slider_max) == pytest.approx((low, high))

    def test_of_the_basel_face_model_are_29_numbered_sigmas(self, empty_scene, bfm_like, tmp_path):
        """As they come from a file: -3 to 3, and a set value may go as far as the hard limit."""
        save_face_model(bfm_like, tmp_path / "bfm.npz", exact=True)
        head = rig.create_rig(load_face_model(tmp_path / "bfm.npz"), model_path=str(tmp_path / "bfm.npz"))
        blocks = head.data.shape_keys.key_blocks
        names = [f"expression_{i:02d}" for i in range(1, 30)]
        assert [key for key in blocks.keys() if key.startswith("expression_")] == names
        assert {(blocks[name].slider_min, blocks[name].slider_max) for name in names} == {(-3.0, 3.0)}
        rig.set_expression(head, {"expression_01": -2.5, "expression_29": 2.5})
        assert (blocks["expression_01"].value, blocks["expression_29"].value) == (-2.5, 2.5)

    def test_take_negative_values(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        rig.set_expression(head, {"jawSide": -0.75})
        assert head.data.shape_keys.key_blocks["jawSide"].value == pytest.approx(-0.75)

    def test_refuse_a_name_that_is_none(self, empty_scene, little_face):
        with pytest.raises(InputError, match="jawOpne"):
            rig.set_expression(rig.create_rig(little_face), {"jawOpne": 1.0})

    def test_refuse_another_number_of_coefficients(self, empty_scene, little_face):
        with pytest.raises(InputError, match="29 expression keys, not 28"):
            rig.set_expression(rig.create_rig(little_face), np.zeros(28))


class TestIdentity:
    def test_keeps_values_keys_drivers_and_actions(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        shape_keys = head.data.shape_keys
        rig.set_expression(head, {"jawOpen": 0.4, "jawSide": -0.3})
        shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=7)
        action, drivers = shape_keys.animation_data.action, len(shape_keys.animation_data.drivers)
        rig.apply_alpha(head, little_face, np.arange(5) / 5)
        assert [block.name for block in shape_keys.key_blocks][1:30] == list(little_face.expression_keys)
        assert shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.4)
        assert shape_keys.key_blocks["jawSide"].value == pytest.approx(-0.3)
        assert shape_keys.animation_data.action == action
        assert len(shape_keys.animation_data.drivers) == drivers == 4

    def test_may_be_given_again_and_again_without_drift(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        for seed in range(20):
            alpha, eta = random_coefficients(little_face, seed)
            rig.apply_alpha(head, little_face, alpha)
        rig.set_expression(head, eta)
        np.testing.assert_allclose(
            straightened(little_face, rig.evaluated_vertices(head)),
            little_face.vertices(alpha, eta),
            rtol=0,
            atol=TOLERANCE_MM,
        )

    def test_is_remembered_on_the_object(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        assert list(head["alpha"]) == [0.0] * len(little_face.identity)
        rig.apply_alpha(head, little_face, np.array([0.5, -1.0]))
        assert list(head["alpha"]) == [0.5, -1.0] + [0.0] * (len(little_face.identity) - 2)

    def test_of_a_head_of_an_older_version_starts_at_the_mean_person(self, empty_scene, open_head):
        """Such a head stands at alpha = 0 and does not say so."""
        head = rig.create_rig(replace(open_head, average_alpha=None))
        del head[rig.SHAPED]
        alpha, eta = random_coefficients(open_head, 1)
        rig.apply_alpha(head, open_head, alpha)
        rig.set_expression(head, eta)
        assert_shown(head, open_head, alpha, eta)

    def test_keeps_what_an_artist_sculpted(self, empty_scene, little_face):
        """Both a changed key of the model and a key of the artist's own keep their offset from Basis."""
        head = rig.create_rig(little_face)
        blocks = head.data.shape_keys.key_blocks
        head.shape_key_add(name="wart", from_mix=False)
        for name in ("jawOpen", "wart"):
            blocks[name].data[3].co.z += 0.01
        before = {name: blocks[name].data[3].co - blocks[0].data[3].co for name in ("jawOpen", "wart")}
        rig.apply_alpha(head, little_face, np.array([1.0, 2.0]))
        for name in ("jawOpen", "wart"):
            after = blocks[name].data[3].co - blocks[0].data[3].co
            assert (after - before[name]).length < 1e-7

    def test_moves_the_eyes_to_their_new_pivots(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        alpha, _ = random_coefficients(open_head, 4)
        rig.apply_alpha(head, open_head, alpha)
        for side, eye in rig.eyes_of(head).items():
            x, y, z = gaze_pivot(open_head, open_head.vertices(alpha), side) / 1000
            np.testing.assert_allclose(eye.location, (x, -z, y), atol=1e-6)

    def test_works_on_a_head_that_lost_vertices(self, empty_scene, little_face):
        import bmesh

        head = rig.create_rig(little_face)
        cut = bmesh.new()
        cut.from_mesh(head.data)
        cut.verts.ensure_lookup_table()
        bmesh.ops.delete(cut, geom=cut.verts[:100], context="VERTS")
        cut.to_mesh(head.data)
        cut.free()
        alpha, eta = random_coefficients(little_face, 1)
        rig.apply_alpha(head, little_face, alpha)
        rig.set_expression(head, eta)
        got, expected = straightened(little_face, rig.evaluated_vertices(head)), little_face.vertices(alpha, eta)
        left = ~np.isnan(got).any(axis=1)
        assert left.sum() == little_face.vertex_count - 100
        np.testing.assert_allclose(got[left], expected[left], rtol=0, atol=TOLERANCE_MM)

    def test_refuses_more_numbers_than_components(self, empty_scene, little_face):
        with pytest.raises(InputError, match="components"):
            rig.apply_alpha(rig.create_rig(little_face), little_face, np.zeros(1000))

    def test_refuses_the_wrong_model(self, empty_scene, little_face, open_head):
        with pytest.raises(InputError, match="was not made of"):
            rig.apply_alpha(rig.create_rig(open_head), little_face, np.zeros(3))


class TestGaze:
    @pytest.mark.parametrize("yaw, pitch", [(0.0, 0.0), (0.4, 0.0), (0.0, 0.3), (-0.3, -0.2), (0.35, 0.25)])
    def test_turns_the_eyes_to_the_subject_s_left_and_up(self, empty_scene, open_head, yaw, pitch):
        head = rig.create_rig(open_head)
        set_gaze(head, yaw, pitch)
        points = rig.evaluated_vertices(head)
        for side, axis in (("L", yaw + KAPPA), ("R", yaw - KAPPA)):
            direction = [np.sin(axis) * np.cos(pitch), np.sin(pitch), np.cos(axis) * np.cos(pitch)]
            pivot = gaze_pivot(open_head, open_head.vertices(open_head.average_alpha), side)
            iris = points[open_head.regions[f"iris_{side}"]].mean(axis=0) - pivot
            np.testing.assert_allclose(iris / np.linalg.norm(iris), direction, atol=0.02)

    @pytest.mark.parametrize(
        "yaw, pitch, key", [(0, 0.3, "gazeUp"), (0, -0.3, "gazeDown"), (0.3, 0, "gazeLeft"), (-0.3, 0, "gazeRight")]
    )
    def test_takes_the_lids_along(self, empty_scene, little_face, yaw, pitch, key):
        head = rig.create_rig(little_face)
        set_gaze(head, yaw, pitch)
        shape_keys = head.data.shape_keys.evaluated_get(bpy.context.evaluated_depsgraph_get())
        values = {name: shape_keys.key_blocks[name].value for name in rig.GAZE_KEYS}
        assert values.pop(key) == pytest.approx(0.3 / rig.GAZE_STEP, abs=1e-6)
        assert list(values.values()) == [0, 0, 0]

    def test_needs_no_python_in_drivers(self, empty_scene, little_face):
        """The rig works if Blender does not run the scripts of a file."""
        head = rig.create_rig(little_face)
        blocks = [head.data.shape_keys, *rig.eyes_of(head).values()]
        drivers = [curve.driver for block in blocks for curve in block.animation_data.drivers]
        assert len(drivers) == 8
        assert {driver.type for driver in drivers} == {"SUM"}

    def test_sliders_tell_their_range_and_meaning(self, empty_scene, little_face):
        head = rig.create_rig(little_face)
        for name in ("gaze_yaw", "gaze_pitch", "alpha"):
            shown = head.id_properties_ui(name).as_dict()
            assert shown["min"] < 0 < shown["max"]
            assert shown["description"]


class TestFineParts:
    """Lashes, wet lines and caruncles, which the face model does not have (``test_fine_parts.py`` has their shapes)."""

    def of(self, head) -> np.ndarray:
        """Return the evaluated parts (n, 3) in model millimetres, in their own order."""
        mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        points, index = np.empty((len(mesh.vertices), 3), np.float32), np.empty(len(mesh.vertices), np.int32)
        mesh.vertices.foreach_get("co", points.ravel())
        mesh.attributes["model_vertex"].data.foreach_get("value", index)
        fine = np.flatnonzero(index < 0)
        return to_model(points[fine[np.argsort(-index[fine])]])

    @pytest.mark.parametrize("edited", [False, True])
    def test_follow_the_lids_of_every_identity(self, empty_scene, open_head, edited):
        head = rig.create_rig(open_head)
        parts = fine_parts(open_head)
        for seed in (3, 4):
            alpha, _ = random_coefficients(open_head, seed)
            if edited:  # the artist changes the property before *Apply Face Shape*
                head["alpha"] = alpha.tolist()
            rig.apply_alpha(head, open_head, alpha)
        for keys in ({}, {"lid_L": 1.0}, {"eyeSquint_R": 1.0}):
            rig.set_expression(head, dict.fromkeys(open_head.expression_keys, 0.0) | keys)
            eta = [keys.get(key, 0.0) for key in open_head.expression_keys]
            face = open_head.vertices(alpha, np.array(eta)).astype(np.float64)
            expected = parts.vertices(face[parts.moved_by])[: parts.count]
            np.testing.assert_allclose(self.of(head), expected, rtol=0, atol=2e-3)

    def test_are_parts_of_the_head_s_mesh_with_materials_and_vertex_groups(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        parts = fine_parts(open_head)
        assert set(parts.regions) <= {group.name for group in head.vertex_groups}
        used = {head.data.materials[polygon.material_index].name.split(".")[0] for polygon in head.data.polygons}
        assert {"ExpNet wet line", "ExpNet caruncle", "ExpNet conjunctiva", "ExpNet lashes"} <= used
        assert not head.data.validate()

    def test_a_head_of_an_earlier_version_lacks_them_and_stays_eq_1(self, empty_scene, open_head):
        head = rig.create_rig(open_head, fine=False)
        alpha, eta = random_coefficients(open_head, 5)
        rig.apply_alpha(head, open_head, alpha)
        rig.set_expression(head, eta)
        shown = straightened(open_head, rig.evaluated_vertices(head))
        np.testing.assert_allclose(shown, open_head.vertices(alpha, eta), rtol=0, atol=TOLERANCE_MM)
        assert "wet_line_L" not in head.vertex_groups


class TestHead:
    def test_is_known_again(self, empty_scene, little_face):
        head = rig.create_rig(little_face, name="Ada")
        cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
        empty_scene.collection.objects.link(cube)
        assert rig.is_rig(head) and not rig.is_rig(cube) and not rig.is_rig(None)
        assert rig.rigs_in(empty_scene) == [head]

    def test_two_heads_live_side_by_side(self, empty_scene, little_face):
        one, two = rig.create_rig(little_face), rig.create_rig(little_face)
        rig.set_expression(one, {"jawOpen": 1.0}, gaze=np.array([0.3, 0.0]))
        bpy.context.view_layer.update()
        np.testing.assert_allclose(
            straightened(little_face, rig.evaluated_vertices(two)), little_face.neutral, rtol=0, atol=TOLERANCE_MM
        )

    def test_finds_its_face_model_again(self, empty_scene, little_face, tmp_path):
        from expnet.model.formats.npz import save_face_model

        path = tmp_path / "little.npz"
        save_face_model(little_face, path, exact=True)
        head = rig.create_rig(little_face, model_path=str(path))
        np.testing.assert_array_equal(rig.rig_model(head).mean, little_face.mean)

    def test_says_when_its_face_model_is_gone_or_another(self, empty_scene, little_face, tmp_path):
        head = rig.create_rig(little_face, model_path=str(tmp_path / "gone.npz"))
        with pytest.raises(InputError, match="gone.npz"):
            rig.rig_model(head)
        head["expnet_model_path"] = "open"
        with pytest.raises(InputError, match="little"):
            rig.rig_model(head)

    def test_survives_saving_and_opening(self, empty_scene, open_head, tmp_path):
        head = rig.create_rig(open_head)
        alpha, eta = random_coefficients(open_head, 2)
        rig.apply_alpha(head, open_head, alpha)
        rig.set_expression(head, eta)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
        bpy.ops.wm.read_homefile(use_empty=True)
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
        (head,) = rig.rigs_in(bpy.context.scene)
        assert_shown(head, open_head, alpha, eta)
        assert all(image.packed_file for image in bpy.data.images if image.name.startswith("ExpNet"))

    def test_has_vertex_groups_of_the_regions(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        assert {"lips", "brow_L", "lid_upper_R", "scalp"} <= {group.name for group in head.vertex_groups}

    def test_may_have_triangles_among_its_quads(self, empty_scene, little_face):
        faces = little_face.faces.copy()
        faces[::3, 3] = -1
        head = rig.create_rig(replace(little_face, faces=faces, uv=np.full((*faces.shape, 2), 0.5, np.float32)))
        skin = (faces < 400).all(axis=1)
        assert sorted(len(p.vertices) for p in head.data.polygons) == sorted((faces[skin] >= 0).sum(axis=1))
        assert not head.data.validate()

    def test_has_uvs_smooth_shading_and_a_material_for_each_part(self, empty_scene, open_head):
        head = rig.create_rig(open_head)
        assert head.data.uv_layers.active is not None
        assert all(polygon.use_smooth for polygon in head.data.polygons)
        used = {head.data.materials[polygon.material_index].name.split(".")[0] for polygon in head.data.polygons}
        assert {"ExpNet skin", "ExpNet teeth", "ExpNet tongue"} <= used

    def test_of_a_model_without_regions_has_no_eyes(self, empty_scene, bfm_like):
        head = rig.create_rig(bfm_like)
        assert rig.eyes_of(head) == {}
        assert len(head.data.vertices) == bfm_like.vertex_count

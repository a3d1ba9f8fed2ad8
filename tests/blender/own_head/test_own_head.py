"""Keys on an artist's own head: from the selected meshes to shape keys that a clip moves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

import expnet
from expnet.expnet_addon.engine import tasks
from expnet.expnet_addon.own_head import chosen, make, meshes, points, shape_keys
from expnet.expnet_addon.own_head.clicking import ORDER, Clicking
from expnet.expnet_addon.properties import own_head_settings
from expnet.expnet_addon.scene.coordinates import to_blender
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.own_head.landmarks import open_points
from expnet.model.worker.messages import EstimatorOptions, MakeKeysResult
from expnet.operators.own_head_click import EXPNET_OT_click_head_points
from expnet.panels.own_head import EXPNET_PT_own_head

from .conftest import SHIFT, split_head

DEMO = Path(expnet.__path__[0]) / "model" / "data" / "demo_clip.mp4"


def true_points(model, seed: int = 4) -> dict[str, np.ndarray]:
    at = model.vertices(np.random.default_rng(seed).normal(0, 0.7, 99))
    return {name: to_blender(place) + SHIFT for name, place in open_points(at).items()}


def moves_in_world(obj: bpy.types.Object, name: str) -> np.ndarray:
    """Return how a shape key moves an object's vertices (V, 3) in the world, in millimetres."""
    key = obj.data.shape_keys
    flat = np.empty(3 * len(obj.data.vertices), np.float32)
    key.key_blocks[name].data.foreach_get("co", flat)
    return 1000 * (flat.reshape(-1, 3) - meshes.points(obj)) @ np.array(obj.matrix_world)[:3, :3].T


@pytest.mark.slow
def test_from_a_selected_mesh_to_keys_that_the_demo_clip_moves(artist_head, open_head) -> None:
    objects = artist_head()
    head = objects["Head"]
    before = {
        name: (meshes.points(obj), [tuple(p.vertices) for p in obj.data.polygons]) for name, obj in objects.items()
    }

    assert bpy.ops.expnet.find_head_points() == {"FINISHED"}
    assert [part.mesh.name for part in head.expnet_own_head.parts][0] == "Head"
    assert {part.mesh.name: part.guess for part in head.expnet_own_head.parts} == {
        "Head": "skin", "Eye Left": "eye L", "Eye Right": "eye R", "Teeth Upper": "teeth upper",
        "Teeth Lower": "teeth lower",
    }  # fmt: skip
    truth, found = true_points(open_head), points.places_of(head)
    away = {name: 1000 * np.linalg.norm(np.array(at) - truth[name]) for name, at in found.items()}
    sharp = ("eye_outer_R", "eye_inner_R", "eye_inner_L", "eye_outer_L", "nose_tip", "mouth_corner_R", "mouth_corner_L")
    assert max(away[name] for name in sharp) < 4, away
    assert np.mean(list(away.values())) < 4, away

    assert bpy.ops.expnet.make_head_keys() == {"FINISHED"}
    blocks = head.data.shape_keys.key_blocks
    assert [block.name for block in blocks] == ["Basis", *OPEN_KEYS]
    assert blocks["lid_L"].slider_min < -0.3 and blocks["mouthSide"].slider_min == -1
    for name, obj in objects.items():
        at, faces = before[name]
        assert np.array_equal(meshes.points(obj), at) and [tuple(p.vertices) for p in obj.data.polygons] == faces

    parts = split_head(open_head)
    true_jaw = to_blender(open_head.expression[OPEN_KEYS.index("jawOpen")])
    moved = moves_in_world(head, "jawOpen")
    assert np.linalg.norm(moved - 1000 * true_jaw[parts["Head"][2]], axis=1).mean() < 1.0
    teeth = moves_in_world(objects["Teeth Lower"], "jawOpen")  # its object is stretched: checked in the world
    assert np.linalg.norm(teeth - 1000 * true_jaw[parts["Teeth Lower"][2]], axis=1).mean() < 4
    assert objects["Teeth Upper"].data.shape_keys is None  # upper teeth rest

    performance = expnet.read_clip(DEMO)
    report = expnet.retarget(performance, head)
    assert report.shape_keys >= 29
    action = head.data.shape_keys.animation_data.action
    assert action is not None
    bpy.context.scene.frame_set(30)
    values = [block.value for block in list(blocks)[1:]]
    assert max(values) > 0.1
    assert head.expnet_character.scheme == "EXPNET"


@pytest.mark.slow
def test_arkit_names_by_a_script_make_a_character_that_arkit_drives(artist_head, make_performance) -> None:
    objects = artist_head()
    said = expnet.make_keys(list(objects.values()), names="ARKIT", symmetric=True)
    assert said.startswith("52 keys on ")
    keys = objects["Head"].data.shape_keys.key_blocks
    assert len(keys) == 53 and "eyeBlinkLeft" in keys and keys["jawOpen"].slider_min == 0
    assert objects["Eye Left"].data.shape_keys.key_blocks["eyeLookUpLeft"]
    report = expnet.retarget(make_performance(), objects["Head"], names="ARKIT")
    assert report.shape_keys > 40


def test_children_and_what_is_near_in_the_collection_are_parts(artist_head) -> None:
    objects = artist_head()
    far = bpy.data.objects.new("Prop", objects["Teeth Upper"].data.copy())
    far.location = (3, 0, 0)
    bpy.data.collections["Hero"].objects.link(far)
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.data.collections["Hero"].objects.link(lamp)
    bpy.context.view_layer.update()
    head = chosen.choose_parts(bpy.context)
    assert head == objects["Head"]
    assert {part.mesh for part in head.expnet_own_head.parts} == set(objects.values())


def test_several_selected_meshes_are_the_head_whichever_is_active(artist_head) -> None:
    objects = artist_head()
    for name in ("Eye Left", "Eye Right"):
        objects[name].select_set(True)
    bpy.context.view_layer.objects.active = objects["Eye Left"]
    head = chosen.choose_parts(bpy.context)
    assert head == objects["Head"] and len(head.expnet_own_head.parts) == 3
    assert chosen.own_head(bpy.context) == head  # the eye that is active belongs to it


def test_world_meshes_are_whatever_the_axes_of_the_objects_are(artist_head, open_head) -> None:
    objects = artist_head()
    for name, (at, _, _) in split_head(open_head).items():
        mesh = meshes.world_mesh(objects[name])
        assert np.abs(mesh.vertices - at).max() < 1e-5
        a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
        if name.startswith("Eye"):  # triangles face outward, mirrored objects too
            normal, out = np.cross(b - a, c - a), (a + b + c) / 3 - mesh.vertices.mean(0)
            assert (np.einsum("ij,ij->i", normal, out) > 0).mean() > 0.95


def test_handles_stay_on_the_surface_and_are_read_there(artist_head) -> None:
    head = artist_head()["Head"]
    at = meshes.world_mesh(head).vertices[100]
    handle = points.place(head, "nose_tip", at + [0.0, 0.0, 0.0])
    assert np.abs(np.array(points.places_of(head)["nose_tip"]) - at).max() < 1e-4
    handle.location.z += 0.5  # centimetres in the head's frame: off the skin
    away = np.array(points.places_of(head)["nose_tip"])
    surface = np.array(points.nearest_on(head, bpy.context, away))
    assert np.abs(away - surface).max() < 1e-4
    assert bpy.ops.expnet.remove_head_points() == {"FINISHED"}
    assert points.handles_of(head) == {} and bpy.data.collections.get(points.COLLECTION) is None


def fake_offsets(objects: list[bpy.types.Object], names: tuple[str, ...]) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        i: rng.normal(0, 0.003, (len(names), len(o.data.vertices), 3)).astype(np.float32) for i, o in enumerate(objects)
    }


def test_existing_keys_are_asked_about_then_replaced_or_kept(artist_head, open_head) -> None:
    objects = artist_head()
    head = chosen.choose_parts(bpy.context)
    points.place_all(head, true_points(open_head))
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="smirk")
    own = head.shape_key_add(name="jawOpen")
    own.data[0].co.x += 1
    with pytest.raises(
        RuntimeError, match="jawOpen: there are shape keys of these names: choose to replace or to keep"
    ):
        bpy.ops.expnet.make_head_keys()
    parts = list(objects.values())
    offsets = fake_offsets(parts, ("jawOpen", "lid_L"))
    kept = meshes.points(head)[0][0] + 1
    assert shape_keys.write(parts, ("jawOpen", "lid_L"), offsets, keep=True) == ("lid_L",)
    assert head.data.shape_keys.key_blocks["jawOpen"].data[0].co.x == pytest.approx(kept)
    assert shape_keys.write(parts, ("jawOpen", "lid_L"), offsets, keep=False) == ("jawOpen", "lid_L")
    assert np.abs(moves_in_world(head, "jawOpen") / 1000 - offsets[0][0]).max() < 1e-5
    assert np.abs(moves_in_world(objects["Eye Left"], "jawOpen") / 1000 - offsets[1][0]).max() < 1e-5
    assert [b.name for b in head.data.shape_keys.key_blocks] == ["Basis", "smirk", "jawOpen", "lid_L"]


def test_strength_scales_a_key_on_all_parts_and_back(artist_head) -> None:
    objects = artist_head()
    head = chosen.choose_parts(bpy.context)
    parts = chosen.parts_of(head)
    offsets = fake_offsets(parts, ("jawOpen", "lid_L"))
    shape_keys.write(parts, ("jawOpen", "lid_L"), offsets, keep=False)
    make._note_keys(head, ("jawOpen", "lid_L"), "EXPNET")
    key = head.expnet_own_head.keys["jawOpen"]
    key.strength = 0.5
    for number, obj in enumerate(parts):
        assert np.abs(moves_in_world(obj, "jawOpen") / 1000 - 0.5 * offsets[number][0]).max() < 1e-5
        assert np.abs(moves_in_world(obj, "lid_L") / 1000 - offsets[number][1]).max() < 1e-5
    key.strength = 1.0
    assert np.abs(moves_in_world(objects["Head"], "jawOpen") / 1000 - offsets[0][0]).max() < 1e-5


def test_the_preview_runs_through_the_keys_and_ends_at_rest(artist_head) -> None:
    artist_head()
    head = chosen.choose_parts(bpy.context)
    parts = chosen.parts_of(head)
    shape_keys.write(parts, ("jawOpen", "lid_L"), fake_offsets(parts, ("jawOpen", "lid_L")), keep=False)
    make._note_keys(head, ("jawOpen", "lid_L"), "EXPNET")
    settings = head.expnet_own_head
    blocks = head.data.shape_keys.key_blocks
    settings.preview = 0.25
    assert blocks["jawOpen"].value == pytest.approx(1) and blocks["lid_L"].value == 0
    assert settings.previewed == "jawOpen  100%"
    settings.preview = 0.75
    assert blocks["jawOpen"].value == 0 and blocks["lid_L"].value == pytest.approx(1)
    settings.preview = 0
    assert blocks["lid_L"].value == 0 and settings.previewed == ""


def test_clicks_place_the_next_point_and_are_taken_back(artist_head, open_head) -> None:
    artist_head()
    head = chosen.choose_parts(bpy.context)
    truth = true_points(open_head)
    clicks = Clicking(head)
    assert clicks.next == "eye_outer_R" and "outer corner of the right eye (1 of" in clicks.prompt()
    clicks.place(truth["eye_outer_R"])
    clicks.skip()
    clicks.place(truth[clicks.next])
    assert set(points.handles_of(head)) == {ORDER[0], ORDER[2]}
    clicks.undo()
    clicks.undo()
    assert clicks.next == ORDER[1] and set(points.handles_of(head)) == {ORDER[0]}
    while clicks.next is not None:
        clicks.place(truth[clicks.next])
    assert clicks.enough and len(points.handles_of(head)) == len(ORDER)

    again = Clicking(head)  # all are there: a new round places all again, and ESC puts them back
    before = points.places_of(head)
    again.place(truth["chin"])
    assert np.abs(np.array(points.places_of(head)[ORDER[0]]) - truth["chin"]).max() < 1e-3
    again.undo_all()
    after = points.places_of(head)
    assert max(np.abs(np.array(after[name]) - before[name]).max() for name in before) < 1e-5


def test_a_ray_from_the_view_meets_the_skin(artist_head, open_head) -> None:
    from mathutils import Vector

    head = artist_head()["Head"]
    nose = Vector(true_points(open_head)["nose_tip"])
    hit = points.hit_from_view(head, bpy.context, nose + Vector((0, -1, 0)), Vector((0, 1, 0)))
    assert hit is not None and (hit - nose).length < 0.002
    assert points.hit_from_view(head, bpy.context, nose + Vector((0, -1, 5)), Vector((0, 1, 0))) is None


def state() -> tuple:
    return (
        sorted(obj.name for obj in bpy.data.objects),
        sorted((mesh.name, len(mesh.vertices), mesh.shape_keys is not None) for mesh in bpy.data.meshes),
        sorted(collection.name for collection in bpy.data.collections),
    )


def placed_head(artist_head, open_head, parts=("Head", "Eye Left", "Eye Right")) -> bpy.types.Object:
    artist_head(parts)
    head = chosen.choose_parts(bpy.context)
    points.place_all(head, true_points(open_head))
    return head


def test_a_head_without_eyes_is_one_line_unless_the_artist_says_so(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head, ("Head",))
    before = state()
    with pytest.raises(
        RuntimeError, match="the head has no eyes: select them with it, say which part is an eye, or tick"
    ):
        bpy.ops.expnet.make_head_keys()
    assert state() == before and head.data.shape_keys is None


def test_missing_points_are_named(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head)
    points.remove(head, "chin")
    before = state()
    with pytest.raises(RuntimeError, match="Points are missing: chin: find the points, or click them"):
        bpy.ops.expnet.make_head_keys()
    assert state() == before and points.missing_of(head) == ["chin"]


def test_a_mesh_with_no_face_is_one_line(artist_head) -> None:
    artist_head()
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.mesh.primitive_uv_sphere_add(location=(20, 0, 0))
    before = state()
    with pytest.raises(RuntimeError, match="no face was found in the pictures of the head, from any side"):
        bpy.ops.expnet.find_head_points()
    assert state() == before


def test_curves_empties_and_nothing_are_refused(artist_head) -> None:
    objects = artist_head()
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.curve.primitive_bezier_circle_add()
    assert not bpy.ops.expnet.find_head_points.poll()
    with pytest.raises(InputError, match="is no mesh: select the mesh of your head"):
        chosen.choose_parts(bpy.context)
    with pytest.raises(InputError, match="is no mesh"):
        expnet.make_keys([bpy.context.active_object])
    bpy.ops.object.empty_add()
    assert not bpy.ops.expnet.make_head_keys.poll()
    with pytest.raises(InputError, match="Select the mesh of your head"):
        expnet.make_keys([])
    assert all(obj.data.shape_keys is None for obj in objects.values())


def test_a_linked_mesh_is_refused(artist_head, open_head, tmp_path) -> None:
    objects = artist_head()
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {objects["Head"].data})
    with bpy.data.libraries.load(str(library), link=True) as (there, here):
        here.meshes = ["Head"]
    linked = bpy.data.objects.new("Linked", here.meshes[0])
    bpy.context.scene.collection.objects.link(linked)
    with pytest.raises(InputError, match="'Linked' is linked from another file: make object and mesh local first"):
        expnet.make_keys([linked])


def test_a_shared_mesh_a_mirror_and_absolute_keys_are_one_line_each(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head)
    copy = bpy.data.objects.new("Twin", head.data)
    with pytest.raises(RuntimeError, match="the mesh of 'Head' is used by other objects, too: Object › Relations"):
        bpy.ops.expnet.make_head_keys()
    bpy.data.objects.remove(copy)
    mirror = head.modifiers.new("Half", "MIRROR")
    with pytest.raises(RuntimeError, match="'Head' has a Mirror modifier: apply it first"):
        bpy.ops.expnet.find_head_points()
    head.modifiers.remove(mirror)
    head.shape_key_add(name="Basis")
    head.data.shape_keys.use_relative = False
    with pytest.raises(RuntimeError, match="'Head' has absolute shape keys: switch on Relative"):
        bpy.ops.expnet.make_head_keys()


def test_eyes_that_share_a_mesh_are_refused_before_the_work_if_the_keys_turn_them(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head)
    bpy.data.objects["Eye Right"].data = bpy.data.objects["Eye Left"].data
    parts = chosen.parts_of(head)
    assert make.make_keys(parts, make.Keys()).needs_worker
    with pytest.raises(InputError, match="the mesh of 'Eye (Left|Right)' is used by other objects, too"):
        make.make_keys(parts, make.Keys("ARKIT"))


def test_a_mesh_that_changed_while_keys_were_made_stays_as_it_is(artist_head) -> None:
    objects = list(artist_head().values())
    offsets = fake_offsets(objects, ("jawOpen",))
    offsets[2] = offsets[2][:, :-1]
    with pytest.raises(InputError, match="'Eye Right' was changed meanwhile: make the keys again"):
        shape_keys.write(objects, ("jawOpen",), offsets, keep=False)
    assert all(obj.data.shape_keys is None for obj in objects)


def test_colours_come_from_the_materials_of_the_faces(artist_head) -> None:
    objects = artist_head()
    eye = objects["Eye Left"]
    material = bpy.data.materials.new("Iris")
    from expnet.expnet_addon import compat

    shader = next(node for node in compat.node_tree(material).nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.0, 0.0, 1.0, 1.0)
    eye.data.materials.append(material)
    assert (meshes.world_mesh(eye).colours == [255, 0, 0]).all()
    assert (meshes.world_mesh(objects["Head"]).colours == meshes.SKIN[::-1]).all()


class Drawn:
    """A layout that notes its labels and buttons."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.enabled = True

    def label(self, text: str = "", **_: object) -> None:
        self.said.append(text)

    def operator(self, name: str, **_: object) -> None:
        self.said.append(name)

    def prop(self, owner, name: str, **_: object) -> None:
        self.said.append(owner.bl_rna.properties[name].name)

    def template_list(self, *_: object, **__: object) -> None:
        self.said.append("list")

    def progress(self, **_: object) -> None:
        self.said.append("progress")

    def row(self, **_: object) -> Drawn:
        return Drawn(self.said)

    column = row


def drawn() -> list[str]:
    said: list[str] = []
    scale = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    there = SimpleNamespace(
        scene=bpy.context.scene, active_object=bpy.context.active_object, region=SimpleNamespace(width=2000),
        preferences=scale,
    )  # fmt: skip
    EXPNET_PT_own_head.draw(SimpleNamespace(layout=Drawn(said)), there)
    return said


def test_the_panel_shows_a_head_in_each_of_its_states(artist_head, open_head) -> None:
    objects = artist_head()
    assert "Make Keys" not in drawn() and "expnet.make_head_keys" in drawn() and "Preview" not in drawn()
    head = chosen.choose_parts(bpy.context)
    points.place_all(head, {name: at for name, at in true_points(open_head).items() if name != "chin"})
    assert "Missing: chin" in drawn() and "27 points" in drawn() and "Kind" in drawn()
    parts = chosen.parts_of(head)
    shape_keys.write(parts, ("jawOpen",), fake_offsets(parts, ("jawOpen",)), keep=False)
    make._note_keys(head, ("jawOpen",), "EXPNET")
    assert "Preview" in drawn() and "At rest" in drawn() and "list" in drawn()
    bpy.context.view_layer.objects.active = points.handles_of(head)["nose_tip"]
    assert drawn()[0] == objects["Head"].name  # a handle that is active belongs to its head
    bpy.ops.object.light_add()
    assert drawn() == ["Select the mesh of your head, with its eyes and teeth"]


def test_the_panel_shows_the_progress_of_a_run_and_its_cancel(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head)
    task = make.find_points(chosen.parts_of(head), EstimatorOptions())
    task.start()
    tasks.follow(task)
    try:
        assert drawn()[:3] == ["Find Points", "progress", "expnet.cancel"] and "expnet.make_head_keys" not in drawn()
    finally:
        tasks.end(task)
    assert "expnet.make_head_keys" in drawn()


def test_the_guide_names_every_setting_of_a_head(artist_head) -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "guide" / "own_head.md").read_text()
    kinds = [own_head_settings.ExpNetOwnHead, own_head_settings.ExpNetHeadKey]
    shown = [p for kind in kinds for p in kind.bl_rna.properties if p.identifier in kind.__annotations__]
    names = [p.name for p in shown if not p.is_hidden and p.type not in ("COLLECTION", "INT")]
    assert names == ["Names", "Symmetric", "Without Eyes", "Preview", "Strength"]
    assert [name for name in [*names, *(kind[1] for kind in own_head_settings.KINDS)] if name not in guide] == []


def test_keys_are_one_undo_step(artist_head) -> None:
    artist_head()
    head = chosen.choose_parts(bpy.context)
    bpy.ops.ed.undo_push(message="a head")
    parts = chosen.parts_of(head)
    shape_keys.write(parts, ("jawOpen", "lid_L"), fake_offsets(parts, ("jawOpen", "lid_L")), keep=False)
    bpy.ops.ed.undo_push(message="Make Keys")
    bpy.ops.ed.undo()
    assert all(bpy.data.objects[name].data.shape_keys is None for name in ("Head", "Eye Left", "Teeth Lower"))


def test_a_cancelled_run_and_a_part_that_is_deleted_meanwhile_change_nothing(artist_head, open_head) -> None:
    head = placed_head(artist_head, open_head)
    before = state()
    task = make.find_points(chosen.parts_of(head), EstimatorOptions())
    task.start()
    folder = task._job.folder
    assert (folder / "head.npz").exists()
    task.cancel()
    assert state() == before and not folder.exists()

    task = make.make_keys(chosen.parts_of(head), make.Keys(without_eyes=True))
    bpy.data.objects.remove(bpy.data.objects["Eye Left"])
    before = state()
    reply = MakeKeysResult(("jawOpen",), (), ("skin",), 0.0, 0.0, ())
    with pytest.raises(InputError, match="A part of the head is gone: nothing was changed"):
        task._write(reply, None)
    assert state() == before


class Clicker:
    """The operator Click Points with a view from the front and without a window."""

    modal = EXPNET_OT_click_head_points.__dict__["modal"]
    _click = EXPNET_OT_click_head_points.__dict__["_click"]
    _finish = EXPNET_OT_click_head_points.__dict__["_finish"]
    _end = EXPNET_OT_click_head_points.__dict__["_end"]
    _tidy = EXPNET_OT_click_head_points.__dict__["_tidy"]
    _say = EXPNET_OT_click_head_points.__dict__["_say"]

    def __init__(self, head: bpy.types.Object, middle: np.ndarray) -> None:
        self._round = Clicking(head)
        self.said: list[str] = []
        self.header: list[str | None] = []
        rows = np.array([[4, 0, 0, -4 * middle[0]], [0, 0, 4, -4 * middle[2]], [0, 0.1, 0, 0], [0, 0, 0, 1.0]])
        view = Matrix.LocRotScale((middle[0], -2, middle[2]), Matrix.Rotation(np.pi / 2, 3, "X"), None).inverted()
        region = SimpleNamespace(type="WINDOW", x=100, y=50, width=400, height=400)
        panel = SimpleNamespace(type="UI", x=450, y=50, width=50, height=400)
        seen = SimpleNamespace(
            perspective_matrix=Matrix(rows.tolist()), view_matrix=view, is_perspective=False,
            view_perspective="ORTHO",
        )  # fmt: skip
        self.context = SimpleNamespace(
            window=SimpleNamespace(cursor_modal_restore=lambda: None),
            workspace=SimpleNamespace(status_text_set=lambda text: None),
            area=SimpleNamespace(header_text_set=self.header.append, tag_redraw=lambda: None, regions=[panel, region]),
            space_data=SimpleNamespace(region_3d=seen),
            scene=bpy.context.scene,
            evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get,
        )
        self._middle = middle

    def report(self, kind: set[str], text: str) -> None:
        self.said.append(text)

    def press(self, key: str, x: float = 0, y: float = 0, **held: bool) -> set[str]:
        event = SimpleNamespace(type=key, value="PRESS", alt=False, ctrl=False, oskey=False, mouse_x=x, mouse_y=y)
        vars(event).update(held)
        return self.modal(self.context, event)

    def click(self, at: np.ndarray) -> set[str]:
        x, z = 4 * (np.asarray(at)[[0, 2]] - self._middle[[0, 2]])
        return self.press("LEFTMOUSE", 100 + 200 * (1 + x), 50 + 200 * (1 + z))


def test_click_points_goes_from_point_to_point_in_the_view(artist_head, open_head) -> None:
    artist_head()
    head = chosen.choose_parts(bpy.context)
    truth = true_points(open_head)
    clicker = Clicker(head, truth["nose_tip"])
    assert clicker.press("MIDDLEMOUSE") == {"PASS_THROUGH"}  # the view can be turned
    assert clicker.press("LEFTMOUSE", 470, 100) == {"PASS_THROUGH"}  # the panel
    assert clicker.click(truth["eye_outer_R"]) == {"RUNNING_MODAL"}
    placed = np.array(points.places_of(head)["eye_outer_R"])
    assert np.abs(placed - truth["eye_outer_R"]).max() < 0.003
    assert "inner corner of the right eye" in clicker.header[-1]
    clicker.click(truth["nose_tip"] + [0, 0, 0.23])  # beside the head
    assert clicker.said == ["There is no surface of the head: click on the head"]
    clicker.click(truth["eye_inner_R"])
    clicker.press("Z", ctrl=True)
    assert list(points.handles_of(head)) == ["eye_outer_R"]
    clicker.press("SPACE")
    assert clicker.press("ESC") == {"CANCELLED"}
    assert points.handles_of(head) == {} and clicker.said[-1] == "Click Points: cancelled, nothing was changed"

    again = Clicker(head, truth["nose_tip"])
    for name in ORDER[:8]:
        again.click(truth[name])
    assert again.press("RET") == {"FINISHED"} and again.said == ["8 points placed"]
    assert points.missing_of(head) == []
    assert again.header[-1] is None

"""The animated face as glTF, written by Blender's own exporter and read back byte by byte."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon.scene import animation, gltf, rig
from expnet.expnet_addon.scene.coordinates import object_pose
from expnet.model.errors import InputError
from expnet.model.face.face_model import KAPPA
from expnet.model.face.semantics import OPEN_KEYS
from expnet.model.performance.channels import LOOK

FRAMES = 6
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


class Glb:
    """A .glb: its JSON, and the floats of its accessors."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        assert raw[:4] == b"glTF"
        (length,) = struct.unpack_from("<I", raw, 12)
        self.json = json.loads(raw[20 : 20 + length])
        self.binary = raw[20 + length + 8 :]

    def floats(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        assert accessor["componentType"] == 5126
        width = WIDTHS[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(self.binary, np.float32, accessor["count"] * width, start).reshape(-1, width)

    def curve(self, node: str, path: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times (F,) and values (F, ...) of the only animation."""
        (only,) = self.json["animations"]
        for channel in only["channels"]:
            target = channel["target"]
            if (self.json["nodes"][target["node"]]["name"], target["path"]) == (node, path):
                sampler = only["samplers"][channel["sampler"]]
                times = self.floats(sampler["input"]).ravel()
                return times, self.floats(sampler["output"]).reshape(len(times), -1)
        raise AssertionError(f"no animation of {node} {path}")

    def morphs(self) -> list[str]:
        (mesh,) = [mesh for mesh in self.json["meshes"] if "extras" in mesh and "targetNames" in mesh["extras"]]
        return mesh["extras"]["targetNames"]


@pytest.fixture
def take(empty_scene, little_face, make_performance):
    """Return a face with six frames of animation in a scene with other things."""
    empty_scene.render.fps, empty_scene.render.fps_base = 24, 1.0
    head = rig.create_rig(little_face)
    performance = make_performance(frames=FRAMES, fps=24.0)
    animation.set_frame_range(empty_scene, animation.key_performance(head, performance, empty_scene))
    other = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    empty_scene.collection.objects.link(other)
    return head, performance


def test_keys_gaze_and_pose_come_back(take, tmp_path):
    head, performance = take
    gltf.export_glb(tmp_path / "shot.glb", [head, *head.children])
    glb = Glb(tmp_path / "shot.glb")
    assert {node["name"] for node in glb.json["nodes"]} == {"Face", "Face eye L", "Face eye R"}

    times, weights = glb.curve("Face", "weights")
    np.testing.assert_allclose(times, np.arange(FRAMES) / 24, atol=1e-6)
    names = glb.morphs()
    for i, key in enumerate(OPEN_KEYS):
        np.testing.assert_allclose(weights[:, names.index(key)], performance.eta[:, i], atol=1e-4)
    looks_up = np.maximum(performance.gaze[:, 1], 0) / LOOK
    np.testing.assert_allclose(weights[:, names.index("gazeUp")], looks_up, atol=1e-4)

    location, quaternion = object_pose(performance.rotation, performance.translation)
    moved = glb.curve("Face", "translation")[1]
    np.testing.assert_allclose(moved, location[:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)  # y up, as glTF has it
    turned = glb.curve("Face", "rotation")[1]
    theirs = quaternion[:, [1, 3, 2, 0]] * [1, 1, -1, 1]
    assert np.abs((turned * theirs).sum(1)) == pytest.approx(1, abs=1e-5)
    eye = glb.curve("Face eye L", "rotation")[1]
    assert 2 * np.arcsin(abs(eye[-1, 1])) == pytest.approx(abs(performance.gaze[-1, 0] + KAPPA), abs=0.02)


def test_the_scene_and_the_selection_stay_as_they_are(take, tmp_path):
    head, _ = take
    cube = bpy.data.objects["cube"]
    cube.select_set(True)
    bpy.context.view_layer.objects.active = cube
    gltf.export_glb(tmp_path / "shot.glb", [head])
    assert bpy.context.selected_objects == [cube] and bpy.context.view_layer.objects.active == cube
    assert sorted(obj.name for obj in bpy.data.objects) == ["Face", "Face eye L", "Face eye R", "cube"]


def hide_in_the_view(head, collection, layer_collection) -> None:
    head.hide_set(True)


def hide_in_viewports(head, collection, layer_collection) -> None:
    head.hide_viewport = True


def forbid_selection(head, collection, layer_collection) -> None:
    head.hide_select = collection.hide_select = True


def hide_the_collection(head, collection, layer_collection) -> None:
    collection.hide_viewport = layer_collection.hide_viewport = True


def exclude_the_collection(head, collection, layer_collection) -> None:
    layer_collection.exclude = True


def exclude_the_collection_above(head, collection, layer_collection) -> None:
    bpy.context.view_layer.layer_collection.children["above"].exclude = True


HIDDEN = (hide_in_the_view, hide_in_viewports, forbid_selection, hide_the_collection, exclude_the_collection,
          exclude_the_collection_above)  # fmt: skip


def states() -> list:
    """Return what of the view layer an export may not change."""
    layer = bpy.context.view_layer

    def walk(layer_collection):
        yield layer_collection.exclude, layer_collection.hide_viewport, layer_collection.collection.hide_viewport
        for child in layer_collection.children:
            yield from walk(child)

    objects = [(o.hide_viewport, o.hide_select, o.name in layer.objects and o.hide_get()) for o in bpy.data.objects]
    return [*walk(layer.layer_collection), *objects]


@pytest.mark.parametrize("hide", HIDDEN)
def test_a_character_that_is_hidden_is_exported_and_stays_hidden(take, empty_scene, tmp_path, hide):
    head, _ = take
    above, collection = (bpy.data.collections.new(name) for name in ("above", "heads"))
    empty_scene.collection.children.link(above)
    above.children.link(collection)
    above.children.link(bpy.data.collections.new("sibling"))
    for obj in (head, *head.children):
        collection.objects.link(obj)
        for other in list(obj.users_collection):
            if other != collection:
                other.objects.unlink(obj)
    inner = bpy.context.view_layer.layer_collection.children["above"].children
    inner["sibling"].exclude = True
    hide(head, collection, inner["heads"])
    before = states()
    gltf.export_glb(tmp_path / "shot.glb", [head, *head.children])
    glb = Glb(tmp_path / "shot.glb")
    assert {node["name"] for node in glb.json["nodes"]} == {"Face", "Face eye L", "Face eye R"}
    assert len(glb.curve("Face", "weights")[0]) == FRAMES
    assert states() == before


def test_nothing_is_written_rather_than_an_empty_file(take, tmp_path):
    with pytest.raises(InputError, match="no object to export"):
        gltf.export_glb(tmp_path / "shot.glb", [])
    elsewhere = bpy.data.objects.new("elsewhere", bpy.data.meshes.new("elsewhere"))
    with pytest.raises(InputError, match="'elsewhere' is not in the scene"):
        gltf.export_glb(tmp_path / "shot.glb", [take[0], elsewhere])
    assert not list(tmp_path.iterdir())

"""A head goes with all that was made for it, and nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import compare, rig
from expnet.expnet_addon.scene.current_take import takes_of

DEMO = Path(__file__).resolve().parents[3] / "model/data/demo_clip.mp4"
KINDS = ("objects", "meshes", "materials", "images", "shape_keys", "actions")
STAY = Keying(identity=False, root=True, markers=True)


@pytest.fixture
def scene(registered: None, empty_scene: bpy.types.Scene) -> bpy.types.Scene:
    return empty_scene


@pytest.fixture
def animate(scene, little_face, make_performance, tmp_path) -> Callable[[str], bpy.types.Object]:
    clip = shutil.copy(DEMO, tmp_path / "one.mp4")

    def animated(name: str) -> bpy.types.Object:
        head = rig.create_rig(little_face, name)
        bpy.context.view_layer.objects.active = head
        capture.key_performance(scene, head, make_performance(frames=9, missing=(4,), source=str(clip)), STAY)
        return head

    return animated


def contents() -> dict[str, set[str]]:
    return {kind: {block.name for block in getattr(bpy.data, kind)} for kind in KINDS}


def test_a_head_goes_with_its_parts_its_takes_its_footage_sound_and_markers(scene, animate) -> None:
    before = contents()
    head = animate("Face")
    assert head.parent is not None and len(rig.eyes_of(head)) == 2 and scene.timeline_markers
    camera = scene.camera
    bpy.ops.expnet.label_emotions(markers=True)
    scene.timeline_markers.new("the artist's", frame=3)
    assert bpy.ops.expnet.remove_face() == {"FINISHED"}
    after = contents()
    assert {kind: after[kind] - before[kind] for kind in KINDS} == {
        **dict.fromkeys(KINDS, set()),
        "objects": {camera.name, *(obj.name for obj in scene.objects if obj.get("expnet_light"))},
    }
    assert camera.parent is None and compare.footage_of(scene) is None
    assert [marker.name for marker in scene.timeline_markers] == ["the artist's"]
    assert not list(compat.sequencer_strips(scene))
    assert scene.expnet.result == "'Face' is removed, with its take"
    assert not bpy.ops.expnet.remove_face.poll()


def test_the_takes_stay_where_they_are_wanted(scene, animate) -> None:
    head = animate("Face")
    actions = {action.name for action in takes_of(head)}
    bpy.ops.expnet.remove_face(takes=False)
    assert {action.name for action in bpy.data.actions if action.use_fake_user} >= actions
    assert scene.expnet.result == "'Face' is removed; its take stays in the file"


def test_another_head_and_what_the_artist_parented_stay_where_they_are(scene, animate) -> None:
    first = animate("First")
    second = animate("Second")
    hat = bpy.data.objects.new("hat", None)
    scene.collection.objects.link(hat)
    hat.parent, hat.location = first, (0.0, 0.0, 0.2)
    bpy.context.view_layer.update()
    place = np.array(hat.matrix_world)
    kept = {second.name, second.parent.name, *(eye.name for eye in rig.eyes_of(second).values())}
    scene.expnet.rig = first
    bpy.ops.expnet.remove_face()
    bpy.context.view_layer.update()
    assert np.allclose(np.array(hat.matrix_world), place, atol=1e-6) and hat.parent is None
    assert kept <= {obj.name for obj in scene.objects} and "First" not in scene.objects
    assert len(takes_of(second)) == 1 and compare.footage_of(scene) is not None


def test_one_undo_brings_it_all_back(scene, animate) -> None:
    animate("Face")
    bpy.ops.ed.undo_push(message="animated")
    before = contents()
    bpy.ops.expnet.remove_face()
    bpy.ops.ed.undo_push(message="removed")
    bpy.ops.ed.undo()
    assert contents() == before

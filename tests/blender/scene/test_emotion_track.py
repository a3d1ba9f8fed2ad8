"""Emotions of a take: a curve for each, markers where another is the strongest, by a classifier file or by EMFACS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import capture
from expnet.expnet_addon.capture.keying import Keying
from expnet.expnet_addon.scene import emotion_track, rig, take_keys
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_BASIS, OPEN_KEYS
from expnet.model.networks.emotion_head import SHIPPED
from expnet.model.networks.weights.open_pack import OPEN_WEIGHTS
from expnet.model.performance.emotion_classifier import EmotionClassifier, save_classifier
from expnet.model.performance.emotion_prototypes import PROTOTYPES, prototypes
from expnet.model.performance.face_performance import FacePerformance

PLAIN = Keying(identity=False, footage=False, sound=False)
HAPPY, SURPRISE = (list(PROTOTYPES).index(name) for name in ("happy", "surprise"))


@pytest.fixture
def acted(make_performance: Callable) -> FacePerformance:
    """Rest, from frame 11 on a smile, from 21 on surprise, one frame of which is anger; 31 to 35 have no face."""
    clip = make_performance(frames=40, missing=range(30, 35))
    eta = np.zeros((40, len(OPEN_KEYS)))
    eta[10:20], eta[20:30], eta[25] = prototypes()[HAPPY], prototypes()[SURPRISE], prototypes()[0]
    eta[30:35] = np.nan
    return replace(clip, eta=eta)


@pytest.fixture
def head(registered: None, empty_scene, little_face, acted: FacePerformance) -> bpy.types.Object:
    head = rig.create_rig(little_face)
    bpy.context.view_layer.objects.active = head
    capture.key_performance(empty_scene, head, acted, PLAIN)
    return head


def marks() -> list[tuple[str, int]]:
    return sorted(((m.name, m.frame) for m in bpy.context.scene.timeline_markers), key=lambda mark: mark[1])


def curve_of(head: bpy.types.Object, emotion: str) -> np.ndarray:
    curve = compat.assigned_curves(head).find(f'["emotion {emotion}"]')
    return np.array([point.co[1] for point in curve.keyframe_points])


def test_emfacs_scores_become_curves_and_markers_without_any_file(head: bpy.types.Object) -> None:
    assert bpy.ops.expnet.label_emotions(by="EMFACS") == {"FINISHED"}
    happy = curve_of(head, "happy")
    assert len(happy) == 40
    assert happy[:10].max() == 0
    assert happy[12] == pytest.approx(1, abs=0.02)
    assert curve_of(head, "surprise")[22] == pytest.approx(1, abs=0.02)
    assert curve_of(head, "anger")[31] == 0  # no face
    names = [name.split(" (")[0] for name, _ in marks()]
    assert names == ["happy", "surprise", "No emotion"]
    start = bpy.context.scene.frame_start
    assert [frame - start for _, frame in marks()] == [10, 20, 30]
    bpy.context.scene.frame_set(start + 12)
    assert head.evaluated_get(bpy.context.evaluated_depsgraph_get())["emotion happy"] == pytest.approx(1, abs=0.02)


def lines() -> list[tuple[str, list[int]]]:
    """Return what stands before the camera, and the frames in which it is seen."""
    scene, seen = bpy.context.scene, {}
    texts = [each for each in scene.objects if each.type == "FONT"]
    for frame in range(scene.frame_start, scene.frame_start + 40):
        scene.frame_set(frame)
        for text in texts:
            assert text.hide_viewport == text.hide_render
            if not text.hide_render:
                seen.setdefault(text.data.body, []).append(frame - scene.frame_start)
    return sorted(seen.items(), key=lambda each: each[1])


def test_text_before_the_camera_says_the_strongest_emotion_and_its_share(head: bpy.types.Object) -> None:
    scene = bpy.context.scene
    assert bpy.ops.expnet.label_emotions(text=True) == {"FINISHED"}
    shown = lines()
    assert [frames for _, frames in shown] == [list(range(10, 20)), list(range(20, 30))]
    assert [line.split(" ")[0] for line, _ in shown] == ["Happy", "Surprise"]
    assert all(25 < int(line.split(" ")[1].rstrip("%")) <= 100 for line, _ in shown)
    bpy.context.view_layer.update()
    for text in (each for each in scene.objects if each.type == "FONT"):
        place = world_to_camera_view(scene, scene.camera, text.matrix_world.translation)
        assert place.x == pytest.approx(0.5, abs=0.02) and 0 < place.y < 0.2 and place.z > scene.camera.data.clip_start
    before = len(bpy.data.actions)
    emotion_track.label_take(scene, head, text=True)
    assert len(lines()) == 2 and len(bpy.data.actions) == before
    emotion_track.label_take(scene, head)
    assert not lines() and not bpy.data.curves


def test_text_needs_a_camera_and_writes_nothing_without(head: bpy.types.Object) -> None:
    bpy.context.scene.camera = None
    with pytest.raises(InputError, match="no camera"):
        emotion_track.label_take(bpy.context.scene, head, text=True)
    assert not marks() and "emotion happy" not in head


def test_the_built_in_head_labels_a_take_without_any_file(head: bpy.types.Object) -> None:
    assert bpy.ops.expnet.label_emotions() == {"FINISHED"}
    happy, neutral = curve_of(head, "happy"), curve_of(head, "neutral")
    assert len(happy) == 40
    assert happy[12] > 0.8 > 0.2 > happy[2]
    assert neutral[2] > 0.5 > 0.2 > neutral[12]
    assert curve_of(head, "surprise")[22] > 0.8
    assert curve_of(head, "neutral")[31] == 0  # no face
    assert [name.split(" (")[0] for name, _ in marks()] == ["happy", "surprise", "No emotion"]


def test_a_head_file_gives_its_own_emotions(head: bpy.types.Object, tmp_path: Path) -> None:
    (tmp_path / "own.safetensors").write_bytes(SHIPPED.read_bytes())
    (tmp_path / "broken.safetensors").write_bytes(SHIPPED.read_bytes()[:1000])
    assert bpy.ops.expnet.label_emotions(classifier=str(tmp_path / "own.safetensors"), markers=False) == {"FINISHED"}
    assert curve_of(head, "happy")[12] > 0.8
    for path, said in ((tmp_path / "broken.safetensors", "broken emotion head"), (OPEN_WEIGHTS, "emotion head")):
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.expnet.label_emotions(classifier=str(path))


def test_labels_are_replaced_and_the_artists_markers_and_keys_stay(head: bpy.types.Object) -> None:
    bpy.context.scene.timeline_markers.new("happy", frame=5)
    for _ in range(2):
        emotion_track.label_take(bpy.context.scene, head)
    assert sum(name.startswith("happy") for name, _ in marks()) == 2
    assert not take_keys.is_edited(head, take_of(head))
    emotion_track.label_take(bpy.context.scene, head, curves=False, markers=False)
    assert marks() == [("happy", 5)]
    assert compat.assigned_curves(head).find('["emotion happy"]') is None
    assert "emotion happy" not in head


def classifier(keys: tuple[str, ...] = OPEN_KEYS) -> EmotionClassifier:
    """Two machines: jawOpen above and below a half."""
    vectors = np.zeros((2, len(keys)))
    vectors[:, -1 if "jawOpen" not in keys else keys.index("jawOpen")] = 1.0
    return EmotionClassifier(
        ("shut", "open mouth"), keys, OPEN_BASIS, np.zeros(len(keys)), np.ones(len(keys)), vectors,
        np.array([0.0, 1.0]), np.array([-10.0, 10.0]), np.array([5.0, -5.0]), 0.0,
    )  # fmt: skip


def test_a_classifier_file_gives_its_own_emotions(head: bpy.types.Object, tmp_path: Path) -> None:
    save_classifier(classifier(), tmp_path / "own.npz")
    assert bpy.ops.expnet.label_emotions(classifier=str(tmp_path / "own.npz")) == {"FINISHED"}
    assert curve_of(head, "open mouth")[22] > 0.9 > 0.1 > curve_of(head, "open mouth")[2]
    assert curve_of(head, "shut")[2] > 0.9
    assert [name.split(" (")[0] for name, _ in marks()][:2] == ["shut", "open mouth"]


def test_a_wrong_file_is_one_line_and_nothing_is_written(head: bpy.types.Object, tmp_path: Path) -> None:
    save_classifier(classifier(("a", "b")), tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4")
    for name, said in (("other", "expression basis"), ("broken", "broken classifier"), ("none", "no such file")):
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.expnet.label_emotions(classifier=str(tmp_path / f"{name}.npz"))
    assert marks() == []

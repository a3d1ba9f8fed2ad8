"""However a performance gets onto a head, it leaves a take: smoothing, gains and neutral can be changed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

import expnet
from expnet.expnet_addon import compat, headless
from expnet.expnet_addon.scene import rig
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.performance.live_link import read_live_link, write_live_link

pytestmark = pytest.mark.usefixtures("registered")

JAW = 'key_blocks["jawOpen"].value'


@pytest.fixture
def recording(tmp_path: Path, make_performance: Callable) -> Path:
    write_live_link(make_performance(frames=12, fps=24.0), tmp_path / "phone.csv")
    return tmp_path / "phone.csv"


@pytest.fixture
def footage(clip: Path, sees_a_face: Path) -> list[object]:
    """Return a clip, and the options with which a network that was never trained sees a face in it."""
    return [clip, "--estimator", sees_a_face, "--device", "cpu", "--box", 40, 30, 60, 60]


def from_footage(footage: list[object], recording: Path, out: Path) -> None:
    settings = bpy.context.scene.expnet
    settings.network, settings.estimator, settings.source = "FILE", str(footage[2]), str(footage[0])
    settings.use_box, settings.box = True, (40, 30, 60, 60)
    bpy.ops.expnet.add_face()
    assert bpy.ops.expnet.animate_footage() == {"FINISHED"}


def try_it(footage: list[object], recording: Path, out: Path) -> None:
    assert bpy.ops.expnet.try_it() == {"FINISHED"}


def from_a_recording(footage: list[object], recording: Path, out: Path) -> None:
    bpy.ops.expnet.add_face()
    assert bpy.ops.expnet.import_live_link(filepath=str(recording), fps=24.0) == {"FINISHED"}


def by_a_script(footage: list[object], recording: Path, out: Path) -> None:
    expnet.apply_performance(recording, expnet.add_head())


def by_animate(footage: list[object], recording: Path, out: Path) -> None:
    assert headless.main(["animate", *map(str, footage), "--out", str(out)]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))


def by_retarget(footage: list[object], recording: Path, out: Path) -> None:
    assert headless.main(["retarget", "--performance", str(recording), "--out", str(out)]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))


def keys_of(head: bpy.types.Object, path: str) -> np.ndarray:
    curve = compat.assigned_curves(head.data.shape_keys).find(path)
    return np.array([tuple(point.co) for point in curve.keyframe_points])


def basis_of(head: bpy.types.Object) -> np.ndarray:
    places = np.empty(3 * len(head.data.vertices), np.float32)
    head.data.shape_keys.key_blocks[0].data.foreach_get("co", places)
    return places


@pytest.mark.parametrize("way", [from_footage, try_it, from_a_recording, by_a_script, by_animate, by_retarget])
def test_every_way_leaves_a_take(way: Callable, footage: list[object], recording: Path, tmp_path: Path) -> None:
    way(footage, recording, tmp_path / "shot.blend")
    (head,) = rig.rigs_in(bpy.context.scene)
    action = take_of(head)
    assert action is not None and len(action.expnet.performance)
    before = keys_of(head, JAW)
    assert np.abs(before[:, 1]).max() > 0.01
    action.expnet.regions["jaw"].gain = 0.5
    after = keys_of(head, JAW)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    np.testing.assert_allclose(after[:, 1], 0.5 * before[:, 1], atol=1e-6)


def test_a_recording_keeps_the_shape_of_the_head_it_is_keyed_on(recording: Path, empty_scene) -> None:
    """Live Link has no identity: a head that has somebody's shape already is still that person afterwards."""
    bpy.ops.expnet.add_face()
    (head,) = rig.rigs_in(bpy.context.scene)
    somebody = np.linspace(-1, 1, len(head["alpha"]))
    rig.apply_alpha(head, rig.rig_model(head), somebody)
    shaped = basis_of(head)
    assert bpy.ops.expnet.import_live_link(filepath=str(recording), fps=24.0) == {"FINISHED"}
    assert take_of(head) is not None
    np.testing.assert_allclose(head["alpha"], somebody, atol=1e-6)
    np.testing.assert_array_equal(basis_of(head), shaped)


def test_a_recording_is_keyed_as_it_is_and_leaves_the_scene_alone(recording: Path, empty_scene) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 24, 5, 99
    from_a_recording([], recording, recording)
    (head,) = rig.rigs_in(scene)
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (24, 5, 99)
    assert scene.camera.location.length > 1  # Add Face's, in front of the head, and not the matched one
    np.testing.assert_array_equal(head["alpha"], rig.rig_model(head).average_alpha)  # it has no identity
    eta = read_live_link(recording, 24.0)
    jaw = eta.eta[:, eta.expression_keys.index("jawOpen")]
    np.testing.assert_allclose(keys_of(head, JAW), np.stack([5 + np.arange(12), jaw], -1), atol=1e-5)
    assert {region.smoothing for region in take_of(head).expnet.regions} == {0.0}
    assert scene.expnet.result == "12 of 12 frames keyed, 5 to 16"

"""Hand edits of keys stay after changes of the take's settings, until they are discarded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import takes
from expnet.expnet_addon.scene import keyframes, rig, take_keys
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.errors import InputError
from expnet.model.performance.treatment import Treatment

pytestmark = pytest.mark.usefixtures("registered")

JAW = 'key_blocks["jawOpen"].value'
MOUTH = 'key_blocks["mouthPress"].value'


@pytest.fixture
def head(empty_scene: bpy.types.Scene, little_face, make_performance) -> bpy.types.Object:
    """Return a head with a take of 30 frames at 25 per second, from frame 1 on."""
    empty_scene.render.fps = 25
    head = rig.create_rig(little_face)
    takes.write_take(empty_scene, head, make_performance(frames=30, missing=(11, 12)), Treatment())
    bpy.context.view_layer.objects.active = head
    return head


def curve(head: bpy.types.Object, path: str = JAW, index: int = 0) -> Any:
    block = head.data.shape_keys if path.startswith("key") else head
    return compat.assigned_curves(block).find(path, index=index)


def keys(head: bpy.types.Object, path: str = JAW, index: int = 0) -> dict[float, float]:
    return {round(p.co[0], 3): p.co[1] for p in curve(head, path, index).keyframe_points}


def all_keys(head: bpy.types.Object) -> dict[tuple[str, int], list]:
    curves = [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]
    return {(c.data_path, c.array_index): [tuple(p.co) for p in c.keyframe_points] for c in curves}


def change_every_setting(take) -> None:
    """Change each setting of the take, and leave it changed."""
    for region in take.regions:
        region.smoothing = 0.9
        region.gain = 0.5
    take.neutral = "QUIETEST"
    take.neutral_frame = 3
    take.neutral = "FRAME"
    take.source_times = not take.source_times
    take.decimate = True
    take.key_error, take.angle_error, take.place_error = 0.02, 0.01, 0.001
    take.decimate = False
    take.live = False
    take.live = True


def test_a_changed_an_added_and_a_removed_key_stay(head) -> None:
    points = curve(head).keyframe_points
    points[4].co = (5, 0.77)
    points.insert(7.5, 0.66)
    points.remove(next(p for p in points if p.co[0] == 20))
    curve(head, "location", 1).keyframe_points[2].co[1] = 9.0
    before = keys(head)
    change_every_setting(take_of(head).expnet)
    after = keys(head)
    assert after[5] == pytest.approx(0.77) and after[7.5] == pytest.approx(0.66) and 20 not in after
    assert keys(head, "location", 1)[3] == pytest.approx(9.0)
    assert after.keys() == before.keys()
    assert [frame for frame in after if after[frame] == before[frame]] == [5, 7.5], "all others follow the settings"


def test_a_removed_curve_stays_away(head) -> None:
    curves = compat.assigned_curves(head.data.shape_keys)
    curves.remove(curve(head))
    change_every_setting(take_of(head).expnet)
    assert curve(head) is None
    assert bpy.ops.expnet.discard_edits() == {"FINISHED"}
    assert len(keys(head)) == 28


def test_discarding_brings_back_the_generated_keys(head) -> None:
    before = all_keys(head)
    points = curve(head).keyframe_points
    points[4].co = (5, 0.77)
    points.insert(7.5, 0.66)
    points.remove(points[20])
    assert take_keys.is_edited(head)
    assert bpy.ops.expnet.apply_again() == {"FINISHED"}
    assert keys(head)[5] == pytest.approx(0.77)
    assert bpy.ops.expnet.discard_edits() == {"FINISHED"}
    assert all_keys(head) == before
    assert not take_keys.is_edited(head)


def test_a_setting_writes_only_the_curves_that_it_concerns(head, monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = [], keyframes.write_keys
    monkeypatch.setattr(
        keyframes, "write_keys", lambda curve, keys: (written.append(curve.data_path), write(curve, keys))
    )
    take_of(head).expnet.regions["mouth"].gain = 0.5
    assert MOUTH in written and all("mouth" in path for path in written)
    written.clear()
    take_of(head).expnet.regions["gaze"].smoothing = 0.9
    assert sorted(written) == ['["gaze_pitch"]', '["gaze_yaw"]']


def test_interpolation_and_handles_stay_and_the_value_follows(head) -> None:
    point = curve(head).keyframe_points[4]
    point.interpolation = "BEZIER"
    point.handle_left_type = point.handle_right_type = "FREE"
    point.handle_right = (5.5, point.co[1] + 0.2)
    value = point.co[1]
    take_of(head).expnet.regions["jaw"].gain = 0.5
    point = curve(head).keyframe_points[4]
    assert point.interpolation == "BEZIER" and point.handle_right_type == "FREE"
    assert point.co[1] == pytest.approx(0.5 * value)
    assert tuple(point.handle_right) == pytest.approx((5.5, 0.5 * value + 0.2))
    assert not take_keys.is_edited(head)


def test_edits_survive_saving_and_opening(head, tmp_path: Path) -> None:
    curve(head).keyframe_points[4].co[1] = 0.77
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "edited.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "edited.blend"))
    head = bpy.data.objects[name]
    take_of(head).expnet.regions["jaw"].gain = 0.1
    assert keys(head)[5] == pytest.approx(0.77)
    assert keys(head)[6] < 0.2


def test_a_take_that_is_moved_as_a_whole_stays_where_it_is(head) -> None:
    for each in [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]:
        for point in each.keyframe_points:
            point.co[0] += 10
            point.handle_left[0] += 10
            point.handle_right[0] += 10
    assert not take_keys.is_edited(head)
    before = keys(head)
    take_of(head).expnet.regions["jaw"].gain = 0.5
    after = keys(head)
    assert after.keys() == before.keys() and min(after) == 11
    assert after[15] == pytest.approx(0.5 * before[15])


def test_an_expression_that_is_estimated_into_a_take_stays(head) -> None:
    from expnet.expnet_addon.scene import animation

    animation.key_expression(head, {"jawOpen": 0.9}, None, 8)
    change_every_setting(take_of(head).expnet)
    assert keys(head)[8] == pytest.approx(0.9)


def test_a_damaged_record_is_one_line_and_changes_nothing(head) -> None:
    before = all_keys(head)
    take = take_of(head).expnet
    take.written = b"PK no record"
    take.regions["jaw"].gain = 0.5
    assert "broken record of a take's keys" in take.note
    assert all_keys(head) == before
    with pytest.raises(InputError, match="broken record"):
        take_keys.is_edited(head)
    assert bpy.ops.expnet.discard_edits() == {"FINISHED"}
    assert take.note == "" and all_keys(head) != before


def test_edits_in_a_take_of_an_earlier_version_are_recognised(head, tmp_path: Path) -> None:
    take_of(head).expnet.written = b""
    curve(head).keyframe_points[4].co[1] = 0.77
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    head = bpy.data.objects[name]
    take_of(head).expnet.regions["jaw"].gain = 0.1
    assert keys(head)[5] == pytest.approx(0.77)
    assert keys(head)[6] < 0.2


def test_generated_keys_have_their_type_and_unsure_ones_are_breakdowns(empty_scene, little_face, make_performance):
    from dataclasses import replace

    performance = make_performance(frames=10)
    confidence = performance.confidence.copy()
    confidence[3:5] = 0.2
    head = rig.create_rig(little_face)
    takes.write_take(empty_scene, head, replace(performance, confidence=confidence), Treatment())
    types = [point.type for point in curve(head).keyframe_points]
    assert types == [compat.GENERATED_KEY] * 3 + ["BREAKDOWN"] * 2 + [compat.GENERATED_KEY] * 5


def test_keys_lie_on_whole_frames_unless_source_times_are_kept(empty_scene, little_face, make_performance) -> None:
    empty_scene.render.fps = 24
    performance = make_performance(frames=30, fps=30.0, missing=(10,))
    head = rig.create_rig(little_face)
    takes.write_take(empty_scene, head, performance, Treatment({}), timed=True, source_times=False)
    frames = np.array(list(keys(head)))
    assert (frames == np.rint(frames)).all()
    assert set(frames) == set(range(1, 25)) - {9}  # the clip's frame 10 is at 9.0
    source = 1 + np.arange(30) * 24 / 30
    jaw = performance.eta[:, performance.expression_keys.index("jawOpen")]
    seen = performance.seen
    expected = np.interp(frames, source[seen], jaw[seen])
    np.testing.assert_allclose(list(keys(head).values()), expected, atol=1e-5)
    take = take_of(head).expnet
    curve(head).keyframe_points[3].co[1] = 0.77  # frame 4
    take.source_times = True
    times = np.array(list(keys(head)))
    np.testing.assert_allclose(times, source[seen], atol=1e-3)
    assert keys(head)[4.2] == pytest.approx(0.77)
    take.source_times = False
    assert set(keys(head)) == set(frames) and keys(head)[4] == pytest.approx(0.77)


@pytest.mark.parametrize("way", [keyframes.read_keys, keyframes.coordinates])
def test_keys_are_read_as_they_are(head, way: Callable) -> None:
    read = way(curve(head))
    co = read["co"] if read.dtype.names else read
    np.testing.assert_array_equal(co, np.array([tuple(p.co) for p in curve(head).keyframe_points], np.float32))


def test_a_key_is_posed_in_the_panel_and_with_x_mirror_its_partner_too(empty_scene, head) -> None:
    take = take_of(head).expnet
    left, right = (f'key_blocks["mouthSmile_{side}"].value' for side in "LR")
    empty_scene.frame_set(5)
    before = all_keys(head)
    take.key_settings["mouthSmile_L"].value = 0.875
    assert keys(head, left)[5] == take.key_settings["mouthSmile_L"].value == 0.875
    assert {path for path, points in all_keys(head).items() if points != before[path]} == {(left, 0)}
    empty_scene.expnet.x_mirror = True
    take.key_settings["mouthSmile_R"].value = 5.0  # the slider ends at 1
    take.key_settings["jawSide"].value = -0.5
    assert keys(head, left)[5] == keys(head, right)[5] == 1.0
    change_every_setting(take)
    assert keys(head, left)[5] == keys(head, right)[5] == 1.0
    assert keys(head, 'key_blocks["jawSide"].value')[5] == -0.5
    empty_scene.frame_set(6)
    empty_scene.frame_set(5)
    assert take.key_settings["mouthSmile_R"].value == 1.0

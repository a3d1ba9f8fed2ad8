"""The performance of a take: stored raw in the .blend, and treated again without the network."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from expnet.expnet_addon import compat
from expnet.expnet_addon.capture import takes
from expnet.expnet_addon.scene import rig, take_keys
from expnet.expnet_addon.scene.current_take import take_of
from expnet.model.errors import InputError
from expnet.model.face.semantics import OPEN_KEYS, open_bounds
from expnet.model.performance.face_performance import FacePerformance
from expnet.model.performance.smoothing import REGIONS, smooth
from expnet.model.performance.treatment import FRAME, QUIETEST, Treatment, treated

pytestmark = pytest.mark.usefixtures("registered")

HALF = dict.fromkeys(REGIONS, 0.5)


@pytest.fixture
def head(empty_scene: bpy.types.Scene, little_face) -> bpy.types.Object:
    return rig.create_rig(little_face)


@pytest.fixture
def raw(make_performance) -> FacePerformance:
    """30 frames with two missing ones, and some noise."""
    performance = make_performance(frames=30, missing=(11, 12))
    low, high = open_bounds().T
    noise = np.random.default_rng(1).normal(0, 0.03, performance.eta.shape)
    return _replaced(performance, eta=np.clip(performance.eta + noise, low, high))


@pytest.fixture
def take(empty_scene: bpy.types.Scene, head: bpy.types.Object, raw: FacePerformance):
    """Return the settings of the head's take."""
    empty_scene.render.fps = 25
    takes.write_take(empty_scene, head, raw, Treatment())
    return take_of(head).expnet


def _replaced(performance: FacePerformance, **changes) -> FacePerformance:
    from dataclasses import replace

    return replace(performance, **changes)


def keyed(head: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    """(keys, 2) frame and value of every curve."""
    curves = [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]
    return {(c.data_path, c.array_index): np.array([tuple(p.co) for p in c.keyframe_points]) for c in curves}


def assert_same(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for path, keys in a.items():
        np.testing.assert_array_equal(keys, b[path], err_msg=str(path))


def eta_of(head: bpy.types.Object) -> np.ndarray:
    curves = keyed(head)
    return np.stack([curves[f'key_blocks["{key}"].value', 0][:, 1] for key in OPEN_KEYS], -1)


def region(take, name: str):
    return take.regions[name]


# Kept -----------------------------------------------------------------------------------------------------------------


def test_the_raw_performance_is_kept_with_its_action(head, take, raw: FacePerformance) -> None:
    kept = takes.performance_of(head)
    np.testing.assert_array_equal(kept.rotation, raw.rotation)
    np.testing.assert_allclose(kept.eta, raw.eta, atol=1e-7)
    assert kept.source == raw.source
    np.testing.assert_allclose(eta_of(head), smooth(raw, 0.5).eta[raw.seen], atol=1e-6)


def test_it_survives_saving_opening_and_appending(head, take, raw: FacePerformance, tmp_path: Path) -> None:
    region(take, "mouth").gain = 0.5
    before = keyed(head)
    name = head.name
    file = str(tmp_path / "take.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    head = bpy.data.objects[name]
    assert take_of(head).expnet.regions["mouth"].gain == 0.5
    take_keys.apply_again(take_of(head))
    assert_same(keyed(head), before)

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(file) as (there, here):
        here.objects = [name]
    (head,) = here.objects
    bpy.context.scene.collection.objects.link(head)
    np.testing.assert_array_equal(takes.performance_of(head).translation, raw.translation)
    region(take_of(head).expnet, "mouth").gain = 1.0
    assert not np.array_equal(
        keyed(head)['key_blocks["mouthPress"].value', 0], before['key_blocks["mouthPress"].value', 0]
    )


def test_a_head_without_a_take_has_none(head) -> None:
    assert take_of(head) is None
    assert takes.performance_of(head) is None
    assert take_of(None) is None
    with pytest.raises(InputError, match="animate it from footage first"):
        takes.make_neutral(head, 1)


# Treated anew ---------------------------------------------------------------------------------------------------------


def test_a_change_is_applied_at_once(head, take, raw: FacePerformance) -> None:
    region(take, "brows").smoothing = 0.0
    region(take, "jaw").gain = 0.25
    expected = treated(raw, Treatment(smoothing={**HALF, "brows": 0.0}, gains={"jaw": 0.25}), open_bounds())
    np.testing.assert_allclose(eta_of(head), expected.eta[raw.seen], atol=1e-6)
    np.testing.assert_allclose(takes.treated_performance_of(head).eta, expected.eta, atol=1e-6)


def test_a_hidden_mouth_is_held_until_the_artist_turns_that_off(empty_scene, head, raw: FacePerformance) -> None:
    hidden = np.zeros(30)
    hidden[16:26] = 0.9
    read = _replaced(raw, mouth_hidden=hidden)
    takes.write_take(empty_scene, head, read, Treatment())
    take = take_of(head).expnet
    np.testing.assert_allclose(eta_of(head), treated(read, Treatment(), open_bounds()).eta[raw.seen], atol=1e-6)
    assert not np.allclose(eta_of(head), treated(raw, Treatment(), open_bounds()).eta[raw.seen], atol=1e-3)
    take.hold_mouth = False
    np.testing.assert_allclose(eta_of(head), treated(raw, Treatment(), open_bounds()).eta[raw.seen], atol=1e-6)


def test_a_take_that_is_written_without_the_hold_stays_so(empty_scene, head, raw: FacePerformance) -> None:
    takes.write_take(empty_scene, head, raw, Treatment(hold_mouth=False))
    assert take_of(head).expnet.hold_mouth is False


def test_changing_back_restores_the_keys(head, take) -> None:
    before = keyed(head)
    region(take, "head").smoothing = 0.0
    take.neutral = QUIETEST
    take.decimate = True
    assert len(keyed(head)["location", 0]) < len(before["location", 0])
    region(take, "head").smoothing = 0.5
    take.neutral = "SEEN"
    take.decimate = False
    assert_same(keyed(head), before)


def test_it_can_wait_for_the_button(head, take) -> None:
    before = keyed(head)
    take.live = False
    region(take, "mouth").gain = 0.0
    assert_same(keyed(head), before)
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.expnet.apply_again() == {"FINISHED"}
    assert not eta_of(head)[:, OPEN_KEYS.index("mouthPress")].any()


def test_the_face_at_the_current_frame_becomes_neutral(head, take, raw: FacePerformance) -> None:
    bpy.context.view_layer.objects.active = head
    bpy.context.scene.frame_set(6)
    assert bpy.ops.expnet.neutral_from_frame() == {"FINISHED"}
    assert (take.neutral, take.neutral_frame) == (FRAME, 5)
    expected = treated(raw, Treatment(neutral=FRAME, neutral_frame=5), open_bounds()).eta[raw.seen]
    np.testing.assert_allclose(eta_of(head), expected, atol=1e-6)
    assert (np.abs(expected[5]) < 1e-6).sum() > 10  # those that rest in the lower half of their range


def test_neutral_is_where_the_heads_own_face_rests(empty_scene, bfm_like, raw: FacePerformance) -> None:
    """In 3DDFA's basis zero is no face at rest: what undoes the model's offset is."""
    sigmas = _replaced(raw, expression_keys=bfm_like.expression_keys, basis=bfm_like.basis)
    empty_scene.render.fps = 25
    head = rig.create_rig(bfm_like)
    assert np.abs(bfm_like.rest).max() > 0.01
    takes.write_take(empty_scene, head, sigmas, Treatment(neutral=FRAME, neutral_frame=5))
    np.testing.assert_allclose(takes.treated_performance_of(head).eta[5], bfm_like.rest, atol=1e-6)
    bpy.context.scene.frame_set(6)
    shown = [head.data.shape_keys.key_blocks[key].value for key in bfm_like.expression_keys]
    np.testing.assert_allclose(shown, bfm_like.rest, atol=1e-5)


def test_a_frame_without_a_face_is_refused_in_one_line(head, take) -> None:
    before = keyed(head)
    with pytest.raises(InputError, match="no face in the clip at frame 12"):
        takes.make_neutral(head, 12)
    take.neutral_frame = 11
    take.neutral = FRAME
    assert "no face in frame 12" in take.note
    assert_same(keyed(head), before)


def test_two_takes_and_two_heads_do_not_mix(empty_scene, head, take, raw: FacePerformance, little_face) -> None:
    other = rig.create_rig(little_face)
    takes.write_take(empty_scene, other, raw, Treatment())
    first = take_of(head)
    takes.write_take(empty_scene, head, _replaced(raw, source="second.mp4"), Treatment())
    before = keyed(other), keyed(head)
    region(take_of(head).expnet, "mouth").gain = 0.0
    assert_same(keyed(other), before[0])
    region(first.expnet, "mouth").gain = 0.0  # its head shows another take: nothing to write
    assert not eta_of(head)[:, OPEN_KEYS.index("mouthPress")].any()
    assert first.expnet.regions["mouth"].smoothing == 0.5


def test_the_place_in_time_stays(empty_scene, head, raw: FacePerformance) -> None:
    empty_scene.frame_start = 101
    empty_scene.render.fps = 50
    takes.write_take(empty_scene, head, raw, Treatment())
    before = keyed(head)
    empty_scene.frame_start, empty_scene.render.fps = 1, 24
    take_keys.apply_again(take_of(head))
    assert_same(keyed(head), before)


def test_keys_that_the_artist_removed_are_left_out(head, take) -> None:
    head.shape_key_remove(head.data.shape_keys.key_blocks["cheekPuff"])
    region(take, "mouth").gain = 0.5
    assert take.note == ""


# Fewer keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "degrees", "millimetres"), [(0.01, 0.25, 0.5), (0.05, 2.0, 5.0)])
def test_fewer_keys_stay_within_the_errors_at_every_frame(head, take, key, degrees, millimetres) -> None:
    frames = np.arange(0, 33, 0.25)

    def shown() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        curves = [*compat.assigned_curves(head.data.shape_keys), *compat.assigned_curves(head)]
        values = {(c.data_path, c.array_index): np.array([c.evaluate(f) for f in frames]) for c in curves}
        quaternion = np.stack([values["rotation_quaternion", i] for i in range(4)], -1)
        return (
            np.stack([values[f'key_blocks["{k}"].value', 0] for k in OPEN_KEYS], -1),
            np.stack([values['["gaze_yaw"]', 0], values['["gaze_pitch"]', 0]], -1),
            np.stack([values["location", i] for i in range(3)], -1),
            quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True),
        )

    full = shown()
    take.bezier = False
    take.key_error, take.angle_error, take.place_error = key, np.radians(degrees), millimetres / 1000
    take.decimate = True
    eta, gaze, place, turn = (np.abs(a - b) for a, b in zip(shown(), full))
    assert eta.max() <= key
    assert gaze.max() <= np.radians(degrees)
    assert np.linalg.norm(place, axis=-1).max() <= millimetres / 1000
    angle = 2 * np.arccos(np.clip(np.abs((shown()[3] * full[3]).sum(-1)), 0, 1))
    assert angle.max() <= np.radians(degrees)
    left, _, before = take.note.split()[:3]
    assert int(left) == sum(map(len, keyed(head).values())) < int(before)


def test_each_key_is_switched_weakened_and_limited_for_itself(head, take, raw: FacePerformance) -> None:
    assert [key.name for key in take.key_settings] == list(OPEN_KEYS)
    before = keyed(head)
    jaw, press = take.key_settings["jawOpen"], take.key_settings["mouthPress"]
    assert (jaw.on, jaw.gain) == (True, 1.0) and (jaw.low, jaw.high) == (0.0, 1.0)
    jaw.gain, jaw.high, press.on = 0.5, 0.25, False
    after = keyed(head)
    changed = {path for path, keys in after.items() if not np.array_equal(keys, before[path])}
    assert changed == {('key_blocks["jawOpen"].value', 0), ('key_blocks["mouthPress"].value', 0)}
    assert after['key_blocks["jawOpen"].value', 0][:, 1].max() <= 0.25
    assert not after['key_blocks["mouthPress"].value', 0][:, 1].any()
    jaw.gain, jaw.high, press.on = 1.0, 1.0, True
    assert_same(keyed(head), before)


def test_with_x_mirror_a_key_s_partner_changes_too(head, take, raw: FacePerformance, registered: None) -> None:
    keys, settings = take.key_settings, bpy.context.scene.expnet
    left, right = keys["mouthSmile_L"], keys["mouthSmile_R"]
    left.gain = 0.5
    assert right.gain == 1.0  # off by default
    settings.x_mirror = True
    before = keyed(head)
    right.gain, left.high, keys["lid_R"].on = 0.25, 0.75, False
    assert (left.gain, right.high, keys["lid_L"].on) == (0.25, 0.75, False)
    after = keyed(head)
    changed = {path for path, keys in after.items() if not np.array_equal(keys, before[path])}
    sides = [f"{name}_{side}" for name in ("mouthSmile", "lid") for side in "LR"]
    assert changed == {(f'key_blocks["{name}"].value', 0) for name in sides}
    keys["jawOpen"].gain = 0.5  # has no partner
    right.gain = 0.5
    tuning = take.tuning()
    tuning["keys"]["mouthSmile_L"] = (True, 0.125, 0.0, 1.0)
    take.tune(tuning)  # a preset has values for both sides
    assert (left.gain, right.gain) == (0.125, 0.5)


def test_neutral_can_be_a_range_of_frames(head, take, raw: FacePerformance) -> None:
    take.neutral_number, take.neutral_last_number, take.neutral = 3, 9, "RANGE"
    wanted = Treatment(HALF, "RANGE", 2, neutral_last=8)
    np.testing.assert_allclose(eta_of(head), treated(raw, wanted, open_bounds()).eta[raw.seen], atol=1e-6)
    assert take.note == ""


def test_the_next_take_of_the_clip_keeps_keys_and_range(empty_scene, head, take, raw: FacePerformance) -> None:
    take.key_settings["jawOpen"].gain, take.key_settings["mouthPress"].on = 0.5, False
    take.neutral_frame, take.neutral_last, take.neutral = 2, 8, "RANGE"
    before, tuned = keyed(head), takes.tuned_settings(take_of(head))
    takes.write_take(empty_scene, head, raw, Treatment(HALF))
    takes.tune(head, tuned)
    assert_same(keyed(head), before)


def test_fewer_keys_with_handles_stay_within_the_errors_and_say_so(head, take, raw: FacePerformance) -> None:
    assert take.bezier, "new takes have handles"
    frames = np.flatnonzero(raw.seen) + 1

    def shown() -> np.ndarray:
        return np.array([[c.evaluate(f) for f in frames] for c in compat.assigned_curves(head.data.shape_keys)])

    full, every = shown(), keyed(head)
    take.key_error, take.bezier = 0.03, False
    take.decimate = True
    straight = int(take.note.split()[0])
    take.bezier = True
    assert np.abs(shown() - full).max() <= 0.03
    assert int(take.note.split()[0]) < straight
    assert take.note.splitlines()[1] == ("No curve is farther from the full one than 0.03 of a slider, 0.25° or 0.5 mm")
    point = compat.assigned_curves(head.data.shape_keys).find('key_blocks["jawOpen"].value').keyframe_points[1]
    assert (point.interpolation, point.handle_left_type, point.handle_right_type) == ("BEZIER", "FREE", "FREE")
    take.decimate = False
    assert_same(keyed(head), every)
    assert {point.interpolation for point in compat.assigned_curves(head)[0].keyframe_points} == {"LINEAR"}


def test_handles_that_the_artist_moved_stay_and_others_follow_the_settings(head, take) -> None:
    take.key_error, take.decimate = 0.03, True
    jaw = 'key_blocks["jawOpen"].value'

    def points():
        return compat.assigned_curves(head.data.shape_keys).find(jaw).keyframe_points

    def handle_at(frame: float) -> tuple[float, float] | None:
        return next((tuple(p.handle_right - p.co) for p in points() if p.co[0] == frame), None)

    mine = points()[1]
    frame, value = tuple(mine.co)
    mine.handle_right = (frame + 0.5, value + 0.2)
    for gain in (0.5, 0.25, 1.0):
        region(take, "jaw").gain = gain
        assert handle_at(frame) == pytest.approx((0.5, 0.2), abs=1e-5), "also where the key would be left out"
        at = next(p.co[1] for p in points() if p.co[0] == frame)
        assert at == pytest.approx(value * gain), "its value follows the settings"
        assert not take_keys.is_edited(head)
    take_keys.apply_again(take_of(head), discard=True)
    assert handle_at(frame) != pytest.approx((0.5, 0.2), abs=1e-2)

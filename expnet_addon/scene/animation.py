"""Write a performance as F-curves, in bulk.

A take is one action (two before Blender 4.4, where an action has no slots). The action has its clip's name and a custom
property that marks it as ExpNet's. Capturing the same clip again replaces that action. Other actions are never edited:
they are unassigned and kept.

Where the footage is shown, keys lie frame for frame: frame n of the clip is keyed at the scene's start + n, where
Blender shows it behind the head at any scene rate. Without footage, keys lie at the clip's times. Frames without a
detected face get no keys. Keys between whole frames can be resampled to whole frames.

A take that is written again keeps the keys that the artist changed, see ``hand_edits``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy
import numpy as np

from ...model.array_types import BoolArray, FloatArray, IntArray
from ...model.errors import InputError
from ...model.performance.decimate import kept_keys
from ...model.performance.face_performance import FacePerformance, runs
from .. import compat
from . import hand_edits, keyframes
from .coordinates import continuous, object_pose
from .current_take import HEAD_ID, TAKE, TAKE_HEAD, is_of
from .hand_edits import Written
from .rig import expression_keys, model_keys, set_expression

POSES = "poses"
LOW_CONFIDENCE = 0.5  # keys of frames below it are breakdowns


@dataclass(frozen=True)
class Take:
    """The result of ``key_performance``.

    action        name of the action (of the expression's action, where there are two)
    frame_start, frame_end   scene frames of the performance's first and last frame; fractional when the rates differ
    keyed         number of clip frames that got keys
    missing       (first, last) ranges of the clip's frames (0-based, inclusive) without a face
    written       the keys as they were generated
    """

    action: str
    frame_start: float
    frame_end: float
    keyed: int
    missing: tuple[tuple[int, int], ...]
    written: Written | None = None


def rate_report(scene: bpy.types.Scene, performance: FacePerformance) -> str:
    """Return a line if the scene's rate differs from the clip's, else an empty string."""
    if abs(scene_fps(scene) - performance.fps) < 1e-3 * performance.fps:
        return ""
    return (
        f"The scene plays {scene_fps(scene):g} frames a second, the clip {performance.fps:g}: "
        "it is keyed frame for frame, at another speed and without sound"
    )


def take_report(take: Take, frames: int) -> str:
    """Return a line on the keyed frames, and a line on the frames without a face."""
    keyed = f"{take.keyed} of {frames} frames keyed, {take.frame_start:.0f} to {take.frame_end:.0f}"
    if not take.missing:
        return keyed
    start = round(take.frame_start)
    gaps = ", ".join(f"{start + a} to {start + b}" if b > a else f"{start + a}" for a, b in take.missing)
    return f"{keyed}\nNo face in frames {gaps}"


def scene_fps(scene: bpy.types.Scene) -> float:
    """Return the scene's frame rate, ``fps`` divided by ``fps_base``."""
    rate: float = scene.render.fps / scene.render.fps_base
    return rate


def set_scene_fps(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene to a clip's rate. Common fractional rates are exact: 29.97 becomes 30 / 1.001."""
    if not 0.01 <= fps <= 32000:
        raise InputError(f"{fps:g} frames per second is not a rate that a scene can have")
    for base in (1.0, 1.001):
        whole = round(fps * base)
        if whole >= 1 and abs(whole / base - fps) < 1e-4:
            scene.render.fps, scene.render.fps_base = whole, base
            return
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


def scene_frames(
    scene: bpy.types.Scene, performance: FacePerformance, start_frame: float | None = None, timed: bool = False
) -> FloatArray:
    """Return the scene frames (F,) of the performance's frames.

    The first lies at ``start_frame`` (default: the scene's first frame). The others follow frame for frame, as Blender
    shows footage. With ``timed`` they lie at the performance's times at the scene's rate, for takes without footage.
    """
    start = float(scene.frame_start if start_frame is None else start_frame)
    if not timed or abs(scene_fps(scene) - performance.fps) < 1e-4:
        by_frame: FloatArray = start + performance.frames - performance.frames[0]
        return by_frame
    times = np.asarray(performance.times, float)
    by_time: FloatArray = start + (times - times[0]) * scene_fps(scene)
    return by_time


def key_performance(
    head: bpy.types.Object,
    performance: FacePerformance,
    scene: bpy.types.Scene,
    start_frame: float | None = None,
    timed: bool = False,
    source_times: bool = True,
    keep: bool = False,
) -> Take:
    """Key the head with a performance: expression, gaze, location and rotation.

    start_frame   scene frame of the performance's first frame (default: the scene's first frame)
    timed         keys lie at the performance's times, see ``scene_frames``
    source_times  False: keys that would lie between whole frames are resampled to whole frames
    keep          an earlier take of the same clip is kept

    Identity (``rig.apply_alpha``) and the scene's range and rate (``set_frame_range``, ``set_scene_fps``) stay as they
    are. Raises InputError if the performance's basis differs from the head's, or if it has no frame with a face.
    """
    _columns(head, performance)  # raises InputError for another basis
    seen = performance.seen
    if not seen.any():
        raise InputError(f"no face was seen in {performance.source}: there is nothing to key")
    all_frames = scene_frames(scene, performance, start_frame, timed)
    clip_frames = np.rint(performance.frames - performance.frames[0])
    keys = head.data.shape_keys
    (action, key_curves), (_, head_curves) = _new_take(
        head, _clip_name(performance.source), performance.source, [keys, head], keep
    )
    made = _generated(_channels(head, performance), performance, all_frames, source_times)
    for channel in made.channels:
        curve = channel.made_curve((key_curves, head_curves))
        keyframes.write_keys(curve, keyframes.linear_keys(made.frames, channel.values, made.types))
    head.rotation_mode = "QUATERNION"
    keys.update_tag()
    head.update_tag()
    return Take(
        action.name,
        float(all_frames[0]),
        float(all_frames[-1]),
        int(seen.sum()),
        tuple((int(clip_frames[a]), int(clip_frames[b])) for a, b in runs(~seen)),
        made.written(np.ones((len(made.channels), len(made.frames)), bool)),
    )


@dataclass(frozen=True)
class Errors:
    """The largest errors of decimated curves.

    key    expression keys, in units of the slider
    angle  gaze and head rotation, in radians
    place  head location, in metres
    smooth  the keys have Bézier handles; else straight lines run between them
    """

    key: float
    angle: float
    place: float
    smooth: bool = False


@dataclass(frozen=True)
class Rewritten:
    """The result of ``rewrite``: the number of generated keys, the number without decimation, and the keys."""

    keys: int
    undecimated: int
    written: Written


def rewrite(
    head: bpy.types.Object,
    performance: FacePerformance,
    all_frames: FloatArray,
    errors: Errors | None = None,
    source_times: bool = True,
    last: Written | None = None,
) -> Rewritten:
    """Replace the keys of the head's current take by those of ``performance`` at scene frames ``all_frames`` (F,).

    errors        the curves are decimated to as few keys as stay within them
    source_times  as in ``key_performance``
    last          the keys as they were generated last. Only curves whose generated keys change are written, and the
                  artist's edits stay. Without it, all keys are replaced.

    Raises InputError if the performance's basis differs from the head's, or if the head has no take by ExpNet.
    """
    made = _generated(_channels(head, performance), performance, all_frames, source_times)
    curves = current_curves(head)
    kept = _decimated(made, errors)
    written = made.written(kept, smooth=errors is not None and errors.smooth)
    if last is None:
        for channel in made.channels:
            row = written.row(channel.name)
            assert row is not None
            keyframes.write_keys(channel.made_curve(curves), row.keys(made.types)[row.kept])
    else:
        for i, channel in enumerate(made.channels):
            written.removed[i], written.kept[i] = _update(channel, curves, last, written, made.types)
    head.data.shape_keys.update_tag()
    head.update_tag()
    return Rewritten(int(kept.sum()), kept.size, written)


def _update(
    channel: _Channel, curves: tuple[Any, Any], last: Written, written: Written, types: IntArray
) -> tuple[BoolArray, BoolArray]:
    """Write one curve with the artist's edits. Returns its removed and its kept keys, (F,) bool of ``written``."""
    new, old = written.row(channel.name), last.row(channel.name)
    assert new is not None
    curve = channel.curve(curves)
    if old is None:
        curve = channel.made_curve(curves)
        keyframes.write_keys(curve, new.keys(types)[new.kept])
        return new.removed, new.kept
    if curve is None:  # the artist removed the curve
        return np.ones(len(new.frames), bool), new.kept
    unchanged = np.array_equal(old.frames, new.frames) and np.array_equal(old.kept, new.kept)
    if unchanged and old.smooth == new.smooth and np.array_equal(old.values, new.values):
        return hand_edits.removed_keys(keyframes.coordinates(curve), old), new.kept
    if not hand_edits.has_edits(keyframes.coordinates(curve), old) and _is_as_generated(curve, old):
        keyframes.write_keys(curve, new.keys(types)[new.kept])
        return new.removed, new.kept
    keys, removed, kept = hand_edits.merged(keyframes.read_keys(curve), old, new, types)
    keyframes.write_keys(curve, keys)
    return removed, kept


def _is_as_generated(curve: Any, old: hand_edits.Row) -> bool:
    """Return whether a curve without edited values has no edited interpolation or handles either."""
    if old.smooth:
        return hand_edits.is_as_generated(keyframes.read_keys(curve), old)
    return keyframes.is_plain(curve)


def _decimated(made: _Generated, errors: Errors | None) -> BoolArray:
    """Return the keys to write, (C, F) bool: all without ``errors``."""
    if errors is None:
        return np.ones((len(made.channels), len(made.frames)), bool)
    values = np.stack([c.values for c in made.channels])
    return kept_keys(made.frames, values, _bounds(made.channels, errors), errors.smooth)


def recognised(
    head: bpy.types.Object, performance: FacePerformance, all_frames: FloatArray, errors: Errors | None = None
) -> Written | None:
    """Return the generated keys among those of the head's current take, which was written by an earlier version.

    Arguments as for ``rewrite``. Returns None if fewer than half of the generated keys are in the scene.
    """
    made = _generated(_channels(head, performance), performance, all_frames, True)
    written, curves, same = made.written(_decimated(made, errors)), current_curves(head), 0
    for i, channel in enumerate(made.channels):
        curve = channel.curve(curves)
        if curve is None or not len(written.frames):
            continue
        co = keyframes.coordinates(curve)
        at = hand_edits.nearest(written.frames, co[:, 0])
        close = (np.abs(written.frames[at] - co[:, 0]) <= hand_edits.SAME_FRAME) & written.kept[i, at]
        close &= np.abs(written.values[i, at] - co[:, 1]) <= 1e-4
        written.values[i, at[close]] = co[close, 1]
        same += int(close.sum())
    return written if 2 * same >= written.kept.sum() else None


def is_edited(head: bpy.types.Object, written: Written, curves: tuple[Any, Any]) -> bool:
    """Return whether the artist changed a take since it was generated; ``curves`` of the shape keys and the head."""
    for channel in _places(head, written):
        row = written.row(channel.name)
        curve = channel.curve(curves)
        assert row is not None
        if curve is None or hand_edits.has_edits(keyframes.coordinates(curve), row):
            return True
    return False


def moved_by(head: bpy.types.Object, written: Written, curves: tuple[Any, Any]) -> float:
    """Return by how many frames the artist moved the whole take: 0 unless all keys of all curves moved alike."""
    found: set[float] = set()
    for channel in _places(head, written):
        row = written.row(channel.name)
        curve = channel.curve(curves)
        assert row is not None
        frames = row.frames[row.kept & ~row.removed]
        if curve is None or len(curve.keyframe_points) != len(frames) or not len(frames):
            return 0.0
        offsets = np.round(keyframes.coordinates(curve)[:, 0] - frames, 2)
        found |= set(offsets[[0, -1]].tolist())
        if len(found) > 1 or (offsets != offsets[0]).any():
            return 0.0
    return float(found.pop()) if found else 0.0


@dataclass(frozen=True)
class _Place:
    """A curve: ``path``[``index``] of the shape keys or of the head."""

    of_keys: bool
    path: str
    index: int

    @property
    def name(self) -> str:
        """Return the curve's name in ``Written``."""
        return f"{'key' if self.of_keys else 'head'} {self.index} {self.path}"

    def curve(self, curves: tuple[Any, Any]) -> Any | None:
        """Return the curve among those of the shape keys and of the head, or None."""
        return self._collection(curves).find(self.path, index=self.index)

    def made_curve(self, curves: tuple[Any, Any]) -> Any:
        """Return the curve, a new one if there is none."""
        return self.curve(curves) or self._collection(curves).new(self.path, index=self.index)

    def _collection(self, curves: tuple[Any, Any]) -> Any:
        return curves[0] if self.of_keys else curves[1]


def _places(head: bpy.types.Object, written: Written) -> list[_Place]:
    """Return the curves of ``written``, without those of shape keys that the head lost."""
    places = []
    for name in written.names:
        of, index, path = name.split(" ", 2)
        places.append(_Place(of == "key", path, int(index)))
    there = {_value_path(key) for key in expression_keys(head)}
    return [place for place in places if not place.of_keys or place.path in there]


def current_curves(head: bpy.types.Object) -> tuple[Any, Any]:
    """Return the curves of the shape keys and of the head. Raises InputError if they are not of a take by ExpNet."""
    curves = compat.assigned_curves(head.data.shape_keys), compat.assigned_curves(head)
    if not (_is_ours(head.data.shape_keys) and _is_ours(head)) or None in curves:
        raise InputError(f"{head.name!r} does not show its take any more: assign the take's action to it again")
    return curves


def key_expression(
    head: bpy.types.Object,
    eta: FloatArray | Mapping[str, float],
    gaze: FloatArray | None,
    frame: float,
) -> str:
    """Key one expression (as ``rig.set_expression`` takes it) at ``frame``, and show it. Returns the action's name.

    The keys go into the head's current action if ExpNet made it, else into a new action ``<head> poses``. An artist's
    action is unassigned and kept.
    """
    set_expression(head, eta, gaze)
    keys = head.data.shape_keys
    if not (_is_ours(keys) and _is_ours(head)):
        _new_take(head, f"{head.name} {POSES}", POSES, [keys, head])
    curves = compat.assigned_curves(keys)
    for name in expression_keys(head):
        _insert(curves, _value_path(name), frame, keys.key_blocks[name].value)
    if gaze is not None:
        curves = compat.assigned_curves(head)
        for name, value in zip(("gaze_yaw", "gaze_pitch"), gaze, strict=True):
            _insert(curves, f'["{name}"]', frame, float(value))
    return str(keys.animation_data.action.name)


def key_value(head: bpy.types.Object, name: str, value: float, frame: float) -> None:
    """Set one expression key of a head that plays a take, and key it at ``frame``. The slider's range limits it."""
    keys = head.data.shape_keys
    block = keys.key_blocks[name]
    block.value = value  # Blender clamps it
    _insert(compat.assigned_curves(keys), _value_path(name), frame, block.value)
    head.update_tag()


def set_frame_range(scene: bpy.types.Scene, take: Take) -> None:
    """Set the scene's frame range to the take's, with the current frame inside."""
    scene.frame_start = int(np.floor(take.frame_start + 1e-4))
    scene.frame_end = max(scene.frame_start, int(np.ceil(take.frame_end - 1e-4)))
    if not scene.frame_start <= scene.frame_current <= scene.frame_end:
        scene.frame_set(scene.frame_start)


def _columns(head: bpy.types.Object, performance: FacePerformance) -> dict[str, int]:
    """Return the head's expression keys and their columns in the performance."""
    if performance.basis != head["expnet_basis"] or list(performance.expression_keys) != model_keys(head):
        raise InputError(
            f"the performance has expression basis {performance.basis!r}, {head.name!r} has {head['expnet_basis']!r}: "
            "use the estimator of the head's own basis"
        )
    order = {key: i for i, key in enumerate(performance.expression_keys)}
    return {key: order[key] for key in expression_keys(head)}


def _clip_name(source: str) -> str:
    return Path(source).stem or Path(source).name or "take"


def _is_ours(block: bpy.types.ID) -> bool:
    data = block.animation_data
    return data is not None and data.action is not None and TAKE in data.action


def _new_take(
    head: bpy.types.Object, name: str, take: str, blocks: list[bpy.types.ID], keep: bool = False
) -> list[tuple[bpy.types.Action, Any]]:
    """Make empty actions for the take, replacing its earlier ones unless ``keep``.

    Other actions are unassigned and kept.
    """
    identity = own_id(head)
    for block in blocks:
        data = block.animation_data
        if data is not None and data.action is not None:
            if keep or data.action.get(TAKE) != take or not is_of(head, data.action):
                data.action.use_fake_user = True  # Blender does not save an action without users
            data.action = None
    for action in [] if keep else list(bpy.data.actions):
        ours = action.get(TAKE) == take and is_of(head, action)
        if ours and action.users == int(action.use_fake_user):  # an action in an NLA strip is kept
            bpy.data.actions.remove(action)
    made = compat.new_actions(name, blocks)
    for action, _ in made:
        action[TAKE] = take
        action[TAKE_HEAD] = head.name
        action[HEAD_ID] = identity
    return made


def own_id(head: bpy.types.Object) -> str:
    """Return the head's identifier, which its takes store. A copy of a head gets a new one."""
    known = head.get(HEAD_ID)
    if known is None or any(each != head and each.get(HEAD_ID) == known for each in bpy.data.objects):
        head[HEAD_ID] = uuid4().hex
    return str(head[HEAD_ID])


@dataclass(frozen=True, eq=False)
class _Channel(_Place):
    """A curve of a performance.

    ``values`` (N,) are those of its keys. ``error`` names the field of ``Errors`` that bounds the curve, and the share
    of it.
    """

    values: FloatArray
    error: tuple[str, float]


@dataclass(frozen=True, eq=False)
class _Generated:
    """The keys of a performance before decimation, at scene ``frames`` (F,), with their keyframe ``types`` (F,)."""

    channels: list[_Channel]
    frames: FloatArray
    types: IntArray

    def written(self, kept: BoolArray, smooth: bool = False) -> Written:
        """Return what is written with the keys ``kept`` (C, F), with Bézier handles if ``smooth``."""
        values = np.stack([channel.values for channel in self.channels]).astype(np.float32)
        names = tuple(channel.name for channel in self.channels)
        return Written(names, self.frames.astype(np.float32), values, kept, np.zeros_like(kept), smooth)


def _generated(
    channels: list[_Channel], performance: FacePerformance, all_frames: FloatArray, source_times: bool
) -> _Generated:
    """Place the channels' values, one for each frame with a face, at scene frames."""
    seen = performance.seen
    frames, confidence = all_frames[seen], performance.confidence[seen]
    if not source_times and (np.abs(frames - np.rint(frames)) > 1e-3).any():
        whole = _whole_frames(all_frames, seen)
        channels = [replace(c, values=np.interp(whole, frames, c.values)) for c in channels]
        frames, confidence = whole, np.interp(whole, frames, confidence)
    types = np.where(confidence < LOW_CONFIDENCE, keyframes.BREAKDOWN, keyframes.GENERATED)
    return _Generated(channels, frames, types)


def _whole_frames(all_frames: FloatArray, seen: BoolArray) -> FloatArray:
    """Return the whole frames that lie between two neighbouring frames with a face, or nearest to a single one."""
    frames = np.arange(np.floor(all_frames[0]), np.ceil(all_frames[-1]) + 1)
    after = np.clip(np.searchsorted(all_frames, frames), 0, len(all_frames) - 1)
    before = np.where(all_frames[after] > frames, np.maximum(after - 1, 0), after)
    inside = (frames >= all_frames[0] - 1e-3) & (frames <= all_frames[-1] + 1e-3)
    chosen = frames[inside & seen[before] & seen[after]]
    whole: FloatArray = chosen if len(chosen) else np.unique(np.rint(all_frames[seen]))
    return whole


def _channels(head: bpy.types.Object, performance: FacePerformance) -> list[_Channel]:
    seen = performance.seen
    channels = [
        _Channel(True, _value_path(name), 0, performance.eta[seen, column], ("key", 1.0))
        for name, column in _columns(head, performance).items()
    ]
    for i, name in enumerate(("gaze_yaw", "gaze_pitch")):
        channels.append(_Channel(False, f'["{name}"]', 0, performance.gaze[seen, i], ("angle", 1.0)))
    location, quaternion = object_pose(performance.rotation[seen], performance.translation[seen])
    for i, values in enumerate(location.T):
        channels.append(_Channel(False, "location", i, values, ("place", 1 / np.sqrt(3))))
    # An error of e in each of the four components rotates the head by at most 4 e.
    for i, values in enumerate(continuous(quaternion).T):
        channels.append(_Channel(False, "rotation_quaternion", i, values, ("angle", 0.25)))
    return channels


def _bounds(channels: Sequence[_Channel], errors: Errors) -> FloatArray:
    """Return the largest error of each curve (C,), less the rounding error of Blender's 32-bit floats."""
    rounding = np.array([np.abs(channel.values).max() for channel in channels]) * 1e-6
    allowed = np.array([getattr(errors, channel.error[0]) * channel.error[1] for channel in channels])
    bounds: FloatArray = np.maximum(allowed - rounding, 0)
    return bounds


def _value_path(key: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def _insert(curves: Any, path: str, frame: float, value: float) -> None:
    curve = curves.find(path) or curves.new(path)
    curve.keyframe_points.insert(frame, value, options={"FAST"})
    curve.update()

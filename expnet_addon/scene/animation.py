"""Write a performance as F-curves, in bulk.

A take is one action (two before Blender 4.4, where an action has no slots). The action has its clip's name and a custom
property that marks it as ExpNet's. Capturing the same clip again replaces that action. Other actions are never edited:
they are unassigned and kept.

Where the footage is shown, keys lie frame for frame: frame n of the clip is keyed at the scene's start + n, where
Blender shows it behind the head at any scene rate. Without footage, keys lie at the clip's times. Frames without a
detected face get no keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.errors import InputError
from ...model.performance.decimate import kept_keys
from ...model.performance.face_performance import FacePerformance, runs
from .. import compat
from .coordinates import continuous, object_pose
from .rig import expression_keys, model_keys, set_expression

TAKE = "expnet_take"  # custom property of an action: its clip, or POSES
TAKE_HEAD = "expnet_head"  # custom property of an action: its head
POSES = "poses"


@dataclass(frozen=True)
class Take:
    """The result of ``key_performance``.

    action        name of the action (of the expression's action, where there are two)
    frame_start, frame_end   scene frames of the performance's first and last frame; fractional when the rates differ
    keyed         number of clip frames that got keys
    missing       (first, last) ranges of the clip's frames (0-based, inclusive) without a face
    """

    action: str
    frame_start: float
    frame_end: float
    keyed: int
    missing: tuple[tuple[int, int], ...]


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
    return scene.render.fps / scene.render.fps_base


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
) -> np.ndarray:
    """Return the scene frames (F,) of the performance's frames.

    The first lies at ``start_frame`` (default: the scene's first frame). The others follow frame for frame, as Blender
    shows footage. With ``timed`` they lie at the performance's times at the scene's rate, for takes without footage.
    """
    start = float(scene.frame_start if start_frame is None else start_frame)
    if not timed or abs(scene_fps(scene) - performance.fps) < 1e-4:
        return start + performance.frames - performance.frames[0]
    times = np.asarray(performance.times, float)
    return start + (times - times[0]) * scene_fps(scene)


def key_performance(
    head: bpy.types.Object,
    performance: FacePerformance,
    scene: bpy.types.Scene,
    start_frame: float | None = None,
    timed: bool = False,
) -> Take:
    """Key the head with a performance: expression, gaze, location and rotation.

    start_frame  scene frame of the performance's first frame (default: the scene's first frame)
    timed        keys lie at the performance's times, see ``scene_frames``

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
        head, _clip_name(performance.source), performance.source, [keys, head]
    )
    for channel in _channels(head, performance):
        _write(key_curves if channel.of_keys else head_curves, channel, all_frames[seen])
    head.rotation_mode = "QUATERNION"
    keys.update_tag()
    head.update_tag()
    return Take(
        action.name,
        float(all_frames[0]),
        float(all_frames[-1]),
        int(seen.sum()),
        tuple((int(clip_frames[a]), int(clip_frames[b])) for a, b in runs(~seen)),
    )


@dataclass(frozen=True)
class Errors:
    """The largest errors of decimated curves.

    key    expression keys, in units of the slider
    angle  gaze and head rotation, in radians
    place  head location, in metres
    """

    key: float
    angle: float
    place: float


def rewrite(
    head: bpy.types.Object, performance: FacePerformance, all_frames: np.ndarray, errors: Errors | None = None
) -> tuple[int, int]:
    """Replace the keys of the head's current take by those of ``performance`` at scene frames ``all_frames`` (F,).

    With ``errors`` the curves are decimated to as few keys as stay within them. Returns the number of keys written, and
    the number without decimation. Raises InputError if the performance's basis differs from the head's, or if the head
    has no take by ExpNet.
    """
    channels = _channels(head, performance)
    curves = compat.assigned_curves(head.data.shape_keys), compat.assigned_curves(head)
    if not (_is_ours(head.data.shape_keys) and _is_ours(head)) or None in curves:
        raise InputError(f"{head.name!r} does not show its take any more: assign the take's action to it again")
    frames = all_frames[performance.seen]
    kept = np.ones((len(channels), len(frames)), bool)
    if errors is not None:
        kept = kept_keys(frames, np.stack([c.values for c in channels]), _bounds(channels, errors))
    for channel, keys in zip(channels, kept, strict=True):
        _write(curves[0] if channel.of_keys else curves[1], channel, frames, keys)
    head.data.shape_keys.update_tag()
    head.update_tag()
    return int(kept.sum()), kept.size


def key_expression(
    head: bpy.types.Object,
    eta: np.ndarray | Mapping[str, float],
    gaze: np.ndarray | None,
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
    return keys.animation_data.action.name


def set_frame_range(scene: bpy.types.Scene, take: Take) -> None:
    """Set the scene's frame range to the take's."""
    scene.frame_start = int(np.floor(take.frame_start + 1e-4))
    scene.frame_end = max(scene.frame_start, int(np.ceil(take.frame_end - 1e-4)))


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
    head: bpy.types.Object, name: str, take: str, blocks: list[bpy.types.ID]
) -> list[tuple[bpy.types.Action, Any]]:
    """Make empty actions for the take, replacing its earlier ones. Other actions are unassigned and kept."""
    for block in blocks:
        data = block.animation_data
        if data is not None and data.action is not None:
            if (data.action.get(TAKE), data.action.get(TAKE_HEAD)) != (take, head.name):
                data.action.use_fake_user = True  # Blender does not save an action without users
            data.action = None
    for action in list(bpy.data.actions):
        ours = action.get(TAKE) == take and action.get(TAKE_HEAD) == head.name and action.library is None
        if ours and action.users == int(action.use_fake_user):  # an action in an NLA strip is kept
            bpy.data.actions.remove(action)
    made = compat.new_actions(name, blocks)
    for action, _ in made:
        action[TAKE] = take
        action[TAKE_HEAD] = head.name
    return made


@dataclass(frozen=True, eq=False)
class _Channel:
    """A curve of a performance, for ``path``[``index``] of the shape keys or of the head.

    ``values`` (N,) are those at the frames with a face. ``error`` names the field of ``Errors`` that bounds the curve,
    and the share of it.
    """

    of_keys: bool
    path: str
    index: int
    values: np.ndarray
    error: tuple[str, float]


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


def _bounds(channels: Sequence[_Channel], errors: Errors) -> np.ndarray:
    """Return the largest error of each curve (C,), less the rounding error of Blender's 32-bit floats."""
    rounding = np.array([np.abs(channel.values).max() for channel in channels]) * 1e-6
    allowed = np.array([getattr(errors, channel.error[0]) * channel.error[1] for channel in channels])
    return np.maximum(allowed - rounding, 0)


def _value_path(key: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def _write(curves: Any, channel: _Channel, frames: np.ndarray, kept: np.ndarray | slice = slice(None)) -> None:
    """Write the channel's curve with linear interpolation between its ``kept`` values. Makes the curve if needed."""
    curve = curves.find(channel.path, index=channel.index) or curves.new(channel.path, index=channel.index)
    points = curve.keyframe_points
    points.clear()
    co = np.stack([frames[kept], channel.values[kept]], -1).astype(np.float32)
    points.add(len(co))
    points.foreach_set("co", co.ravel())
    points.foreach_set("interpolation", np.full(len(co), _LINEAR, np.int32))
    curve.update()


def _insert(curves: Any, path: str, frame: float, value: float) -> None:
    curve = curves.find(path) or curves.new(path)
    curve.keyframe_points.insert(frame, value, options={"FAST"})
    curve.update()

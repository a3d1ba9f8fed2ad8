"""A performance as F-curves, written in bulk.

Design notes: one take, one action (two before Blender 4.4, where an action has no slots), named after its clip and
marked as ours. Running the same clip again replaces that action; an action that is not ours is never edited, only
unassigned and kept. Keys lie at the clip's own times mapped to the scene's true frame rate, so fractional frames are
normal. Frames in which no face was seen get no keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..model.errors import InputError
from ..model.performance import FacePerformance, runs
from . import compat
from .coordinates import continuous, object_pose
from .rig import expression_keys, model_keys, set_expression

TAKE = "expnet_take"  # on an action: which clip (or POSES) it holds
TAKE_HEAD = "expnet_head"  # and for which head
POSES = "poses"


@dataclass(frozen=True)
class Take:
    """What ``key_performance`` wrote.

    action        name of the action (of the expression's, where there are two)
    frame_start, frame_end   scene frames of the performance's first and last frame; fractional when the rates differ
    keyed         number of clip frames that got keys
    missing       (first, last) ranges of the performance's frames (0-based, inclusive) without a face
    """

    action: str
    frame_start: float
    frame_end: float
    keyed: int
    missing: tuple[tuple[int, int], ...]


def scene_fps(scene: bpy.types.Scene) -> float:
    """The true frame rate: Blender divides ``fps`` by ``fps_base``."""
    return scene.render.fps / scene.render.fps_base


def set_scene_fps(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene to a clip's rate, with the usual fractions exact: 29.97 becomes 30 / 1.001."""
    if not 0.01 <= fps <= 32000:
        raise InputError(f"{fps:g} frames per second is not a rate that a scene can have")
    for base in (1.0, 1.001):
        whole = round(fps * base)
        if whole >= 1 and abs(whole / base - fps) < 1e-4:
            scene.render.fps, scene.render.fps_base = whole, base
            return
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


def scene_frames(scene: bpy.types.Scene, performance: FacePerformance, start_frame: float | None = None) -> np.ndarray:
    """(F,) where the performance's frames lie in the scene: its first at ``start_frame``, or the scene's first."""
    start = float(scene.frame_start if start_frame is None else start_frame)
    times = np.asarray(performance.times, float)
    return start + (times - times[0]) * scene_fps(scene)


def key_performance(
    head: bpy.types.Object, performance: FacePerformance, scene: bpy.types.Scene, start_frame: float | None = None
) -> Take:
    """Key the head with a performance: expression, gaze, location and rotation.

    start_frame  where the performance's first frame goes (default: the scene's first frame)

    The identity is not touched (``rig.apply_alpha``), nor the scene's range and rate (``set_scene_fps``,
    ``set_frame_range``). Raises InputError when the performance has another basis than the head, or no face at all.
    """
    columns = _columns(head, performance)
    seen = performance.seen
    if not seen.any():
        raise InputError(f"no face was seen in {performance.source}: there is nothing to key")
    all_frames = scene_frames(scene, performance, start_frame)
    frames = all_frames[seen]
    location, quaternion = object_pose(performance.rotation[seen], performance.translation[seen])
    quaternion = continuous(quaternion)

    keys = head.data.shape_keys
    (action, key_curves), (_, head_curves) = _new_take(
        head, _clip_name(performance.source), performance.source, [keys, head]
    )
    for name, column in columns.items():
        _write(key_curves, f'key_blocks["{bpy.utils.escape_identifier(name)}"].value', 0, frames,
               performance.eta[seen, column])  # fmt: skip
    for i, name in enumerate(("gaze_yaw", "gaze_pitch")):
        _write(head_curves, f'["{name}"]', 0, frames, performance.gaze[seen, i])
    head.rotation_mode = "QUATERNION"
    for i in range(3):
        _write(head_curves, "location", i, frames, location[:, i])
    for i in range(4):
        _write(head_curves, "rotation_quaternion", i, frames, quaternion[:, i])
    keys.update_tag()
    head.update_tag()
    return Take(
        action.name, float(all_frames[0]), float(all_frames[-1]), int(seen.sum()), tuple(runs(~performance.seen))
    )


def key_expression(
    head: bpy.types.Object,
    eta: np.ndarray | Mapping[str, float],
    gaze: np.ndarray | None,
    frame: float,
) -> str:
    """Key one expression (as ``rig.set_expression`` takes it) at ``frame``, and show it. Returns the action's name.

    The keys go into the head's current action if it is ours, else into a new action ``<head> poses``; an artist's
    action is unassigned and kept.
    """
    set_expression(head, eta, gaze)
    keys = head.data.shape_keys
    if not (_is_ours(keys) and _is_ours(head)):
        _new_take(head, f"{head.name} {POSES}", POSES, [keys, head])
    curves = compat.assigned_curves(keys)
    for name in expression_keys(head):
        path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
        _insert(curves, path, frame, keys.key_blocks[name].value)
    if gaze is not None:
        curves = compat.assigned_curves(head)
        for name, value in zip(("gaze_yaw", "gaze_pitch"), gaze, strict=True):
            _insert(curves, f'["{name}"]', frame, float(value))
    return keys.animation_data.action.name


def set_frame_range(scene: bpy.types.Scene, take: Take) -> None:
    """Let the scene play exactly the take."""
    scene.frame_start = int(np.floor(take.frame_start + 1e-4))
    scene.frame_end = max(scene.frame_start, int(np.ceil(take.frame_end - 1e-4)))


def _columns(head: bpy.types.Object, performance: FacePerformance) -> dict[str, int]:
    """The head's expression keys and their columns in the performance."""
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
    """Empty actions for the take, in place of its earlier ones; other actions are unassigned and kept."""
    for block in blocks:
        data = block.animation_data
        if data is not None and data.action is not None:
            if (data.action.get(TAKE), data.action.get(TAKE_HEAD)) != (take, head.name):
                data.action.use_fake_user = True  # without a user it would be gone after saving
            data.action = None
    for action in list(bpy.data.actions):
        ours = action.get(TAKE) == take and action.get(TAKE_HEAD) == head.name and action.library is None
        if ours and action.users == int(action.use_fake_user):  # in an NLA strip it is the artist's by now
            bpy.data.actions.remove(action)
    made = compat.new_actions(name, blocks)
    for action, _ in made:
        action[TAKE] = take
        action[TAKE_HEAD] = head.name
    return made


_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def _write(curves: Any, path: str, index: int, frames: np.ndarray, values: np.ndarray) -> None:
    """A new curve through (frames, values) in straight lines."""
    curve = curves.new(path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    co = np.empty((len(frames), 2), np.float32)
    co[:, 0], co[:, 1] = frames, values
    points.foreach_set("co", co.ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
    curve.update()


def _insert(curves: Any, path: str, frame: float, value: float) -> None:
    curve = curves.find(path) or curves.new(path)
    curve.keyframe_points.insert(frame, value, options={"FAST"})
    curve.update()

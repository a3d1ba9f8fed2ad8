"""The motion of a character: a performance, or the keys of a head, as signals at the scene's frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS
from ...model.performance.channels import signals
from ...model.performance.face_performance import FacePerformance
from .. import compat
from ..scene.animation import scene_frames
from ..scene.current_take import TAKE
from ..scene.heads import is_rig
from ..scene.keyframes import LINEAR
from .plan import key_path


@dataclass(frozen=True, eq=False)
class Motion:
    """Signals ``values`` (F, len(SIGNALS)) at the scene's ``frames`` (F,), without gaps."""

    name: str
    source: str
    frames: FloatArray
    values: FloatArray


def performance_motion(
    scene: bpy.types.Scene, performance: FacePerformance, start_frame: float | None = None
) -> Motion:
    """Return a performance at the scene's rate, its first frame at ``start_frame`` (default: the scene's first).

    Raises InputError where no face was seen.
    """
    values = signals(performance)
    seen = performance.seen
    if not seen.any():
        raise InputError(f"no face was seen in {performance.source}: there is nothing to retarget")
    name = Path(performance.source).stem or "take"
    return Motion(
        name, performance.source, scene_frames(scene, performance, start_frame, timed=True)[seen], values[seen]
    )


def face_motion(head: bpy.types.Object) -> Motion:
    """Return the keys of a head as they are now, with what the artist changed in them.

    Raises InputError where there are none.
    """
    check_face(head)
    key_curves, head_curves = compat.assigned_curves(head.data.shape_keys), compat.assigned_curves(head)
    sources: dict[str, Any] = {}
    for name in OPEN_KEYS:
        path = key_path(name)
        sources[name] = key_curves.find(path) if key_curves is not None else None
    for signal, name in (("gazeYaw", "gaze_yaw"), ("gazePitch", "gaze_pitch")):
        sources[signal] = head_curves.find(f'["{name}"]') if head_curves is not None else None
    turns = [head_curves.find("rotation_quaternion", index=i) if head_curves is not None else None for i in range(4)]
    turns = [None if curve is None or curve.mute else curve for curve in turns]
    keyed = [_points(curve) for curve in [*sources.values(), *turns] if curve is not None]
    if not keyed:
        raise InputError(f"'{head.name}' has no keys yet: animate it from footage first")
    frames = np.concatenate(keyed)
    if any(_is_curved(curve) for curve in [*sources.values(), *turns] if curve is not None):
        frames = np.concatenate([frames, np.arange(np.ceil(frames.min()), np.floor(frames.max()) + 1)])
    frames = np.unique(frames.round(4))

    def sample(curve: Any, otherwise: float) -> FloatArray:
        if curve is None:
            return np.full(len(frames), otherwise)
        return np.array([curve.evaluate(float(f)) for f in frames])

    blocks = head.data.shape_keys.key_blocks
    columns = [sample(sources[name], blocks[name].value if name in blocks else 0.0) for name in OPEN_KEYS]
    columns += [sample(sources[s], head[p]) for s, p in (("gazeYaw", "gaze_yaw"), ("gazePitch", "gaze_pitch"))]
    quaternion = np.stack([sample(curve, head.rotation_quaternion[i]) for i, curve in enumerate(turns)], 1)
    action = head.data.shape_keys.animation_data.action if key_curves is not None else None
    source = str(action.get(TAKE, action.name)) if action is not None else head.name
    columns += list(_head_angles(quaternion).T)
    return Motion(Path(source).stem or head.name, source, frames, np.stack(columns, 1))


def _is_curved(curve: Any) -> bool:
    """Return whether a curve is not straight between its keys, so that its keys alone do not tell it."""
    interpolation = np.empty(len(curve.keyframe_points), np.int32)
    curve.keyframe_points.foreach_get("interpolation", interpolation)
    return bool((interpolation != LINEAR).any())


def check_face(head: bpy.types.Object | None) -> None:
    """Raise InputError unless ``head`` is a head of ExpNet with the open keys."""
    if not is_rig(head):
        raise InputError("choose the face that the character follows: one that ExpNet added")
    assert head is not None
    if head["expnet_basis"] != OPEN_BASIS:
        raise InputError(
            f"'{head.name}' has the expression basis '{head['expnet_basis']}', whose keys have no names: "
            "retargeting needs the open head"
        )


def _head_angles(quaternion: FloatArray) -> FloatArray:
    """Return yaw, pitch and roll (F, 3) in radians of a head's rotation in Blender: Ry(roll) Rx(-pitch) Rz(yaw)."""
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    pitch = -np.arcsin(np.clip(2 * (w * x - y * z), -1, 1))
    yaw = np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    roll = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    return np.unwrap(np.stack([yaw, pitch, roll], 1), axis=0)


def _points(curve: Any) -> FloatArray:
    co = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", co)
    return co[::2].astype(np.float64)

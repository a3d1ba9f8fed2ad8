"""Keep the raw performance of a take in the .blend with its action, and the artist's settings for it.

Both are in ``Action.expnet``: saving, undo, copying and appending include them, and each take has its own. A change of
the settings writes the take's keys again at once, from the raw performance, without the network. If actions have no
slots (before Blender 4.4), the expression's action holds the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import bpy
import numpy as np

from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import packed
from ...model.performance.smoothing import REGIONS, region_of
from ...model.performance.treatment import FRAME, RANGE, Treatment, treated
from .. import compat
from ..properties.take_settings import each_side_alone, register
from ..scene import animation, confidence, take_keys
from ..scene.current_take import TAKE, take_of, takes_of
from ..scene.hand_edits import pack
from ..scene.take_keys import apply_again, bounds_of, frames_of, is_edited, rest_of, treatment_of, unpacked_performance


def performance_of(head: bpy.types.Object) -> FacePerformance | None:
    """Return the raw performance behind the head's current take, or None."""
    action = take_of(head)
    return unpacked_performance(action.expnet.performance, action.name) if action else None


def treated_performance_of(head: bpy.types.Object) -> FacePerformance | None:
    """Return the performance treated by the take's settings, as its keys show it. Raises InputError as ``treated``."""
    action = take_of(head)
    if action is None:
        return None
    raw = unpacked_performance(action.expnet.performance, action.name)
    return treated(raw, treatment_of(action), bounds_of(head), rest_of(head))


def write_take(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    performance: FacePerformance,
    treatment: Treatment,
    start_frame: float | None = None,
    timed: bool = False,
    source_times: bool = True,
    keep: bool = False,
) -> animation.Take:
    """Key ``head`` with a raw ``performance`` treated by ``treatment``, and keep both with the new action.

    The keys begin at ``start_frame`` (default: the scene's first). An earlier take of the same clip is replaced unless
    ``keep``. Raises InputError as ``animation.key_performance``
    and ``treated``, with nothing written.
    """
    register()
    content = packed(performance)
    performance = unpacked_performance(content, performance.source)  # packing rounds: rewriting gives equal keys
    frames = animation.scene_frames(scene, performance, start_frame, timed)
    wanted = treated(performance, treatment, bounds_of(head), rest_of(head))
    written = animation.key_performance(head, wanted, scene, start_frame, timed, source_times, keep)
    take = bpy.data.actions[written.action].expnet
    take.start = float(frames[0])
    take.neutral, take.neutral_frame = treatment.neutral, treatment.neutral_frame
    take.neutral_last = treatment.neutral_last
    take.hold_mouth = treatment.hold_mouth
    take.regions.clear()
    for name in regions_of(performance):
        region = take.regions.add()
        region.name = name
        region.smoothing = treatment.smoothing.get(name, 0.0)
        region.gain = treatment.gains.get(name, 1.0)
    take_keys.list_keys(head, bpy.data.actions[written.action])
    take.note, take.bezier = "", True
    take.fitted = performance.fitted
    take.smoothed = next(iter(treatment.smoothing.values()), 0.0)
    take.made = datetime.now().strftime("%Y-%m-%d %H:%M")
    if not compat.HAS_SLOTS:
        take.head_action = head.animation_data.action
    take.source_times = source_times
    assert written.written is not None
    take.written = pack(written.written)
    take.performance = content
    rate = animation.scene_fps(scene) if timed else performance.fps
    confidence.remember(bpy.data.actions[written.action], performance, float(frames[-1] - frames[0]))
    take.rate = rate  # a rate marks a take; the settings above do not write keys before it is set
    return written


def regions_of(performance: FacePerformance) -> list[str]:
    """Return the regions of the performance's keys, with gaze and head."""
    there = {region_of(key) for key in performance.expression_keys} | {"gaze", "head"}
    return [name for name in REGIONS if name in there]


@dataclass(frozen=True, eq=False)
class Tuned:
    """The settings that an artist gave a take, by the names of ``ExpNetTake``."""

    regions: dict[str, tuple[float, float]]
    neutral: str
    neutral_times: tuple[float, ...]
    keys: dict[str, tuple[bool, float, float, float]]
    others: dict[str, object]


TUNED = ("live", "hold_mouth", "decimate", "bezier", "key_error", "angle_error", "place_error")


def earlier_take(head: bpy.types.Object, source: str) -> bpy.types.Action | None:
    """Return the head's take of the clip ``source``: the current one, if it is of that clip, else the last one."""
    if not hasattr(bpy.types.Action, "expnet"):
        return None
    of_clip = [action for action in takes_of(head) if action[TAKE] == source]
    current = take_of(head)
    return current if current in of_clip else of_clip[-1] if of_clip else None


def edited_take(head: bpy.types.Object, source: str) -> str:
    """Return the name of the head's take of the clip ``source`` if it has hand edits, else an empty string.

    Raises InputError if its record is damaged.
    """
    action = earlier_take(head, source)
    return action.name if action is not None and is_edited(head, action) else ""


def tuned_settings(action: bpy.types.Action) -> Tuned:
    """Return the settings of a take, for ``tune``."""
    take = action.expnet
    times: tuple[float, ...] = ()
    if take.neutral in (FRAME, RANGE):
        raw = unpacked_performance(take.performance, action.name)
        ends = [take.neutral_frame, take.neutral_last][: 1 + (take.neutral == RANGE)]
        times = tuple(float(raw.times[end]) for end in ends if end < len(raw.times))
    # A smoothing that is the same everywhere is the panel's, which may have changed for the next take.
    strengths = {region.smoothing for region in take.regions}
    common = len(strengths) == 1 and take.smoothed in (-1.0, *strengths)
    regions = {r.name: (-1.0 if common else r.smoothing, r.gain) for r in take.regions}
    keys = {key.name: (key.on, key.gain, key.low, key.high) for key in take.key_settings}
    return Tuned(regions, take.neutral, times, keys, {name: getattr(take, name) for name in TUNED})


def tune(head: bpy.types.Object, tuned: Tuned) -> None:
    """Give the head's current take the settings of an earlier one, and write its keys by them."""
    action, raw = take_of(head), performance_of(head)
    assert action is not None and raw is not None
    take = action.expnet
    take.live = False
    for region in take.regions:
        smoothing, gain = tuned.regions.get(region.name, (-1.0, 1.0))
        region.gain = gain
        if smoothing >= 0:
            region.smoothing = smoothing
    with each_side_alone():
        for key in take.key_settings:
            if key.name in tuned.keys:
                key.on, key.gain, key.low, key.high = tuned.keys[key.name]
    frames = [int(np.argmin(np.abs(raw.times - time))) for time in tuned.neutral_times]
    near = [abs(float(raw.times[f]) - t) < 0.5 / raw.fps for f, t in zip(frames, tuned.neutral_times)]
    if tuned.neutral == FRAME and near == [True] and raw.seen[frames[0]]:
        take.neutral, take.neutral_frame = FRAME, frames[0]
    elif tuned.neutral == RANGE and near == [True, True] and raw.seen[min(frames) : max(frames) + 1].any():
        take.neutral, take.neutral_frame, take.neutral_last = RANGE, frames[0], frames[1]
    elif tuned.neutral not in (FRAME, RANGE):
        take.neutral = tuned.neutral
    for name, value in tuned.others.items():
        if name != "live":
            setattr(take, name, value)
    apply_again(action)
    take.live = bool(tuned.others["live"])


def nearest_frame(head: bpy.types.Object, scene_frame: float) -> int:
    """Return the frame of the head's performance, from 0, nearest to a scene frame. Raises InputError."""
    action, raw = take_of(head), performance_of(head)
    if action is None or raw is None:
        raise InputError(f"'{head.name}' has no take: animate it from footage first")
    frame = int(np.argmin(np.abs(frames_of(action, raw) - scene_frame)))
    if not raw.seen[frame]:
        raise InputError(f"There is no face in the clip at frame {scene_frame:g}: go to a frame in which there is one")
    return frame


def make_neutral(head: bpy.types.Object, scene_frame: float) -> str:
    """Set the face at a scene frame of the head's take as the actor's rest. Raises InputError."""
    frame = nearest_frame(head, scene_frame)
    action = take_of(head)
    assert action is not None
    take, live = action.expnet, action.expnet.live
    take.live = False
    take.neutral, take.neutral_frame = FRAME, frame
    take.live = live  # this assignment writes the keys, once
    return f"Frame {frame + 1} of the clip is neutral"

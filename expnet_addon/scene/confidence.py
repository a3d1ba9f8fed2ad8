"""Show the network's confidence in a take: the panel's strip, timeline markers, a curve, and doubtful frames."""

from __future__ import annotations

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError
from ...model.performance.face_performance import FacePerformance, runs
from .. import compat
from . import keyframes
from .animation import LOW_CONFIDENCE
from .current_take import player_of, take_of
from .take_keys import frames_of, unpacked_performance

PARTS = 24  # of the strip
NO_FACE, DOUBTFUL, SURE = "0", "1", "2"
CONFIDENCE = "expnet_confidence"  # custom property of a head, which the curve animates
MARKED = "expnet_marked"  # custom property of a head: the name that its markers have
MARKS = ("No face", "Face", "Cut")
MOST = 100  # marked runs without a face; the longest ones


def remember(action: bpy.types.Action, performance: FacePerformance, scene_frames: float) -> None:
    """Keep the strip of a take, which spans ``scene_frames``, for the panel."""
    action.expnet.strip = strip(performance.confidence)
    action.expnet.strip_frames = scene_frames


def strip(confidence: FloatArray) -> str:
    """Return a letter for each of up to ``PARTS`` equal parts of ``confidence`` (F,), by the least in the part."""
    parts = np.array_split(confidence, min(PARTS, len(confidence)))
    return "".join(NO_FACE if p.min() <= 0 else DOUBTFUL if p.min() < LOW_CONFIDENCE else SURE for p in parts)


def recall(action: bpy.types.Action) -> None:
    """Keep the strip of a take that an earlier version wrote."""
    try:
        raw = unpacked_performance(action.expnet.performance, action.name)
    except InputError:
        return
    frames = frames_of(action, raw)
    remember(action, raw, float(frames[-1] - frames[0]))


def mark(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Mark in the timeline where the head's current take has no face, and where shots begin, if the take says so."""
    unmark(scene, head)
    action = take_of(head)
    if action is None or not action.expnet.markers:
        return
    head[MARKED] = head.name
    raw = unpacked_performance(action.expnet.performance, action.name)
    frames = frames_of(action, raw)
    gaps = sorted(runs(~raw.seen), key=lambda run: run[0] - run[1])[:MOST]
    for first, last in gaps:
        _mark(scene, head, "No face", frames[first])
        if last + 1 < len(frames):
            _mark(scene, head, "Face", frames[last + 1])
    for seconds in raw.cuts:
        _mark(scene, head, "Cut", frames[int(np.argmin(np.abs(raw.times - seconds)))])


def unmark(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Remove the markers of the head's take. The artist's own markers stay, also renamed ones."""
    known = (head.name, head.get(MARKED, head.name))  # the head may have been renamed
    names = {_marker_name(name, what) for name in known for what in MARKS}
    for marker in [each for each in scene.timeline_markers if each.name in names]:
        scene.timeline_markers.remove(marker)


def markers_changed(action: bpy.types.Action) -> None:
    """Mark the take, or remove its markers, in the scenes of the head that plays it."""
    head = player_of(action)
    if head is not None:
        for scene in head.users_scene:
            mark(scene, head)


def curve_changed(action: bpy.types.Action) -> None:
    """Show or remove the take's curve of confidence, if a head plays the take."""
    head = player_of(action)
    if head is None:
        return
    curves, path = compat.assigned_curves(head), f'["{CONFIDENCE}"]'
    curve = curves.find(path) if curves is not None else None
    if not action.expnet.confidence_curve:
        if curves is not None and curve is not None:
            curves.remove(curve)
        if CONFIDENCE in head:
            del head[CONFIDENCE]
        return
    if curves is None:
        return
    raw = unpacked_performance(action.expnet.performance, action.name)
    head[CONFIDENCE] = 1.0
    head.id_properties_ui(CONFIDENCE).update(
        min=0.0, max=1.0, description="The network's confidence in the face: 0 is no face"
    )
    keyframes.write_keys(curve or curves.new(path), keyframes.linear_keys(frames_of(action, raw), raw.confidence))
    head.update_tag()


def go_to_doubtful(scene: bpy.types.Scene, head: bpy.types.Object, forward: bool) -> str:
    """Go to the next or the previous frame at which a doubtful part of the head's take, or another shot, begins.

    Returns a line on what is there. Raises InputError without a take.
    """
    action = take_of(head)
    if action is None:
        raise InputError(f"'{head.name}' shows no take: choose one in the list")
    raw = unpacked_performance(action.expnet.performance, action.name)
    frames = np.rint(frames_of(action, raw)).astype(int)
    places: dict[int, str] = {}
    for seconds in raw.cuts:
        places[int(frames[int(np.argmin(np.abs(raw.times - seconds)))])] = "another shot begins"
    for first, last in runs(raw.seen & (raw.confidence < LOW_CONFIDENCE)):
        least = raw.confidence[first : last + 1].min()
        places[int(frames[first])] = f"doubtful to frame {frames[last]}, confidence {least:.2f}"
    for first, last in runs(~raw.seen):
        places[int(frames[first])] = f"no face to frame {frames[last]}"
    now = scene.frame_current
    there = [frame for frame in places if (frame > now if forward else frame < now)]
    if not there:
        return f"No frame {'after' if forward else 'before'} this one is doubtful"
    frame = min(there) if forward else max(there)
    scene.frame_set(frame)
    return f"Frame {frame}: {places[frame]}"


def go_to_part(scene: bpy.types.Scene, head: bpy.types.Object, part: int) -> None:
    """Go to the first frame of a part of the strip."""
    action = take_of(head)
    if action is not None and action.expnet.strip:
        take = action.expnet
        scene.frame_set(round(take.start + take.strip_frames * part / len(take.strip)))


def _mark(scene: bpy.types.Scene, head: bpy.types.Object, what: str, frame: float) -> None:
    scene.timeline_markers.new(_marker_name(head.name, what), frame=round(float(frame)))


def _marker_name(head: str, what: str) -> str:
    return f"{what} ({head})"

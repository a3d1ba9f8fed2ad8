"""The performance behind a take, kept raw in the .blend with its action, and what the artist wants done to it.

It lies in ``Action.expnet``, so saving, undo, copying and appending carry it, each take has its own, and two heads
never mix. A change of its settings writes the take's keys anew at once, from the raw performance, without the network.
Where an action has no slots (before Blender 4.4) it is the expression's action that keeps it.
"""

from __future__ import annotations

from functools import lru_cache

import bpy
import numpy as np
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..model.errors import InputError
from ..model.performance import REGIONS, FacePerformance, packed, region_of, unpacked
from ..model.treatment import FRAME, QUIETEST, SEEN, Treatment, treated
from . import animation, rig

UNTREATED = ("head",)  # regions without a gain


def _changed(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    take = settings.id_data.expnet
    if take.live:
        apply_again(settings.id_data)


class ExpNetRegion(bpy.types.PropertyGroup):
    """``name`` is one of ``performance.REGIONS``."""

    smoothing: FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="How much this part of the face is calmed; blinks and lip contact are kept. 0 is off",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_changed,
    )
    gain: FloatProperty(  # type: ignore[valid-type]
        name="Gain",
        description="How strongly this part of the face moves: 1 is as seen",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        update=_changed,
    )


class ExpNetTake(bpy.types.PropertyGroup):
    performance: StringProperty(  # type: ignore[valid-type]
        name="Performance",
        description="What the network saw, before smoothing; packed",
        subtype="BYTE_STRING",
        options={"HIDDEN"},
    )
    start: FloatProperty(  # type: ignore[valid-type]
        name="Start",
        description="Scene frame of the performance's first frame",
        options={"HIDDEN"},
    )
    rate: FloatProperty(  # type: ignore[valid-type]
        name="Rate",
        description="Scene frames in a second of the performance; 0 where there is none",
        options={"HIDDEN"},
    )
    live: BoolProperty(  # type: ignore[valid-type]
        name="At once",
        description="Every change below writes the take's keys anew. Off: only Apply Again does",
        default=True,
        update=_changed,
    )
    regions: CollectionProperty(  # type: ignore[valid-type]
        type=ExpNetRegion,
        name="Regions",
        description="Smoothing and gain for each part of the face",
    )
    neutral: EnumProperty(  # type: ignore[valid-type]
        name="Neutral",
        description="Which face of the actor counts as rest",
        items=[
            (SEEN, "As seen", "What the network takes for a face at rest"),
            (QUIETEST, "Quietest frames", "The frames in which the actor does and moves the least"),
            (FRAME, "One frame", "The frame of the clip named below"),
        ],
        update=_changed,
    )
    neutral_frame: IntProperty(  # type: ignore[valid-type]
        name="Frame",
        description="Frame of the performance that is the actor's face at rest, counted from 0",
        min=0,
        update=_changed,
    )
    decimate: BoolProperty(  # type: ignore[valid-type]
        name="Fewer keys",
        description="Leave out keys that straight lines between the others replace within the errors below",
        update=_changed,
    )
    key_error: FloatProperty(  # type: ignore[valid-type]
        name="Expression",
        description="Largest error of an expression key, in units of its slider",
        default=0.01,
        min=0.0001,
        soft_max=0.2,
        max=10.0,
        precision=4,
        step=0.1,
        update=_changed,
    )
    angle_error: FloatProperty(  # type: ignore[valid-type]
        name="Angles",
        description="Largest error of the gaze and of the head's rotation",
        default=np.radians(0.25),
        min=np.radians(0.001),
        max=np.radians(45.0),
        precision=3,
        subtype="ANGLE",
        update=_changed,
    )
    place_error: FloatProperty(  # type: ignore[valid-type]
        name="Place",
        description="Largest error of the head's place",
        default=0.0005,
        min=0.000001,
        max=1.0,
        precision=4,
        step=0.01,
        subtype="DISTANCE",
        update=_changed,
    )
    note: StringProperty(  # type: ignore[valid-type]
        name="Note",
        description="Why the last change could not be applied, or how many keys it wrote",
    )


CLASSES = (ExpNetRegion, ExpNetTake)


def register() -> None:
    """Harmless when called again: scripts and the command line keep takes without enabling the add-on."""
    if not hasattr(bpy.types.Action, "expnet"):
        for kind in CLASSES:
            bpy.utils.register_class(kind)
        bpy.types.Action.expnet = PointerProperty(
            type=ExpNetTake, name="ExpNet take", description="The performance behind this action"
        )


def unregister() -> None:
    if hasattr(bpy.types.Action, "expnet"):
        del bpy.types.Action.expnet
        for kind in reversed(CLASSES):
            bpy.utils.unregister_class(kind)


def take_of(head: bpy.types.Object | None) -> bpy.types.Action | None:
    """The action on ``head`` that has a performance behind it, or None."""
    if head is None or not rig.is_rig(head):
        return None
    data = head.data.shape_keys.animation_data
    action = data.action if data else None
    return action if action is not None and action.expnet.rate else None


def performance_of(head: bpy.types.Object) -> FacePerformance | None:
    """The raw performance behind the head's current take, or None."""
    action = take_of(head)
    return _unpacked(action.expnet.performance, action.name) if action else None


def treated_performance_of(head: bpy.types.Object) -> FacePerformance | None:
    """The same as the take's settings want it, which is what its keys show. Raises InputError as ``treated``."""
    action = take_of(head)
    if action is None:
        return None
    raw = _unpacked(action.expnet.performance, action.name)
    return treated(raw, treatment_of(action), _bounds(head), _rest(head))


def treatment_of(action: bpy.types.Action) -> Treatment:
    take = action.expnet
    return Treatment(
        smoothing={region.name: region.smoothing for region in take.regions},
        neutral=take.neutral,
        neutral_frame=take.neutral_frame,
        gains={region.name: region.gain for region in take.regions if region.name not in UNTREATED},
    )


def write_take(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    performance: FacePerformance,
    treatment: Treatment,
    start_frame: float | None = None,
) -> animation.Take:
    """Key ``head`` with a raw ``performance`` as ``treatment`` wants it, from ``start_frame`` (default: the scene's
    first) on, and keep both with the new action. Raises InputError as ``animation.key_performance`` and ``treated``,
    with nothing written."""
    register()
    content = packed(performance)
    performance = _unpacked(content, performance.source)  # rounded once: writing again gives the same keys
    frames = animation.scene_frames(scene, performance, start_frame)
    wanted = treated(performance, treatment, _bounds(head), _rest(head))
    written = animation.key_performance(head, wanted, scene, start_frame)
    take = bpy.data.actions[written.action].expnet
    take.start = float(frames[0])
    take.neutral, take.neutral_frame = treatment.neutral, treatment.neutral_frame
    take.regions.clear()
    for name in regions_of(performance):
        region = take.regions.add()
        region.name = name
        region.smoothing = treatment.smoothing.get(name, 0.0)
        region.gain = treatment.gains.get(name, 1.0)
    take.note = ""
    take.performance = content
    take.rate = animation.scene_fps(scene)  # makes it a take: no change above has written any keys
    return written


def regions_of(performance: FacePerformance) -> list[str]:
    """The regions that its keys belong to, with gaze and head."""
    there = {region_of(key) for key in performance.expression_keys} | {"gaze", "head"}
    return [name for name in REGIONS if name in there]


def apply_again(action: bpy.types.Action) -> str:
    """Write the take's keys anew from its raw performance. Returns what stood in the way, or nothing; the take's
    ``note`` says it too."""
    head = _head_of(action)
    if head is None:
        return f"No face shows the take '{action.name}': there is nothing to write"
    take = action.expnet
    try:
        take.note = _write_again(head, action)
    except InputError as error:
        take.note = str(error)
        return take.note
    return ""


def nearest_frame(head: bpy.types.Object, scene_frame: float) -> int:
    """The frame of the head's performance, from 0, that lies nearest to a scene frame. Raises InputError."""
    action, raw = take_of(head), performance_of(head)
    if action is None or raw is None:
        raise InputError(f"'{head.name}' has no take: animate it from footage first")
    frame = int(np.argmin(np.abs(_frames(action, raw) - scene_frame)))
    if not raw.seen[frame]:
        raise InputError(f"There is no face in the clip at frame {scene_frame:g}: go to a frame in which there is one")
    return frame


def make_neutral(head: bpy.types.Object, scene_frame: float) -> str:
    """Let the face that the head's take shows at a scene frame be the actor's rest. Raises InputError."""
    frame = nearest_frame(head, scene_frame)
    action = take_of(head)
    assert action is not None
    take, live = action.expnet, action.expnet.live
    take.live = False
    take.neutral, take.neutral_frame = FRAME, frame
    take.live = live  # writes the keys, once
    return f"Frame {frame} of the clip is neutral"


def _write_again(head: bpy.types.Object, action: bpy.types.Action) -> str:
    take = action.expnet
    raw = _unpacked(take.performance, action.name)
    performance = treated(raw, treatment_of(action), _bounds(head), _rest(head))
    errors = animation.Errors(take.key_error, take.angle_error, take.place_error) if take.decimate else None
    keys, before = animation.rewrite(head, performance, _frames(action, raw), errors)
    return f"{keys} of {before} keys" if errors else ""


def _frames(action: bpy.types.Action, performance: FacePerformance) -> np.ndarray:
    return action.expnet.start + (performance.times - performance.times[0]) * action.expnet.rate


def _head_of(action: bpy.types.Action) -> bpy.types.Object | None:
    return next((obj for obj in bpy.data.objects if take_of(obj) == action), None)


def _bounds(head: bpy.types.Object) -> np.ndarray:
    """(Ke, 2) what the head's sliders allow; no limit for keys that the artist removed."""
    blocks = head.data.shape_keys.key_blocks
    limits = [(blocks[k].slider_min, blocks[k].slider_max) if k in blocks else (-10, 10) for k in rig.model_keys(head)]
    return np.array(limits, np.float64)


def _rest(head: bpy.types.Object) -> np.ndarray | None:
    """(Ke,) ``FaceModel.rest`` of the head's model; None for heads made before it was kept."""
    kept = head.get("expnet_rest")
    return None if kept is None else np.array(kept, np.float64)


@lru_cache(maxsize=4)
def _unpacked(content: bytes, name: str) -> FacePerformance:
    return unpacked(content, name)

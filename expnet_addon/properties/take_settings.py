"""The settings of a take and its performance, stored as ``Action.expnet``. ``takes`` reads and writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..scene import current_take
from ..scene.heads import other_side


def _changed(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..scene import take_keys

    take = settings.id_data.expnet
    if take.live:
        take_keys.apply_again(settings.id_data)


def _motion_changed(take: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..scene import take_keys

    take_keys.motion_changed(take.id_data)


def _markers_changed(take: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..scene import confidence

    confidence.markers_changed(take.id_data)


def _curve_changed(take: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..scene import confidence

    confidence.curve_changed(take.id_data)


class _Mirror:
    """Whether a change of a key goes to its partner, too, where *X-Mirror* is on."""

    on = True


@contextmanager
def each_side_alone() -> Iterator[None]:
    """Set keys without *X-Mirror*, as presets and other takes do."""
    before, _Mirror.on = _Mirror.on, False
    try:
        yield
    finally:
        _Mirror.on = before


def _key_changed(setting: str) -> Callable[[bpy.types.PropertyGroup, bpy.types.Context], None]:
    """Return the update of a key's setting. With *X-Mirror* it sets the key of the other side, too."""

    def changed(key: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
        panel = getattr(context.scene, "expnet", None)  # None for scripts without the add-on
        partner = key.id_data.expnet.key_settings.get(other_side(key.name))
        if _Mirror.on and panel is not None and panel.x_mirror and partner not in (None, key):
            with each_side_alone():
                setattr(partner, setting, getattr(key, setting))  # writes the keys of both
        else:
            _changed(key, context)

    return changed


def _value(key: bpy.types.PropertyGroup) -> float:
    head = current_take.player_of(key.id_data)
    block = head.data.shape_keys.key_blocks.get(key.name) if head is not None else None
    return float(block.value) if block is not None else 0.0


def _set_value(key: bpy.types.PropertyGroup, value: float) -> None:
    """Key the value at the current frame; with *X-Mirror* that of the other side, too."""
    from ..scene import animation  # numpy

    head, scene = current_take.player_of(key.id_data), bpy.context.scene
    panel = getattr(scene, "expnet", None)
    names = {key.name, other_side(key.name)} if panel is not None and panel.x_mirror else {key.name}
    for name in names:
        if head is not None and name in head.data.shape_keys.key_blocks:
            animation.key_value(head, name, value, scene.frame_current)


TUNING = (
    "hold_mouth", "head_motion", "source_times", "decimate", "bezier", "key_error", "angle_error", "place_error"
)  # fmt: skip
HEAD_MOTIONS = [
    ("FULL", "Full", "The head moves as it was seen"),
    ("ROTATION", "Rotation Only", "The head turns and stays in its place"),
    ("NONE", "None", "The head stays still; the face moves"),
]


class ExpNetRegion(bpy.types.PropertyGroup):
    """Settings of one region; ``name`` is one of ``smoothing.REGIONS``."""

    smoothing: FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="How strongly this part of the face is smoothed; blinks and lip contact are kept. 0 is off",
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


class ExpNetKeySettings(bpy.types.PropertyGroup):
    """Settings of one expression key; ``name`` is the key's."""

    on: BoolProperty(  # type: ignore[valid-type]
        name="On", description="Whether the take moves this key. Off: it rests", default=True, update=_key_changed("on")
    )
    gain: FloatProperty(  # type: ignore[valid-type]
        name="Gain",
        description="How strongly this key moves, on top of the gain of its part of the face: 1 is as seen",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        update=_key_changed("gain"),
    )
    low: FloatProperty(  # type: ignore[valid-type]
        name="Low",
        description="The key never goes below this",
        default=-10.0,
        min=-10.0,
        max=10.0,
        step=1,
        update=_key_changed("low"),
    )
    high: FloatProperty(  # type: ignore[valid-type]
        name="High",
        description="The key never goes above this",
        default=10.0,
        min=-10.0,
        max=10.0,
        step=1,
        update=_key_changed("high"),
    )
    value: FloatProperty(  # type: ignore[valid-type]
        name="Value",
        description="The key at the current frame. A change keys the current frame, as a hand edit",
        min=-10.0,
        max=10.0,
        soft_min=-1.0,
        soft_max=1.0,
        step=1,
        options=set(),
        get=_value,
        set=_set_value,
    )


class ExpNetTake(bpy.types.PropertyGroup):
    performance: StringProperty(  # type: ignore[valid-type]
        name="Performance",
        description="The raw performance, before smoothing; packed",
        subtype="BYTE_STRING",
        options={"HIDDEN"},
    )
    written: StringProperty(  # type: ignore[valid-type]
        name="Written",
        description="The keys as they were generated last, by which hand edits are recognised; packed",
        subtype="BYTE_STRING",
        options={"HIDDEN"},
    )
    made: StringProperty(  # type: ignore[valid-type]
        name="Made",
        description="Day and time at which the take was made",
        options={"HIDDEN"},
    )
    smoothed: FloatProperty(  # type: ignore[valid-type]
        name="Smoothed",
        description="The smoothing that the take was made with; -1 where it is not known",
        default=-1.0,
        options={"HIDDEN"},
    )
    head_action: PointerProperty(  # type: ignore[valid-type]
        name="Head Action",
        description="The action with gaze and head pose, before Blender 4.4, where it is one of its own",
        type=bpy.types.Action,
        options={"HIDDEN"},
    )
    footage: PointerProperty(  # type: ignore[valid-type]
        name="Footage",
        description="The movie clip that is shown behind the head",
        type=bpy.types.MovieClip,
        options={"HIDDEN"},
    )
    footage_start: IntProperty(  # type: ignore[valid-type]
        name="Footage Start", description="Scene frame at which the footage starts", options={"HIDDEN"}
    )
    footage_first: IntProperty(  # type: ignore[valid-type]
        name="Footage First", description="Frame of the footage, counted from 0, that shows there", options={"HIDDEN"}
    )
    own_footage: BoolProperty(  # type: ignore[valid-type]
        name="Own Footage",
        description="The movie clip was loaded for the take, so that its place in time follows it",
        options={"HIDDEN"},
    )
    matches_camera: BoolProperty(  # type: ignore[valid-type]
        name="Matches Camera", description="The scene's camera was matched to the clip's", options={"HIDDEN"}
    )
    sets_timing: BoolProperty(  # type: ignore[valid-type]
        name="Sets Timing", description="The scene got the clip's rate and range", options={"HIDDEN"}
    )
    has_sound: BoolProperty(  # type: ignore[valid-type]
        name="Has Sound",
        description="The clip's sound is played with the take",
        options={"HIDDEN"},
    )
    scene_rate: FloatProperty(  # type: ignore[valid-type]
        name="Scene Rate",
        description="Frame rate that the scene got with the take",
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
        name="Live Update",
        description="Every change above writes its keys anew, without hand edits. Off: only Apply Again does",
        default=True,
        update=_changed,
    )
    regions: CollectionProperty(  # type: ignore[valid-type]
        type=ExpNetRegion,
        name="Regions",
        description="Smoothing and gain for each part of the face",
    )
    hold_mouth: BoolProperty(  # type: ignore[valid-type]
        name="Hold Hidden Mouth",
        description="While a hand or a thing hides the mouth, mouth and jaw keep the last values that were seen",
        default=True,
        update=_changed,
    )
    neutral: EnumProperty(  # type: ignore[valid-type]
        name="Neutral",
        description="Which face of the actor counts as rest",
        items=[
            ("SEEN", "As Seen", "The network's own estimate of a face at rest"),
            ("QUIETEST", "Quietest Frames", "The frames in which the actor does and moves the least"),
            ("FRAME", "One Frame", "The frame of the clip named below, counted from 1"),
            ("RANGE", "Frame Range", "The middle of what the frames of the clip named below show, counted from 1"),
        ],
        update=_changed,
    )
    neutral_frame: IntProperty(  # type: ignore[valid-type]
        name="Frame",
        description="Frame of the performance that is the actor's face at rest, counted from 0, for scripts",
        min=0,
        update=_changed,
    )
    neutral_number: IntProperty(  # type: ignore[valid-type]
        name="Frame",
        description="Frame of the clip's read part that is the actor's face at rest, counted from 1",
        min=1,
        get=lambda take: take.neutral_frame + 1,
        set=lambda take, value: setattr(take, "neutral_frame", value - 1),
    )
    neutral_last: IntProperty(  # type: ignore[valid-type]
        name="Last Frame",
        description="Last frame of the range that is the actor's face at rest, counted from 0, for scripts",
        min=0,
        update=_changed,
    )
    neutral_last_number: IntProperty(  # type: ignore[valid-type]
        name="To",
        description="Last frame of the clip's read part that shows the actor's face at rest, counted from 1",
        min=1,
        get=lambda take: take.neutral_last + 1,
        set=lambda take, value: setattr(take, "neutral_last", value - 1),
    )
    key_settings: CollectionProperty(  # type: ignore[valid-type]
        type=ExpNetKeySettings,
        name="Keys",
        description="On or off, gain and limits for each expression key",
    )
    active_key: IntProperty(  # type: ignore[valid-type]
        name="Key", description="The key whose limits are shown below the list"
    )
    source_times: BoolProperty(  # type: ignore[valid-type]
        name="Keep Source Times",
        description="Keys lie at the clip's own times, also between whole frames. Off: all keys lie on whole frames",
        update=_changed,
    )
    head_motion: EnumProperty(  # type: ignore[valid-type]
        name="Head Motion",
        description="How much of the head's motion is played. Keys stay",
        items=HEAD_MOTIONS,
        update=_motion_changed,
    )
    decimate: BoolProperty(  # type: ignore[valid-type]
        name="Fewer Keys",
        description="Leave out keys that lines between the others replace within the errors below",
        update=_changed,
    )
    bezier: BoolProperty(  # type: ignore[valid-type]
        name="Bézier Handles",
        description="The lines between fewer keys are curves with handles. Off: they are straight",
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
        default=math.radians(0.25),
        min=math.radians(0.001),
        max=math.radians(45.0),
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
    strip: StringProperty(  # type: ignore[valid-type]
        name="Strip",
        description="Confidence of equal parts of the take, a letter for each: no face, doubtful, sure",
        options={"HIDDEN"},
    )
    strip_frames: FloatProperty(  # type: ignore[valid-type]
        name="Strip Frames", description="Scene frames that the strip spans", options={"HIDDEN"}
    )
    markers: BoolProperty(  # type: ignore[valid-type]
        name="Timeline Markers",
        description="Mark in the timeline where there is no face and where another shot begins",
        update=_markers_changed,
    )
    confidence_curve: BoolProperty(  # type: ignore[valid-type]
        name="Confidence Curve",
        description="Show the network's confidence in the Graph Editor, as a curve of the head's property "
        "expnet_confidence: 0 is no face, 1 is sure",
        update=_curve_changed,
    )
    fitted: BoolProperty(  # type: ignore[valid-type]
        name="Fitted",
        description="The take's curves were refined over all frames of the clip",
        options={"HIDDEN"},
    )
    note: StringProperty(  # type: ignore[valid-type]
        name="Note",
        description="Why the last change could not be applied, or how many keys it wrote",
    )

    def tuning(self) -> dict[str, Any]:
        """Return the settings that fit other takes, too, for a preset; frames of the clip are not among them."""
        kept: dict[str, Any] = {name: getattr(self, name) for name in TUNING}
        if self.neutral in ("SEEN", "QUIETEST"):
            kept["neutral"] = self.neutral
        kept["regions"] = {region.name: (region.smoothing, region.gain) for region in self.regions}
        kept["keys"] = {key.name: (key.on, key.gain, key.low, key.high) for key in self.key_settings}
        return kept

    def tune(self, tuning: dict[str, Any]) -> None:
        """Set what ``tuning`` returned for another take, for parts and keys that this one has, and write the keys."""
        live, self.live = self.live, False
        for name in (*TUNING, "neutral"):
            if name in tuning:
                setattr(self, name, tuning[name])
        for region in self.regions:
            if region.name in tuning["regions"]:
                region.smoothing, region.gain = tuning["regions"][region.name]
        with each_side_alone():
            for key in self.key_settings:
                if key.name in tuning["keys"]:
                    key.on, key.gain, key.low, key.high = tuning["keys"][key.name]
        self.live = live  # writes the keys, once


CLASSES = (ExpNetRegion, ExpNetKeySettings, ExpNetTake)


def register() -> None:
    """Register the classes unless they are registered: scripts and the command line use takes without the add-on."""
    if not hasattr(bpy.types.Action, "expnet"):
        for kind in CLASSES:
            bpy.utils.register_class(kind)
        bpy.types.Action.expnet = PointerProperty(
            type=ExpNetTake, name="ExpNet Take", description="The performance behind this action"
        )


def unregister() -> None:
    if hasattr(bpy.types.Action, "expnet"):
        del bpy.types.Action.expnet
        for kind in reversed(CLASSES):
            bpy.utils.unregister_class(kind)

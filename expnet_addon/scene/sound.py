"""The footage's sound in the sequencer, where the keys are."""

from __future__ import annotations

import os
from typing import Any

import bpy

from ...model.performance.face_performance import FacePerformance
from .. import compat
from .animation import Take, scene_fps

SOUND = "expnet_sound"  # on a strip: the clip that it is the sound of


def lay_sound(scene: bpy.types.Scene, performance: FacePerformance, take: Take) -> bool:
    """Put the sound of the performance's clip under its take, in place of an earlier strip of ours for that clip, and
    let playback follow it. False where there is none: no movie, no sound track, or a Blender that cannot hear.

    Strips lie on whole frames, so it is exact where the scene has the clip's rate, and else to half a frame.
    """
    source = performance.source
    if not os.path.isfile(source):
        return False
    strips = compat.sequencer_strips(scene)
    for strip in list(strips):
        if strip.get(SOUND) == source:
            _remove(strips, strip)
    start = round(take.frame_start - float(performance.times[0]) * scene_fps(scene))
    channel = 1 + max((strip.channel for strip in strips), default=0)
    try:
        strip = strips.new_sound(os.path.basename(source), source, channel, start)
    except RuntimeError:
        return False
    if strip.sound.channels == "INVALID":
        _remove(strips, strip)
        return False
    strip[SOUND] = source
    compat.skip_frames(strip, max(0, round(take.frame_start) - start))
    compat.set_length(strip, max(1, round(take.frame_end) - round(take.frame_start) + 1))
    scene.sync_mode = "AUDIO_SYNC"
    return True


def _remove(strips: Any, strip: Any) -> None:
    sound = strip.sound
    strips.remove(strip)
    if sound is not None and not sound.users:
        bpy.data.sounds.remove(sound)

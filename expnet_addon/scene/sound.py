"""Place the footage's sound in the sequencer, in sync with the keys."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

from ...model.files import is_file
from ...model.performance.face_performance import FacePerformance
from .. import compat
from .animation import Take, scene_fps

SOUND = "expnet_sound"  # custom property of a strip: the clip its sound is from
HEAD = "expnet_head"  # custom property of a strip: the head that its clip drives


def lay_sound(scene: bpy.types.Scene, performance: FacePerformance, take: Take, head: str = "") -> bool:
    """Add the sound of the performance's clip in sync with its take, and set playback to sync to it.

    Each head has one strip. An earlier ExpNet strip of that clip, or of the head named ``head``, is replaced. Strips of
    earlier versions name no head and are replaced too. Returns False if no strip is added: the clip is not a movie or
    has no sound track, the scene plays it at another speed, or Blender has no audio support.

    Sound that starts before or after the pictures keeps that offset: Blender puts its first sample at the strip's
    start. Strips lie on whole frames; the fraction goes into the strip's sound offset, if it has one.
    """
    source = performance.source
    remove_sound(scene, source, head)
    if not is_file(source):
        return False
    strips = compat.sequencer_strips(scene)
    rate, times = scene_fps(scene), performance.times
    if abs(take.frame_end - take.frame_start - float(times[-1] - times[0]) * rate) > 0.5:
        return False
    begins = take.frame_start + (performance.sound_start - float(times[0])) * rate
    start = math.floor(begins + 1e-3)
    channel = 1 + max((strip.channel for strip in strips), default=0)
    try:
        strip = strips.new_sound(Path(source).name, source, channel, start)
    except RuntimeError:
        return False
    if strip.sound.channels == "INVALID":
        _remove(strips, strip)
        return False
    strip[SOUND], strip[HEAD] = source, head
    if hasattr(strip, "sound_offset"):
        strip.sound_offset = max(0.0, begins - start) / rate
    compat.skip_frames(strip, max(0, round(take.frame_start) - start))
    first = max(start, round(take.frame_start))
    if first > round(take.frame_end):  # the sound starts after this part of the clip
        _remove(strips, strip)
        return False
    compat.set_length(strip, max(1, round(take.frame_end) - first + 1))
    scene.sync_mode = "AUDIO_SYNC"
    return True


def remove_sound(scene: bpy.types.Scene, source: str, head: str = "") -> None:
    """Remove ExpNet's strips of the clip ``source`` and of the head named ``head``. The artist's own strips stay."""
    if scene.sequence_editor is None:
        return
    strips = compat.sequencer_strips(scene)
    for strip in list(strips):
        if SOUND in strip and (strip[SOUND] == source or strip.get(HEAD, head) == head):
            _remove(strips, strip)


def _remove(strips: Any, strip: Any) -> None:
    sound = strip.sound
    strips.remove(strip)
    if sound is not None and not sound.users:
        bpy.data.sounds.remove(sound)

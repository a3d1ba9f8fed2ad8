"""Options for keying a performance, shared by operators, the command line and scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keying:
    """Options for keying a performance.

    smoothing      strength from 0 to 1, as ``smoothing.smooth`` takes it
    neutral        the actor's face that maps to the head's rest: none, auto or a frame, as in ``named_neutral``
    identity       the head also gets the performance's identity
    scene_timing   the scene gets the performance's frame rate, or ``fps``, and its range
    match_camera   the scene gets a camera that matches the clip's
    footage        that camera shows the clip behind the head
    sound          the clip's sound is added to the sequencer
    source_times   keys lie at the clip's own times, also between whole frames
    head_motion    FULL: the head moves as seen; ROTATION: it only turns; NONE: it stays still
    root           the head and its camera are parented to an empty, so that the head stays in its place
    markers        the timeline marks where there is no face and where another shot begins
    replace_edited an earlier take of the same clip is replaced even if it has hand edits; else it is kept, too
    """

    smoothing: float = 0.5
    neutral: str = "none"
    identity: bool = True
    scene_timing: bool = True
    fps: float | None = None
    match_camera: bool = True
    footage: bool = True
    sound: bool = True
    source_times: bool = False
    head_motion: str = "FULL"
    root: bool = False
    markers: bool = False
    replace_edited: bool = False


# Keys with the recorded values; the scene, its camera and the head's shape are not changed.
AS_RECORDED = Keying(
    smoothing=0.0,
    identity=False,
    scene_timing=False,
    match_camera=False,
    footage=False,
    sound=False,
    source_times=True,
)

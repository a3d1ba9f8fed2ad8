"""What animating one clip takes. The command line, the batch and scripts fill the same dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...model.worker.protocol import EstimatorOptions
from ..capture.keying import Keying
from ..scene.quality import Quality


@dataclass(frozen=True)
class AnimateOptions:
    """One clip, the files that are written of it, and how.

    clip            a movie, or a folder of images
    out             the scene: .blend, or .glb
    render          a video of clip and head: .mp4
    performances    the coefficients over time, smoothed like the keys: .npz, .csv or .json
    live_link       the same as the Live Link Face app records it: .csv
    first, last     frames of the clip to read, from 0, both included
    estimator       which network reads the face; its ``face_model`` is the head's, too
    quality, layout of the video; the head ``beside`` the clip or ``over`` it
    """

    clip: str
    out: Path | None = None
    render: Path | None = None
    performances: tuple[Path, ...] = ()
    live_link: tuple[Path, ...] = ()
    first: int | None = None
    last: int | None = None
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)
    keying: Keying = field(default_factory=Keying)
    quality: Quality = field(default_factory=Quality)
    layout: str = "beside"


def scene_keying(smoothing: float, neutral: str, identity: bool, fps: float | str) -> Keying:
    """Keying for a scene of its own. ``fps`` as the command line writes it: ``clip``, ``keep`` or a rate."""
    return Keying(
        smoothing=smoothing,
        neutral=neutral,
        identity=identity,
        scene_timing=fps != "keep",
        fps=None if isinstance(fps, str) else fps,
    )

"""The options of animating one clip, for the command line, the batch and scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...model.errors import InputError
from ...model.worker.messages import EstimatorOptions
from ..capture.keying import Keying
from ..scene.quality import Quality


@dataclass(frozen=True)
class AnimateOptions:
    """One clip, its output files, and the settings.

    clip            a movie, or a folder of images
    out             the scene: .blend, or .glb
    render          a video of clip and head: .mp4
    performances    the coefficients over time, smoothed like the keys: .npz, .csv or .json
    live_link       the same in the format of the Live Link Face app: .csv
    first, last     frames of the clip to read, from 0, both included
    estimator       the network; its ``face_model`` is also that of the head
    quality, layout of the video; the head ``beside`` the clip or ``over`` it
    everyone        all people of the clip: a head and a take for each, and numbered tables
    fit             refine the performance over the whole clip; the clip is read twice
    emotions        the video says name and share of the strongest emotion
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
    everyone: bool = False
    fit: bool = False
    emotions: bool = False


def check_fit(fit: bool, everyone: bool) -> None:
    """Raise InputError where both are wanted."""
    if fit and everyone:
        raise InputError("--fit refines one person's curves: leave it out, or leave out --everyone")


def check_emotions(emotions: bool, renders: bool, everyone: bool) -> None:
    """Raise InputError where there is no video for the text, or it has several heads."""
    if emotions and (everyone or not renders):
        raise InputError("--emotions writes on the video of one head: add --render, and leave out --everyone")


def scene_keying(smoothing: float, neutral: str, identity: bool, fps: float | str) -> Keying:
    """Return the keying of a new scene. ``fps`` is that of the command line: ``clip``, ``keep`` or a rate."""
    return Keying(
        smoothing=smoothing,
        neutral=neutral,
        identity=identity,
        scene_timing=fps != "keep",
        fps=None if isinstance(fps, str) else fps,
    )

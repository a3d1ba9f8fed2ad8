"""The settings of every shot of a batch, as they are sent to the processes and stored in the records."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...model.builtin import OPEN
from ...model.worker.messages import Box, EstimatorOptions
from ..engine.requests import box_of
from ..scene.quality import named_quality
from ..unattended.options import AnimateOptions, scene_keying


@dataclass(frozen=True)
class ShotSettings:
    """The settings of a shot, with the names of the options of ``expnet animate``.

    Records store these names and values, and a clip whose record has other settings is done again. So a new field needs
    a default with the previous behaviour. ``outputs`` are the suffixes of the output files.
    """

    face_model: str = OPEN
    estimator: str = OPEN
    device: str = "auto"
    runtime: Any = "auto"
    box: Box | None = None
    face: int | None = None
    preprocessing: Any = "release"
    jpeg: bool = True
    smoothing: float = 0.5
    neutral: str = "none"
    identity: bool = True
    fps: float | str = "clip"
    lens: float = 50.0
    engine: str | None = None
    samples: int | None = None
    height: int | None = None
    layout: str = "beside"
    first: int | None = None
    last: int | None = None
    everyone: bool = False
    fit: bool = False
    emotions: bool = False
    outputs: tuple[str, ...] = (".blend", ".npz")

    def recorded(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        kept: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        for name in ("everyone", "fit", "emotions"):
            if not kept[name]:
                del kept[name]  # records of earlier versions do not have it
        return kept

    @classmethod
    def of_record(cls, recorded: dict[str, Any]) -> ShotSettings:
        """Restore the settings from the result of ``recorded``."""
        return cls(**{**recorded, "box": box_of(recorded["box"]), "outputs": tuple(recorded["outputs"])})

    def with_absolute_paths(self) -> ShotSettings:
        """Return the settings with absolute paths, for processes with another working directory."""
        return replace(self, estimator=_absolute(self.estimator), face_model=_absolute(self.face_model))

    def estimator_options(self) -> EstimatorOptions:
        return EstimatorOptions(
            estimator=self.estimator,
            device=self.device,
            engine=self.runtime,
            box=self.box,
            face=self.face,
            lens_mm=self.lens,
            face_model=self.face_model,
            preprocessing=self.preprocessing,
            jpeg=self.jpeg,
        )

    def animate_options(self, clip: str, files: Sequence[Path]) -> AnimateOptions:
        """Return the options for animating ``clip`` to ``files``."""
        by_suffix = {file.suffix: file for file in files}
        return AnimateOptions(
            clip=clip,
            out=by_suffix.get(".blend"),
            render=by_suffix.get(".mp4"),
            performances=tuple(file for file in files if file.suffix in (".npz", ".csv", ".json")),
            first=self.first,
            last=self.last,
            estimator=self.estimator_options(),
            keying=scene_keying(self.smoothing, self.neutral, self.identity, self.fps),
            quality=named_quality(self.engine, self.samples, self.height),
            layout=self.layout,
            everyone=self.everyone,
            fit=self.fit,
            emotions=self.emotions,
        )


def _absolute(path: str) -> str:
    return path if path == OPEN else os.path.abspath(path)

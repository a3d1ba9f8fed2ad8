"""Options that several verbs have, as what they mean."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ...model.worker.protocol import EstimatorOptions
from ..engine.requests import box_of

if TYPE_CHECKING:
    from ..scene.rendering import Quality


def estimator_options(a: argparse.Namespace) -> EstimatorOptions:
    return EstimatorOptions(
        estimator=a.estimator,
        device=a.device,
        engine=a.runtime,
        box=box_of(a.box),
        face=a.face,
        face_model=a.face_model,
        preprocessing=a.preprocessing,
        jpeg=a.jpeg,
    )


def quality_of(a: argparse.Namespace) -> Quality:
    from ..scene.rendering import Quality

    return Quality((a.engine or "auto").upper(), a.samples, a.height)


def preferred_python() -> str:
    """*Use this Python* of the extension's preferences, in a Blender that has it; else empty."""
    if not sys.modules.get("bpy"):
        return ""
    from ..properties import preferences

    return preferences.worker_python()

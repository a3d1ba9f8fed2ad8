"""Implement Try It: add a head and animate it with the demo clip."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...model.errors import InputError
from ...model.performance.performance_files import load_performance
from ...model.worker.messages import AnimateResult, EstimatorOptions
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from . import capture
from .keying import Keying

CLIP = Path(__file__).resolve().parents[2] / "model" / "data" / "demo_clip.mp4"


def try_it(scene: bpy.types.Scene, device: str = "auto") -> Task[AnimateResult]:
    """Add an open head to ``scene`` and animate it with the demo clip, with the footage behind it."""
    scene_uid = scene.session_uid

    def write(reply: AnimateResult, job: Job[AnimateResult]) -> str:
        performance = load_performance(job.out)
        into = next((s for s in bpy.data.scenes if s.session_uid == scene_uid), None)
        if into is None or bpy.context.scene != into:
            raise InputError("Another scene is open now: nothing was written")
        capture.add_face(into).run()
        return capture.key_performance(
            into, bpy.context.view_layer.objects.active, performance, Keying(root=True, markers=True)
        )

    return Task("Try It", requests.animate(str(CLIP), EstimatorOptions(device=device)), write, unit="frames")

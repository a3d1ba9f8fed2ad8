from __future__ import annotations

import re
from pathlib import Path

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.engine import packs
from ..expnet_addon.engine.tasks import Task
from ..model.worker.messages import FineTuneResult
from .task import TaskOperator, estimator_options, has_source, idle, is_there


class EXPNET_OT_fine_tune(TaskOperator, bpy.types.Operator):
    bl_idname = "expnet.fine_tune"
    bl_label = "Fine-Tune on This Actor"
    bl_description = (
        "Train the open network on the source clip, a few minutes, and use the new weights if they are better on "
        "frames that were held out. The clip shows one actor for at least 100 frames"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = context.scene.expnet
        if settings.network == "OFFICIAL":
            cls.poll_message_set("The authors' networks are not trained here: choose the open network")
            return False
        return has_source(cls, context) and is_there(cls, settings.chosen_network()) and idle(cls)

    def task(self, context: bpy.types.Context) -> Task[FineTuneResult]:
        from ..expnet_addon.user_files.face_models import user_folder

        settings = context.scene.expnet
        options = estimator_options(settings)
        clip = str(chosen.source(context).path)
        folder = user_folder() / "actors"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w-]+", "_", Path(clip).stem) or "actor"
        out = next(p for p in (folder / f"{name}_{i}.safetensors" for i in range(1, 10_000)) if not p.exists())

        def keep(weights: str) -> None:
            settings.network, settings.estimator = "FILE", weights

        return packs.fine_tune([clip], str(out), options.estimator, options.lens_mm, keep)

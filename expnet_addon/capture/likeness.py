"""The actor's face on a head: its shape and its skin, from photos or a clip.

The skin is a PNG beside the .blend. In a .blend that was never saved it is packed instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import write_whole
from ...model.worker.messages import EstimatorOptions, LikenessResult
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from ..scene import materials, rig, skins


def dress_like(head: bpy.types.Object, pictures: Sequence[str], options: EstimatorOptions) -> Task[LikenessResult]:
    """Give ``head`` the shape and the skin of the person in ``pictures``: photos, folders of photos, or clips.

    Raises InputError for a head that is not the open one.
    """
    if head["expnet_model"] != OPEN:
        raise InputError(f"'{head.name}' is not the open head, which the skin is made for: add one")
    uid = head.session_uid

    def write(reply: LikenessResult, job: Job[LikenessResult]) -> str:
        face = next((obj for obj in bpy.data.objects if obj.session_uid == uid), None)
        if face is None:
            raise InputError("The face that the pictures were for is gone: nothing was written")
        content = job.out.read_bytes()
        where = wear(face, content, reply, _file_beside_blend(face))
        count = len(reply.views)
        return "\n".join(
            [
                f"{face.name} looks like the person in {count} picture{'s' if count > 1 else ''}",
                f"{reply.seen:.0%} of the face is from the pictures, the rest is the skin {reply.skin.capitalize()}",
                f"Skin: {where}",
                *reply.notes,
            ]
        )

    return Task("Actor's Face", requests.likeness(pictures, options), write)


def wear(head: bpy.types.Object, content: bytes, reply: LikenessResult, file: Path | None) -> str:
    """Put the PNG ``content`` into the head's materials, and shape the head. Returns where the skin is.

    ``file`` gets the PNG. Without it the picture is packed into the .blend.
    """
    model = rig.rig_model(head)
    if file is not None:
        write_whole(file, content)
        image = bpy.data.images.load(str(file), check_existing=True)
        image.reload()
        if bpy.data.filepath:
            image.filepath = bpy.path.relpath(str(file))
    else:
        image = _packed(head, content)
    image.name = f"{head.name} skin"
    skins.wear(head, image, skins.PHOTOGRAPHS[reply.skin])
    materials.colour_eyes(head, reply.iris)
    rig.apply_alpha(head, model, np.array(reply.alpha, np.float32))
    return file.name if file is not None else "packed into the .blend"


def _file_beside_blend(head: bpy.types.Object) -> Path | None:
    if not bpy.data.filepath:
        return None
    name = bpy.path.clean_name(f"{Path(bpy.data.filepath).stem}_{head.name}_skin")
    return Path(bpy.data.filepath).with_name(f"{name}.png")


def _packed(head: bpy.types.Object, content: bytes) -> bpy.types.Image:
    image = bpy.data.images.new(f"{head.name} skin", 8, 8)
    image.pack(data=content, data_len=len(content))
    image.source = "FILE"
    return image

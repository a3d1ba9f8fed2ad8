"""``expnet likeness``: a head that looks like the person in photos or a clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import write_whole
from ...model.worker.messages import EstimatorOptions
from ..engine import requests
from ..engine.jobs import Job
from ..unattended.heads import face_model_file, fresh_head
from ..unattended.outputs import check_outputs, require_bpy, save_scene
from ..unattended.terminal import bar, print_notes, quiet_stdout
from ..unattended.worker_python import preferred_python


@dataclass(frozen=True)
class LikenessOptions:
    """The person in ``pictures``: as a head in the scene ``out`` (.blend, .glb), as a ``texture`` (.png), or both."""

    pictures: tuple[str, ...]
    out: Path | None = None
    texture: Path | None = None
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)


def likeness(a: LikenessOptions) -> None:
    """Write the scene and the texture. Raises InputError, WorkerFault."""
    outputs: dict[Path, tuple[str, ...]] = {}
    if a.out:
        outputs[a.out] = (".blend", ".glb")
    if a.texture:
        outputs[a.texture] = (".png",)
    if not outputs:
        raise InputError("nothing to write: give --out HEAD.blend or --texture FACE.png")
    check_outputs(a.pictures, outputs)
    if a.out:
        require_bpy("likeness --out")
    with Job(requests.likeness(a.pictures, a.estimator), preferred_python()) as job, bar() as shown:
        reply = job.wait(shown)
        content = job.out.read_bytes()
    print_notes(reply.notes)
    texture = a.texture or (a.out.with_suffix(".png") if a.out and a.out.suffix.lower() == ".blend" else None)
    if texture:
        write_whole(texture, content)
    if a.out:
        from ..capture import likeness as looks
        from ..scene import camera_and_light as staging

        with quiet_stdout():
            scene, head = fresh_head(face_model_file(OPEN), OPEN)
            looks.wear(head, content, reply, texture.absolute() if texture else None)
            staging.light_head(scene)
            save_scene(a.out, [head, *head.children])
    count = len(reply.views)
    used = f"{count} picture{'s' if count > 1 else ''} used"
    print(f"{used}, {reply.seen:.0%} of the face seen, filled from the skin {reply.skin.lower()}")

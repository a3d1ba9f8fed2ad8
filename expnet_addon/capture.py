"""From what the artist asks to what the worker sees to what the scene gets.

The functions that return a Task change nothing until its ``finish``. They hold on to Blender's data by
``session_uid``: the scene may be edited, undone or closed while the worker is busy, which ends in one line instead
of a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..model.errors import InputError
from ..model.formats.npz import load_face_model
from ..model.performance import REGIONS, FacePerformance, load_performance
from ..model.semantics import OPEN_BASIS
from ..model.treatment import Treatment, named_neutral
from . import animation, face_models, requests, rig, takes
from . import scene as staging
from .clips import check_there, shown_file
from .jobs import Job
from .requests import Seeing
from .tasks import Task


@dataclass(frozen=True)
class Keying:
    """How a performance becomes keys.

    ``smoothing`` as in ``performance.smooth``; ``neutral`` as in ``treatment.named_neutral``: which face of the actor's
    becomes the head's resting one; ``identity``: the head takes the clip's face shape too;
    ``scene_timing``: the scene takes its frame rate and range; ``match_camera``: and a camera with the footage behind.
    """

    smoothing: float = 0.5
    neutral: str = "none"
    identity: bool = True
    scene_timing: bool = True
    match_camera: bool = True


def add_face(scene: bpy.types.Scene, face_model: str = face_models.OPEN) -> Task:
    """A head of ``face_model`` (``open`` or a path) in ``scene``, active and selected."""
    ready = face_models.readable_file(face_model)
    scene_uid = scene.session_uid

    def write(reply: dict, job: Job | None) -> str:
        path = ready
        if path is None:
            assert job is not None
            path = face_models.cache_file(Path(face_model))
            face_models.keep(job.out, path)
        model = load_face_model(path)
        _find(bpy.data.scenes, scene_uid, "The scene")
        head = rig.create_rig(model, model_path=face_models.OPEN if face_model == face_models.OPEN else str(path))
        _select(head)
        return f"{head.name}: {model.vertex_count} vertices, {len(model.expression_keys)} keys"

    request = None if ready else requests.convert(face_model)
    return Task("Add face", request, write)


def estimate_image(
    scene: bpy.types.Scene, head: bpy.types.Object, image: str, seeing: Seeing, identity: bool = True
) -> Task:
    """The expression in ``image`` as keys on ``head`` at the current frame."""
    check_there(image, "image")
    if Path(image).is_dir():
        raise InputError(f"'{image}' is a folder: choose an image file")
    check_basis(seeing, head["expnet_basis"], head.name)
    head_uid, frame, name = head.session_uid, scene.frame_current, Path(image).name

    def write(reply: dict, job: Job | None) -> str:
        seen = reply["estimates"][0]
        if "error" in seen:
            raise InputError(seen["error"])
        face = _find(bpy.data.objects, head_uid, f"The face that '{name}' was for")
        model = rig.rig_model(face)
        animation.key_expression(face, seen["eta"], np.array(seen["gaze"]), frame)
        if identity:
            rig.apply_alpha(face, model, np.array(seen["alpha"]))
        strongest = sorted(seen["eta"], key=lambda key: -abs(seen["eta"][key]))[:2]
        return f"{name}, keyed at frame {frame}\n" + ", ".join(f"{key} {seen['eta'][key]:.2f}" for key in strongest)

    return Task("Estimate expression", requests.estimate([image], seeing), write)


def animate_clip(scene: bpy.types.Scene, head: bpy.types.Object, clip: str, seeing: Seeing, keying: Keying) -> Task:
    """``head`` keyed from ``clip``, from the scene's first frame on."""
    check_there(clip, "clip")
    check_basis(seeing, head["expnet_basis"], head.name)
    head_uid, scene_uid = head.session_uid, scene.session_uid

    def write(reply: dict, job: Job | None) -> str:
        assert job is not None
        performance = load_performance(job.out)
        face = _find(bpy.data.objects, head_uid, f"The face that '{Path(clip).name}' was for")
        into = _find(bpy.data.scenes, scene_uid, "The scene")
        return key_performance(into, face, performance, keying)

    return Task("Animate from footage", requests.animate(clip, seeing), write)


def key_performance(
    scene: bpy.types.Scene, head: bpy.types.Object, performance: FacePerformance, keying: Keying
) -> str:
    """Put a raw ``performance`` on ``head`` as ``keying`` says; what to tell the user.

    Raises InputError, with nothing written, when no face was seen or the head has other keys.
    """
    if not performance.seen.any():
        name = Path(performance.source).name
        raise InputError(
            f"No face was found in '{name}': choose another clip, or say where the face is in its first frame"
        )
    model = rig.rig_model(head)
    _same_basis(performance.basis, model.basis, head.name)
    if keying.scene_timing:
        animation.set_scene_fps(scene, performance.fps)
    neutral, frame = named_neutral(performance, keying.neutral)
    treatment = Treatment(dict.fromkeys(REGIONS, keying.smoothing), neutral, frame)
    take = takes.write_take(scene, head, performance, treatment)
    if keying.scene_timing:
        animation.set_frame_range(scene, take)
    if keying.identity:
        rig.apply_alpha(head, model, performance.alpha)
    if keying.match_camera:
        camera = staging.match_camera(scene, performance.image_size, performance.lens_mm)
        try:
            first = round(float(performance.times[0]) * performance.fps)
            staging.show_footage(scene, camera, shown_file(performance.source), first=first)
        except InputError as error:  # what OpenCV reads and Blender does not: the keys are good all the same
            return f"{take_report(take, len(performance.times))}\nThe footage is not shown: {error}"
    return take_report(take, len(performance.times))


def take_report(take: animation.Take, frames: int) -> str:
    """A line with what was keyed, and one with where there was no face."""
    keyed = f"{take.keyed} of {frames} frames keyed, {take.frame_start:.0f} to {take.frame_end:.0f}"
    if not take.missing:
        return keyed
    gaps = ", ".join(f"{a} to {b}" if b > a else f"{a}" for a, b in take.missing)
    return f"{keyed}\nNo face in frames {gaps} of the clip"


def apply_identity(head: bpy.types.Object) -> str:
    """Shape the head by the numbers in its ``alpha`` property, as the artist left them."""
    model = rig.rig_model(head)
    alpha = np.asarray(head["alpha"], np.float32)
    rig.apply_alpha(head, model, alpha)
    return f"{head.name}: {np.count_nonzero(alpha)} identity components applied"


def check_basis(seeing: Seeing, basis: str, name: str) -> None:
    """Refuse, before any long work, the network in the box for a head ``name`` of another expression basis."""
    if seeing.estimator == "open":
        _same_basis(OPEN_BASIS, basis, name)


def _same_basis(seen: str, basis: str, name: str) -> None:
    if seen != basis:
        raise InputError(
            f"The estimator gives keys of the basis '{seen}', '{name}' has '{basis}': "
            "use a face model and an estimator of the same kind"
        )


def _find(collection, uid: int, what: str):
    for item in collection:
        if item.session_uid == uid:
            return item
    raise InputError(f"{what} is gone: nothing was written")


def _select(head: bpy.types.Object) -> None:
    for other in bpy.context.selected_objects:
        other.select_set(False)
    head.select_set(True)
    bpy.context.view_layer.objects.active = head

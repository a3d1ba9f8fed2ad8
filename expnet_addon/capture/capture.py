"""Run a capture: make the worker's request, and write its result as keys in the scene.

Functions that return a Task change nothing before its ``finish``. They refer to Blender's data by ``session_uid``,
because the scene can be edited, undone or closed while the worker runs. Missing data then raises InputError with one
line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.files import is_file
from ...model.formats.npz import load_face_model
from ...model.performance.face_performance import FacePerformance
from ...model.performance.performance_files import load_performance
from ...model.performance.smoothing import REGIONS
from ...model.performance.treatment import Treatment, named_neutral
from ...model.sight.sequences import check_there, shown_file
from ...model.worker.messages import (
    Animate,
    AnimateResult,
    ConvertResult,
    EstimateResult,
    EstimatorOptions,
    ImageRequest,
    Request,
)
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from ..scene import animation, compare, first_view, head_root, ready_to_render, rig, scene_changes, take_keys, take_list
from ..scene import camera_and_light as staging
from ..scene.sound import lay_sound
from ..user_files import basis_maps, face_models
from . import takes
from .keying import Keying
from .sources import Source, is_still


def add_face(scene: bpy.types.Scene, face_model: str = OPEN) -> Task[ConvertResult]:
    """Add a head of ``face_model`` (``open`` or a path) to ``scene``, at its 3D cursor, active and selected."""
    ready = face_models.readable_file(face_model)
    scene_uid = scene.session_uid

    def write(reply: ConvertResult | None, job: Job[ConvertResult] | None) -> str:
        path = ready
        if path is None:
            assert reply is not None and job is not None
            path = face_models.cache_file(Path(face_model))
            face_models.keep(job.out, path)
            basis_maps.keep(reply)
        model = load_face_model(path)
        into = _find(bpy.data.scenes, scene_uid, "The scene")
        head = rig.create_rig(model, model_path=OPEN if face_model == OPEN else str(path))
        head.location = into.cursor.location
        select(head)
        first_view.show_new_head(into, head)
        return f"{head.name}: {model.vertex_count} vertices, {len(model.expression_keys)} keys"

    request = None if ready else requests.convert(face_model)
    return Task("Add Face", request, write)


def estimate_picture(
    scene: bpy.types.Scene, head: bpy.types.Object, picture: Source, options: EstimatorOptions, identity: bool = True
) -> Task[Any]:
    """Key the expression in one picture on ``head`` at the current frame.

    The picture is a still image, or frame ``picture.first`` of a clip.
    """
    check_there(picture.path, "image")
    check_head(options, head["expnet_basis"], len(head["alpha"]), head.name, identity)
    head_uid, frame = head.session_uid, scene.frame_current
    still = is_still(picture.path)
    name = picture.name if still else f"{picture.name} at frame {(picture.first or 0) + 1}"

    def write(reply: Any, job: Job[Any]) -> str:
        seen = _only_image(reply) if still else _only_frame(job, name)
        face = _find(bpy.data.objects, head_uid, f"The face that '{name}' was for")
        model = rig.rig_model(face)
        route = basis_maps.route(reply.pack.basis, model, face.name)
        eta, alpha = route.numbers(seen.eta, seen.alpha)
        animation.key_expression(face, eta, seen.gaze, frame)
        if identity:
            rig.apply_alpha(face, model, alpha)
        strongest = sorted(eta, key=lambda key: -abs(eta[key]))[:2]
        keyed = ", ".join(f"{key} {eta[key]:.2f}" for key in strongest)
        return "\n".join([f"{name}, keyed at frame {frame}", keyed, *reply.notes])

    request: Request[Any] = _animate(picture, options)
    if still:
        request = requests.estimate([ImageRequest(picture.path)], options)
    return Task("Estimate Expression", request, write)


def animate_clip(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    clip: Source,
    options: EstimatorOptions,
    keying: Keying,
    fit: bool = False,
) -> Task[AnimateResult]:
    """Key ``head`` from ``clip``, from ``clip.start_frame`` or the scene's first frame on.

    ``fit``: the clip is read twice, and its performance is refined over all frames.
    """
    check_there(clip.path, "clip")
    check_head(options, head["expnet_basis"], len(head["alpha"]), head.name, keying.identity)
    head_uid, scene_uid = head.session_uid, scene.session_uid

    def write(reply: AnimateResult, job: Job[AnimateResult]) -> str:
        performance = load_performance(job.out)
        face = _find(bpy.data.objects, head_uid, f"The face that '{clip.name}' was for")
        into = _find(bpy.data.scenes, scene_uid, "The scene")
        return "\n".join([key_performance(into, face, performance, keying, clip), *reply.notes])

    return Task("Animate from Footage", _animate(clip, options, fit), write, unit="frames")


def _animate(clip: Source, options: EstimatorOptions, fit: bool = False) -> Animate:
    """Request an animation; ``fps`` is for image sequences only, a movie keeps its own."""
    fps = None if is_file(clip.path) else clip.fps
    return requests.animate(clip.path, options, clip.first, clip.last, fps, fit)


@dataclass(frozen=True, eq=False)
class _Seen:
    """The estimate of one picture: ``eta`` by key, gaze (2,) in radians, and the identity (Ks,)."""

    eta: dict[str, float]
    gaze: FloatArray
    alpha: FloatArray


def _only_image(reply: EstimateResult) -> _Seen:
    (image,) = reply.estimates
    if image.face is None:
        raise InputError(image.error)
    return _Seen(image.face.eta, np.array(image.face.gaze), np.array(image.face.alpha))


def _only_frame(job: Job[Any], name: str) -> _Seen:
    seen = load_performance(job.out)
    if not seen.seen.any():
        raise InputError(f"No face was found in {name}: choose another one, or say where the face is")
    eta = dict(zip(seen.expression_keys, seen.eta[0].tolist(), strict=True))
    return _Seen(eta, seen.gaze[0], seen.alpha)


def key_performance(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    performance: FacePerformance,
    keying: Keying,
    clip: Source | None = None,
) -> str:
    """Key ``head`` with a raw ``performance`` by the options ``keying``, and keep it as the head's take.

    With its footage shown, keys lie frame for frame, as Blender shows the footage. Without footage they lie at the
    performance's times.

    Every performance is keyed by this function: from a clip, a file, a recording, or a script. ``clip`` is its source,
    if known. Without it the performance starts at the scene's first frame. Returns lines for the user. Raises
    InputError, with nothing written, if no frame has a face or the head has other keys.
    """
    if not performance.seen.any():
        name = Path(performance.source).name
        raise InputError(
            f"No face was found in '{name}': choose another clip, or say where the face is in its first frame"
        )
    foreign = performance.basis != head["expnet_basis"]
    model = rig.rig_model(head) if foreign or keying.identity else None  # else not needed: its file may be missing
    if model is not None and foreign:
        performance = basis_maps.route(performance.basis, model, head.name).performance(performance)
    earlier = takes.earlier_take(head, performance.source)
    keep = earlier is not None and not keying.replace_edited and take_keys.is_edited(head, earlier)
    tuned = takes.tuned_settings(earlier) if earlier is not None else None
    before = scene_changes.facts(scene)
    if keying.scene_timing:
        animation.set_scene_fps(scene, keying.fps or performance.fps)
    neutral, frame = named_neutral(performance, keying.neutral)
    treatment = Treatment(dict.fromkeys(REGIONS, keying.smoothing), neutral, frame)
    start = clip.start_frame if clip else None
    in_sight = (keying.match_camera and keying.footage) or (clip is not None and clip.clip is not None)
    if keying.root:
        head_root.stand(scene, head, head_root.first_place(performance))
    take = takes.write_take(
        scene, head, performance, treatment, start, not in_sight, source_times=keying.source_times, keep=keep
    )
    action = bpy.data.actions[take.action]
    if tuned is not None:
        takes.tune(head, tuned)
    root = head_root.settle(scene, head)
    action.expnet.head_motion = keying.head_motion
    action.expnet.markers = keying.markers
    if keying.scene_timing:
        animation.set_frame_range(scene, take)
    action.expnet.sets_timing, action.expnet.scene_rate = keying.scene_timing, animation.scene_fps(scene)
    action.expnet.matches_camera = keying.match_camera
    report = [animation.take_report(take, _frames_of_the_clip(performance))]
    if performance.fitted:
        report.append("Fitted to the whole clip")
    if keep and earlier is not None:
        report.append(f"The take '{earlier.name}' has hand edits and is kept")
    report += [line for line in [animation.rate_report(scene, performance)] if in_sight and line]
    if model is not None and keying.identity and len(performance.alpha):
        rig.apply_alpha(head, model, performance.alpha)
    if keying.sound:
        action.expnet.has_sound = lay_sound(scene, performance, take, head.name)
    if keying.match_camera:
        camera = staging.match_camera(scene, performance.image_size, performance.lens_mm)
        head_root.carry(root, camera)
        try:
            if keying.footage:
                _show(scene, camera, performance, clip, action)
                compare.apply(scene)
                ready_to_render.renew_plane(scene)
        except InputError as error:  # Blender cannot read some clips that OpenCV can; the keys are still valid
            staging.hide_footage(camera)
            report.append(f"The footage is not shown: {error}")
        first_view.look_through_camera(scene)
    return "\n".join(line for line in [*report, scene_changes.changes(before, scene)] if line)


def _frames_of_the_clip(performance: FacePerformance) -> int:
    """Return the number of frames from the first read frame to the last, unreadable frames included."""
    frames = performance.frames
    return max(round(float(frames[-1] - frames[0])) + 1, len(frames) + performance.unread)


def _show(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    performance: FacePerformance,
    clip: Source | None,
    action: bpy.types.Action,
) -> None:
    """Show the footage behind the head, and keep it with the take. The artist's own clip block is not changed."""
    block = None if clip is None or clip.clip is None else _find(bpy.data.movieclips, clip.clip, "The movie clip")
    if block is not None:
        staging.show_clip(camera, block)
        take_list.remember_footage(action, block, own=False)
        return
    first = round(float(performance.frames[0]))
    start = None if clip is None or clip.start_frame is None else round(clip.start_frame)
    file = shown_file(performance.source)
    shown = staging.show_footage(scene, camera, file, start, first, performance.image_size)
    take_list.remember_footage(action, shown, own=True)


def apply_identity(head: bpy.types.Object) -> str:
    """Shape the head by the numbers in its ``alpha`` property, as the artist has set them."""
    model = rig.rig_model(head)
    alpha = np.asarray(head["alpha"], np.float32)
    rig.apply_alpha(head, model, alpha)
    return f"{head.name}: {np.count_nonzero(alpha)} identity components applied"


def check_head(options: EstimatorOptions, basis: str, components: int, name: str, identity: bool) -> None:
    """Check, before any long work, that the estimator's coefficients fit the head.

    Raises InputError if there is no map to the head's expression ``basis``, or if, with ``identity``, the head has too
    few identity components.
    """
    seen = basis_maps.seen_basis(options.estimator)
    if seen is None:
        return
    basis_maps.check(seen, basis, name)
    if identity:
        basis_maps.check_identity(seen, basis, components, name)


def _find(collection: bpy.types.bpy_prop_collection, uid: int, what: str) -> bpy.types.ID:
    for item in collection:
        if item.session_uid == uid:
            return item
    raise InputError(f"{what} is gone: nothing was written")


def select(head: bpy.types.Object) -> None:
    """Select the head alone, and make it active: the panel shows its takes."""
    for other in bpy.context.selected_objects:
        other.select_set(False)
    head.select_set(True)
    bpy.context.view_layer.objects.active = head

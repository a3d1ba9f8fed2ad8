"""The scripting API: ``import expnet`` provides these names (docs/scripting.md).

The functions run the same use cases as the operators, and return when they are finished. ``estimate``, ``read_clip``
and ``read_performance`` work in any Python; the others need Blender, or bpy as a module. The worker process reads
images and clips, so a script needs no torch. Every function raises InputError with one line for bad input, and
WorkerFault if the worker fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import builtin
from ..model.errors import InputError
from ..model.worker.messages import EstimatorOptions, ImageFace, ImageRequest
from .capture.keying import AS_RECORDED, Keying
from .engine import requests
from .engine.jobs import Job, WorkerFault
from .unattended.worker_python import preferred_python

if TYPE_CHECKING:
    import bpy

    from ..model.performance.face_performance import FacePerformance
    from .characters.plan import Report

__all__ = [
    "AS_RECORDED",
    "EstimatorOptions",
    "ImageFace",
    "InputError",
    "Keying",
    "WorkerFault",
    "add_head",
    "animate",
    "apply_performance",
    "estimate",
    "make_keys",
    "read_clip",
    "read_performance",
    "retarget",
]

OPEN = EstimatorOptions()
USUAL = Keying()


def estimate(image: str | Path, options: EstimatorOptions = OPEN) -> ImageFace:
    """Estimate the face in an image: expression by key, identity, gaze, and the pose in the camera's frame."""
    request = requests.estimate([ImageRequest(str(image), box=options.box)], options)
    with Job(request, preferred_python()) as job:
        (result,) = job.wait().estimates
    if result.face is None:
        raise InputError(result.error)
    return result.face


def read_clip(
    clip: str | Path,
    options: EstimatorOptions = OPEN,
    first: int | None = None,
    last: int | None = None,
    fps: float | None = None,
) -> FacePerformance:
    """Read the performance in a movie or a folder of images, raw as the network estimates it.

    ``first`` and ``last`` are 0-based frames, both included; ``fps`` is the rate of a folder of images.
    """
    from ..model.performance.performance_files import load_performance

    with Job(requests.animate(str(clip), options, first, last, fps), preferred_python()) as job:
        job.wait()
        return load_performance(job.out)


def read_performance(path: str | Path, fps: float | None = None) -> FacePerformance:
    """Load a performance (.npz) or a recording of the Live Link Face app (.csv), whose true rate is ``fps``."""
    from ..model.performance import live_link

    return live_link.read_performance(path, fps)


def add_head(face_model: str | Path = builtin.OPEN, scene: bpy.types.Scene | None = None) -> bpy.types.Object:
    """Add a head of ``face_model``, ``open`` or a file, to the current scene. Returns its object."""
    import bpy

    from .capture import capture

    capture.add_face(scene or bpy.context.scene, str(face_model)).run(preferred_python())
    head: bpy.types.Object = bpy.context.view_layer.objects.active
    return head


def animate(
    clip: str | Path,
    head: bpy.types.Object,
    options: EstimatorOptions = OPEN,
    keying: Keying = USUAL,
    scene: bpy.types.Scene | None = None,
) -> str:
    """Key ``head`` from a clip, and keep the raw performance as its take. Returns lines on the keyed frames."""
    import bpy

    from .capture import capture, sources

    scene = scene or bpy.context.scene
    source = sources.of_file(str(clip), scene)
    return capture.animate_clip(scene, head, source, options, keying).run(preferred_python())


def apply_performance(
    performance: FacePerformance | str | Path,
    head: bpy.types.Object,
    keying: Keying = AS_RECORDED,
    scene: bpy.types.Scene | None = None,
) -> str:
    """Key ``head`` with a performance or its file, and keep it as its take. Returns lines on the keyed frames."""
    import bpy

    from .capture import capture

    if isinstance(performance, (str, Path)):
        performance = read_performance(performance)
    return capture.key_performance(scene or bpy.context.scene, head, performance, keying)


def retarget(
    source: bpy.types.Object | FacePerformance | str | Path,
    character: bpy.types.Object,
    names: str = "AUTO",
    preset: str | Path | None = None,
    scene: bpy.types.Scene | None = None,
) -> Report:
    """Key a character's shape keys and bones with the motion of a head, a performance or a file.

    The retarget table is made from the character's names (a scheme of ``model/retargeting/name_schemes.py``), or read
    from ``preset``. Returns a report of what is keyed, what is left out, and why.
    """
    import bpy

    from ..model.retargeting.table import load_preset
    from .characters.character import character_of
    from .characters.keys import apply_keys
    from .characters.motion import face_motion, performance_motion
    from .characters.name_matching import matched_rows

    scene, target = scene or bpy.context.scene, character_of(character)
    rows = load_preset(preset) if preset else matched_rows(target, names)[1]
    if not rows:
        raise InputError(f"none of the shape keys and bones of '{character.name}' has a name that is known")
    if isinstance(source, bpy.types.Object):
        return apply_keys(target, rows, face_motion(source))
    if isinstance(source, (str, Path)):
        source = read_performance(source)
    return apply_keys(target, rows, performance_motion(scene, source))


def make_keys(
    objects: Sequence[bpy.types.Object],
    names: str = "OPEN",
    symmetric: bool = False,
    without_eyes: bool = False,
    existing: str = "ASK",
) -> str:
    """Make the expression keys of an artist's head, whose meshes ``objects`` are. Returns lines for the user.

    names     OPEN (ExpNet's 29) or ARKIT (ARKit's 52)
    existing  what happens to shape keys of these names: REPLACE, KEEP, or ASK to raise InputError

    The points of the face are found first, unless the head has them.
    """
    from .own_head import make

    if names not in make.NAMES or existing not in (make.ASK, make.REPLACE, make.KEEP):
        raise InputError(f"'{names}', '{existing}': give names OPEN or ARKIT, and existing REPLACE, KEEP or ASK")
    return make.keys_of_meshes(objects, make.Keys(names, symmetric, without_eyes, existing), preferred_python())

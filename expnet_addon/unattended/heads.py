"""The head that a verb works on: its converted face model, and an empty scene with it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.builtin import OPEN
from ...model.formats.npz import load_face_model
from ..engine import requests
from ..engine.jobs import Job
from .terminal import bar
from .worker_python import preferred_python

if TYPE_CHECKING:
    import bpy

    from ...model.face.face_model import FaceModel


def face_model_file(face_model: str) -> Path:
    """Return the npz of a face model; other formats are converted by the worker, once."""
    from ..user_files import basis_maps, face_models

    file = face_models.readable_file(face_model)
    if file is None:
        file = face_models.cache_file(Path(face_model))
        with Job(requests.convert(face_model), preferred_python()) as job, bar() as shown:
            basis_maps.keep(job.wait(shown))
            face_models.keep(job.out, file)
    return file


def fresh_head(file: Path, face_model: str) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """Make an empty scene with one head in it."""
    import bpy

    from ..scene import rig

    model = read_head(file)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    return scene, rig.create_rig(model, model_path=OPEN if face_model == OPEN else str(file))


def read_head(file: Path) -> FaceModel:
    """Read a converted face model; the result is cached.

    A process may create several heads, and the skin texture is made once for each model object.
    """
    return _read_head(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_head(file: Path, changed: int) -> FaceModel:
    return load_face_model(file)

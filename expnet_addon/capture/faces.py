"""Find the faces in the source's first picture, and keep their thumbnails for the panel.

The thumbnails exist only in the current Blender session. The .blend keeps the number of the chosen face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ...model.worker.messages import EstimatorOptions, FacesResult
from ..engine import requests
from ..engine.tasks import Task
from .icons import Icons, decoded

if TYPE_CHECKING:
    from .sources import Source


@dataclass(frozen=True)
class Faces:
    """The faces found in ``source``: one icon per face, the largest face first."""

    source: str
    icons: tuple[int, ...] = ()


class _Thumbnails:
    """The most recently found faces, and their icons."""

    def __init__(self) -> None:
        self.faces = Faces("")
        self.icons = Icons()


_thumbnails = _Thumbnails()


def found() -> Faces:
    """Return the faces of the last ``find_faces``."""
    return _thumbnails.faces


def find_faces(clip: Source, options: EstimatorOptions) -> Task[FacesResult]:
    """Find the faces in the first picture of ``clip``, for ``found()``. The .blend is not changed."""
    check_there(clip.path, "clip")

    def write(reply: FacesResult, job: object) -> str:
        faces = reply.faces
        if not faces:
            raise InputError(f"No face was found in '{clip.name}': choose another frame, or draw a box")
        _thumbnails.icons.show([decoded(face.pixels, reply.size) for face in faces])
        _thumbnails.faces = Faces(clip.path, _thumbnails.icons.shown)
        return f"{len(faces)} faces in '{clip.name}'" if len(faces) > 1 else f"One face in '{clip.name}'"

    return Task("Find Faces", requests.faces(clip.path, options, clip.first or 0), write)


def forget() -> None:
    """Remove the faces and free their icons."""
    _thumbnails.faces = Faces("")
    _thumbnails.icons.forget()

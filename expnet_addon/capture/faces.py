"""Find the faces in the source's first picture, and keep their thumbnails for the panel.

The thumbnails exist only in the current Blender session. The .blend keeps the number of the chosen face.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import bpy.utils.previews

from ...model.errors import InputError
from ...model.sight.sequences import check_there
from ...model.worker.protocol import EstimatorOptions, FacesResult
from ..engine import requests
from ..engine.tasks import Task

if TYPE_CHECKING:
    import numpy as np

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
        self._previews: bpy.utils.previews.ImagePreviewCollection | None = None

    def show(self, source: str, pictures: list[np.ndarray]) -> None:
        """Replace the icons by those of ``pictures``, each (size, size, 4) float32."""
        self.forget()
        self._previews = previews = bpy.utils.previews.new()
        for i, picture in enumerate(pictures):
            preview = previews.new(str(i))
            for size, pixels in (("image_size", "image_pixels_float"), ("icon_size", "icon_pixels_float")):
                setattr(preview, size, picture.shape[1::-1])
                getattr(preview, pixels).foreach_set(picture.ravel())
        self.faces = Faces(source, tuple(previews[str(i)].icon_id for i in range(len(pictures))))

    def forget(self) -> None:
        """Remove the faces and free their icons."""
        self.faces = Faces("")
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None


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
        _thumbnails.show(clip.path, [_pixels(face.pixels, reply.size) for face in faces])
        return f"{len(faces)} faces in '{clip.name}'" if len(faces) > 1 else f"One face in '{clip.name}'"

    return Task("Find faces", requests.faces(clip.path, options, clip.first or 0), write)


def forget() -> None:
    """Remove the faces and free their icons."""
    _thumbnails.forget()


def _pixels(coded: str, size: int) -> np.ndarray:
    """Return the pixels (size, size, 4) as float32 RGBA, with the last row first, as in Blender."""
    import numpy as np

    rgb = np.frombuffer(base64.b64decode(coded), np.uint8).reshape(size, size, 3)[::-1]
    return np.concatenate([rgb / np.float32(255), np.ones((size, size, 1), np.float32)], -1)

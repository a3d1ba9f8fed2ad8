"""The faces in the source's first picture, as thumbnails to choose from.

They belong to this session of Blender, not to the file. The file keeps the number of the chosen face.
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
    """The faces that were found in ``source``: an icon each, the largest face first."""

    source: str
    icons: tuple[int, ...] = ()


class _Thumbnails:
    """The faces found last, and the icons that show them."""

    def __init__(self) -> None:
        self.faces = Faces("")
        self._previews: bpy.utils.previews.ImagePreviewCollection | None = None

    def show(self, source: str, pictures: list[np.ndarray]) -> None:
        self.forget()
        self._previews = previews = bpy.utils.previews.new()
        for i, picture in enumerate(pictures):
            preview = previews.new(str(i))
            for size, pixels in (("image_size", "image_pixels_float"), ("icon_size", "icon_pixels_float")):
                setattr(preview, size, picture.shape[1::-1])
                getattr(preview, pixels).foreach_set(picture.ravel())
        self.faces = Faces(source, tuple(previews[str(i)].icon_id for i in range(len(pictures))))

    def forget(self) -> None:
        self.faces = Faces("")
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None


_thumbnails = _Thumbnails()


def found() -> Faces:
    """Return the faces that ``find_faces`` found last."""
    return _thumbnails.faces


def find_faces(clip: Source, options: EstimatorOptions) -> Task[FacesResult]:
    """Find the faces in the first picture of ``clip``, for ``found()``. Nothing in the file changes."""
    check_there(clip.path, "clip")

    def write(reply: FacesResult, job: object) -> str:
        faces = reply.faces
        if not faces:
            raise InputError(f"No face was found in '{clip.name}': choose another frame, or draw a box")
        _thumbnails.show(clip.path, [_pixels(face.pixels, reply.size) for face in faces])
        return f"{len(faces)} faces in '{clip.name}'" if len(faces) > 1 else f"One face in '{clip.name}'"

    return Task("Find faces", requests.faces(clip.path, options, clip.first or 0), write)


def forget() -> None:
    """Forget the faces, and free their icons."""
    _thumbnails.forget()


def _pixels(coded: str, size: int) -> np.ndarray:
    """(size, size, 4) float32 RGBA, the last row first, as Blender has it."""
    import numpy as np

    rgb = np.frombuffer(base64.b64decode(coded), np.uint8).reshape(size, size, 3)[::-1]
    return np.concatenate([rgb / np.float32(255), np.ones((size, size, 1), np.float32)], -1)

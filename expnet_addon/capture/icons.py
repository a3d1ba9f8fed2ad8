"""Pictures of the worker as icons, which the panels draw. They exist only in the current Blender session."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import bpy
import bpy.utils.previews

if TYPE_CHECKING:
    from ...model.array_types import FloatArray


class Icons:
    """Icons of some pictures; ``shown`` are their numbers."""

    def __init__(self) -> None:
        self.shown: tuple[int, ...] = ()
        self._previews: bpy.utils.previews.ImagePreviewCollection | None = None

    def show(self, pictures: list[FloatArray]) -> None:
        """Replace the icons by those of ``pictures``, each (size, size, 4) float32."""
        self.forget()
        self._previews = previews = bpy.utils.previews.new()
        for i, picture in enumerate(pictures):
            preview = previews.new(str(i))
            for size, pixels in (("image_size", "image_pixels_float"), ("icon_size", "icon_pixels_float")):
                setattr(preview, size, picture.shape[1::-1])
                getattr(preview, pixels).foreach_set(picture.ravel())
        self.shown = tuple(previews[str(i)].icon_id for i in range(len(pictures)))

    def forget(self) -> None:
        """Free the icons."""
        self.shown = ()
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None


def decoded(coded: str, size: int) -> FloatArray:
    """Return RGB rows in base64 as (size, size, 4) float32 RGBA, with the last row first, as in Blender.

    Raises ValueError if they are not ``size`` rows of ``size`` pixels.
    """
    import numpy as np

    rgb = np.frombuffer(base64.b64decode(coded), np.uint8).reshape(size, size, 3)[::-1]
    return np.concatenate([rgb / np.float32(255), np.ones((size, size, 1), np.float32)], -1)

"""The sources of pictures: a file, a folder of images, or a movie clip or image that is open in Blender.

Blender's blocks have their own timing. ``Source`` keeps it, so that keys lie where the artist sees the footage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ...model.errors import InputError
from ...model.sight.image_header import image_header
from ...model.sight.sequences import check_there
from ..scene import animation, footage


@dataclass(frozen=True)
class Source:
    """Pictures for the worker, and their place in scene time.

    path         a movie, an image, a folder, or a pattern (``shot_####.png``)
    first, last  frames to read, 0-based, both included; None: from the start, to the end
    start_frame  scene frame of ``first``; None: the scene's first frame
    fps          rate of an image sequence, which stores none
    clip         ``session_uid`` of the movie clip block that shows it; None if there is no block yet
    """

    path: str
    first: int | None = None
    last: int | None = None
    start_frame: float | None = None
    fps: float | None = None
    clip: int | None = None

    @property
    def name(self) -> str:
        """The file's or folder's name, for reports."""
        return Path(self.path).name

    def within(self, first: int, last: int) -> Source:
        """Return the range ``first`` to ``last`` of the source, counted from 0 at its start.

        Raises InputError, which counts from 1.
        """
        if last < first:
            raise InputError(f"frames {first + 1} to {last + 1} are no range: the last comes before the first")
        base = self.first or 0
        end = base + last if self.last is None else min(base + last, self.last)
        if end < base + first:
            raise InputError(f"'{self.name}' has no frame {first + 1}: it has {end - base + 1}")
        start = None if self.start_frame is None else self.start_frame + first
        return replace(self, first=base + first, last=end, start_frame=start)

    def at(self, scene: bpy.types.Scene) -> Source:
        """Return the one picture at the scene's current frame; a still image shows at every frame."""
        if is_still(self.path):
            return self
        start = scene.frame_start if self.start_frame is None else self.start_frame
        frame = max(round(scene.frame_current - start), 0) + (self.first or 0)
        if self.last is not None:
            frame = min(frame, self.last)
        return replace(self, first=frame, last=frame, start_frame=float(scene.frame_current))


def of_file(path: str, scene: bpy.types.Scene, what: str = "clip") -> Source:
    """Return a file, folder or pattern on disk as a source. Raises InputError if it does not exist."""
    check_there(path, what)
    return Source(path, fps=animation.scene_fps(scene))


def of_block(block: bpy.types.MovieClip | bpy.types.Image, scene: bpy.types.Scene) -> Source:
    """Return a movie clip or image block as a source with the block's timing. Raises InputError if it has no file."""
    found = footage.footage_of(block)
    clip = block.session_uid if isinstance(block, bpy.types.MovieClip) else None
    if found.kind == "image":
        return Source(found.path, clip=clip)
    first = found.first if found.kind == "movie" else footage.position(found.path, found.first)
    last = first + found.count - 1
    return Source(found.path, first, last, float(found.start_frame), animation.scene_fps(scene), clip)


def is_still(path: str) -> bool:
    """Return whether the file is a still image, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return image_header(file.read(65536)) is not None
    except OSError:
        return False  # a folder, a pattern, or a file that the worker rejects

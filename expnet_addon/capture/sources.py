"""Where the pictures come from: a file, a folder of images, or a movie clip or image that is open in Blender.

Blender's own blocks say when they show which picture; ``Source`` keeps that, so that keys lie where the artist sees the
footage.
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
    """Pictures for the worker, and where they lie in the scene.

    path         what the worker opens: a movie, an image, a folder, or a pattern (``shot_####.png``)
    first, last  its frames to read, from 0, both included; None: from its start, to its end
    start_frame  scene frame of ``first``; None: the scene's first frame
    fps          of an image sequence, which does not know its own
    clip         the movie clip block that shows it, by its ``session_uid``; None where there is none yet
    """

    path: str
    first: int | None = None
    last: int | None = None
    start_frame: float | None = None
    fps: float | None = None
    clip: int | None = None

    @property
    def name(self) -> str:
        return Path(self.path).name

    def within(self, first: int, last: int) -> Source:
        """Frames ``first`` to ``last`` of it only, counted from 0 where it starts."""
        if last < first:
            raise InputError(f"frames {first} to {last} are no range: the last comes before the first")
        base = self.first or 0
        end = base + last if self.last is None else min(base + last, self.last)
        if end < base + first:
            raise InputError(f"'{self.name}' has no frame {first}: it has {end - base + 1}")
        start = None if self.start_frame is None else self.start_frame + first
        return replace(self, first=base + first, last=end, start_frame=start)

    def at(self, scene: bpy.types.Scene) -> Source:
        """Return the one picture that shows at the scene's current frame; a still picture shows always."""
        if is_still(self.path):
            return self
        start = scene.frame_start if self.start_frame is None else self.start_frame
        frame = max(round(scene.frame_current - start), 0) + (self.first or 0)
        if self.last is not None:
            frame = min(frame, self.last)
        return replace(self, first=frame, last=frame, start_frame=float(scene.frame_current))


def of_file(path: str, scene: bpy.types.Scene, what: str = "clip") -> Source:
    """Return a file, folder or pattern on disk as a source. Raises InputError when there is none."""
    check_there(path, what)
    return Source(path, fps=animation.scene_fps(scene))


def of_block(block: bpy.types.MovieClip | bpy.types.Image, scene: bpy.types.Scene) -> Source:
    """Return a movie clip or image block as a source, as long and where it shows. Raises InputError without a file."""
    found = footage.footage_of(block)
    clip = block.session_uid if isinstance(block, bpy.types.MovieClip) else None
    if found.kind == "image":
        return Source(found.path, clip=clip)
    first = found.first if found.kind == "movie" else footage.position(found.path, found.first)
    last = first + found.count - 1
    return Source(found.path, first, last, float(found.start_frame), animation.scene_fps(scene), clip)


def is_still(path: str) -> bool:
    """Whether the file is one picture, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return image_header(file.read(65536)) is not None
    except OSError:
        return False  # a folder, a pattern; or what the worker refuses

"""Find the files, frames and times of a data-block: an image, an image sequence, a movie or a movie clip.

Blender counts frames differently in each: the sequence of a movie clip starts at the number in its file name, the
sequence of an image at file number 1 + offset. ``Footage`` describes all of them in one way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import bpy

from ...model.errors import InputError
from ...model.files import is_file
from ...model.sight.sequences import numbered, sequence_of, sequence_pattern


@dataclass(frozen=True)
class Footage:
    """Pictures on disk and their place in scene time.

    kind         ``image``, ``sequence`` or ``movie``
    path         absolute; for a sequence a pattern such as ``/shots/a_####.png``
    first        picture at ``start_frame``: a movie's frame (0-based) or a sequence's file number; 0 for an image
    count        number of frames from ``first`` on
    start_frame  scene frame of ``first``
    fps          a movie's own rate; None if the files have none
    size         (width, height) pixels
    """

    kind: str
    path: str
    first: int
    count: int
    start_frame: int
    fps: float | None
    size: tuple[int, int]

    def source_frame(self, scene_frame: int) -> int:
        """Return the picture at a scene frame, clamped at both ends: a movie's frame (0-based) or a file's number."""
        return self.first + min(max(scene_frame - self.start_frame, 0), self.count - 1)

    def still(self, scene_frame: int) -> str:
        """Return the image file at a scene frame. Raises InputError for a movie, whose frames are not files."""
        if self.kind == "movie":
            raise InputError(f"{self.path} is a movie: choose an image, or animate from the movie")
        return numbered(self.path, self.source_frame(scene_frame)) if self.kind == "sequence" else self.path


def footage_of(block: bpy.types.ID, user: bpy.types.ImageUser | None = None) -> Footage:
    """Return the footage of a ``MovieClip`` or an ``Image``; ``user`` is the image's timing, if it has one.

    Raises InputError for blocks without a file on disk: generated, packed or rendered images, missing files.
    """
    if isinstance(block, bpy.types.MovieClip):
        return _of_clip(block)
    if isinstance(block, bpy.types.Image):
        return _of_image(block, user)
    raise InputError(f"{block.name!r} is neither an image nor a movie clip")


def _of_clip(clip: bpy.types.MovieClip) -> Footage:
    path = _file_of(clip)
    size = (int(clip.size[0]), int(clip.size[1]))
    skipped = clip.frame_offset
    if clip.frame_duration < 1:
        raise InputError(f"{path} cannot be read: Blender does not know its format, or it is incomplete")
    if clip.source == "MOVIE":
        return Footage("movie", path, skipped, max(clip.frame_duration - skipped, 1), clip.frame_start, clip.fps, size)
    pattern, number = sequence_pattern(path)
    first = number + skipped
    count = _run_length(pattern, first)
    return Footage("sequence", pattern, first, count, clip.frame_start, None, size)


def _of_image(image: bpy.types.Image, user: bpy.types.ImageUser | None) -> Footage:
    if image.source not in {"FILE", "SEQUENCE", "MOVIE"}:
        raise InputError(f"image {image.name!r} has no file: save it to disk first")
    if image.packed_file is not None and not is_file(_absolute(image)):
        raise InputError(f"image {image.name!r} is packed into the .blend: unpack it first")
    path = _file_of(image)
    size = (int(image.size[0]), int(image.size[1]))
    start = user.frame_start if user is not None else 1
    skipped = user.frame_offset if user is not None else 0
    if image.source == "FILE":
        return Footage("image", path, 0, 1, start, None, size)
    if image.source == "MOVIE":
        return Footage("movie", path, skipped, max(image.frame_duration - skipped, 1), start, None, size)
    pattern, number = sequence_pattern(path)
    # Without a user Blender shows file 1 at frame 1. The number of the opened file is the better start.
    first = 1 + skipped if user is not None else number
    count = _run_length(pattern, first)
    if user is not None and user.frame_duration > 0:
        count = min(count, user.frame_duration)
    return Footage("sequence", pattern, first, max(count, 1), start, None, size)


def position(pattern: str, number: int) -> int:
    """Return the 0-based frame of file ``number``, counted from the first number of the pattern."""
    return number - sequence_of(pattern).first


def _run_length(pattern: str, first: int) -> int:
    """Return the number of frames from number ``first`` to the last file of the pattern, gaps included."""
    try:
        return sequence_of(pattern).files[-1][0] - first + 1
    except InputError:
        return 0


def _absolute(block: bpy.types.ID) -> str:
    path: str = os.path.normpath(bpy.path.abspath(block.filepath, library=block.library))
    return path


def _file_of(block: bpy.types.ID) -> str:
    path = _absolute(block)
    if not block.filepath or not is_file(path):
        raise InputError(f"{block.name!r}: there is no file {path}")
    return path

"""The head and the source that the artist has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...model.errors import InputError
from ..scene.heads import chosen_head as face

__all__ = ["face", "shown_clip", "source", "source_in_range", "source_missing"]

if TYPE_CHECKING:
    from .sources import Source


def shown_clip(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """Return the clip in the Movie Clip editor, if the context is one, else None."""
    space = context.space_data
    return space.clip if space is not None and space.type == "CLIP_EDITOR" else None


def source_missing(context: bpy.types.Context) -> str:
    """Return a line on the choice that is missing; empty if a source is chosen. Fast enough for polls."""
    if shown_clip(context) is not None:
        return ""
    settings = context.scene.expnet
    given, ask = {
        "FILE": (settings.source, "Choose an image or a movie as the source first"),
        "FOLDER": (settings.source_folder, "Choose a folder of images as the source first"),
        "CLIP": (settings.source_clip, "Choose a movie clip as the source first"),
        "IMAGE": (settings.source_image, "Choose an image as the source first"),
    }[settings.source_kind]
    return "" if given else ask


def source(context: bpy.types.Context) -> Source:
    """Return the whole source: the clip in the Movie Clip editor, else the panel's. Raises InputError."""
    from . import sources

    missing = source_missing(context)
    if missing:
        raise InputError(missing)
    scene, settings = context.scene, context.scene.expnet
    clip = shown_clip(context)
    if clip is not None or settings.source_kind in ("CLIP", "IMAGE"):
        named = settings.source_clip if settings.source_kind == "CLIP" else settings.source_image
        return sources.of_block(clip or named, scene)
    path = settings.source if settings.source_kind == "FILE" else settings.source_folder
    return sources.of_file(bpy.path.abspath(path), scene)


def source_in_range(context: bpy.types.Context) -> Source:
    """Return the source, or the range of it set in the panel."""
    settings = context.scene.expnet
    whole = source(context)
    return whole.within(settings.first, settings.last) if settings.use_range else whole

"""The head and the source that the artist has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...model.errors import InputError
from ..scene.heads import is_rig, rigs_in

if TYPE_CHECKING:
    from .sources import Source


def face(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the head chosen in the panel, else the active one, else the scene's only one.

    If an eye is active, its head is returned. Returns None if the choice is ambiguous.
    """
    named = context.scene.expnet.rig
    if is_rig(named) and context.scene.objects.get(named.name) == named:
        return named
    active = context.active_object
    while active is not None:
        if is_rig(active):
            return active
        active = active.parent
    faces = rigs_in(context.scene)
    return faces[0] if len(faces) == 1 else None


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

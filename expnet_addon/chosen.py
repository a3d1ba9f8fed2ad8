"""What the artist means: the face that is to be driven."""

from __future__ import annotations

import bpy

from . import rig


def face(context: bpy.types.Context) -> bpy.types.Object | None:
    """The face that is named in the panel, else the active one (or the one whose eye is active), else the scene's
    only one; None where it is not clear."""
    named = context.scene.expnet.rig
    if rig.is_rig(named) and context.scene.objects.get(named.name) == named:
        return named
    active = context.active_object
    while active is not None:
        if rig.is_rig(active):
            return active
        active = active.parent
    faces = rig.rigs_in(context.scene)
    return faces[0] if len(faces) == 1 else None

"""Find heads made by ExpNet, and objects that can follow one.

Polls call these functions at every redraw, so the module needs no numpy.
"""

from __future__ import annotations

import bpy

VERTEX_INDEX = "model_vertex"  # the int point attribute of a head's meshes


def is_rig(obj: bpy.types.Object | None) -> bool:
    """Return whether ``obj`` is a head made by ``rig.create_rig``."""
    return (
        obj is not None and obj.type == "MESH" and "expnet_basis" in obj and "alpha" in obj
        and obj.data.shape_keys is not None and VERTEX_INDEX in obj.data.attributes
    )  # fmt: skip


def rigs_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the heads of ``scene``, sorted by name."""
    return sorted((obj for obj in scene.objects if is_rig(obj)), key=lambda obj: obj.name)


def chosen_head(context: bpy.types.Context) -> bpy.types.Object | None:
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


def has_shape_keys(obj: bpy.types.Object) -> bool:
    """Return whether ``obj`` is a mesh with shape keys, and not a head made by ExpNet."""
    keys = obj.data.shape_keys if obj.type == "MESH" else None
    return keys is not None and len(keys.key_blocks) > 1 and not is_rig(obj)


def other_side(key: str) -> str:
    """Return the name of the same key on the other side, of one without a side its own."""
    sides = {"_L": "_R", "_R": "_L"}
    return key[:-2] + sides[key[-2:]] if key[-2:] in sides else key

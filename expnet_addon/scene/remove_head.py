"""Remove a head with everything that ExpNet made for it: eyes, root, materials, sound, markers, and its takes."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ...model.errors import InputError
from . import camera_and_light as staging
from . import compare, confidence, emotion_text, emotion_track, ready_to_render, sound
from .current_take import head_action_of, takes_of
from .head_root import root_of
from .heads import rigs_in

EYE = "expnet_eye"


def remove_head(scene: bpy.types.Scene, head: bpy.types.Object, takes: bool) -> str:
    """Remove ``head`` from the file; ``takes`` says whether its takes go, too. Returns a line for the user.

    What the artist parented to the head stays where it is. ExpNet's camera and lights stay; the footage behind the
    camera goes with the last head of the scene. Takes that stay are kept by a fake user, as Blender does not save
    actions without users. Raises InputError for a linked head.
    """
    if head.library is not None or head.override_library is not None:
        raise InputError(f"'{head.name}' is linked from another file: remove it there, or delete the object")
    bpy.context.view_layer.update()  # the places of what stays
    name, root, actions = head.name, root_of(head), takes_of(head)
    eyes = [child for child in head.children if EYE in child]
    _release([child for child in head.children if child not in eyes])
    if root is not None:
        _release([child for child in root.children if child != head])
    sound.remove_sound(scene, "", name)
    confidence.unmark(scene, head)
    emotion_track.unmark(scene, head)
    emotion_text.remove_text(scene, head)
    bodies = [body for body in (head_action_of(head, action) for action in actions) if body is not None]
    for action in dict.fromkeys([*actions, *bodies]):
        if takes:
            bpy.data.actions.remove(action)
        else:
            action.use_fake_user = True
    _remove_objects([head, *eyes])
    if root is not None:
        bpy.data.objects.remove(root)
    found = compare.footage_of(scene)
    if found is not None and not rigs_in(scene):
        staging.hide_footage(found[0])
        ready_to_render.remove_plane(scene)
    return f"'{name}' is removed" + (_and_takes(len(actions), takes) if actions else "")


def _and_takes(count: int, removed: bool) -> str:
    what = "its take" if count == 1 else f"its {count} takes"
    return f", with {what}" if removed else f"; {what} stay{'s' if count == 1 else ''} in the file"


def _release(objects: Sequence[bpy.types.Object]) -> None:
    """Take the parent from ``objects``, which stay where they are."""
    for obj in objects:
        place = obj.matrix_world.copy()
        obj.parent = None
        obj.matrix_world = place


def _remove_objects(objects: Sequence[bpy.types.Object]) -> None:
    """Remove meshes, and the materials and pictures that nothing else uses."""
    meshes = list(dict.fromkeys(obj.data for obj in objects))
    materials = list(dict.fromkeys(material for mesh in meshes for material in mesh.materials if material is not None))
    for obj in objects:
        bpy.data.objects.remove(obj)
    for mesh in meshes:
        if not mesh.users:
            bpy.data.meshes.remove(mesh)
    for material in materials:
        if not material.users:
            nodes = material.node_tree.nodes if material.node_tree is not None else ()
            pictures = [node.image for node in nodes if node.type == "TEX_IMAGE" and node.image is not None]
            bpy.data.materials.remove(material)
            for picture in dict.fromkeys(pictures):
                if not picture.users:
                    bpy.data.images.remove(picture)

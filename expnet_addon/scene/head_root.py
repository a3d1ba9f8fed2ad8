"""The empty that is the parent of a head and its matched camera, so that the head stays where the artist put it.

Keys of head pose are relative to the camera. Under the root, the first frame's place is where the head stood before.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ...model.performance.face_performance import FacePerformance
from .. import compat
from .coordinates import object_pose

ROOT = "expnet_root"  # custom property of the empty
PLACE = "expnet_place"  # custom property of the empty: the head's place under it at the take's first frame, metres


def root_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """Return the head's root, or None."""
    return head.parent if head.parent is not None and head.parent.get(ROOT) else None


def first_place(performance: FacePerformance) -> Vector:
    """Return the head's place relative to the camera in the first frame with a face, metres."""
    first = int(np.argmax(performance.seen))
    location, _ = object_pose(performance.rotation[first], performance.translation[first])
    return Vector(location.tolist())


def keyed_place(head: bpy.types.Object) -> Vector | None:
    """Return the head's place at its first key, as smoothed; None without such keys."""
    curves = compat.assigned_curves(head)
    places = [curves.find("location", index=i) if curves is not None else None for i in range(3)]
    if any(curve is None or not len(curve.keyframe_points) for curve in places):
        return None
    return Vector([curve.keyframe_points[0].co[1] for curve in places if curve is not None])


def settle(scene: bpy.types.Scene, head: bpy.types.Object) -> bpy.types.Object | None:
    """Move the head's root, if it has one, so that the current take starts where the head stands. Returns the root."""
    place = keyed_place(head)
    return stand(scene, head, place) if root_of(head) is not None and place is not None else root_of(head)


def stand(scene: bpy.types.Scene, head: bpy.types.Object, place: Vector) -> bpy.types.Object | None:
    """Put the head's root so that the head, at ``place`` under it, stands where it stands now. Returns the root.

    A head without a root gets one, where it has no parent of the artist's; then nothing is done, and None returned. A
    head that earlier versions keyed keeps its place in front of the world's origin.
    """
    root = root_of(head)
    if root is not None:
        old = Vector(root[PLACE])
        root.location += root.rotation_euler.to_matrix() @ (old - place)
    elif head.parent is not None:
        return None
    else:
        keyed = head.animation_data is not None and head.animation_data.action is not None
        location, turn, _ = head.matrix_basis.decompose()
        root = bpy.data.objects.new(f"{head.name} root", None)
        root[ROOT] = True
        root.empty_display_size = 0.05
        for collection in head.users_collection or (scene.collection,):
            collection.objects.link(root)
        if not keyed:
            root.rotation_euler = turn.to_euler()
            root.location = location - turn @ place
        head.parent = root
        head.matrix_parent_inverse.identity()
    root[PLACE] = list(place)
    return root


def carry(root: bpy.types.Object | None, camera: bpy.types.Object) -> None:
    """Parent the matched camera to the root, so that the footage stays behind the head."""
    if root is not None:
        camera.parent = root
        camera.matrix_parent_inverse.identity()

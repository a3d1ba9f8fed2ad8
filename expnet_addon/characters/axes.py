"""The axes of a character's head in its armature: which way are its left, its back and up.

An armature made in Blender has the character upright along its own Z. An imported FBX file has it along Y, at a scale
of 0.01, and the object is turned by 90 degrees about X. So the axes come from the character itself: its left from
bones of the left and the right side, up from the world and from the bones below the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.retargeting.name_schemes import head_bone, side_key

UPRIGHT = np.cos(np.radians(30.0))  # an armature whose own Z is so near to the world's stands upright
SNAP_UP = np.cos(np.radians(35.0))  # necks and spines lean
SNAP_LEFT = np.cos(np.radians(10.0))


@dataclass(frozen=True, eq=False)
class Axes:
    """``directions`` (3, 3): columns are the character's left, back and up, unit vectors in the armature's space.

    ``metres``: how long one unit of the armature is in the world.
    """

    directions: FloatArray
    metres: float


def head_axes(armature: bpy.types.Object) -> Axes:
    """Return the axes of the character's head at rest, and the armature's scale."""
    world = armature.matrix_world
    turn = np.array(world.to_quaternion().to_matrix())
    metres = float(np.mean(np.abs(world.to_scale()))) or 1.0
    world_up = turn.T @ [0.0, 0.0, 1.0]
    up = world_up
    if world_up[2] < UPRIGHT:  # imported, or lying down
        spine = _spine(armature)
        up = spine if spine is not None else world_up
    up = _snapped(up, SNAP_UP)
    left = _left(armature)
    if left is not None:
        left = left - (left @ up) * up
        length = np.linalg.norm(left)
        left = _snapped(left / length, SNAP_LEFT) if length > 0.2 else None
    if left is None:
        left = np.eye(3)[0 if abs(up[0]) < 0.7 else 1]
    left = left - (left @ up) * up
    left /= np.linalg.norm(left)
    return Axes(np.stack([left, np.cross(up, left), up], axis=1), metres)


def _left(armature: bpy.types.Object) -> FloatArray | None:
    """Return the direction from bones of the right side to their counterparts on the left, of unit length."""
    sides: dict[tuple[str, str], FloatArray] = {}
    for bone in armature.data.bones:
        stem, side = side_key(bone.name.rpartition(":")[2])
        if side:
            sides.setdefault((stem, side), np.array(bone.head_local))
    total = np.zeros(3)
    for (stem, side), place in sides.items():
        if side == "L" and (stem, "R") in sides:
            total += place - sides[stem, "R"]
    length = np.linalg.norm(total)
    return total / length if length > 1e-6 else None


def _spine(armature: bpy.types.Object) -> FloatArray | None:
    """Return the direction from the root of the head's chain of bones to the head, of unit length.

    None where the chain is too short or lies askew to all axes of the armature.
    """
    bones = armature.data.bones
    name = head_bone(bones.keys())
    if name is None or not bones[name].parent_recursive:
        return None
    head = np.array(bones[name].head_local)
    direction = head - np.array(bones[name].parent_recursive[-1].head_local)
    length = np.linalg.norm(direction)
    if length < 1e-6 * max(1.0, float(np.abs(head).max())):
        return None
    direction /= length
    return direction if np.abs(direction).max() > SNAP_UP else None


def _snapped(direction: FloatArray, near: float) -> FloatArray:
    """Return the nearest axis of the armature where ``direction`` is nearly along it, else ``direction``."""
    index = int(np.argmax(np.abs(direction)))
    if abs(direction[index]) < near:
        return direction
    axis: FloatArray = np.eye(3)[index] * np.sign(direction[index])
    return axis

"""Detect bones that move what shape keys already move.

Many characters have both an open jaw as a shape and a jaw bone, or a gaze in shapes and eye bones. On some of them both
are needed: the shapes move the lids, the bones turn the eyeballs. So what counts is which vertices they move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy
import numpy as np

from ...model.array_types import FloatArray, IntArray
from .character import deforming_armature

SHARE = 0.25  # of what the bone moves the vertices: from there on the shapes move them, too


def moves_again(
    armature: bpy.types.Object, bone: str, meshes: Sequence[bpy.types.Object], shapes: Iterable[str], angle: float
) -> bool:
    """Return whether shape keys already move what a bone moves by a turn of ``angle`` radians.

    True also where the bone moves no vertex of a mesh and no object: then only the shapes move anything.
    """
    followers = _followers(armature, bone)
    shapes = set(shapes)
    pivot = armature.matrix_world @ armature.data.bones[bone].head_local
    by_bone, by_shapes = 0.0, 0.0
    for obj in bpy.data.objects:
        if obj.type != "MESH":
            continue
        held = _held_vertices(obj, armature, followers)
        if not len(held):
            continue
        co = _coordinates(obj.data.vertices)[held]
        into = np.array(obj.matrix_world)
        arms = np.linalg.norm(co @ into[:3, :3].T + into[:3, 3] - np.array(pivot), axis=1)
        by_bone += float(np.sum(arms)) * angle
        if obj in meshes:
            by_shapes += _moved_by_shapes(obj, shapes, held, into)
    return by_bone == 0.0 or by_shapes > SHARE * by_bone


def _followers(armature: bpy.types.Object, bone: str) -> set[str]:
    """Return the names of the bones that move with a bone: its children, and those that a constraint ties to it."""
    names = {bone}
    while True:
        more = {
            other.name
            for other in armature.pose.bones
            if other.name not in names
            and (
                (other.parent is not None and other.parent.name in names)
                or any(
                    getattr(c, "target", None) == armature and getattr(c, "subtarget", "") in names
                    for c in other.constraints
                )
            )
        }
        if not more:
            return names
        names |= more


def _held_vertices(obj: bpy.types.Object, armature: bpy.types.Object, bones: set[str]) -> IntArray:
    """Return the indices of the vertices that follow the bones: all of a child of a bone, else by vertex groups."""
    if obj.parent == armature and obj.parent_type == "BONE":
        return np.arange(len(obj.data.vertices)) if obj.parent_bone in bones else np.empty(0, int)
    groups = {group.index for group in obj.vertex_groups if group.name in bones}
    if not groups or deforming_armature(obj) != armature:
        return np.empty(0, int)
    held = [v.index for v in obj.data.vertices if sum(g.weight for g in v.groups if g.group in groups) > 0.5]
    return np.array(held, int)


def _moved_by_shapes(obj: bpy.types.Object, shapes: set[str], held: IntArray, into: FloatArray) -> float:
    """Return how far the shape that moves them most moves the vertices, in metres, summed over them."""
    blocks = obj.data.shape_keys.key_blocks
    rest = _coordinates(blocks[0].data)[held]
    moved = [
        np.linalg.norm((_coordinates(block.data)[held] - rest) @ into[:3, :3].T, axis=1).sum()
        for block in blocks
        if block.name in shapes
    ]
    return float(max(moved, default=0.0))


def _coordinates(points: bpy.types.bpy_prop_collection) -> FloatArray:
    """Return (V, 3) of vertices or of a shape key's points."""
    co = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", co)
    return co.reshape(-1, 3).astype(np.float64)

"""A character to retarget to: the open head with ARKit's shapes, a head bone and eye bones.

It replaces the artist's own character in tests and in the guide's picture. ``arkit_shapes`` splits the open head's keys
into ARKit's 52. Their sum, with ARKit's weights, equals the open head's face at every vertex.
"""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..expnet_addon.scene import rig
from ..model.array_types import FloatArray
from ..model.face.face_model import FaceModel
from ..model.face.semantics import ARKIT_SOURCES
from ..model.performance.channels import ARKIT, UNSEEN

MIDDLE = 0.008  # metres over which a shape of one side fades into the other's
NECK = Vector((0.0, 0.03, -0.10))  # the pivot of the head bone, metres in the head


def stand_in(model: FaceModel, alpha: FloatArray, name: str = "Hero") -> tuple[bpy.types.Object, bpy.types.Object]:
    """Make the mesh and the armature, in the active collection. ``model`` has the open keys or ICT-FaceKit's."""
    head = rig.create_rig(model, name)
    rig.apply_alpha(head, model, alpha)
    coordinates = {block.name: _coordinates(block) for block in head.data.shape_keys.key_blocks}
    basis = coordinates.pop("Basis")
    shapes = {key: co - basis for key, co in coordinates.items()}
    if "lid_L" in shapes:
        shapes = arkit_shapes(shapes, basis)
    eyes = rig.eyes_of(head)
    for eye in eyes.values():
        eye.animation_data_clear()
        eye.rotation_euler = (0.0, 0.0, 0.0)
        del eye["expnet_eye"]
    head.shape_key_clear()
    for prop in list(head.keys()):
        del head[prop]
    head.shape_key_add(name="Basis", from_mix=False)
    for key, offset in shapes.items():
        block = head.shape_key_add(name=key, from_mix=False)
        block.value = 0.0
        block.data.foreach_set("co", (basis + offset).astype(np.float32).ravel())
    armature = _armature(name, {side: eye.location.copy() for side, eye in eyes.items()})
    for side, eye in eyes.items():
        _parent(eye, armature, f"eye.{side}")
    _parent(head, armature, "head")
    return head, armature


def arkit_shapes(keys: Mapping[str, FloatArray], basis: FloatArray) -> dict[str, FloatArray]:
    """ARKit name -> offsets (V, 3) out of the open keys' offsets and those of the lids that follow the gaze."""
    left = np.clip(basis[:, :1] / MIDDLE * 0.5 + 0.5, 0, 1)
    halves = {"Left": left, "Right": 1 - left}
    both = [name for name, (key, _) in ARKIT_SOURCES.items() if [k for k, _ in ARKIT_SOURCES.values()].count(key) > 1]
    shapes = {}
    for name in ARKIT:
        side = next((s for s in halves if name.endswith(s)), "")
        if name.startswith("eyeLook"):
            way = name.removeprefix("eyeLook").removesuffix(side)
            turn = {"Up": "gazeUp", "Down": "gazeDown"}.get(way)
            turn = turn or f"gaze{side if way == 'Out' else {'Left': 'Right', 'Right': 'Left'}[side]}"
            shapes[name] = keys[turn] * halves[side]
        elif name in UNSEEN:
            shapes[name] = np.zeros_like(basis)
        else:
            key, factor = ARKIT_SOURCES[name]
            share: float | FloatArray = 1.0
            if key.startswith(("mouthRoll",)):
                share = 0.5
            elif name in both and not key.startswith(("lid_", "mouthSide", "jawSide")):
                share = halves[side]
            shapes[name] = keys[key] * share / factor
    return shapes


def _coordinates(block: bpy.types.ShapeKey) -> FloatArray:
    co = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", co)
    return co.reshape(-1, 3).astype(np.float64)


def _armature(name: str, eyes: Mapping[str, Vector]) -> bpy.types.Object:
    armature = bpy.data.objects.new(f"{name} rig", bpy.data.armatures.new(f"{name} rig"))
    bpy.context.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    head = bones.new("head")
    head.head, head.tail = NECK, NECK + Vector((0, 0, 0.2))
    for side, place in eyes.items():
        eye = bones.new(f"eye.{side}")
        eye.head, eye.tail, eye.parent = place, place + Vector((0, -0.05, 0)), head
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _parent(obj: bpy.types.Object, armature: bpy.types.Object, bone: str) -> None:
    """Parent to a bone and keep the world transform."""
    data = armature.data.bones[bone]
    obj.parent, obj.parent_type, obj.parent_bone = armature, "BONE", bone
    rest = armature.matrix_world @ data.matrix_local @ Matrix.Translation((0, data.length, 0))
    obj.matrix_parent_inverse = rest.inverted()

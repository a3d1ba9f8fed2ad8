"""Armatures as other programs' FBX files bring them into Blender: Y up, in centimetres, the object turned about X."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import radians

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

Place = tuple[float, float, float]  # metres: to the character's left, to its back, up


@dataclass(frozen=True)
class Rig:
    """Bones by the maker's names, name -> (parent, place). ``turned`` is the object's rotation, ``scale`` its scale."""

    bones: Mapping[str, tuple[str, Place]]
    head: str
    eyes: tuple[str, str]
    jaw: str = ""
    turned: Place = (90.0, 0.0, 0.0)
    scale: float = 0.01


def _face(head: str, eye_l: str, eye_r: str, jaw: str = "", below: Sequence[str] = ()) -> dict[str, tuple[str, Place]]:
    """Return a chain of bones up to the head, two eyes and a jaw; the neck leans forwards as necks do."""
    bones: dict[str, tuple[str, Place]] = {}
    parent = ""
    for i, name in enumerate(below):
        bones[name] = (parent, (0.0, 0.03 - 0.03 * i / len(below), 0.95 + 0.5 * i / len(below)))
        parent = name
    bones[head] = (parent, (0.0, -0.02, 1.55))
    bones[eye_l], bones[eye_r] = (head, (0.032, -0.1, 1.62)), (head, (-0.032, -0.1, 1.62))
    if jaw:
        bones[jaw] = (head, (0.0, -0.03, 1.58))
    return bones


MAKERS = {
    "Mixamo": Rig(
        _face("mixamorig:Head", "mixamorig:LeftEye", "mixamorig:RightEye",
              below=["mixamorig:Hips", "mixamorig:Spine", "mixamorig:Neck"]),
        "mixamorig:Head", ("mixamorig:LeftEye", "mixamorig:RightEye"),
    ),
    "Character Creator": Rig(
        _face("CC_Base_Head", "CC_Base_L_Eye", "CC_Base_R_Eye", "CC_Base_JawRoot",
              ["CC_Base_BoneRoot", "CC_Base_Hip", "CC_Base_NeckTwist01"]),
        "CC_Base_Head", ("CC_Base_L_Eye", "CC_Base_R_Eye"), "CC_Base_JawRoot",
    ),
    "Daz Studio": Rig(
        _face("head", "lEye", "rEye", "lowerJaw", ["hip", "abdomenLower", "neckLower"]),
        "head", ("lEye", "rEye"), "lowerJaw",
    ),
    "Unreal Engine": Rig(
        _face("head", "FACIAL_L_Eye", "FACIAL_R_Eye", "FACIAL_C_Jaw", ["pelvis", "spine_01", "neck_01"]),
        "head", ("FACIAL_L_Eye", "FACIAL_R_Eye"), "FACIAL_C_Jaw",
    ),
    "a head alone": Rig(_face("Head", "LeftEye", "RightEye", "Jaw"), "Head", ("LeftEye", "RightEye"), "Jaw"),
    "turned to the side": Rig(
        _face("Head", "LeftEye", "RightEye", "Jaw", ["Hips", "Neck"]),
        "Head", ("LeftEye", "RightEye"), "Jaw", turned=(90.0, 0.0, 40.0),
    ),
    "lying on its side": Rig(
        _face("Head", "LeftEye", "RightEye", "Jaw", ["Hips", "Neck"]),
        "Head", ("LeftEye", "RightEye"), "Jaw", turned=(90.0, 90.0, 0.0),
    ),
}  # fmt: skip


def imported(rig: Rig, straight: bool = False) -> tuple[bpy.types.Object, Matrix]:
    """Return the armature as the importer leaves it, and the 3 x 3 from the character's left, back, up to the world.

    ``straight``: the bones lie along the armature's axes, as where the importer was asked for automatic orientation.
    """
    data = bpy.data.armatures.new("Armature")
    obj = bpy.data.objects.new("Armature", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    into_file = Matrix(((1, 0, 0), (0, 0, 1), (0, -1, 0)))  # left, back, up -> x, y up, z to the front
    roll = 0.3
    for name, (parent, place) in rig.bones.items():
        bone = data.edit_bones.new(name)
        bone.head = into_file @ Vector(place) / rig.scale
        bone.tail = bone.head + Vector((0.02, 0.05, 0.01)) / rig.scale  # an importer's tails point anywhere
        bone.roll = roll = roll + 0.4
        if straight:
            bone.tail, bone.roll = bone.head + Vector((0, 0.05, 0)) / rig.scale, 0.0
        if parent:
            bone.parent = data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.rotation_euler = Euler([radians(a) for a in rig.turned])
    obj.scale = (rig.scale,) * 3
    bpy.context.view_layer.update()
    return obj, obj.matrix_world.to_quaternion().to_matrix() @ into_file


def turn_in_world(rig: bpy.types.Object, bone: str) -> np.ndarray:
    """(3, 3) how the evaluated bone is turned from its rest, in the world's axes."""
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = evaluated.matrix_world.to_quaternion().to_matrix()
    pose, rest = (b.to_quaternion().to_matrix() for b in (
        evaluated.pose.bones[bone].matrix, rig.data.bones[bone].matrix_local
    ))  # fmt: skip
    return np.array(world @ pose @ rest.inverted() @ world.inverted())

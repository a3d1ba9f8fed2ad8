"""The settings of a head, stored on its object."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ...model.errors import InputError
from ..scene import skins
from ..scene.heads import is_rig

SKINS = [
    ("LIGHT", "Light", "Photographed light skin"),
    ("MEDIUM", "Medium", "Photographed medium skin"),
    ("DARK", "Dark", "Photographed dark skin"),
    (skins.PAINTED, "Painted", "Painted skin, drawn by the extension"),
    (skins.OWN, "Own", "The materials as they are"),
]
_NUMBER = {name: number for number, (name, *_) in enumerate(SKINS)}


def _skin(head: bpy.types.Object) -> int:
    return _NUMBER[skins.skin_of(head) if is_rig(head) else skins.OWN]


def _set_skin(head: bpy.types.Object, number: int) -> None:
    from ..scene import materials, rig  # numpy

    if not is_rig(head):
        return
    try:
        materials.change_skin(head, rig.rig_model(head), SKINS[number][0])
    except InputError as error:
        print(error)


def register() -> None:
    bpy.types.Object.expnet_skin = EnumProperty(
        name="Skin", description="The skin of the head", items=SKINS, get=_skin, set=_set_skin
    )


def unregister() -> None:
    del bpy.types.Object.expnet_skin

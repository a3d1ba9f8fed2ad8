"""The settings of *Compare*, stored as ``Scene.expnet.compare``: how footage and head are shown together."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty


def _changed(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..scene import compare

    compare.apply(settings.id_data)


class ExpNetCompare(bpy.types.PropertyGroup):
    mode: EnumProperty(  # type: ignore[valid-type]
        name="Footage",
        description="How the camera view shows the footage with the head",
        items=[
            ("BEHIND", "Behind", "The footage is behind the head", "IMAGE_BACKGROUND", 0),
            ("OVER", "Over", "The footage is in front of the head, as opaque as the slider says", "IMAGE_ALPHA", 1),
            ("WIPE", "Wipe", "Footage to the left of a line, head to the right of it", "SPLIT_VERTICAL", 2),
            ("DIFFERENCE", "Difference", "Black where head and footage are alike", "SELECT_DIFFERENCE", 3),
        ],
        update=_changed,
    )
    opacity: FloatProperty(  # type: ignore[valid-type]
        name="Opacity",
        description="Opacity of the footage behind the head",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_changed,
    )
    over_opacity: FloatProperty(  # type: ignore[valid-type]
        name="Opacity",
        description="Opacity of the footage over the head",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_changed,
    )
    wipe: FloatProperty(  # type: ignore[valid-type]
        name="Position",
        description="Where the line between footage and head lies: 0 is the left edge of the picture, 1 the right one",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_changed,
    )
    footage_only: BoolProperty(  # type: ignore[valid-type]
        name="Footage Only",
        description="Show the footage in front of everything",
        update=_changed,
    )

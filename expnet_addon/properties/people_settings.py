"""The people found in a clip, stored as ``Scene.expnet.people``. ``capture.everyone`` reads and writes them."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty, PointerProperty, StringProperty

from ..scene.heads import is_rig


class ExpNetPerson(bpy.types.PropertyGroup):
    """A person; ``name`` is what the artist calls them."""

    head: PointerProperty(  # type: ignore[valid-type]
        name="Head",
        description="The head that gets this person's take. Empty: a new head is added",
        type=bpy.types.Object,
        poll=lambda person, item: is_rig(item),
    )
    performance: StringProperty(  # type: ignore[valid-type]
        name="Performance",
        description="The raw performance, before smoothing; packed",
        subtype="BYTE_STRING",
        options={"HIDDEN"},
    )
    source: StringProperty(  # type: ignore[valid-type]
        name="Source", description="The clip in which the person was found", options={"HIDDEN"}
    )
    seen: IntProperty(name="Seen", description="Frames in which the person is seen", min=0)  # type: ignore[valid-type]


def register() -> None:
    bpy.utils.register_class(ExpNetPerson)


def unregister() -> None:
    bpy.utils.unregister_class(ExpNetPerson)

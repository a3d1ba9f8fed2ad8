"""The settings of an artist's own head, stored on its largest mesh as ``Object.expnet_own_head``."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..scene.heads import is_rig

KINDS = [
    ("AUTO", "Automatic", "What it is by its name, shape and place"),
    ("SKIN", "Skin", "The skin of the face; other pieces of the same mesh may be in it"),
    ("EYE_L", "Left Eye", "The eyeball on the head's own left, or both eyes"),
    ("EYE_R", "Right Eye", "The eyeball on the head's own right"),
    ("TEETH_UPPER", "Upper Teeth", "Teeth that rest, with their gums"),
    ("TEETH_LOWER", "Lower Teeth", "Teeth that go with the jaw, with their gums"),
    ("TONGUE", "Tongue", "It goes with the jaw"),
    ("LASHES", "Lashes", "They follow the lids"),
    ("OTHER", "Other", "Brows, beard, hair: it follows the skin that is near"),
]


def _rescale(key: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..own_head import shape_keys  # numpy

    if key.strength != key.applied:
        shape_keys.scale(key.id_data, key.name, key.strength / key.applied)
        key.applied = key.strength


def _preview(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    from ..own_head import shape_keys

    names = [key.name for key in settings.keys]
    name, value = shape_keys.at_share(names, settings.preview)
    shape_keys.show(settings.id_data, {name: value}, names)
    settings.previewed = f"{name}  {value:.0%}" if name else ""


class ExpNetHeadPart(bpy.types.PropertyGroup):
    """A mesh of the head, what it is, and what it was taken for."""

    mesh: PointerProperty(  # type: ignore[valid-type]
        name="Mesh",
        description="A mesh of the head",
        type=bpy.types.Object,
        poll=lambda part, item: item.type == "MESH" and not is_rig(item),
    )
    kind: EnumProperty(name="Kind", description="What this mesh is", items=KINDS)  # type: ignore[valid-type]
    guess: StringProperty(  # type: ignore[valid-type]
        name="Taken For", description="What Automatic has found", options={"HIDDEN"}
    )


class ExpNetHeadKey(bpy.types.PropertyGroup):
    """A key that was made; ``name`` is that of its shape keys."""

    strength: FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How far the key goes, on all meshes of the head. Its shape is multiplied by it",
        default=1.0,
        min=0.05,
        soft_max=2.0,
        max=5.0,
        precision=2,
        step=5,
        update=_rescale,
    )
    applied: FloatProperty(  # type: ignore[valid-type]
        name="Applied", description="The strength that the shape keys have", default=1.0, options={"HIDDEN"}
    )


class ExpNetOwnHead(bpy.types.PropertyGroup):
    parts: CollectionProperty(  # type: ignore[valid-type]
        name="Parts", description="The meshes of the head", type=ExpNetHeadPart
    )
    names: EnumProperty(  # type: ignore[valid-type]
        name="Names",
        description="Which keys are made",
        items=[
            ("OPEN", "ExpNet", "The 29 keys of our own heads"),
            ("ARKIT", "ARKit", "The 52 shapes of ARKit, which other programs know too"),
        ],
    )
    symmetric: BoolProperty(  # type: ignore[valid-type]
        name="Symmetric",
        description="The keys of the right side are the mirror images of the left side's, where the mesh is symmetric",
    )
    without_eyes: BoolProperty(  # type: ignore[valid-type]
        name="Without Eyes",
        description="The head has no eyeballs: the lids close as if it had some",
    )
    keys: CollectionProperty(  # type: ignore[valid-type]
        name="Keys", description="The keys that were made", type=ExpNetHeadKey
    )
    active_key: IntProperty(name="Key", description="The key whose strength is shown")  # type: ignore[valid-type]
    preview: FloatProperty(  # type: ignore[valid-type]
        name="Preview",
        description="Drag it to see one key after another. At 0 the face rests",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_preview,
        options={"SKIP_SAVE"},
    )
    previewed: StringProperty(  # type: ignore[valid-type]
        name="Shown", description="The key that the preview shows", options={"HIDDEN", "SKIP_SAVE"}
    )


CLASSES = (ExpNetHeadPart, ExpNetHeadKey, ExpNetOwnHead)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.Object.expnet_own_head = PointerProperty(
        type=ExpNetOwnHead, name="Own Head", description="How keys are made for a head of the artist's own"
    )


def unregister() -> None:
    del bpy.types.Object.expnet_own_head
    _unregister_classes()

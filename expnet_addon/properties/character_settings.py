"""The settings of a character, stored on its object as ``Object.expnet_character``, and the presets' folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

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

from ...model.errors import InputError
from ...model.files import is_dir
from ...model.retargeting.row import BONE, CHARACTER, LOCATIONS, OWN, ROTATIONS, SHAPE_KEY, Row
from .. import compat
from ..characters.character import Character, character_of
from ..scene.heads import has_shape_keys, is_rig, rigs_in

if TYPE_CHECKING:
    from ..characters.motion import Motion

PRESETS = "retarget_presets"


def _channels(self: bpy.types.PropertyGroup, context: bpy.types.Context, edit_text: str) -> list[str]:
    from ...model.performance.channels import CHANNELS

    return [name for name in CHANNELS if edit_text.lower() in name.lower()]


def _targets(self: bpy.types.PropertyGroup, context: bpy.types.Context, edit_text: str) -> list[str]:
    character = self.id_data.expnet_character.character()
    if self.kind == BONE:
        names = character.armature.data.bones.keys() if character.armature else []
    else:
        names = list(dict.fromkeys(block.name for key in character.keys for block in list(key.key_blocks)[1:]))
    return [name for name in names if edit_text.lower() in name.lower()]


COMPONENTS = [
    (name, label, f"{label[:-2]} of the bone, axis {label[-1]}")
    for name in (*ROTATIONS, *LOCATIONS)
    for label in (name.replace("_", " ").capitalize()[:-1] + name[-1],)
]


class ExpNetRetargetRow(bpy.types.PropertyGroup):
    """A ``row.Row`` as properties of the same names."""

    enabled: BoolProperty(  # type: ignore[valid-type]
        name="On", description="Whether this row does anything", default=True
    )
    channel: StringProperty(  # type: ignore[valid-type]
        name="Channel",
        description="What is seen in the face: ARKit's names, our keys, gaze and head angles, vowels and moods",
        default="jawOpen",
        search=_channels,
    )
    target: StringProperty(  # type: ignore[valid-type]
        name="Target", description="The shape key or bone that it drives", search=_targets
    )
    kind: EnumProperty(  # type: ignore[valid-type]
        name="Kind",
        description="What it drives",
        items=[
            (SHAPE_KEY, "Shape Key", "In every mesh of the character that has one of this name", "SHAPEKEY_DATA", 0),
            (BONE, "Bone", "Of the character's armature", "BONE_DATA", 1),
        ],
    )
    component: EnumProperty(  # type: ignore[valid-type]
        name="Component",
        description="What of the bone it drives",
        items=COMPONENTS,
    )
    axes: EnumProperty(  # type: ignore[valid-type]
        name="Axes",
        description="Whose axes the bone is turned or moved along",
        items=[
            (CHARACTER, "Character", "X to the head's left, Y to its back, Z up, however armature and bone lie"),
            (OWN, "Bone", "The bone's own axes"),
        ],
    )
    gain: FloatProperty(  # type: ignore[valid-type]
        name="Gain", description="The channel is multiplied by it; radians or metres for a bone", default=1.0
    )
    offset: FloatProperty(  # type: ignore[valid-type]
        name="Offset", description="Is added; radians or metres for a bone"
    )
    invert: BoolProperty(  # type: ignore[valid-type]
        name="Invert", description="The channel the other way round: 1 at rest, 0 at its most; or left for right"
    )
    low: FloatProperty(name="Low", description="Never below this")  # type: ignore[valid-type]
    high: FloatProperty(name="High", description="Never above this", default=1.0)  # type: ignore[valid-type]

    def row(self) -> Row:
        """Return the row. Raises InputError for an unknown channel, or if ``low`` is above ``high``."""
        from ...model.performance.channels import CHANNELS

        row = Row(**{f.name: getattr(self, f.name) for f in fields(Row)})
        if row.channel not in CHANNELS:
            raise InputError(f"'{row.target}': there is no channel '{row.channel}'")
        if row.low > row.high:
            raise InputError(f"'{row.target}': low {row.low:g} is above high {row.high:g}")
        return row

    def set_row(self, row: Row) -> None:
        """Set all properties from ``row``; an empty component leaves the property as it is."""
        for field in fields(Row):
            value = getattr(row, field.name)
            if not (field.name == "component" and not value):
                setattr(self, field.name, value)


class ExpNetCharacterMesh(bpy.types.PropertyGroup):
    mesh: PointerProperty(  # type: ignore[valid-type]
        name="Mesh",
        description="Another mesh of the character, with shape keys of the same names: teeth, brows, lashes",
        type=bpy.types.Object,
        poll=lambda settings, item: has_shape_keys(item),
    )


class ExpNetCharacter(bpy.types.PropertyGroup):
    rows: CollectionProperty(  # type: ignore[valid-type]
        type=ExpNetRetargetRow, name="Table", description="What of the character each channel drives"
    )
    active_row: IntProperty(name="Row", description="The row shown below the table")  # type: ignore[valid-type]
    meshes: CollectionProperty(  # type: ignore[valid-type]
        type=ExpNetCharacterMesh,
        name="Meshes",
        description="The character's other meshes. Empty: those of the same head",
    )
    scheme: EnumProperty(  # type: ignore[valid-type]
        name="Names",
        description="What the character's shape keys are named after",
        items=[
            ("AUTO", "Automatic", "The scheme that explains most of the names"),
            ("ARKIT", "ARKit", "The 52 of ARKit, in any style of sides and with any prefix; Faceit's and MPFB's too"),
            ("VRM", "VRM", "VRM's expressions: vowels, blinks, moods"),
            ("CHARACTER_CREATOR", "Character Creator", "Character Creator 3 and 4, and iClone"),
            ("UNIFIED", "Unified Expressions", "VRChat's avatars with face tracking, such as LipFunnelUpperLeft"),
            ("MMD", "MikuMikuDance", "The Japanese morph names of MMD models"),
            ("FACESCAPE", "FaceScape", "FaceScape's blendshapes and expressions"),
            ("METAHUMAN", "MetaHuman", "CTRL_expressions_…"),
            ("MPFB", "MPFB's Old Units", "MakeHuman's face units, such as mouth-corner-puller"),
            ("EXPNET", "ExpNet", "The 29 keys of our own heads"),
        ],
    )
    source: EnumProperty(  # type: ignore[valid-type]
        name="Follow",
        description="What the character follows",
        items=[
            ("FACE", "A Face", "A face in this scene that ExpNet animated"),
            ("FILE", "A File", "A performance (.npz) or a recording of the Live Link Face app (.csv)"),
        ],
    )
    face: PointerProperty(  # type: ignore[valid-type]
        name="Face",
        description="The face to follow. Empty: the only one in the scene",
        type=bpy.types.Object,
        poll=lambda settings, item: is_rig(item),
    )
    file: StringProperty(  # type: ignore[valid-type]
        name="File",
        description="A performance (.npz) or a recording of the Live Link Face app (.csv)",
        subtype="FILE_PATH",
        options=compat.PATH_OPTIONS,
    )
    output: EnumProperty(  # type: ignore[valid-type]
        name="As",
        description="How the character follows",
        items=[
            ("KEYS", "Keys", "Keys in an action of its own, to be edited"),
            ("DRIVERS", "Live Drivers", "Drivers that follow the face whatever it does. They need no Python"),
        ],
    )
    result: StringProperty(name="Result", description="What the last run did")  # type: ignore[valid-type]

    def character(self) -> Character:
        """Return the character of this object and its chosen meshes."""
        return character_of(self.id_data, (item.mesh for item in self.meshes if item.mesh is not None))

    def table(self) -> list[Row]:
        """Return all rows. Raises InputError for an invalid row."""
        return [row.row() for row in self.rows]

    def set_table(self, rows: Sequence[Row]) -> None:
        """Replace the table by ``rows``."""
        self.rows.clear()
        for row in rows:
            self.rows.add().set_row(row)
        self.active_row = 0

    def followed(self, scene: bpy.types.Scene) -> bpy.types.Object:
        """Return the head to follow. Raises InputError if there is none or the choice is ambiguous."""
        faces = rigs_in(scene)
        face = self.face or (faces[0] if len(faces) == 1 else None)
        if face is None:
            raise InputError("Choose which face to follow" if faces else "There is no face in the scene to follow")
        return face

    def motion(self, scene: bpy.types.Scene) -> Motion:
        """Return the motion to follow. Raises InputError if there is none."""
        from ...model.performance.live_link import read_performance
        from ..characters.motion import face_motion, performance_motion

        if self.source == "FACE":
            return face_motion(self.followed(scene))
        if not self.file:
            raise InputError("Choose the file to follow: a performance or a Live Link Face recording")
        return performance_motion(scene, read_performance(bpy.path.abspath(self.file)))


# Presets ------------------------------------------------------------------------------------------------------------


def presets() -> Iterator[Path]:
    """Yield the files of the saved tables, sorted by name."""
    folder = _folder()
    yield from sorted(folder.glob("*.json")) if is_dir(folder) else []


def preset_file(name: str) -> Path:
    """Return the file of the table ``name``. Raises InputError if the name is not a valid file name."""
    name = name.strip()
    if not name or name != Path(name).name or name.startswith(".") or any(c in name for c in '<>:"/\\|?*'):
        raise InputError(f"'{name}' cannot be a preset's name: use letters, digits, spaces and dashes")
    return _folder() / f"{name}.json"


def _folder() -> Path:
    from ..user_files.face_models import user_folder

    return user_folder() / PRESETS


CLASSES = (ExpNetRetargetRow, ExpNetCharacterMesh, ExpNetCharacter)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.Object.expnet_character = PointerProperty(
        type=ExpNetCharacter, name="ExpNet Character", description="How this object follows a face"
    )


def unregister() -> None:
    del bpy.types.Object.expnet_character
    _unregister_classes()

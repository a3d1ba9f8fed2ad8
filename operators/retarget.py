"""Operators that match a character's names, retarget a performance to it, and remove the retarget."""

from __future__ import annotations

import bpy

from ..expnet_addon.characters.character import is_retargeted
from ..expnet_addon.properties.character_settings import ExpNetCharacter
from ..expnet_addon.scene.heads import has_shape_keys
from .reporting import reports_in


def is_character(obj: bpy.types.Object | None) -> bool:
    return obj is not None and (obj.type == "ARMATURE" or has_shape_keys(obj))


def has_character(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Return whether the active object can follow a head, for polls."""
    if not is_character(context.object):
        operator.poll_message_set("Select the character: a mesh with shape keys, or an armature")
        return False
    return True


def settings_of(context: bpy.types.Context) -> ExpNetCharacter:
    settings: ExpNetCharacter = context.object.expnet_character
    return settings


class EXPNET_OT_match_names(bpy.types.Operator):
    bl_idname = "expnet.match_names"
    bl_label = "Match Names"
    bl_description = "Fill the table from the names of the character's shape keys and bones. This replaces its rows"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_character(cls, context)

    @reports_in(settings_of)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import drive_character

        return drive_character.match(settings_of(context))


class EXPNET_OT_retarget(bpy.types.Operator):
    bl_idname = "expnet.retarget"
    bl_label = "Retarget"
    bl_description = "Move the character as the face moves, by the table. Your own keys and actions are kept"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_character(cls, context):
            return False
        if not settings_of(context).rows:
            cls.poll_message_set("The table is empty: press Match Names first, or add rows")
            return False
        return True

    @reports_in(settings_of)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import drive_character

        return drive_character.retarget(settings_of(context), context.scene)


class EXPNET_OT_drive_character(bpy.types.Operator):
    bl_idname = "expnet.drive_character"
    bl_label = "Drive My Character"
    bl_description = (
        "Match the names of the character, if its table is empty, check them, and let the character follow the face. "
        "Your own keys and actions are kept"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_character(cls, context)

    @reports_in(settings_of)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.capture import drive_character

        return drive_character.drive(settings_of(context), context.scene)


class EXPNET_OT_remove_retarget(bpy.types.Operator):
    bl_idname = "expnet.remove_retarget"
    bl_label = "Remove Retarget"
    bl_description = "Restore the character's action, values, sliders and rotation modes from before Retarget"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_character(cls, context):
            return False
        if not is_retargeted(settings_of(context).character()):
            cls.poll_message_set("Nothing was retargeted to this character")
            return False
        return True

    @reports_in(settings_of)
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.restore import remove

        remove(settings_of(context).character())
        return "The character is as it was before"


CLASSES = (EXPNET_OT_match_names, EXPNET_OT_retarget, EXPNET_OT_drive_character, EXPNET_OT_remove_retarget)

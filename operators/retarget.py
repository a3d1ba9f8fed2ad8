"""Operators that match a character's names, retarget a performance to it, and remove the retarget."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ..expnet_addon.characters.character import is_retargeted
from ..expnet_addon.properties.character_settings import ExpNetCharacter
from ..expnet_addon.scene.heads import has_shape_keys
from ..model.errors import InputError
from ..model.retargeting.row import BONE, SHAPE_KEY
from .reporting import reports


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

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.name_matching import matched_rows, unmatched_names

        settings = settings_of(context)
        character = settings.character()
        scheme, rows = matched_rows(character, settings.scheme)
        if not rows:
            raise InputError("None of its shape keys and bones has a known name: add rows to the table")
        settings.set_table(rows)
        names = settings.bl_rna.properties["scheme"].enum_items[scheme].name
        on = [row for row in rows if row.enabled]
        shapes, bones = (len({r.target for r in on if r.kind == kind}) for kind in (SHAPE_KEY, BONE))
        settings.result = f"{shapes} shape keys by {names}, {bones} bones"
        off = {row.target for row in rows} - {row.target for row in on}
        if off:
            settings.result += f"\nSwitched off, as other rows move the same: {_some(sorted(off))}"
        unknown = unmatched_names(character, rows)
        if unknown:
            settings.result += f"\nUnknown names, add rows for those that should move: {_some(unknown)}"
        line: str = settings.result
        return line


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

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.drivers import apply_drivers
        from ..expnet_addon.characters.keys import apply_keys

        settings = settings_of(context)
        rows = settings.table()
        if settings.output == "DRIVERS":
            if settings.source != "FACE":
                raise InputError("Drivers need a face to follow: choose a face, or keys")
            report = apply_drivers(settings.character(), rows, settings.followed(context.scene))
        else:
            report = apply_keys(settings.character(), rows, settings.motion(context.scene))
        settings.result = f"{report} {'driven' if settings.output == 'DRIVERS' else 'keyed'}"
        for why, targets in report.reasons().items():
            settings.result += f"\n{_some(targets)}: {why}"
        line: str = settings.result
        return line


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

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.restore import remove

        settings = settings_of(context)
        remove(settings.character())
        settings.result = "The character is as it was before"
        line: str = settings.result
        return line


def _some(names: Sequence[str]) -> str:
    """Return the first names and the number of the others, as text."""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


CLASSES = (EXPNET_OT_match_names, EXPNET_OT_retarget, EXPNET_OT_remove_retarget)

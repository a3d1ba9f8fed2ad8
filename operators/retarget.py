"""A performance onto the active character: find its names, make it follow, take that back."""

from __future__ import annotations

import bpy

from ..expnet_addon.characters.character import is_retargeted
from ..expnet_addon.properties.character_settings import ExpNetCharacter
from ..expnet_addon.scene.heads import has_shape_keys
from ..model.errors import InputError
from ..model.retargeting.row import SHAPE_KEY
from .reporting import reports


def is_character(obj: bpy.types.Object | None) -> bool:
    return obj is not None and (obj.type == "ARMATURE" or has_shape_keys(obj))


def has_character(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll: the active object can follow a face."""
    if not is_character(context.object):
        operator.poll_message_set("Select the character: a mesh with shape keys, or an armature")
        return False
    return True


def settings_of(context: bpy.types.Context) -> ExpNetCharacter:
    return context.object.expnet_character


class EXPNET_OT_match_names(bpy.types.Operator):
    bl_idname = "expnet.match_names"
    bl_label = "Match Names"
    bl_description = "Fill the table by the names of the character's shape keys and bones. What is in it is replaced"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_character(cls, context)

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.characters.name_matching import matched_rows

        settings = settings_of(context)
        scheme, rows = matched_rows(settings.character(), settings.scheme)
        if not rows:
            raise InputError("None of its shape keys and bones has a name that is known: add rows by hand")
        settings.set_table(rows)
        shapes = sum(row.kind == SHAPE_KEY for row in rows)
        names = settings.bl_rna.properties["scheme"].enum_items[scheme].name
        settings.result = f"{shapes} shape keys by {names}, {len({r.target for r in rows[shapes:]})} bones"
        return settings.result


class EXPNET_OT_retarget(bpy.types.Operator):
    bl_idname = "expnet.retarget"
    bl_label = "Retarget"
    bl_description = "Let the character do what the face does, as the table says. Your own keys and actions are kept"
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
            settings.result += f"\n{len(targets)} {why}: {', '.join(targets[:2])}{' …' if len(targets) > 2 else ''}"
        return settings.result


class EXPNET_OT_remove_retarget(bpy.types.Operator):
    bl_idname = "expnet.remove_retarget"
    bl_label = "Remove Retarget"
    bl_description = "Bring back what the character had before: its action, values, sliders and rotation modes"
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
        settings.result = "Retarget removed"
        return settings.result


CLASSES = (EXPNET_OT_match_names, EXPNET_OT_retarget, EXPNET_OT_remove_retarget)

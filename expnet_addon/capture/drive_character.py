"""From a face in the scene to the artist's character: match its names, and move it by the table."""

from __future__ import annotations

import bpy

from ...model.errors import InputError, first_of
from ...model.retargeting.row import BONE, SHAPE_KEY
from ..characters.drivers import apply_drivers
from ..characters.keys import apply_keys
from ..characters.name_matching import matched_rows, unmatched_names
from ..characters.plan import Plan
from ..properties.character_settings import ExpNetCharacter


def match(settings: ExpNetCharacter) -> str:
    """Fill the character's table from its names. Returns lines for the user. Raises InputError if none is known."""
    character = settings.character()
    scheme, rows = matched_rows(character, settings.scheme)
    if not rows:
        raise InputError("None of its shape keys and bones has a known name: add rows to the table")
    settings.set_table(rows)
    names = settings.bl_rna.properties["scheme"].enum_items[scheme].name
    on = [row for row in rows if row.enabled]
    shapes, bones = (len({r.target for r in on if r.kind == kind}) for kind in (SHAPE_KEY, BONE))
    text = f"{shapes} shape keys by {names}, {bones} bones"
    off = {row.target for row in rows} - {row.target for row in on}
    if off:
        text += f"\nSwitched off, as other rows move the same: {first_of(sorted(off), 2)}"
    unknown = unmatched_names(character, rows)
    if unknown:
        text += f"\nUnknown names, add rows for those that should move: {first_of(unknown, 2)}"
    return text


def retarget(settings: ExpNetCharacter, scene: bpy.types.Scene) -> str:
    """Move the character by its table. Returns lines for the user. Raises InputError, with nothing changed."""
    rows = settings.table()
    if settings.output == "DRIVERS":
        if settings.source != "FACE":
            raise InputError("Drivers need a face to follow: choose a face, or keys")
        report = apply_drivers(settings.character(), rows, settings.followed(scene))
    else:
        report = apply_keys(settings.character(), rows, settings.motion(scene))
    text = f"{report} {'driven' if settings.output == 'DRIVERS' else 'keyed'}"
    for why, targets in report.reasons().items():
        text += f"\n{first_of(targets, 2)}: {why}"
    return text


def drive(settings: ExpNetCharacter, scene: bpy.types.Scene) -> str:
    """Match the character's names if its table is empty, check the table, and move the character by it.

    Raises InputError if there is nothing to follow or nothing that would move; a table that was empty then stays so.
    """
    if settings.source == "FACE":
        settings.followed(scene)  # fails before the table is filled
    empty = not settings.rows
    lines = [match(settings)] if empty else []
    try:
        Plan(settings.character(), settings.table())
        lines.append(retarget(settings, scene))
    except InputError:
        if empty:
            settings.rows.clear()
        raise
    return "\n".join(lines)

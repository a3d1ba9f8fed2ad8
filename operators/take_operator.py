"""The base of the operators that change the head's current take."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import chosen
from ..expnet_addon.scene import current_take
from ..model.errors import InputError
from .task import has_take, idle


class TakeOperator:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_take(cls, context) and idle(cls)


class ConfirmedTakeOperator(TakeOperator):
    """An operator that asks before it discards the artist's edits."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        confirmed: set[str] = context.window_manager.invoke_confirm(self, event)
        return confirmed


def write_keys(context: bpy.types.Context, discard: bool) -> bpy.types.Action:
    """Write the take's keys anew and return it; ``discard`` replaces hand edits. Raises InputError."""
    from ..expnet_addon.scene import take_keys

    action = current_take.take_of(chosen.face(context))
    assert action is not None
    problem = take_keys.apply_again(action, discard)
    if problem:
        raise InputError(problem)
    return action

"""Find the take that a head plays. Polls call it at every redraw, so it needs no numpy."""

from __future__ import annotations

import bpy

from .. import compat
from .heads import is_rig

TAKE = "expnet_take"  # custom property of an action: its clip, or POSES
TAKE_HEAD = "expnet_head"  # custom property of an action: the name that its head had
HEAD_ID = "expnet_id"  # custom property of a head and of its takes
UNTREATED = ("head",)  # regions without a gain


def take_of(head: bpy.types.Object | None) -> bpy.types.Action | None:
    """Return the action on ``head`` that holds a performance, or None."""
    if head is None or not is_rig(head):
        return None
    data = head.data.shape_keys.animation_data
    action = data.action if data else None
    return action if action is not None and action.expnet.rate else None


def player_of(action: bpy.types.Action) -> bpy.types.Object | None:
    """Return the head that plays the take, or None."""
    return next((obj for obj in bpy.data.objects if take_of(obj) == action), None)


def is_of(head: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Return whether ``action`` is a take, or a part of one, that was made for ``head``.

    Takes of earlier versions store the name of their head.
    """
    if TAKE not in action or action.library is not None:
        return False
    known = action.get(HEAD_ID)
    return bool(known == head.get(HEAD_ID) if known is not None else action.get(TAKE_HEAD) == head.name)


def takes_of(head: bpy.types.Object) -> list[bpy.types.Action]:
    """Return the actions that hold performances of ``head``, in the order of ``bpy.data.actions``."""
    return [action for action in bpy.data.actions if is_of(head, action) and action.expnet.rate]


def head_action_of(head: bpy.types.Object, take: bpy.types.Action) -> bpy.types.Action | None:
    """Return the action with the take's gaze and head pose: the take itself, if actions have slots."""
    if compat.action_curves(take, "OBJECT") is not None:
        return take
    if take.expnet.head_action is not None:
        return take.expnet.head_action
    parts = [each for each in bpy.data.actions if each != take and is_of(head, each) and each[TAKE] == take[TAKE]]
    return next((each for each in parts if compat.action_curves(each, "OBJECT") is not None), None)
